//! The cards on the bus, and who has them.

use lab_facts::PciDevice;
use lab_machine::Card;

use super::super::find::{each_card, each_driven_card, listed};
use crate::{Check, Claims, Effort, Judgement, Seen, Subject};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "gpu.on-bus",
        effort: Effort::Quick,
        title: "each described card is at its slot",
        story: "The PCI bus is read itself, without any driver: vendor and device at the described address. Workloads are given cards by what sits in a slot, so a card that moved is another card to them.",
        cause: "The card is not seated, has no power, or is in another slot. In an old machine the contacts oxidise, and a riser or the weight of a cooler pulls a card out by a millimetre.",
        remedy: "Switch off, unplug, seat the card until it clicks and its power cable with it, and start again. `lspci -Dnn -d 10de:` shows what is found; if it is elsewhere on purpose, correct `slot`.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| each_card(subject, claims, "slot", place, at_its_slot),
    },
    Check {
        id: "gpu.undescribed",
        effort: Effort::Quick,
        title: "no NVIDIA card is there that is not described",
        story: "A card that nobody described is given to nobody, draws power that the supply was not reckoned for, and may change the order and the needs of the driver.",
        cause: "A card was added, or its `[[gpu]]` table was forgotten.",
        remedy: "Add a `[[gpu]]` table with its `pci_id` and `slot` as `lspci -Dnn -d 10de:` prints them, run `cargo xtask check`, and apply. Or take the card out.",
        reference: "docs/src/how-to/describe.md",
        claims: undescribed,
    },
    Check {
        id: "gpu.bound",
        effort: Effort::Quick,
        title: "each card is bound to NVIDIA's driver",
        story: "The kernel says which driver has a device. nouveau, or vfio-pci for a virtual machine, keeps the card from everything that computes.",
        cause: "The driver's module did not take the card when it was loaded.",
        remedy: "`lspci -k -s ADDRESS` shows the driver. Restart; if it stays so, `sudo dmesg | grep -i -e nvrm -e nvidia` says why the driver refuses it.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "pci_id",
                |card| format!("{} is bound to nvidia", card.name),
                bound,
            );
        },
    },
    Check {
        id: "gpu.nouveau",
        effort: Effort::Quick,
        title: "nouveau is not loaded",
        story: "The free driver takes NVIDIA cards at boot unless it is kept away, and then NVIDIA's cannot have them.",
        cause: "nouveau was in the initial RAM disk or was loaded by hand; the blacklist of the lab is missing or the kernel line has no `modprobe.blacklist=nouveau`.",
        remedy: "`cargo xtask apply` lays `/etc/modprobe.d/lab-nvidia.conf` down again; then `sudo update-initramfs -u` and `sudo reboot`.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: nouveau,
    },
];

fn place(card: &Card) -> String {
    let model = card.model.as_deref().unwrap_or("a card");
    match &card.slot {
        Some(slot) => format!("{} ({model}, {}) is at {slot}", card.name, card.pci_id),
        None => format!("{} ({model}, {}) is on the bus", card.name, card.pci_id),
    }
}

fn at_its_slot(subject: &Subject<'_>, card: &Card) -> Judgement {
    let found = match subject.device(card)? {
        Ok(one) => {
            return Ok(Seen::good(format!(
                "{} sits at {} (board {})",
                one.id, one.address, one.subsystem
            )));
        }
        Err(found) => found,
    };
    let seen = Seen::bad(found);
    let id = card.pci_id.to_string();
    let same = moved(subject, card)?;
    Ok(match same.as_slice() {
        [] => seen,
        [one] => seen
            .because(format!("The card moved: a {id} sits at {}.", one.address))
            .way_out(format!(
                "Write `slot = \"{}\"` into its `[[gpu]]` table and apply, or move the card back.",
                one.address
            )),
        several => seen
            .because(format!(
                "{} cards of this kind are there, and the description does not say which is meant.",
                several.len()
            ))
            .way_out(format!(
                "Write `slot` into its `[[gpu]]` table: one of {}.",
                listed(several.iter().map(|one| &one.address))
            )),
    })
}

/// Cards of the same kind that no table of the description claims by slot.
fn moved<'a>(subject: &Subject<'a>, card: &Card) -> Result<Vec<&'a PciDevice>, crate::NotRun> {
    let devices = subject.nvidia()?.pci.get()?;
    let id = card.pci_id.to_string();
    let claimed = |one: &PciDevice| {
        let mut cards = subject.machine.cards.iter();
        cards.any(|other| {
            other
                .slot
                .as_ref()
                .is_some_and(|slot| slot.as_str() == one.address)
                && other.pci_id.to_string() == one.id
        })
    };
    Ok(devices
        .iter()
        .filter(|one| one.id == id && !claimed(one))
        .collect())
}

fn undescribed(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let claim = format!(
        "no NVIDIA card besides the {} described",
        subject.machine.cards.len()
    );
    claims.claim("gpu", claim, || {
        let devices = subject.nvidia()?.pci.get()?;
        let mut known = Vec::new();
        for card in &subject.machine.cards {
            match subject.device(card)? {
                Ok(one) => known.push(one.address.as_str()),
                // Where a described card is missing, its like elsewhere is told as moved.
                Err(_) => {
                    known.extend(moved(subject, card)?.iter().map(|one| one.address.as_str()));
                }
            }
        }
        let nvidia = devices.iter().filter(|one| one.id.starts_with("10de:"));
        let (described, others): (Vec<&PciDevice>, Vec<&PciDevice>) =
            nvidia.partition(|one| known.contains(&one.address.as_str()));
        Ok(match others.is_empty() {
            true => Seen::good(format!(
                "{} NVIDIA cards on the bus, all described",
                described.len()
            )),
            false => Seen::bad(listed(
                others
                    .iter()
                    .map(|one| format!("{} at {}", one.id, one.address)),
            )),
        })
    });
}

fn bound(subject: &Subject<'_>, card: &Card) -> Judgement {
    let device = subject.on_bus(card)?;
    let driver = device.driver.as_deref();
    let seen = Seen::when(
        driver == Some("nvidia"),
        format!(
            "{} is bound to {}",
            device.address,
            driver.unwrap_or("no driver")
        ),
    );
    Ok(match driver {
        Some("nouveau") => seen
            .because("nouveau took the card before NVIDIA's driver came.")
            .way_out("`sudo reboot`: nouveau is blacklisted from then on. If it comes back: `sudo update-initramfs -u`, and restart again."),
        Some("vfio-pci") => seen
            .because("The card is set aside for a virtual machine.")
            .way_out("Take the card's id out of `vfio-pci.ids` on the kernel line or in /etc/modprobe.d, then `sudo update-initramfs -u` and restart."),
        None => seen.because("The driver is not loaded, or it refuses this card: a branch that dropped the card's generation says so in the kernel's log."),
        Some(_) => seen,
    })
}

fn nouveau(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if subject.machine.driver.enabled {
        claims.claim("driver.enabled", "nouveau is not loaded", || {
            let loaded = *subject.nvidia()?.nouveau.get()?;
            Ok(Seen::when(
                !loaded,
                match loaded {
                    true => "nouveau is among the loaded modules",
                    false => "nouveau is not among the loaded modules",
                },
            ))
        });
    }
}
