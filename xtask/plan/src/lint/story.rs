//! In words: what an image does to which machine and which disk. Told from what
//! stands on it, not from what was meant.

use super::image::Image;
use crate::autoinstall::{
    Autoinstall, DiskMatch, Ethernet, KernelPackage, LayoutName, Match, Password,
};

pub(super) fn tell(image: &Image<'_>) -> Vec<String> {
    let autoinstall = match &image.autoinstall {
        Ok(autoinstall) => autoinstall,
        Err(why) => return vec![format!("What this image does cannot be told: {why}.")],
    };
    let mut story = vec![
        when(image, autoinstall),
        only_on(image),
        erases(image, autoinstall),
        layout(autoinstall),
    ];
    story.push(system(autoinstall));
    story.push(network(autoinstall));
    story.push(who(autoinstall));
    story.push("It then lays down the files below /lab/overlay, leaves a mark on /boot, and starts the machine again; a stick that was left in starts what was installed.".to_owned());
    story.extend(carried(image));
    if let Ok(manifest) = &image.manifest {
        let known = manifest
            .base
            .sha256
            .as_ref()
            .map(|digest| format!(", sha256 {digest}"))
            .unwrap_or_default();
        story.push(format!(
            "It was made from {} ({}{known}) and the description {}.",
            manifest.base.name, manifest.base.label, manifest.description
        ));
    }
    story
}

/// What the machine needs no network for.
fn carried(image: &Image<'_>) -> Option<String> {
    let payload = image.manifest.as_ref().ok()?.payload.as_ref()?;
    Some(format!(
        "It carries {} files of {} MiB for /var/lib/lab/offline, so that the machine needs no network to be whole.",
        payload.count,
        payload.bytes.div_ceil(1 << 20)
    ))
}

fn when(image: &Image<'_>, autoinstall: &Autoinstall) -> String {
    format!(
        "Booted, this image shows a menu of {} ways to start and, left alone, installs {} without asking.",
        image
            .menus
            .get(crate::place::GRUB_CFG)
            .map_or(0, |menu| menu
                .boots
                .iter()
                .filter(|boot| boot.is_kernel)
                .count()),
        autoinstall.identity.hostname,
    )
}

fn only_on(image: &Image<'_>) -> String {
    let value = |name: &str| image.guard_value(name).filter(|value| !value.is_empty());
    let mut parts = Vec::new();
    let machine: Vec<&str> = [value("LAB_VENDOR"), value("LAB_PRODUCT")]
        .into_iter()
        .flatten()
        .collect();
    if !machine.is_empty() {
        parts.push(format!("calls itself `{}`", machine.join(" ")));
    }
    parts.extend(
        value("LAB_MEMORY_GIB").map(|gib| format!("has {gib} GiB of memory (10 % more or less)")),
    );
    parts.extend(
        value("LAB_FIRMWARE")
            .filter(|firmware| *firmware != "any")
            .map(|firmware| format!("was started by {firmware}")),
    );
    let cards: Vec<String> = value("LAB_GPUS")
        .unwrap_or_default()
        .split(' ')
        .filter_map(card)
        .collect();
    if !cards.is_empty() {
        parts.push(format!("has the cards {}", cards.join(", ")));
    }
    if parts.is_empty() {
        return "The guard compares nothing but the disk: ANY machine with such a disk would do."
            .to_owned();
    }
    format!(
        "Before anything is written the guard stops it, unless the machine {}.",
        parts.join(", ")
    )
}

fn card(word: &str) -> Option<String> {
    match word.split_once('=')? {
        ("any", id) => Some(format!("{id} (in any slot)")),
        (slot, id) => Some(format!("{id} at {slot}")),
    }
}

/// A match in words.
pub(super) fn disk(found: &DiskMatch) -> String {
    match (found.model(), found.serial()) {
        (Some(model), Some(serial)) => format!("the disk {model} with serial {serial}"),
        (None, Some(serial)) => format!("the disk with serial {serial}"),
        (Some(model), None) => format!("the only disk of model {model}"),
        (None, None) => "no disk".to_owned(),
    }
}

fn erases(image: &Image<'_>, autoinstall: &Autoinstall) -> String {
    let size = image
        .guard_value("LAB_DISK_SIZE_GB")
        .filter(|size| !size.is_empty())
        .map(|size| format!(" (about {size} GB)"))
        .unwrap_or_default();
    let disk = disk(&autoinstall.storage.layout.r#match);
    let when = match image.guard_value("LAB_DISK_ERASE") {
        Some("always") => "whatever is on it, unless that is a lab already",
        Some("if-blank") => "and only when it is blank",
        _ => "under a condition that could not be read",
    };
    format!(
        "It erases {disk}{size}, {when}. Of the menu's entries only `Reinstall`, which asks first, erases it in any case."
    )
}

fn layout(autoinstall: &Autoinstall) -> String {
    let storage = &autoinstall.storage;
    let swap = match storage.swap.size {
        0 => "without swap".to_owned(),
        bytes => format!("with {} GiB of swap", bytes >> 30),
    };
    let layout = match (storage.layout.name, &storage.layout.password) {
        (LayoutName::Lvm, None) => "one LVM volume over all of it, not encrypted",
        (LayoutName::Lvm, Some(_)) => {
            "one LVM volume over all of it, encrypted (the passphrase is asked for at every start)"
        }
        (LayoutName::Direct, _) => "one partition over all of it, not encrypted",
    };
    format!("The disk gets {layout}, {swap}.")
}

fn system(autoinstall: &Autoinstall) -> String {
    let kernel = match autoinstall.kernel.package {
        KernelPackage::Ga => "its own kernel",
        KernelPackage::Hwe => "the hardware enablement kernel",
    };
    format!(
        "It installs Ubuntu Server with {kernel}, {}, keyboard {}, time zone {}, with or without a network.",
        autoinstall.locale, autoinstall.keyboard.layout, autoinstall.timezone
    )
}

fn network(autoinstall: &Autoinstall) -> String {
    let mut parts: Vec<String> = autoinstall.network.ethernets.values().map(wired).collect();
    for (interface, wifi) in &autoinstall.network.wifis {
        parts.extend(
            wifi.access_points
                .keys()
                .map(|ssid| format!("the wireless network {ssid:?} on {interface}")),
        );
    }
    format!("Network: {}.", parts.join(", and "))
}

fn wired(card: &Ethernet) -> String {
    let which = match &card.r#match {
        Match::MacAddress(mac) => format!("the wired card {mac}"),
        Match::Name(_) => "every wired card".to_owned(),
    };
    match card.addresses.first() {
        Some(address) => format!("{which} with the fixed address {address}"),
        None => format!("{which} by DHCP"),
    }
}

fn who(autoinstall: &Autoinstall) -> String {
    let keys: Vec<String> = autoinstall
        .ssh
        .authorized_keys
        .iter()
        .map(|key| short_key(key.as_str()))
        .collect();
    let password = match autoinstall.identity.password {
        Password::Locked => "has no password",
        Password::Hash(_) => "has a password for the console, not for SSH",
    };
    format!(
        "{} may log in over SSH with {}, and {password}.",
        autoinstall.identity.username,
        keys.join(" or ")
    )
}

/// A key by its kind, its last characters and its comment.
fn short_key(line: &str) -> String {
    let mut words = line.split_whitespace();
    let kind = words.next().unwrap_or_default();
    let data: Vec<char> = words.next().unwrap_or_default().chars().collect();
    let tail: String = data.iter().skip(data.len().saturating_sub(8)).collect();
    let comment = words.collect::<Vec<_>>().join(" ");
    format!("the key {kind} …{tail} {comment}")
        .trim_end()
        .to_owned()
}
