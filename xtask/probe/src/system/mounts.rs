//! File systems: the root's and what lies under it, and free space (proc_pid_mountinfo(5)).

use std::path::Path;

use lab_facts::{Root as RootFs, Space};

use super::disks;
use crate::part::{Part, part};
use crate::root::{Root, short};

/// The most that is read of the list of mounts, in bytes.
const MOUNTS: u64 = 8 << 20;

/// A line of `/proc/self/mountinfo`.
struct Mount {
    device: String,
    at: String,
    fstype: String,
    source: String,
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (head, tail) = line.split_once(" - ")?;
        let head: Vec<&str> = head.split(' ').collect();
        let mut tail = tail.split(' ');
        Some(Self {
            device: (*head.get(2)?).to_owned(),
            at: unescaped(head.get(4)?),
            fstype: tail.next()?.to_owned(),
            source: unescaped(tail.next()?),
            options: tail.next().unwrap_or_default().to_owned(),
        })
    }
}

/// The kernel writes space, tab, line feed and backslash as three octal digits.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        match code {
            Some(code) if code.is_ascii() => {
                plain.push(char::from(code));
                plain.push_str(&part[3..]);
            }
            _ => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn mounts(root: &Root) -> Result<Vec<Mount>, String> {
    let text = root.text("/proc/self/mountinfo", MOUNTS)?;
    Ok(text.lines().filter_map(Mount::parse).collect())
}

/// The root file system.
pub(crate) fn root_file_system(root: &Root) -> Result<RootFs, String> {
    let mounts = mounts(root)?;
    // A later mount covers an earlier one.
    let mount = mounts.iter().rev().find(|mount| mount.at == "/");
    let mount = mount.ok_or("/proc/self/mountinfo has no root")?;
    let device = device(root, mount);
    Ok(RootFs {
        source: mount.source.clone(),
        fstype: mount.fstype.clone(),
        live: is_live(root, mount),
        disks: device.map_or_else(Vec::new, |device| disks::below(root, &device)),
    })
}

/// Whether the installer's live system runs: casper's overlay is called `/cow`.
fn is_live(root: &Root, mount: &Mount) -> bool {
    let words = root.line("/proc/cmdline").unwrap_or_default();
    let asked = words
        .split_whitespace()
        .any(|word| matches!(word, "boot=casper" | "boot=live"));
    let upper = mount.options.split(',').any(|option| {
        let folder = option.strip_prefix("upperdir=").unwrap_or_default();
        folder.starts_with("/cow/") || folder.starts_with("/run/live/")
    });
    asked || mount.source == "/cow" || upper
}

/// The kernel's name of the block device below a mount: by its number, and where that is
/// none of a block device (as with btrfs) by its path.
fn device(root: &Root, mount: &Mount) -> Option<String> {
    let number = &mount.device;
    let plain = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b':');
    let by_number = plain.then(|| root.link_name(&format!("/sys/dev/block/{number}")));
    by_number.flatten().or_else(|| {
        let path = mount.source.strip_prefix("/dev/")?;
        let name = root.link_name(&format!("/dev/{path}"));
        Some(name.unwrap_or_else(|| path.to_owned()))
    })
}

/// The free space of each folder, each found out by itself: a file system may hang.
pub(crate) fn spaces(root: &Root, folders: &[String]) -> Vec<(String, Part<Space>)> {
    let space_of = |folder: &String| {
        let (root, path) = (root.clone(), folder.clone());
        (
            folder.clone(),
            part(folder.clone(), move || space(&root, &path)),
        )
    };
    folders.iter().map(space_of).collect()
}

fn space(root: &Root, folder: &str) -> Result<Space, String> {
    if !folder.starts_with('/') {
        return Err(format!("`{}` is not an absolute path", short(folder)));
    }
    let path = root.path(folder);
    let failed = |error| format!("asking for the room in {folder}: {error}");
    let real = std::fs::canonicalize(&path).map_err(failed)?;
    let room = rustix::fs::statvfs(&path).map_err(|error| failed(error.into()))?;
    Ok(Space {
        mounted_at: mounted_at(&mounts(root)?, &real).unwrap_or_default(),
        size_bytes: room.f_blocks.saturating_mul(room.f_frsize),
        free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
        free_inodes: (room.f_files > 0).then_some(room.f_favail),
    })
}

/// The mount that a path lies below most closely; of several at one place the last.
fn mounted_at(mounts: &[Mount], path: &Path) -> Option<String> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.at));
    let closest = above.max_by_key(|mount| Path::new(&mount.at).components().count())?;
    Some(closest.at.clone())
}
