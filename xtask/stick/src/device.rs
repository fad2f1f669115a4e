//! A disk as sysfs shows it (Documentation/ABI/stable/sysfs-block): what it is, how large, and
//! what it says of itself. What it is used for is [`crate::Survey`]'s.

use std::path::Path;

use crate::host::{DevNumber, Host, attribute, flag, names, number};

/// The unit of `size` in sysfs, in bytes, whatever the disk's own sectors are.
const SIZE_UNIT: u64 = 512;

/// A whole disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The kernel's name: `sdb`.
    pub name: String,
    /// Its number.
    pub number: DevNumber,
    /// Its size in bytes; 0 where there is no medium in it.
    pub size: u64,
    /// Counts every disk that appears, so that a swapped stick has another one (Linux 5.15).
    pub diskseq: Option<u64>,
    /// How it is attached.
    pub kind: Kind,
    /// Whether it says that its medium can be taken out. Sticks do; external hard disks do not.
    pub removable: bool,
    /// Whether it can only be read.
    pub read_only: bool,
    /// The least that is read or written at once, in bytes.
    pub sector: u64,
    /// Its maker and model, in its own words.
    pub model: String,
    /// Its serial; empty where it has none.
    pub serial: String,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// A part of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The kernel's name: `sdb1`.
    pub name: String,
    /// Its number.
    pub number: DevNumber,
    /// Its size in bytes.
    pub size: u64,
}

/// How a disk is attached, or what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// USB.
    Usb,
    /// A memory card in a reader of its own, not one on USB.
    SdCard,
    /// Flash that is soldered in.
    Emmc,
    /// A file as a disk.
    Loop,
    /// Made by the kernel from other disks: device-mapper, MD, bcache, a RAM disk.
    Virtual,
    /// A CD or DVD.
    Optical,
    /// Anything else: SATA, NVMe, virtio and so on.
    Other,
}

impl Device {
    /// The disk of a name; `None` where it is gone or sysfs does not say what it is.
    pub(crate) fn read(host: &Host, name: &str) -> Option<Self> {
        let folder = std::fs::canonicalize(host.path("sys/block").join(name)).ok()?;
        let number: DevNumber = attribute(&folder, "dev")?.parse().ok()?;
        let kind = Kind::of(name, &folder);
        Some(Self {
            name: name.to_owned(),
            number,
            size: size(&folder)?,
            diskseq: crate::host::number(&folder, "diskseq"),
            kind,
            removable: flag(&folder, "removable")?,
            read_only: flag(&folder, "ro")?,
            sector: sector(&folder)?,
            model: model(host, number, &folder),
            serial: serial(host, number, kind, &folder),
            partitions: partitions(&folder),
        })
    }

    /// Whether this is still the same disk and not another in its place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let identity = |one: &Self| {
            (
                one.number,
                one.size,
                one.diskseq,
                one.kind,
                one.serial.clone(),
                one.model.clone(),
            )
        };
        self.name == other.name && identity(self) == identity(other)
    }
}

impl Kind {
    fn of(name: &str, folder: &Path) -> Self {
        let made = ["dm-", "md", "bcache", "zram", "ram", "nbd", "rbd", "drbd"];
        let is_usb = |part: &str| {
            let rest = part.strip_prefix("usb").unwrap_or_default();
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
        };
        let mut parts = folder.iter().filter_map(|part| part.to_str());
        match name {
            _ if name.starts_with("loop") => Self::Loop,
            _ if name.starts_with("sr") || name.starts_with("fd") => Self::Optical,
            _ if made.iter().any(|prefix| name.starts_with(prefix)) => Self::Virtual,
            // `type` is MMC for what is soldered in, and so are its boot areas.
            _ if name.starts_with("mmcblk") => match attribute(folder, "device/type") {
                Some(kind) if kind == "SD" => Self::SdCard,
                _ => Self::Emmc,
            },
            _ if parts.any(is_usb) => Self::Usb,
            _ => Self::Other,
        }
    }
}

fn size(folder: &Path) -> Option<u64> {
    number(folder, "size")?.checked_mul(SIZE_UNIT)
}

fn sector(folder: &Path) -> Option<u64> {
    number(folder, "queue/logical_block_size").filter(|size| size.is_power_of_two())
}

fn model(host: &Host, number: DevNumber, folder: &Path) -> String {
    let own = |name| attribute(folder, name).filter(|text| !text.is_empty());
    let words: Vec<String> = ["device/vendor", "device/model", "device/name"]
        .into_iter()
        .filter_map(own)
        // PCI's and virtio's vendors are numbers.
        .filter(|word| !word.starts_with("0x"))
        .collect();
    match words.is_empty() {
        true => host.udev(number, "ID_MODEL").replace('_', " "),
        false => words.join(" "),
    }
}

fn serial(host: &Host, number: DevNumber, kind: Kind, folder: &Path) -> String {
    let own = match kind {
        Kind::Loop => attribute(folder, "loop/backing_file"),
        // The USB device is the nearest one above that has a vendor's number.
        Kind::Usb => folder
            .ancestors()
            .find(|above| above.join("idVendor").exists())
            .and_then(|device| attribute(device, "serial")),
        _ => attribute(folder, "device/serial").or_else(|| attribute(folder, "serial")),
    };
    own.filter(|text| !text.is_empty())
        .unwrap_or_else(|| host.udev(number, "ID_SERIAL_SHORT"))
}

fn partitions(folder: &Path) -> Vec<Partition> {
    let parts = names(folder)
        .into_iter()
        .map(|name| (folder.join(&name), name));
    parts
        .filter(|(part, _)| part.join("partition").exists())
        .filter_map(|(part, name)| {
            Some(Partition {
                number: attribute(&part, "dev")?.parse().ok()?,
                size: size(&part)?,
                name,
            })
        })
        .collect()
}
