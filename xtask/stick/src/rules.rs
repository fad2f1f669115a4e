//! Which disks may be written to at all. No flag of any command changes these rules; the one
//! parameter, [`Kinds`], is for tests, which have loop devices and no sticks.

use crate::device::{Device, Kind};
use crate::survey::{Disk, Survey};

/// Which kinds of disk count as a stick besides USB sticks and memory cards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Loop devices and those of device-mapper, for tests.
    pub test_devices: bool,
}

/// A disk that may be asked about: free, removable and large enough, when it was looked at.
/// Only [`candidate`] makes one.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub(crate) device: Device,
    pub(crate) need: u64,
    pub(crate) kinds: Kinds,
}

impl Candidate {
    /// The disk.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

/// Why a disk is not written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such disk.
    #[error("there is no disk {name}: is it plugged in? `lsblk` shows what there is")]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// A part of a disk was named.
    #[error(
        "{name} is a partition: name the whole disk, {disk}; an image has a partition table of its own"
    )]
    Partition {
        /// The name that was given.
        name: String,
        /// Its disk.
        disk: String,
    },
    /// The running system is on it.
    #[error("{name} holds the running system ({}): it is never written to", .places.join(", "))]
    System {
        /// The disk.
        name: String,
        /// What of the system is on it.
        places: Vec<String>,
    },
    /// The running system could be on any disk.
    #[error(
        "{name} may hold the running system: {why}; run this on a computer where it can be told"
    )]
    Untraced {
        /// The disk.
        name: String,
        /// What could not be traced.
        why: String,
    },
    /// Something on it is mounted.
    #[error("{name} is mounted at {}: if it is the stick, unmount it first: `umount {}`", .places.join(", "), .places.join(" "))]
    Mounted {
        /// The disk.
        name: String,
        /// Where.
        places: Vec<String>,
    },
    /// It is part of a volume, a RAID or an opened encryption.
    #[error("{name} is in use by {}: close what is on it first (`vgchange -an`, `cryptsetup close`, `mdadm --stop`)", .holders.join(", "))]
    Held {
        /// The disk.
        name: String,
        /// By what.
        holders: Vec<String>,
    },
    /// It is no kind of disk that anybody carries an installer on.
    #[error("{name} is no USB stick or memory card but {what}: only those are written to")]
    NoStick {
        /// The disk.
        name: String,
        /// What it is instead.
        what: &'static str,
    },
    /// There is nothing in the slot.
    #[error("{name} is a slot with no card in it: put one in")]
    NoMedium {
        /// The disk.
        name: String,
    },
    /// Its switch says so, or its firmware after it failed.
    #[error(
        "{name} is read-only: move its switch, or take another one; a stick that failed can turn so for good"
    )]
    ReadOnly {
        /// The disk.
        name: String,
    },
    /// The image does not fit.
    #[error("{name} has {size} bytes, the image needs {need}: take a larger one")]
    TooSmall {
        /// The disk.
        name: String,
        /// Its size in bytes.
        size: u64,
        /// The image's.
        need: u64,
    },
}

/// Holds a disk against the rules: `name` is the kernel's name of it, `need` what it must
/// hold in bytes.
///
/// # Errors
///
/// The first rule that it breaks, the most dangerous one first.
pub fn candidate(
    survey: &Survey,
    name: &str,
    need: u64,
    kinds: Kinds,
) -> Result<Candidate, Refusal> {
    let Some(disk) = survey.disk(name) else {
        return Err(no_disk(survey, name));
    };
    let refusal = system(disk)
        .or_else(|| untraced(survey, disk))
        .or_else(|| in_use(disk))
        .or_else(|| no_stick(&disk.device, kinds))
        .or_else(|| unwritable(&disk.device))
        .or_else(|| too_small(&disk.device, need));
    match refusal {
        Some(refusal) => Err(refusal),
        None => Ok(Candidate {
            device: disk.device.clone(),
            need,
            kinds,
        }),
    }
}

fn no_disk(survey: &Survey, name: &str) -> Refusal {
    let name = name.to_owned();
    match survey.disk_of_partition(&name) {
        Some(disk) => Refusal::Partition {
            name,
            disk: disk.device.name.clone(),
        },
        None => Refusal::Unknown { name },
    }
}

fn system(disk: &Disk) -> Option<Refusal> {
    (!disk.system.is_empty()).then(|| Refusal::System {
        name: disk.device.name.clone(),
        places: disk.system.clone(),
    })
}

fn untraced(survey: &Survey, disk: &Disk) -> Option<Refusal> {
    let why = survey.untraced.clone()?;
    Some(Refusal::Untraced {
        name: disk.device.name.clone(),
        why,
    })
}

fn in_use(disk: &Disk) -> Option<Refusal> {
    let name = disk.device.name.clone();
    if !disk.mounted.is_empty() {
        let places = disk
            .mounted
            .iter()
            .map(|one| one.display().to_string())
            .collect();
        return Some(Refusal::Mounted { name, places });
    }
    let holders = disk.holders.clone();
    (!holders.is_empty()).then_some(Refusal::Held { name, holders })
}

fn no_stick(device: &Device, kinds: Kinds) -> Option<Refusal> {
    let mapped = device.name.starts_with("dm-");
    let what = match device.kind {
        Kind::Loop if kinds.test_devices => return None,
        Kind::Virtual if kinds.test_devices && mapped => return None,
        Kind::Usb if device.removable => return None,
        Kind::SdCard => return None,
        Kind::Usb => "a USB disk that says it is a fixed one, as external hard disks and SSDs do",
        Kind::Emmc => "flash that is soldered in",
        Kind::Loop => "a file as a disk",
        Kind::Virtual => "made from other disks or from memory",
        Kind::Optical => "an optical or floppy drive",
        Kind::Other => "a disk that is built in",
    };
    Some(Refusal::NoStick {
        name: device.name.clone(),
        what,
    })
}

fn unwritable(device: &Device) -> Option<Refusal> {
    let name = device.name.clone();
    match (device.size, device.read_only) {
        (0, _) => Some(Refusal::NoMedium { name }),
        (_, true) => Some(Refusal::ReadOnly { name }),
        _ => None,
    }
}

fn too_small(device: &Device, need: u64) -> Option<Refusal> {
    let padded = need.checked_next_multiple_of(device.sector);
    let fits = padded.is_some_and(|padded| padded <= device.size);
    (!fits).then(|| Refusal::TooSmall {
        name: device.name.clone(),
        size: device.size,
        need,
    })
}
