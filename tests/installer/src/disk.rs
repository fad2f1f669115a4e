//! The disks of the machine, and which of them the file means.
//!
//! The rules are the real installer's (canonical/subiquity, subiquity/models/storage.py,
//! read 2026-11): patterns are held against udev's properties, several disks that fit are
//! put in the order of their WWN, serial and path, and only `size` chooses by size.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::autoinstall::{DiskMatch, Size};
use crate::glob;
use crate::live::Live;

/// A whole disk, as far as the installation asks about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disk {
    /// Its device node.
    pub node: String,
    /// Its size in bytes.
    pub size: u64,
    /// The least that is read or written at once, in bytes.
    pub sector: u64,
    /// Whether it turns.
    pub rotational: bool,
    /// Whether something on it is mounted: the installation medium is.
    pub in_use: bool,
    /// udev's properties by their names.
    pub properties: Vec<(String, String)>,
}

impl Disk {
    fn property(&self, name: &str) -> &str {
        let found = self.properties.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    fn sort_key(&self) -> (String, String, String) {
        let wwn = match self.property("ID_WWN_WITH_EXTENSION") {
            "" => self.property("ID_WWN"),
            long => long,
        };
        (
            wwn.to_owned(),
            self.property("ID_SERIAL").to_owned(),
            self.node.clone(),
        )
    }

    fn fits(&self, wanted: &DiskMatch) -> bool {
        let text = |pattern: &Option<String>, value: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| glob::fits(pattern, value))
        };
        text(&wanted.serial, self.property("ID_SERIAL"))
            && text(&wanted.model, self.property("ID_MODEL"))
            && text(&wanted.vendor, self.property("ID_VENDOR"))
            && text(&wanted.path, &self.node)
            && text(&wanted.id_path, self.property("ID_PATH"))
            && text(&wanted.devpath, self.property("DEVPATH"))
            && wanted.ssd.is_none_or(|ssd| ssd != self.rotational)
    }

    /// A line for a log.
    pub fn in_words(&self) -> String {
        format!(
            "{} ({} bytes, sectors of {}, model '{}', serial '{}'{})",
            self.node,
            self.size,
            self.sector,
            self.property("ID_MODEL"),
            self.property("ID_SERIAL"),
            if self.in_use { ", in use" } else { "" }
        )
    }
}

/// The disk that the file means.
///
/// # Errors
///
/// When none fits that is not in use.
pub fn choose<'a>(disks: &'a [Disk], wanted: &DiskMatch) -> Result<&'a Disk> {
    let mut fitting: Vec<&Disk> = disks
        .iter()
        .filter(|disk| disk.size > 0 && !disk.in_use && disk.fits(wanted))
        .collect();
    fitting.sort_by_key(|disk| disk.sort_key());
    match wanted.size {
        Some(Size::Smallest) => fitting.sort_by_key(|disk| disk.size),
        Some(Size::Largest) => fitting.sort_by_key(|disk| std::cmp::Reverse(disk.size)),
        None => {}
    }
    match fitting.first() {
        Some(disk) => Ok(disk),
        None => {
            let all: Vec<String> = disks.iter().map(Disk::in_words).collect();
            bail!(
                "Failed to find matching device for {wanted:?} among {}",
                all.join("; ")
            )
        }
    }
}

/// Looks at all disks that can be written.
///
/// # Errors
///
/// When udev says nothing of one of them.
pub fn survey(live: &Live) -> Result<Vec<Disk>> {
    let mounted = mounted_numbers(live);
    let mut disks = Vec::new();
    for name in names(&live.path("/sys/block")) {
        let folder = live.path("/sys/block").join(&name);
        let value = |file: &str| {
            fs::read_to_string(folder.join(file))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let other = ["ram", "zram", "sr", "fd", "dm-", "md", "nbd"];
        let is_loop = name.starts_with("loop");
        let no_disk = other.iter().any(|prefix| name.starts_with(prefix));
        // One way of several to an NVMe disk is hidden, and has no node.
        let hidden = value("hidden") == "1";
        if no_disk || hidden || (is_loop && !live.loop_devices) || value("ro") == "1" {
            continue;
        }
        let node = format!("/dev/{}", name.replace('!', "/"));
        let size = value("size")
            .parse::<u64>()
            .unwrap_or(0)
            .saturating_mul(512);
        if size == 0 {
            continue;
        }
        disks.push(Disk {
            properties: properties(live, &node)?,
            size,
            sector: value("queue/logical_block_size").parse().unwrap_or(512),
            rotational: value("queue/rotational") == "1",
            in_use: numbers(live, &folder, 0)
                .iter()
                .any(|number| mounted.contains(number)),
            node,
        });
    }
    Ok(disks)
}

fn properties(live: &Live, node: &str) -> Result<Vec<(String, String)>> {
    let name = format!("--name={node}");
    let found = live.output(&["udevadm", "info", "--query=property", &name]);
    let text = match found {
        Ok(text) => text,
        // Where no udev runs a loop device has no properties; it is matched by its path.
        Err(_) if live.loop_devices => String::new(),
        Err(error) => return Err(error),
    };
    let pair = |line: &str| {
        line.split_once('=')
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
    };
    Ok(text.lines().filter_map(pair).collect())
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The numbers of a disk, of its partitions and of what is made of them.
fn numbers(live: &Live, folder: &Path, depth: u8) -> Vec<String> {
    let mut all = Vec::new();
    if depth > 8 {
        return all;
    }
    if let Ok(number) = fs::read_to_string(folder.join("dev")) {
        all.push(number.trim().to_owned());
    }
    for name in names(folder)
        .iter()
        .filter(|name| folder.join(name).join("partition").exists())
    {
        all.extend(numbers(live, &folder.join(name), depth + 1));
    }
    for holder in names(&folder.join("holders")) {
        all.extend(numbers(
            live,
            &live.path("/sys/block").join(holder),
            depth + 1,
        ));
    }
    all
}

fn mounted_numbers(live: &Live) -> BTreeSet<String> {
    let table = live.read("/proc/self/mountinfo").unwrap_or_default();
    let number = |line: &str| line.split(' ').nth(2).map(str::to_owned);
    table.lines().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(node: &str, size: u64, model: &str, serial: &str) -> Disk {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        Disk {
            node: node.to_owned(),
            size,
            sector: 512,
            properties: vec![pair("ID_MODEL", model), pair("ID_SERIAL", serial)],
            ..Disk::default()
        }
    }

    fn machine() -> Vec<Disk> {
        let mut stick = disk("/dev/sdc", 64_000, "Stick", "Stick_1");
        stick.in_use = true;
        vec![
            disk("/dev/sda", 4_000, "WDC_WD40", "WDC_WD40_B"),
            disk("/dev/sdb", 250, "Samsung_SSD_870", "Samsung_SSD_870_S5A"),
            disk("/dev/sdd", 250, "Samsung_SSD_870", "Samsung_SSD_870_S5"),
            stick,
        ]
    }

    fn chosen(wanted: &DiskMatch) -> String {
        match choose(&machine(), wanted) {
            Ok(disk) => disk.node.clone(),
            Err(error) => error.to_string().chars().take(30).collect(),
        }
    }

    #[test]
    fn a_match_takes_what_the_real_one_takes() {
        let model = |pattern: &str| DiskMatch {
            model: Some(pattern.to_owned()),
            ..DiskMatch::default()
        };
        let serial = |pattern: &str| DiskMatch {
            serial: Some(pattern.to_owned()),
            ..DiskMatch::default()
        };
        let size = |size| DiskMatch {
            size: Some(size),
            ..DiskMatch::default()
        };
        assert_eq!(chosen(&model("WDC?WD40")), "/dev/sda");
        assert_eq!(chosen(&serial("*S5A")), "/dev/sdb");
        assert_eq!(chosen(&serial("S5A")), "Failed to find matching device");
        // Of two that fit it is the first by serial, whatever their sizes are.
        assert_eq!(chosen(&model("Samsung?SSD?870")), "/dev/sdd");
        assert_eq!(chosen(&size(Size::Largest)), "/dev/sda");
        assert_eq!(chosen(&size(Size::Smallest)), "/dev/sdd");
        assert_eq!(chosen(&model("Stick")), "Failed to find matching device");
        assert_eq!(chosen(&DiskMatch::default()), "/dev/sdd");
    }
}
