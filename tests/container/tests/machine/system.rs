//! What the machine's own programs make of the files that were laid down.

use anyhow::{Context, Result, ensure};
use lab_plan::place;

use crate::Test;
use crate::world::{Installed, World};

pub(crate) const TESTS: &[Test] = &[
    ("everything_landed_as_listed", as_listed),
    ("the_private_host_key_is_roots_alone", private_key),
    ("the_marker_names_this_lab", marker),
    ("no_unit_failed", no_unit_failed),
    ("the_labs_target_is_reached", target),
    ("units_and_logins_verify", verified),
    ("the_journal_keeps_its_limit", journal),
    ("the_driver_waits_for_the_administrator", updates),
    ("apt_reads_its_settings", apt),
    ("nouveau_is_kept_out", modules),
    ("the_time_servers_are_read", time),
];

/// A path on the machine: `find`'s type, permissions, owner, group, and what it holds.
fn seen(machine: &Installed, path: &str) -> Result<String> {
    let script = format!(
        "find '/{path}' -maxdepth 0 -printf '%y %m %U:%G %l'; \
         test -L '/{path}' || sha256sum <'/{path}'"
    );
    machine.guest.ok(&script)
}

fn as_listed(world: &World) -> Result<()> {
    for machine in [world.first()?, world.second()?] {
        let list = machine.described.files.get(place::OVERLAY_LIST);
        let list = list.context("the image has no overlay.list")?;
        let list = String::from_utf8(list.bytes.clone())?;
        ensure!(list.lines().count() > 10, "the list is short: {list}");
        for line in list.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let (path, wanted) = match words.as_slice() {
                ["file", what, path] => {
                    let (mode, digest) = what.split_once(':').context("a file without a digest")?;
                    let mode = mode.trim_start_matches('0');
                    (path, format!("f {mode} 0:0 {digest}  -\n"))
                }
                ["link", to, path] => (path, format!("l 777 0:0 {to}")),
                _ => anyhow::bail!("overlay.list has the line {line}"),
            };
            let seen = seen(machine, path)?;
            ensure!(seen == wanted, "/{path}: {seen}, expected {wanted}");
        }
    }
    Ok(())
}

fn private_key(world: &World) -> Result<()> {
    let machine = world.first()?;
    let seen = seen(machine, place::HOST_KEY)?;
    ensure!(seen.starts_with("f 600 0:0 "), "{seen}");
    let user = machine.described.user();
    let script = format!("runuser -u {user} -- cat /{}", place::HOST_KEY);
    let said = machine.guest.sh(&script)?;
    ensure!(
        said.code != 0 && said.text.contains("Permission denied"),
        "{said:?}"
    );
    Ok(())
}

fn marker(world: &World) -> Result<()> {
    let machine = world.first()?;
    let name = machine.described.name();
    let found = machine
        .guest
        .ok(&format!("cat /boot/lab/installed-{name}"))?;
    let wanted = machine.described.files.get(place::MARKER);
    let wanted = wanted.context("the image has no marker")?;
    ensure!(found.as_bytes() == wanted.bytes, "{found}");
    Ok(())
}

fn no_unit_failed(world: &World) -> Result<()> {
    for machine in [world.first()?, world.second()?] {
        let list = "systemctl list-units --state=failed --plain --no-legend --no-pager";
        let failed = machine.guest.ok(list)?;
        ensure!(failed.trim().is_empty(), "failed units: {failed}");
        let state = machine.guest.sh("systemctl is-system-running")?;
        ensure!(state.text.trim() == "running", "{state:?}");
    }
    Ok(())
}

fn target(world: &World) -> Result<()> {
    let machine = world.first()?;
    let ask = "systemctl show --property=ActiveState,UnitFileState,Description lab.target";
    let found = machine.guest.ok(ask)?;
    ensure!(found.contains("ActiveState=active"), "{found}");
    ensure!(found.contains("UnitFileState=enabled"), "{found}");
    ensure!(found.contains(machine.described.name()), "{found}");
    Ok(())
}

fn verified(world: &World) -> Result<()> {
    for machine in [world.first()?, world.second()?] {
        let said = machine
            .guest
            .ok("systemd-analyze verify /etc/systemd/system/lab.target")?;
        ensure!(said.is_empty(), "{said}");
        machine.guest.ok("visudo --check --strict")?;
        machine.guest.ok("sshd -t")?;
    }
    Ok(())
}

fn journal(world: &World) -> Result<()> {
    let machine = world.first()?;
    let all = machine
        .guest
        .ok("systemd-analyze cat-config systemd/journald.conf")?;
    let ours = all
        .split("# /etc/systemd/journald.conf.d/10-lab.conf")
        .nth(1);
    let ours = ours.context("journald does not read the lab's file")?;
    ensure!(ours.contains("\nSystemMaxUse=1G\n"), "{all}");
    // What journald itself says at its start, of the journal on the disk.
    let said = machine.guest.ok(
        "mkdir -p /var/log/journal && systemctl restart systemd-journald && journalctl --flush \
         && journalctl --output cat --unit systemd-journald",
    )?;
    let line = said
        .lines()
        .rfind(|line| line.contains("System Journal (/var/log/journal"));
    let line = line.with_context(|| format!("journald said nothing of its limit: {said}"))?;
    ensure!(line.contains("max 1G"), "{line}");
    Ok(())
}

fn updates(world: &World) -> Result<()> {
    let machine = world.first()?;
    let said = machine.guest.ok("unattended-upgrade --dry-run --debug")?;
    let line = said.lines().find(|line| line.contains("Initial blacklist"));
    let line = line.with_context(|| format!("no blacklist: {said}"))?;
    for package in [
        "nvidia-",
        "libnvidia-",
        "xserver-xorg-video-nvidia-",
        "linux-",
    ] {
        ensure!(
            line.split_whitespace().any(|word| word == package),
            "{package} is not in: {line}"
        );
    }
    Ok(())
}

fn apt(world: &World) -> Result<()> {
    let machine = world.first()?;
    let said = machine.guest.ok("apt-config dump")?;
    for line in [
        "APT::Periodic::Unattended-Upgrade \"1\";",
        "APT::Periodic::Update-Package-Lists \"1\";",
        "Unattended-Upgrade::Automatic-Reboot \"false\";",
        "Unattended-Upgrade::Package-Blacklist:: \"libnvidia-\";",
    ] {
        ensure!(
            said.lines().any(|found| found == line),
            "{line} is not in: {said}"
        );
    }
    Ok(())
}

fn modules(world: &World) -> Result<()> {
    let machine = world.first()?;
    let said = machine.guest.ok("modprobe --showconfig")?;
    for line in [
        "blacklist nouveau",
        "options nouveau modeset=0",
        "softdep nvidia post: nvidia-uvm",
    ] {
        ensure!(
            said.lines().any(|found| found.trim() == line),
            "{line} is not in: {said}"
        );
    }
    Ok(())
}

/// A container has no clock of its own, so systemd starts no timesyncd in it: this lets it
/// start, without the right to set the clock.
const TIMESYNCD: &str = "d=/run/systemd/system/systemd-timesyncd.service.d
mkdir -p $d
printf '[Unit]\\nConditionVirtualization=\\nConditionCapability=\\n[Service]\\nAmbientCapabilities=\\nCapabilityBoundingSet=\\n' >$d/here.conf
systemctl daemon-reload
systemctl start systemd-timesyncd
";

fn time(world: &World) -> Result<()> {
    let machine = world.second()?;
    machine.guest.ok(&format!("set -e\n{TIMESYNCD}"))?;
    let said = machine
        .guest
        .ok("timedatectl show-timesync --property=SystemNTPServers")?;
    ensure!(
        said.trim() == "SystemNTPServers=192.0.2.1 192.0.2.2",
        "{said}"
    );
    let first = world.first()?;
    let said = first
        .guest
        .sh("test -e /etc/systemd/timesyncd.conf.d/10-lab.conf")?;
    ensure!(
        said.code == 1,
        "a machine that names no servers has a file for them"
    );
    Ok(())
}
