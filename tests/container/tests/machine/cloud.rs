//! The real cloud-init on its first start.

use anyhow::{Result, ensure};
use lab_plan::place;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    ("the_first_start_keeps_the_host_key", first_start),
    ("only_the_drop_in_keeps_the_host_key", drop_in),
];

/// As systemd starts it, with what the installer leaves for it.
fn first_start(world: &World) -> Result<()> {
    let machine = world.second()?;
    let status = machine.guest.sh("cloud-init status --long")?;
    ensure!(status.text.contains("status: done"), "{status:?}");
    let log = machine.guest.ok("cat /var/log/cloud-init.log")?;
    ensure!(
        log.contains("config-ssh"),
        "cloud-init did not see to SSH: {log}"
    );
    let key = machine.guest.ok(&format!("cat /{}", place::HOST_KEY))?;
    ensure!(
        key.trim() == machine.described.host.private()?.trim(),
        "another host key"
    );
    Ok(())
}

/// The stages of a first start, on a system without systemd.
const STAGES: &str = "set -e
mkdir -p /var/lib/cloud/seed/nocloud
echo 'instance-id: lab-test' >/var/lib/cloud/seed/nocloud/meta-data
printf '#cloud-config\\nssh_pwauth: false\\n' >/var/lib/cloud/seed/nocloud/user-data
echo 'network: {config: disabled}' >/etc/cloud/cloud.cfg.d/90-installer-network.cfg
echo 'datasource_list: [NoCloud]' >/etc/cloud/cloud.cfg.d/98-source.cfg
cloud-init clean --logs
cloud-init init --local
cloud-init init
cloud-init modules --mode config
grep -q 'config-ssh\\|config_ssh\\|cc_ssh' /var/log/cloud-init.log
";

fn drop_in(world: &World) -> Result<()> {
    let (guest, described) = world.bench()?;
    let key = || guest.ok(&format!("cat /{}", place::HOST_KEY));
    let ours = described.host.private()?;
    guest.ok("sh /cdrom/lab/lay-down files /")?;
    ensure!(key()?.trim() == ours.trim(), "the key was not laid down");
    guest.ok(STAGES)?;
    ensure!(key()?.trim() == ours.trim(), "cloud-init made another key");
    guest.ok("rm /etc/cloud/cloud.cfg.d/99-lab.cfg")?;
    guest.ok(STAGES)?;
    ensure!(
        key()?.trim() != ours.trim(),
        "cloud-init keeps the key by itself: this test proves nothing"
    );
    Ok(())
}
