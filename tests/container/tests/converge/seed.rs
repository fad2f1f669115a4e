//! What `xtask seed` writes, given to the real cloud-init on a machine that has nothing
//! of the lab.
//!
//! What this does not prove: that cloud-init finds the medium by its label, and the
//! network that it is given. The container's network is Docker's, so network-config is
//! left out, and the other files are put where cloud-init reads them without a medium.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command as Process;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use lab_container::{Command, Guest, Ssh};

use crate::Test;
use crate::world::{FIRST_BOOT, World};

pub(crate) const TESTS: &[Test] = &[("a_seed_makes_the_same_machine", converges)];

fn converges(world: &World) -> Result<()> {
    if Process::new("mcopy").arg("-V").output().is_err() {
        lab_container::not_run(
            "a_seed_makes_the_same_machine",
            "missing mcopy (Debian package mtools)",
        );
        return Ok(());
    }
    let (guest, described) = world.stock()?;
    let command = Command::new(&described, world.upstreams()?)?;
    give_seed(&command, &guest)?;
    let begin = Instant::now();
    guest.restart()?;
    let ssh = Ssh::new(
        described.scratch(),
        guest.ssh_port()?,
        &described.host.public,
    )?;
    let shown = ssh.shown_keys()?;
    ensure!(
        matches!(shown.as_slice(), [key] if described.host.public.starts_with(key.as_str())),
        "from the first connection on it shows {shown:?}, its key is {}",
        described.host.public
    );
    let said = guest.sh("cloud-init status --wait --long")?;
    ensure!(
        said.code == 0 && said.text.contains("status: done"),
        "{}",
        said.text
    );
    let schema = guest.ok("cloud-init schema --system")?;
    guest.converged(FIRST_BOOT)?;
    println!(
        "a seed's first boot: lab.target after {:.1} s; {}",
        begin.elapsed().as_secs_f64(),
        schema.trim()
    );
    guest.ok(SAME).context("compared with the image")?;
    let answer = ssh.with_key(described.user(), &described.admin.file, "sudo -n id -u")?;
    ensure!(answer.stdout.trim() == "0", "{answer:#?}");
    Ok(())
}

/// What is laid down, and what it converged with, against the files of the image.
const SAME: &str = "cd /cdrom/lab\n\
     cmp overlay.list /var/lib/lab/generations/current/overlay.list || exit 1\n\
     count=0\n\
     for key in overlay/etc/lab/units/*.key; do name=${key##*/}; name=${name%.key}\n\
     cmp $key /etc/lab/units/$name.key && cmp $key /var/lib/lab/units/$name.done || exit 1\n\
     count=$((count + 1))\ndone\n\
     test $count -ge 8 && test ! -e /var/lib/lab/seed.tar.gz";

/// What a cloud image has, as far as a container differs from it: no disk to grow, no
/// network to set up, no package of locales, and no other source of user-data.
const STOCK: &str = "set -e\n\
     cat >/etc/cloud/cloud.cfg.d/90-test.cfg <<'END'\n\
     datasource_list: [NoCloud]\ngrowpart: {mode: 'off'}\nresize_rootfs: false\n\
     network: {config: disabled}\nEND\n\
     echo 'policy: enabled' >/etc/cloud/ds-identify.cfg\n\
     printf '#!/bin/sh\\n' >/usr/local/sbin/update-locale\n\
     chmod 0755 /usr/local/sbin/update-locale\n\
     cloud-init clean --logs\n\
     mkdir -p /var/lib/cloud/seed";

/// Writes the seed, takes the files out of it and gives them to cloud-init.
fn give_seed(command: &Command, guest: &Guest) -> Result<()> {
    let image = command.scratch().join("seed.img");
    let place = image.to_str().context("the scratch folder is no UTF-8")?;
    let made = command.run(&["seed", "--out", place])?;
    ensure!(made.code == Some(0), "{made:#?}");
    let mode = fs::metadata(&image)?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "others may read the seed: {mode:o}");
    let folder = command.scratch().join("nocloud");
    fs::create_dir_all(&folder)?;
    for name in ["user-data", "meta-data"] {
        let copied = Process::new("mcopy")
            .args(["-n", "-i", place, &format!("::{name}")])
            .arg(folder.join(name))
            .output()?;
        ensure!(copied.status.success(), "mcopy {name}: {copied:?}");
    }
    guest.ok(STOCK)?;
    guest.copy_in(&folder, "/var/lib/cloud/seed/nocloud")
}
