//! The disk is erased and laid out, by the commands that [`crate::layout`] planned.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::autoinstall::Passphrase;
use crate::events::Stage;
use crate::layout::{CRYPT, Layout, Mount, Stale, Stdin, Step};
use crate::live::{Input, Live, TARGET};

/// Below this the installer mounts what it copies from.
pub(crate) const WORK: &str = "/run/lab-installer";

/// Takes off what an installer that was killed left mounted.
pub(crate) fn release(live: &Live) -> Result<()> {
    let ours =
        |point: &Path| point.starts_with(live.path(TARGET)) || point.starts_with(live.path(WORK));
    // Mounts hide each other, so it may take several rounds.
    for _ in 0..8 {
        let table = live.read("/proc/self/mountinfo").unwrap_or_default();
        let points = table.lines().filter_map(|line| line.split(' ').nth(4));
        let left: Vec<&str> = points.filter(|point| ours(Path::new(point))).collect();
        if left.is_empty() {
            return Ok(());
        }
        for point in left.iter().rev() {
            live.succeeds(&["umount", point]);
        }
    }
    bail!(
        "{} or {WORK} is still in use and cannot be unmounted",
        live.word(TARGET)
    )
}

/// What is on a disk, and the names of volume groups that are not on it.
pub(crate) fn survey(live: &Live, disk: &str) -> Result<(Stale, BTreeSet<String>)> {
    let mut stale = Stale::default();
    let mut nodes = BTreeSet::from([disk.to_owned()]);
    let table = live.output(&[
        "lsblk",
        "--noheadings",
        "--raw",
        "--paths",
        "--output",
        "NAME,TYPE",
        disk,
    ])?;
    for (node, kind) in table.lines().filter_map(|line| line.split_once(' ')) {
        match kind.trim() {
            "part" => stale.partitions.push(node.to_owned()),
            "crypt" => stale
                .crypts
                .push(node.trim_start_matches("/dev/mapper/").to_owned()),
            kind if kind.starts_with("raid") || kind == "md" => {
                bail!("{node} on {disk} is a {kind}: this stand-in takes no RAID apart")
            }
            _ => continue,
        }
        nodes.insert(node.to_owned());
    }
    let pvs = [
        "pvs",
        "--noheadings",
        "--separator",
        ",",
        "--options",
        "pv_name,vg_uuid,vg_name",
    ];
    // Without LVM in the live system there is none to take off.
    let table = live.output(&pvs).unwrap_or_default();
    let mut elsewhere = BTreeSet::new();
    for line in table.lines() {
        let mut columns = line.trim().split(',');
        let mut column = || columns.next().unwrap_or_default().to_owned();
        let (node, uuid, name) = (column(), column(), column());
        match nodes.contains(&node) {
            true if !uuid.is_empty() => stale.groups.push(uuid),
            false if !name.is_empty() => drop(elsewhere.insert(name)),
            _ => {}
        }
    }
    stale.groups.dedup();
    Ok((stale, elsewhere))
}

/// Runs commands in their order.
pub(crate) fn run(live: &Live, steps: &[Step], passphrase: Option<&Passphrase>) -> Result<()> {
    for step in steps {
        let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
        let input = match (&step.stdin, passphrase) {
            (Stdin::Nothing, _) => Input::None,
            (Stdin::Text(text), _) => Input::Text(text),
            (Stdin::Passphrase, Some(passphrase)) => Input::Secret(passphrase.reveal()),
            (Stdin::Passphrase, None) => bail!("{}: there is no passphrase", step.words.join(" ")),
        };
        live.run_with(&words, input)?;
    }
    Ok(())
}

/// Mounts a file system in its place below the target.
pub(crate) fn mount(live: &Live, mount: &Mount) -> Result<()> {
    let at = live.target(mount.at);
    std::fs::create_dir_all(&at).with_context(|| format!("making {}", at.display()))?;
    live.run(&[
        "mount",
        "-t",
        mount.kind,
        &mount.node,
        &at.display().to_string(),
    ])
}

/// Writes fstab and, for an encrypted disk, crypttab: by UUID, for names of disks change.
pub(crate) fn write_tables(live: &Live, layout: &Layout, swap: u64) -> Result<()> {
    let mut text = "# /etc/fstab: written by the installer.\n".to_owned();
    for mount in &layout.mounts {
        let check = if mount.at == "/" {
            1
        } else {
            i32::from(mount.kind == "ext4")
        };
        let uuid = uuid(live, &mount.node)?;
        text += &format!(
            "/dev/disk/by-uuid/{uuid} {} {} defaults 0 {check}\n",
            mount.at, mount.kind
        );
    }
    if swap > 0 {
        text += "/swap.img none swap sw 0 0\n";
    }
    live.write(&live.target("/etc/fstab"), &text, 0o644)?;
    if let Some(node) = &layout.encrypted {
        let line = format!("{CRYPT} UUID={} none luks\n", uuid(live, node)?);
        live.write(&live.target("/etc/crypttab"), &line, 0o600)?;
    }
    Ok(())
}

fn uuid(live: &Live, node: &str) -> Result<String> {
    match live.output(&[
        "blkid",
        "--probe",
        "--match-tag",
        "UUID",
        "--output",
        "value",
        node,
    ])? {
        uuid if uuid.is_empty() => bail!("{node} has no UUID"),
        uuid => Ok(uuid),
    }
}

/// Makes the swap file.
pub(crate) fn swap_file(live: &Live, size: u64) -> Result<()> {
    let file = live.target("/swap.img").display().to_string();
    live.write(&live.target("/swap.img"), "", 0o600)?;
    live.run(&["fallocate", "--length", &size.to_string(), &file])?;
    live.run(&["mkswap", &file])
}

/// Lets go of the disk before the machine restarts. What is still in use is only said:
/// everything is written by then.
pub(crate) fn close(live: &Live, layout: &Layout) {
    live.succeeds(&["sync"]);
    if let Err(error) = release(live) {
        live.events.warn(Stage::Shutdown, &format!("{error:#}"));
    }
    if let Some(group) = &layout.group {
        live.succeeds(&["vgchange", "--activate", "n", group]);
    }
    if layout.encrypted.is_some() {
        live.succeeds(&["cryptsetup", "close", CRYPT]);
    }
}
