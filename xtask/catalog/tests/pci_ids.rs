//! The table of cards against the PCI ID database that is installed on this machine.
//!
//! An older database knows fewer devices; those it does not know are counted, not compared.
//! `LAB_PCI_IDS` names another file than the system's; with `LAB_BLESS` set as well, `data/pci-chips.txt`
//! is written anew from it.

use lab_catalog::{Catalog, Gpu, PciId};
use lab_not_run::not_run;
use std::collections::{BTreeMap, BTreeSet};

const INSTALLED: &str = "/usr/share/misc/pci.ids";

type Devices = BTreeMap<u16, String>;

/// NVIDIA's devices in the database, by id; none, and said so, where there is no database.
fn nvidia_devices(test: &str) -> Option<Devices> {
    database(test).map(|text| parse(&text))
}

fn database(test: &str) -> Option<String> {
    let path = std::env::var("LAB_PCI_IDS").unwrap_or_else(|_| INSTALLED.to_owned());
    match std::fs::read(&path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            not_run(test, &format!("{path}: {error} (package pci.ids)"));
            None
        }
    }
}

fn parse(text: &str) -> Devices {
    let after = text
        .lines()
        .skip_while(|line| !line.starts_with("10de  "))
        .skip(1);
    let of_nvidia = after.take_while(|line| line.starts_with('\t') || line.starts_with('#'));
    let devices = of_nvidia.filter_map(|line| {
        let (id, name) = line.strip_prefix('\t')?.split_once("  ")?;
        Some((u16::from_str_radix(id, 16).ok()?, name.to_owned()))
    });
    devices.collect()
}

/// What databases of some years ago called a card whose name was not settled yet.
const FORMER_NAMES: [(u16, &str); 3] = [
    (0x1b00, "TITAN X"),
    (0x2339, "H100"),
    (0x24c7, "GeForce RTX 3060 GDDR6X"),
];

fn words(text: &str) -> BTreeSet<&str> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric());
    parts.filter(|part| !part.is_empty()).collect()
}

/// Whether both words mean the same: `K40` is also `K40m`, whose last letters tell the cooling.
fn same(ours: &str, theirs: &str) -> bool {
    let rest = theirs.strip_prefix(ours);
    ours.eq_ignore_ascii_case(theirs)
        || rest.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_lowercase()))
}

/// The chip that the database's name begins with, as far as the catalog knows it: the
/// letters after the number tell workstation (GL) from notebook (M) and say nothing of the chip,
/// but for a B that is a chip of its own.
fn chip_of(name: &str) -> Option<&'static str> {
    let first = name.split([' ', '[']).next()?;
    let chips = include_str!("../data/chips.toml").lines();
    let chips = chips.filter_map(|line| line.split_once(" = {").map(|(chip, _)| chip));
    let fitting = chips.filter(|chip| {
        let rest = first.strip_prefix(chip);
        rest.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_uppercase()))
    });
    fitting.max_by_key(|chip| chip.len())
}

/// Whether a device is a graphics chip, and not another function of one.
fn is_graphics(name: &str) -> bool {
    let others = [
        "Audio",
        "USB",
        "UCSI",
        "NVSwitch",
        "bridge",
        "PCIe host",
        "Tegra RP",
    ];
    !others.iter().any(|other| name.contains(other))
}

/// Says how a card's name differs from the database's.
fn disagreement(gpu: &Gpu, theirs: &str) -> Option<String> {
    let chip = chip_of(theirs);
    if chip != Some(gpu.chip.as_str()) {
        return Some(format!(
            "{} {}: chip {} here, {chip:?} in `{theirs}`",
            gpu.pci_id, gpu.name, gpu.chip
        ));
    }
    // Older databases have a device's chip and not yet its name.
    let name = theirs.split_once('[')?.1.trim_end_matches(']');
    let former = FORMER_NAMES.contains(&(gpu.pci_id.device, name));
    let their_words = words(name);
    let known = |ours: &&str| their_words.iter().any(|theirs| same(ours, theirs));
    let missing: Vec<&str> = words(&gpu.name)
        .into_iter()
        .filter(|ours| !known(ours))
        .collect();
    (!missing.is_empty() && !former).then(|| {
        format!(
            "{}: {missing:?} of `{}` is not in `{theirs}`",
            gpu.pci_id, gpu.name
        )
    })
}

#[test]
fn every_card_agrees_with_the_database() {
    let Some(devices) = nvidia_devices("every_card_agrees_with_the_database") else {
        return;
    };
    let known = Catalog::builtin()
        .gpus()
        .filter_map(|gpu| Some((gpu, devices.get(&gpu.pci_id.device)?)));
    let known: Vec<(&Gpu, &String)> = known.collect();
    assert!(
        known.len() > 200,
        "only {} cards are in the database",
        known.len()
    );
    let wrong: Vec<String> = known
        .iter()
        .filter_map(|(gpu, theirs)| disagreement(gpu, theirs))
        .collect();
    assert!(
        wrong.is_empty(),
        "of {} cards:\n{}",
        known.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_graphics_device_since_kepler_is_known_by_its_chip() {
    let Some(devices) = nvidia_devices("every_graphics_device_since_kepler_is_known_by_its_chip")
    else {
        return;
    };
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (device, name) in devices.iter().filter(|(_, name)| is_graphics(name)) {
        let Some(theirs) = chip_of(name) else {
            continue;
        };
        compared += 1;
        let gpu = Catalog::builtin().gpu_or_derived(PciId::nvidia(*device));
        if gpu.is_none_or(|gpu| gpu.chip != theirs) {
            wrong.push(format!("{device:04x} {name}"));
        }
    }
    assert!(compared > 600, "only {compared} devices");
    assert!(
        wrong.is_empty(),
        "of {compared} devices:\n{}",
        wrong.join("\n")
    );
}

/// `data/pci-chips.txt` as it follows from a database of that version.
fn chip_list(version: &str, devices: &Devices) -> String {
    let mut list = format!(
        "# Which NVIDIA chip is behind which PCI device id, Kepler and later.\n\
         # source: the PCI ID database (pci.ids), https://pci-ids.ucw.cz, version {version}: facts only\n\
         # date: {}\n",
        version.replace('.', "-")
    );
    let chips = include_str!("../data/chips.toml").lines();
    for chip in chips.filter_map(|line| line.split_once(" = {").map(|(chip, _)| chip)) {
        let of_chip =
            |(_, name): &(&u16, &String)| is_graphics(name) && chip_of(name) == Some(chip);
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for (device, _) in devices.iter().filter(of_chip) {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(*device) => *last = *device,
                _ => ranges.push((*device, *device)),
            }
        }
        list.push_str(chip);
        for (first, last) in ranges {
            let single = format!(" {first:04x}");
            list += &if first == last {
                single
            } else {
                format!("{single}-{last:04x}")
            };
        }
        list.push('\n');
    }
    list
}

#[test]
fn the_chip_list_is_what_its_database_gives() {
    const TEST: &str = "the_chip_list_is_what_its_database_gives";
    let Some(text) = database(TEST) else { return };
    let version = text
        .lines()
        .find_map(|line| line.split_once("Version: "))
        .map_or("", |(_, v)| v.trim());
    let made = chip_list(version, &parse(&text));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/pci-chips.txt");
    if std::env::var_os("LAB_BLESS").is_some() {
        std::fs::write(path, made).expect("writing the chip list");
        return;
    }
    let kept = std::fs::read_to_string(path).expect("reading the chip list");
    if kept.contains(&format!("version {version}:")) {
        assert!(
            kept == made,
            "{path} is not what pci.ids {version} gives: set LAB_BLESS=1 and look at the difference"
        );
    } else {
        not_run(
            TEST,
            &format!("pci.ids {version} is installed, and the list was made from another version"),
        );
    }
}
