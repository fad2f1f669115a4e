//! From a disk and what is wanted to the commands that lay it out: no disk is touched
//! here.
//!
//! Sizes and names are the real installer's (canonical/subiquity,
//! subiquity/common/storage/sizes.py and the controller's `guided_lvm`, read 2026-11).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Result, bail};

use crate::autoinstall::{LayoutName, Sizing, Storage};
use crate::disk::Disk;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The types of partitions (UEFI specification 2.10, 5.3.3; GRUB's manual; systemd's
/// discoverable partitions).
const BIOS_BOOT: &str = "21686148-6449-6E6F-744E-656564454649";
const ESP: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
const LINUX: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

/// The name of the opened encryption, as curtin gives it.
pub const CRYPT: &str = "dm_crypt-0";

/// How the machine was started, which is how it will start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// UEFI.
    Uefi,
    /// A BIOS.
    Bios,
}

/// What is on a disk already and must go first.
#[derive(Debug, Clone, Default)]
pub struct Stale {
    /// The disk's partitions, as device nodes.
    pub partitions: Vec<String>,
    /// Opened encryptions on it, by their names below /dev/mapper.
    pub crypts: Vec<String>,
    /// Volume groups on it, by their UUIDs.
    pub groups: Vec<String>,
}

/// What goes to a command's standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing.
    Nothing,
    /// This.
    Text(String),
    /// The passphrase; it is nowhere else.
    Passphrase,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its words.
    pub words: Vec<String>,
    /// Its standard input.
    pub stdin: Stdin,
}

/// A file system and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The device node.
    pub node: String,
    /// Where, in the installed system.
    pub at: &'static str,
    /// Its kind.
    pub kind: &'static str,
}

/// A disk's new layout.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The disk, which GRUB is installed to on a BIOS.
    pub disk: String,
    /// The commands, in their order.
    pub steps: Vec<Step>,
    /// The file systems, the root first.
    pub mounts: Vec<Mount>,
    /// The encrypted partition.
    pub encrypted: Option<String>,
    /// The volume group's name.
    pub group: Option<String>,
}

fn step(words: &[&str]) -> Step {
    Step {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        stdin: Stdin::Nothing,
    }
}

/// The commands that take off what was there: volume groups first, then encryptions, then
/// the signatures of partitions and of the disk.
pub fn clear(disk: &str, stale: &Stale) -> Vec<Step> {
    let mut steps = Vec::new();
    for group in &stale.groups {
        steps.push(step(&[
            "vgchange",
            "--activate",
            "n",
            "--select",
            &format!("vg_uuid={group}"),
        ]));
    }
    for crypt in &stale.crypts {
        steps.push(step(&["cryptsetup", "close", crypt]));
    }
    for partition in stale.partitions.iter().rev() {
        steps.push(step(&["wipefs", "--all", "--force", partition]));
    }
    steps.push(step(&["wipefs", "--all", "--force", disk]));
    steps.push(step(&["udevadm", "settle"]));
    steps
}

/// The device node of a partition: `/dev/sda1`, `/dev/nvme0n1p1`.
pub fn partition(disk: &str, number: usize) -> String {
    match disk.ends_with(|c: char| c.is_ascii_digit()) {
        true => format!("{disk}p{number}"),
        false => format!("{disk}{number}"),
    }
}

/// Lays a disk out. `groups` are the names of volume groups on other disks.
///
/// # Errors
///
/// When the disk is too small.
pub fn plan(
    storage: &Storage,
    disk: &Disk,
    firmware: Firmware,
    groups: &BTreeSet<String>,
) -> Result<Layout> {
    let mut planned = Planned::begin(disk);
    match firmware {
        Firmware::Uefi => planned.esp()?,
        Firmware::Bios => {
            planned.part(MIB, BIOS_BOOT)?;
        }
    }
    match storage.layout {
        LayoutName::Direct => planned.direct()?,
        LayoutName::Lvm => planned.lvm(storage, groups)?,
    }
    Ok(planned.end())
}

struct Planned<'a> {
    disk: &'a Disk,
    table: String,
    /// Where the next partition begins, and where the last one ends, in bytes.
    next: u64,
    last: u64,
    parts: usize,
    formats: Vec<Step>,
    mounts: Vec<Mount>,
    encrypted: Option<String>,
    group: Option<String>,
}

impl<'a> Planned<'a> {
    fn begin(disk: &'a Disk) -> Self {
        Self {
            disk,
            table: "label: gpt\n".to_owned(),
            next: MIB,
            last: (disk.size / MIB).saturating_sub(1) * MIB,
            parts: 0,
            formats: Vec::new(),
            mounts: Vec::new(),
            encrypted: None,
            group: None,
        }
    }

    fn room(&self) -> u64 {
        self.last.saturating_sub(self.next)
    }

    /// A partition of a size, which is a multiple of a MiB.
    fn part(&mut self, size: u64, kind: &str) -> Result<String> {
        if size > self.room() {
            bail!(
                "{} is too small: {} bytes are left, {size} are needed",
                self.disk.node,
                self.room()
            );
        }
        self.parts += 1;
        let _ = writeln!(
            self.table,
            "start={}MiB, size={}MiB, type={kind}",
            self.next / MIB,
            size / MIB
        );
        self.next += size;
        Ok(partition(&self.disk.node, self.parts))
    }

    /// The last partition takes what is left; the real one wants 900 MiB for a system.
    fn rest(&mut self) -> Result<(String, u64)> {
        let room = self.room();
        if room < 900 * MIB {
            bail!(
                "{} is too small: {room} bytes are left for the system",
                self.disk.node
            );
        }
        Ok((self.part(room, LINUX)?, room))
    }

    fn esp(&mut self) -> Result<()> {
        let node = self.part(scaled(self.room(), 538, 538, 1075), ESP)?;
        self.formats.push(step(&["mkfs.vfat", "-F", "32", &node]));
        self.mounts.push(Mount {
            node,
            at: "/boot/efi",
            kind: "vfat",
        });
        Ok(())
    }

    fn direct(&mut self) -> Result<()> {
        let (node, _) = self.rest()?;
        self.ext4(node, "/");
        Ok(())
    }

    fn ext4(&mut self, node: String, at: &'static str) {
        self.formats.push(step(&["mkfs.ext4", "-q", "-F", &node]));
        self.mounts.push(Mount {
            node,
            at,
            kind: "ext4",
        });
    }

    fn lvm(&mut self, storage: &Storage, groups: &BTreeSet<String>) -> Result<()> {
        let boot = self.part(scaled(self.room(), 1024, 1792, 2048), LINUX)?;
        self.ext4(boot, "/boot");
        let (rest, mut size) = self.rest()?;
        let mut volume = rest.clone();
        if storage.passphrase.is_some() {
            self.encrypt(&rest);
            volume = format!("/dev/mapper/{CRYPT}");
            // The header of LUKS 2.
            size = size.saturating_sub(16 * MIB);
            self.encrypted = Some(rest);
        }
        let group = group_name(groups);
        let room = size.saturating_sub(MIB) / (4 * MIB) * (4 * MIB);
        self.volume(&volume, &group, storage.sizing, room);
        self.group = Some(group);
        Ok(())
    }

    fn encrypt(&mut self, node: &str) {
        let words: [&[&str]; 2] = [
            &[
                "cryptsetup",
                "luksFormat",
                "--type",
                "luks2",
                "--batch-mode",
                "--key-file",
                "-",
                node,
            ],
            &[
                "cryptsetup",
                "open",
                "--type",
                "luks2",
                "--key-file",
                "-",
                node,
                CRYPT,
            ],
        ];
        for words in words {
            self.formats.push(Step {
                stdin: Stdin::Passphrase,
                ..step(words)
            });
        }
    }

    fn volume(&mut self, volume: &str, group: &str, sizing: Sizing, room: u64) {
        let scaled = scaled_root(room) / (4 * MIB) * (4 * MIB);
        let bytes = format!("{scaled}b");
        let size: [&str; 2] = match sizing {
            Sizing::Scaled if scaled < room => ["--size", &bytes],
            _ => ["--extents", "100%FREE"],
        };
        self.formats
            .push(step(&["pvcreate", "--yes", "-ff", "--zero", "y", volume]));
        self.formats
            .push(step(&["vgcreate", "--yes", group, volume]));
        let create = [
            "lvcreate",
            "--yes",
            "--wipesignatures",
            "y",
            "--name",
            "ubuntu-lv",
        ];
        self.formats
            .push(step(&[&create[..], &size[..], &[group]].concat()));
        self.formats.push(step(&["udevadm", "settle"]));
        self.ext4(format!("/dev/{group}/ubuntu-lv"), "/");
    }

    fn end(mut self) -> Layout {
        let sfdisk = step(&[
            "sfdisk",
            "--wipe",
            "always",
            "--wipe-partitions",
            "always",
            &self.disk.node,
        ]);
        let mut steps = vec![Step {
            stdin: Stdin::Text(self.table),
            ..sfdisk
        }];
        steps.push(step(&["udevadm", "settle"]));
        steps.append(&mut self.formats);
        steps.push(step(&["udevadm", "settle"]));
        self.mounts.sort_by_key(|mount| mount.at.len());
        Layout {
            disk: self.disk.node.clone(),
            steps,
            mounts: self.mounts,
            encrypted: self.encrypted,
            group: self.group,
        }
    }
}

/// A partition's share of the room, in bytes: by priority, between a least and a most in
/// MiB, all of them together being of 538, 1024 and 10000.
fn scaled(room: u64, priority: u64, least: u64, most: u64) -> u64 {
    let share = u128::from(room) * u128::from(priority) / (538 + 1024 + 10_000);
    let share = u64::try_from(share)
        .unwrap_or(u64::MAX)
        .clamp(least * MIB, most * MIB);
    share.div_ceil(MIB) * MIB
}

/// How much of a volume group of `room` bytes the system gets, so that there is some left
/// for snapshots.
fn scaled_root(room: u64) -> u64 {
    match room / GIB {
        0..10 => room,
        10..20 => 10 * GIB,
        20..200 => room / 2,
        _ => 100 * GIB,
    }
}

fn group_name(taken: &BTreeSet<String>) -> String {
    let numbered = (1..).map(|number| format!("ubuntu-vg-{number}"));
    let mut names = std::iter::once("ubuntu-vg".to_owned()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
