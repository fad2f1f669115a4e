//! How the cards are: errors, temperature, link, power.

use lab_facts::KernelLine;
use lab_machine::Card;

use super::super::find::{about, each_driven_card, listed, mib};
use crate::{Check, Claims, Effort, Judgement, Seen, Subject};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "gpu.memory",
        effort: Effort::Quick,
        title: "each card has the memory that its maker gives it",
        story: "NVML's figure against the catalog's, with a tenth of room: the driver keeps a part, and ECC takes another. A card with less is another model under a forged name, or a broken one.",
        cause: "The card is not what its PCI id says (cards with a forged name are sold second-hand), or the catalog lacks a size under which it was sold.",
        remedy: "Look at the chips on the board. If the card is real, add the size to the catalog (`mib`).",
        reference: "docs/src/how-to/add-a-card.md",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "pci_id",
                |card| format!("{} has its maker's memory", card.name),
                memory,
            );
        },
    },
    Check {
        id: "gpu.ecc",
        effort: Effort::Quick,
        title: "no card had a memory error that could not be corrected",
        story: "Cards with ECC count such errors; most cards for games have none, and then this is not run.",
        cause: "The card's memory is failing, often from heat.",
        remedy: "`nvidia-smi -q -d ECC,ROW_REMAPPER,PAGE_RETIREMENT` shows where. Clean the cooler, restart, and replace the card if the count grows.",
        reference: "https://docs.nvidia.com/deploy/xid-errors/",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "pci_id",
                |card| format!("{} has no uncorrected error", card.name),
                ecc,
            );
        },
    },
    Check {
        id: "gpu.xid",
        effort: Effort::Quick,
        title: "the driver reported no error of a card since the machine was started",
        story: "The driver writes an Xid with a number into the kernel's log for every error of a card, with the card's address. Errors of no described card are claimed once, for the machine.",
        cause: "A card, its seat, its power supply, or a program that used it wrongly: the number says which.",
        remedy: "Look the number up. Seat the card and its power cable again, and look at its temperature under load. One that comes back without any program of yours is a failing card.",
        reference: "https://docs.nvidia.com/deploy/xid-errors/",
        claims: xids,
    },
    Check {
        id: "gpu.temperature",
        effort: Effort::Quick,
        title: "each card is cooler than where it slows itself down",
        story: "NVML has the temperature and the one from which on the card throttles.",
        cause: "A fan that stands still, dust in the cooler, dried-out thermal paste: all usual at this age. Or two cards without a slot of air between them.",
        remedy: "Listen whether the fan turns, clean the cooler, renew the paste. `power_limit_w` in the `[[gpu]]` table lowers the heat where nothing else does.",
        reference: "docs/src/reference/machine.md",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "name",
                |card| format!("{} is cool enough", card.name),
                temperature,
            );
        },
    },
    Check {
        id: "gpu.pcie-width",
        effort: Effort::Quick,
        title: "each card has all lanes that it and its slot can use",
        story: "The width does not fall when a card rests (the generation does), so fewer lanes than card and slot can do together are lost ones.",
        cause: "Dirty or worn contacts, a card that is not fully seated, or a bad riser.",
        remedy: "Switch off, take the card out, clean its contacts with isopropyl alcohol and the slot with compressed air, and seat it again.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "slot",
                |card| format!("{} has all its lanes", card.name),
                lanes,
            );
        },
    },
    Check {
        id: "gpu.power-limit",
        effort: Effort::Quick,
        title: "each card draws no more than described",
        story: "Only for cards with `power_limit_w`. A limit holds until the driver is unloaded, so the unit `cards` sets it at every boot.",
        cause: "Somebody set another limit with `nvidia-smi -pl`, or the driver was loaded again.",
        remedy: "`sudo lab retry cards` sets it; `nvidia-smi -q -d POWER` shows the range that the card takes.",
        reference: "docs/src/reference/machine.md",
        claims: power_limits,
    },
    Check {
        id: "gpu.throttle",
        effort: Effort::Quick,
        title: "no card is held down by heat or by its power supply",
        story: "NVML says why clocks are lower than they could be. Resting and an agreed power limit are fine; the hardware's own brake is not.",
        cause: "The card is too hot, or its power cable or the power supply gives less than it asks for.",
        remedy: "Look at `gpu.temperature` first. Then at the power cable: every plug of the card, none by an adapter from old drive plugs. A weak supply is helped by `power_limit_w`.",
        reference: "https://docs.nvidia.com/deploy/nvml-api/",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "name",
                |card| format!("{} is not held down", card.name),
                throttle,
            );
        },
    },
];

fn memory(subject: &Subject<'_>, card: &Card) -> Judgement {
    let gpu = subject.gpu(card)?;
    let sizes = subject
        .catalog
        .gpu(card.pci_id)
        .map(|known| known.vram_mib.clone());
    let sizes = sizes.filter(|sizes| !sizes.is_empty());
    let sizes = sizes.ok_or_else(|| {
        crate::NotRun(format!("the catalog has no memory size of {}", card.pci_id))
    })?;
    let found = mib(*gpu.memory_total_bytes.get()?);
    let good = sizes.iter().any(|size| about(found, u64::from(*size)));
    Ok(Seen::when(
        good,
        format!("NVML has {found} MiB, the maker {} MiB", listed(sizes)),
    ))
}

fn ecc(subject: &Subject<'_>, card: &Card) -> Judgement {
    let errors = *subject.gpu(card)?.ecc_uncorrected.get()?;
    Ok(Seen::when(
        errors == 0,
        format!("{errors} errors that could not be corrected"),
    ))
}

/// An Xid: the address of its card without the function, and its number.
fn xid(line: &KernelLine) -> Option<(&str, u32)> {
    let (_, rest) = line.text.split_once("Xid (PCI:")?;
    let (address, rest) = rest.split_once("): ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((address, digits.parse().ok()?))
}

/// Where an Xid's card sits: `0000:03:00`, in small letters.
fn same_card(address: &str, slot: &str) -> bool {
    slot.rsplit_once('.')
        .is_some_and(|(card, _)| card.eq_ignore_ascii_case(address))
}

fn xids(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let claim = |card: &Card| format!("the driver reported no error of {}", card.name);
    each_driven_card(subject, claims, "slot", claim, |subject, card| {
        let log = subject.root()?.kernel_log.get()?;
        let slot = match &card.slot {
            Some(slot) => slot.as_str(),
            None => &subject.on_bus(card)?.address,
        };
        let own = log
            .iter()
            .filter(|line| xid(line).is_some_and(|(address, _)| same_card(address, slot)));
        Ok(errors(own))
    });
    if subject.machine.driver.enabled {
        claims.claim("driver.enabled", "nor of any other card", || {
            let log = subject.root()?.kernel_log.get()?;
            let mut slots = Vec::new();
            for card in &subject.machine.cards {
                slots.push(match &card.slot {
                    Some(slot) => slot.as_str(),
                    None => &subject.on_bus(card)?.address,
                });
            }
            let foreign = |line: &&KernelLine| {
                line.text.contains("Xid")
                    && xid(line).is_none_or(|(address, _)| {
                        !slots.iter().any(|slot| same_card(address, slot))
                    })
            };
            Ok(errors(log.iter().filter(foreign)))
        });
    }
}

fn errors<'l>(lines: impl Iterator<Item = &'l KernelLine>) -> Seen {
    let lines: Vec<&KernelLine> = lines.collect();
    let Some(last) = lines.last() else {
        return Seen::good("the kernel's log has no Xid of it since the machine was started");
    };
    let seconds = last.at_ms / 1000;
    let seen = Seen::bad(format!(
        "{} Xid, the last {seconds} s after the start: {}",
        lines.len(),
        last.text
    ));
    match xid(last).and_then(|(_, number)| what_it_means(number)) {
        Some((cause, remedy)) => seen.because(cause).way_out(remedy),
        None => seen,
    }
}

/// The Xids that people with old cards meet. Source: NVIDIA, "XID Errors", looked up 2026-11.
fn what_it_means(number: u32) -> Option<(&'static str, &'static str)> {
    Some(match number {
        13 | 31 | 43 | 45 | 69 => (
            "A program on the card did something wrong, such as reading memory that is not its own. The card itself is rarely the reason.",
            "Look which program it was (`pid=` in the line), and run it again. If different programs get it on this card alone, test the card with `cargo xtask accept --workloads --only 'gpu.*'`.",
        ),
        48 | 63 | 64 | 92 | 94 | 95 => (
            "The card's memory has an error that could not be corrected.",
            "Restart, and look at `nvidia-smi -q -d ECC,PAGE_RETIREMENT`. A card where it comes back has failing memory: replace it.",
        ),
        79 => (
            "The card fell off the bus: it lost its power or its contact, or got too hot.",
            "Switch off, seat the card and its power cable again, clean the cooler. If it comes back under load, the power supply is too weak or the card is failing; `power_limit_w` tells the two apart.",
        ),
        61 | 62 | 119 | 120 => (
            "The card's own processor stopped answering.",
            "Restart. If it comes back, the card is failing or its memory is too hot.",
        ),
        _ => return None,
    })
}

fn temperature(subject: &Subject<'_>, card: &Card) -> Judgement {
    let gpu = subject.gpu(card)?;
    let (now, slowdown) = (*gpu.temperature_c.get()?, *gpu.slowdown_c.get()?);
    Ok(Seen::when(
        now < slowdown,
        format!("{now} °C, it slows down at {slowdown} °C"),
    ))
}

fn lanes(subject: &Subject<'_>, card: &Card) -> Judgement {
    let link = subject.gpu(card)?.pcie.get()?;
    let evidence = format!(
        "x{} of x{}, generation {} of {}",
        link.width, link.width_max, link.generation, link.generation_max
    );
    Ok(Seen::when(
        link.width > 0 && link.width >= link.width_max,
        evidence,
    ))
}

fn power_limits(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if !subject.machine.driver.enabled {
        return;
    }
    for (index, card) in subject.machine.cards.iter().enumerate() {
        let Some(watts) = card.power_limit_w else {
            continue;
        };
        let key = format!("gpu[{index}].power_limit_w");
        let claim = format!("{} may draw {watts} W", card.name);
        claims.claim_of(card.name.as_str(), &key, claim, || {
            let limit = *subject.gpu(card)?.power_limit_mw.get()?;
            // Drivers round to what the card's own steps are.
            let good = u64::from(limit).abs_diff(u64::from(watts) * 1000) < 1000;
            let evidence = format!("its limit is {}.{} W", limit / 1000, limit % 1000 / 100);
            Ok(Seen::when(good, evidence))
        });
    }
}

/// The reasons that are a fault, as NVML names them.
const BRAKES: [&str; 4] = [
    "hw_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "sw_thermal_slowdown",
];

fn throttle(subject: &Subject<'_>, card: &Card) -> Judgement {
    let reasons = subject.gpu(card)?.throttle.get()?;
    let brakes = reasons.iter().filter(|one| BRAKES.contains(&one.as_str()));
    let brakes: Vec<&String> = brakes.collect();
    let seen = Seen::when(
        brakes.is_empty(),
        format!("held down by: {}", listed(reasons)),
    );
    let has = |word: &str| brakes.iter().any(|one| one.contains(word));
    Ok(match (has("thermal"), has("power_brake")) {
        (true, _) => {
            seen.because("The card is too hot: the fan stands still, or dust is in its cooler.")
        }
        (false, true) => {
            seen.because("The power supply or a power cable told the card to slow down.")
        }
        _ => seen,
    })
}
