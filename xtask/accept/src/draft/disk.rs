//! `[disk]`: which disk the system goes on, where that is beyond doubt, else which there are.

use lab_facts::{Disk, Facts};
use lab_machine::types::{DiskModel, DiskSerial};

use super::page::{Page, quoted, shown};

/// More disks than this are not listed.
const MOST_LISTED: usize = 24;

/// What can be said of the disk.
pub(super) enum Choice<'a> {
    /// This one, and why.
    One(&'a Disk, &'static str),
    /// A person has to choose among these, and why.
    Open(Vec<&'a Disk>, String),
}

/// The disk that root lies on; else the only one that cannot be pulled out; else a
/// person's choice, by the kernel's name.
pub(super) fn choose<'a>(facts: &'a Facts, chosen: Option<&str>) -> Choice<'a> {
    let disks = match facts.system.disks.get() {
        Ok(disks) => disks,
        Err(why) => {
            return Choice::Open(
                Vec::new(),
                format!("which disks there are is not known ({})", shown(why)),
            );
        }
    };
    if let Some(disk) = disks.iter().find(|disk| Some(disk.name.as_str()) == chosen) {
        return Choice::One(disk, "It was chosen by hand.");
    }
    let fixed: Vec<&Disk> = disks.iter().filter(|disk| !disk.removable).collect();
    let under_root: Vec<&Disk> = under_root(facts, disks);
    match (under_root.as_slice(), fixed.as_slice()) {
        ([disk], _) => Choice::One(disk, "The system lies on it."),
        ([], [disk]) => Choice::One(disk, "It is the only one that is built in."),
        ([], []) => Choice::Open(disks.iter().collect(), "no disk is built in".to_owned()),
        ([], _) => Choice::Open(fixed, "which disk it is cannot be seen".to_owned()),
        (several, _) => Choice::Open(
            several.to_vec(),
            "the system lies on several disks".to_owned(),
        ),
    }
}

fn under_root<'a>(facts: &Facts, disks: &'a [Disk]) -> Vec<&'a Disk> {
    let Some(root) = facts.system.root.known().filter(|root| !root.live) else {
        return Vec::new();
    };
    let under = |disk: &&Disk| root.disks.contains(&disk.name);
    disks.iter().filter(under).collect()
}

pub(super) fn write(page: &mut Page, facts: &Facts, chosen: Option<&str>) {
    page.table("[disk]");
    match choose(facts, chosen) {
        Choice::One(disk, why) => write_one(page, facts, disk, why),
        Choice::Open(candidates, why) => {
            let listed = if candidates.is_empty() {
                ""
            } else {
                " Candidates:"
            };
            page.comment(&format!(
                "The disk that is written must be chosen by a person.{listed}"
            ));
            for disk in candidates.iter().take(MOST_LISTED) {
                page.comment(&in_words(disk));
            }
            if candidates.len() > MOST_LISTED {
                page.comment(&format!("and {} more", candidates.len() - MOST_LISTED));
            }
            let why = format!("{why}; `lsblk -d -o NAME,MODEL,SERIAL,SIZE` prints them");
            page.fill_in("serial", "\"...\"", &why);
        }
    }
}

fn write_one(page: &mut Page, facts: &Facts, disk: &Disk, why: &str) {
    page.comment(&format!("{}. {why}", in_words(disk)));
    let model = disk.model.parse::<DiskModel>().ok();
    match disk.serial.parse::<DiskSerial>() {
        Ok(serial) => {
            page.comment(
                "Named by its serial number, it may be erased whatever is on it, unless it carries a lab \
                 already; with `erase = \"if-blank\"` only when nothing is on it.",
            );
            page.set("serial", serial.as_str());
        }
        // Then the model must name it, and only where no other disk has the same.
        Err(_) if model.is_some() && is_only_one(facts, disk) => page.comment(
            "Its serial number cannot stand here. It is the only disk of its model, and is erased only when \
             nothing is on it.",
        ),
        Err(_) => {
            let why = "what the disk says of itself does not tell it from others";
            page.fill_in("serial", "\"...\"", why);
            return;
        }
    }
    if let Some(model) = model {
        page.set("model", model.as_str());
    }
    if let Some(gb) = size_gb(disk) {
        page.set("size_gb", gb);
    }
}

fn is_only_one(facts: &Facts, disk: &Disk) -> bool {
    let disks = facts.system.disks.known().map_or(&[][..], Vec::as_slice);
    let same = |other: &&Disk| other.model == disk.model;
    disks.iter().filter(same).count() == 1
}

/// The size as it is sold, in GB (10^9 bytes).
fn size_gb(disk: &Disk) -> Option<i64> {
    let rounded = disk.bytes.saturating_add(500_000_000) / 1_000_000_000;
    let gb = u32::try_from(rounded).ok().filter(|gb| *gb > 0)?;
    Some(i64::from(gb))
}

/// The disk in words, for a comment or a question.
pub(super) fn in_words(disk: &Disk) -> String {
    let size =
        size_gb(disk).map_or_else(|| format!("{} bytes", disk.bytes), |gb| format!("{gb} GB"));
    let serial = match disk.serial.parse::<DiskSerial>() {
        Ok(serial) => quoted(serial.as_str()),
        Err(_) => shown(&disk.serial),
    };
    let pulled = if disk.removable {
        ", can be pulled out"
    } else {
        ""
    };
    format!(
        "{}: model {}, serial {serial}, {size}{pulled}",
        shown(&disk.name),
        shown(&disk.model)
    )
}
