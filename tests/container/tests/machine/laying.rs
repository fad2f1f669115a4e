//! The script of the late-commands under what can go wrong: a second run, a medium that
//! was changed, and an end in the middle.

use anyhow::{Context, Result, ensure};

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    ("laying_down_twice_changes_nothing", twice),
    ("a_medium_that_was_changed_is_refused", changed_medium),
    ("killed_anywhere_and_run_again_it_is_whole", killed),
];

/// Everything at a target, one line each: type, permissions, owner, name, link, digest.
const STATE: &str = "state() { (cd \"$1\" && find . -printf '%y %m %U:%G %p %l\\n' | sort \
     && find . -type f | sort | xargs -r sha256sum); }\n";

fn twice(world: &World) -> Result<()> {
    let (guest, _) = world.bench()?;
    let said = guest.ok(&format!(
        "set -e\n{STATE}\nt=/tmp/twice\nmkdir -p $t/etc\n\
         sh /cdrom/lab/lay-down files $t && sh /cdrom/lab/lay-down marker $t\nstate $t >/tmp/once\n\
         sh /cdrom/lab/lay-down files $t && sh /cdrom/lab/lay-down marker $t\nstate $t >/tmp/again\n\
         cmp /tmp/once /tmp/again\nwc -l </tmp/once"
    ))?;
    let lines: usize = said.trim().parse().with_context(|| said.clone())?;
    ensure!(lines > 30, "only {lines} things were compared");
    Ok(())
}

fn changed_medium(world: &World) -> Result<()> {
    let (guest, _) = world.bench()?;
    let ways = [
        (
            "echo >>overlay/etc/sudoers.d/10-lab",
            "differs from what was written",
        ),
        (
            "rm overlay/etc/ssh/sshd_config.d/10-lab.conf",
            "is missing on the medium",
        ),
        (
            ": >overlay/etc/systemd/system/lab.target",
            "differs from what was written",
        ),
        ("echo 'device x y' >>overlay.list", "of the kind 'device'"),
        ("rm overlay.list", "overlay.list"),
    ];
    for (number, (change, answer)) in ways.iter().enumerate() {
        let copy = format!("/tmp/medium{number}");
        let target = format!("/tmp/refused{number}");
        guest.ok(&format!(
            "cp -R /cdrom/lab {copy} && cd {copy} && {change} && mkdir -p {target}/etc"
        ))?;
        let said = guest.sh(&format!("sh {copy}/lay-down files {target}"))?;
        ensure!(said.code != 0, "after `{change}` all was copied");
        ensure!(
            said.text.contains(answer),
            "after `{change}`: {}",
            said.text
        );
        let left = guest.ok(&format!("find {target} -mindepth 1 ! -path {target}/etc"))?;
        ensure!(left.is_empty(), "after `{change}` there is {left}");
    }
    Ok(())
}

fn killed(world: &World) -> Result<()> {
    let (guest, _) = world.bench()?;
    let said = guest.ok(&format!("{STATE}{}", include_str!("killed.sh")))?;
    let last = said.lines().last().unwrap_or_default();
    let points = last.strip_prefix("all points: ");
    let points: usize = points
        .and_then(|number| number.parse().ok())
        .with_context(|| said.clone())?;
    ensure!(points > 40, "killed at {points} points only");
    Ok(())
}
