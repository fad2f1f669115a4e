//! Disks, with model and serial number as `lsblk` prints them: from udev's database, and
//! where that has nothing from sysfs (util-linux, lsblk-properties.c).

use lab_facts::Disk;

use crate::root::{Root, SMALL, Unread};

/// The disks, without what software made (loop devices, LVM, RAID) and optical drives.
pub(crate) fn all(root: &Root) -> Result<Vec<Disk>, Unread> {
    let names = root.names("/sys/block")?;
    Ok(names
        .iter()
        .filter(|name| is_disk(root, name))
        .map(|name| disk(root, name))
        .collect())
}

/// Whether hardware stands behind it that holds data.
fn is_disk(root: &Root, name: &str) -> bool {
    let optical = name.starts_with("sr") || name.starts_with("fd");
    // Small areas of an eMMC chip beside its own.
    let part_of_chip =
        name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"));
    !optical && !part_of_chip && root.exists(&format!("/sys/block/{name}/device"))
}

fn disk(root: &Root, name: &str) -> Disk {
    let at = |file: &str| format!("/sys/block/{name}/{file}");
    let line = |file: &str| root.line(&at(file)).unwrap_or_default();
    let udev = Udev::of(root, &line("dev"));
    let first = |values: [Option<String>; 4], file: &str| {
        let value = values.into_iter().flatten().find(|value| !value.is_empty());
        one_spaced(&value.unwrap_or_else(|| line(file)))
    };
    let model = [
        udev.decoded("ID_MODEL_ENC"),
        udev.value("ID_MODEL"),
        None,
        None,
    ];
    let serial = [
        udev.value("SCSI_IDENT_SERIAL"),
        udev.value("ID_SCSI_SERIAL"),
        udev.value("ID_SERIAL_SHORT"),
        udev.value("ID_SERIAL"),
    ];
    Disk {
        name: name.to_owned(),
        model: first(model, "device/model"),
        serial: first(serial, "device/serial"),
        // sysfs counts in sectors of 512 bytes, whatever the disk's own are.
        bytes: root.number(&at("size")).unwrap_or(0).saturating_mul(512),
        removable: line("removable") == "1",
    }
}

/// What udev knows of a device (`/run/udev/data`).
struct Udev(String);

impl Udev {
    /// Of the block device `MAJOR:MINOR`.
    fn of(root: &Root, number: &str) -> Self {
        let plain = number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':');
        let path = format!("/run/udev/data/b{number}");
        let text = plain.then(|| root.text(&path, SMALL).ok()).flatten();
        Self(text.unwrap_or_default())
    }

    fn value(&self, name: &str) -> Option<String> {
        let value = |line: &str| {
            let (key, value) = line.strip_prefix("E:")?.split_once('=')?;
            (key == name).then(|| value.to_owned())
        };
        self.0.lines().find_map(value)
    }

    /// A value in which udev wrote bytes as `\x20`.
    fn decoded(&self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        let mut parts = value.split("\\x");
        let mut bytes = parts.next()?.as_bytes().to_vec();
        for part in parts {
            let code = part
                .get(..2)
                .and_then(|code| u8::from_str_radix(code, 16).ok());
            match code {
                Some(byte) => {
                    bytes.push(byte);
                    bytes.extend_from_slice(&part.as_bytes()[2..]);
                }
                None => bytes.extend_from_slice(format!("\\x{part}").as_bytes()),
            }
        }
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Without white space around it, and with one space where there were several.
fn one_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The disks below a block device, by their names: through partitions, LVM, LUKS and RAID.
pub(crate) fn below(root: &Root, device: &str) -> Vec<String> {
    let mut disks = Vec::new();
    descend(root, device, 0, &mut disks);
    disks.sort();
    disks.dedup();
    disks
}

fn descend(root: &Root, device: &str, depth: u32, disks: &mut Vec<String>) {
    // Sixteen layers are none that anybody made on purpose.
    if depth > 16 || disks.len() > 256 {
        return;
    }
    let at = format!("/sys/class/block/{device}");
    let slaves = root.names(&format!("{at}/slaves")).unwrap_or_default();
    for slave in &slaves {
        descend(root, slave, depth + 1, disks);
    }
    if !slaves.is_empty() || !root.exists(&at) {
        return;
    }
    match root.exists(&format!("{at}/partition")) {
        true => disks.extend(whole_of(root, device)),
        false => disks.push(device.to_owned()),
    }
}

/// The disk of a partition: the folder that its own stands in.
fn whole_of(root: &Root, partition: &str) -> Option<String> {
    let path = std::fs::canonicalize(root.path(&format!("/sys/class/block/{partition}"))).ok()?;
    Some(path.parent()?.file_name()?.to_str()?.to_owned())
}
