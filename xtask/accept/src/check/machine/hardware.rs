//! The iron: maker and model, processor, memory, firmware, disk, network cards.

use lab_facts::{Disk, Fact, Nic};
use lab_machine::section::identity::Firmware;

use super::super::find::{about, listed};
use crate::{Check, Claims, Effort, Judgement, Seen, Subject};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "machine.vendor",
        effort: Effort::Quick,
        title: "the machine is of the described maker",
        story: "The firmware's own words (DMI, `sys_vendor`) are compared to the letter, as the guard does before it installs. A report about another machine would prove nothing about this one.",
        cause: "This is another machine than the description is about, or a new firmware calls its maker otherwise.",
        remedy: "Look at the name you connected to. If it is the right machine, write into `machine.vendor` what `cat /sys/class/dmi/id/sys_vendor` prints.",
        reference: "docs/src/how-to/describe.md",
        claims: vendor,
    },
    Check {
        id: "machine.product",
        effort: Effort::Quick,
        title: "the machine is the described model",
        story: "The firmware's own words (DMI, `product_name`) are compared to the letter, as the guard does before it installs.",
        cause: "This is another machine than the description is about, or a new mainboard or firmware calls itself otherwise.",
        remedy: "Look at the name you connected to. If it is the right machine, write into `machine.product` what `cat /sys/class/dmi/id/product_name` prints.",
        reference: "docs/src/how-to/describe.md",
        claims: product,
    },
    Check {
        id: "machine.cpu",
        effort: Effort::Quick,
        title: "the processor is one that the lab's programs run on",
        story: "Packages, driver, Ollama and images of the lab are all for 64-bit x86 (`uname -m`).",
        cause: "A system for another kind of processor is installed here.",
        remedy: "Install with the image that `cargo xtask iso` makes for this machine.",
        reference: "docs/src/reference/machine.md",
        claims: cpu,
    },
    Check {
        id: "machine.memory",
        effort: Effort::Quick,
        title: "the described memory is fitted",
        story: "What the kernel has is compared with `machine.memory_gib`; a tenth may be missing, which firmware keeps for itself. This is the guard's own measure.",
        cause: "A memory module came loose or died, or the memory was changed and the description was not.",
        remedy: "Switch off, seat the modules again, and look at the memory's size in the firmware's setup. If it was changed on purpose, correct `machine.memory_gib`.",
        reference: "docs/src/how-to/guard.md",
        claims: memory,
    },
    Check {
        id: "machine.memory-errors",
        effort: Effort::Quick,
        title: "the memory had no error that could not be corrected",
        story: "Memory with ECC counts its errors (EDAC). Corrected ones are told; an uncorrected one has changed data without anybody being asked.",
        cause: "A memory module is failing, or sits badly; heat and dust are the usual reasons in old machines.",
        remedy: "`sudo ras-mc-ctl --error-count` (package rasdaemon) says which module. Seat it again, run a night of memtest86+, and replace it if the count grows.",
        reference: "https://docs.kernel.org/admin-guide/ras.html",
        claims: memory_errors,
    },
    Check {
        id: "machine.memory-log",
        effort: Effort::Quick,
        title: "the kernel's log tells of no memory or machine-check error",
        story: "A machine-check or an uncorrected memory error stands in the kernel's log even where no controller counts. Corrected ones do not count as bad.",
        cause: "Memory, processor or power supply had a fault since the machine was started.",
        remedy: "`sudo journalctl -k -g 'hardware error|uncorrected'` has the whole message. Seat memory and cards again, clean the dust out, and replace what the message names.",
        reference: "https://docs.kernel.org/admin-guide/ras.html",
        claims: memory_log,
    },
    Check {
        id: "machine.firmware",
        effort: Effort::Quick,
        title: "the machine was started as described, by UEFI or by BIOS",
        story: "Only where `machine.firmware` names one of the two.",
        cause: "The firmware's setup was changed or reset (an empty battery does that in old machines), or the machine was installed the other way.",
        remedy: "Set the boot mode in the firmware's setup (F10 on HP's workstations; it is often called Legacy Support). A system starts only the way it was installed: else correct `machine.firmware`.",
        reference: "docs/src/how-to/guard.md",
        claims: firmware,
    },
    Check {
        id: "machine.disk",
        effort: Effort::Quick,
        title: "the described disk is fitted",
        story: "Serial number and model are compared to the letter, the size with a tenth of room, as the guard does. A model alone must fit exactly one disk.",
        cause: "The disk was replaced, its cable came loose, or another of the same model was added.",
        remedy: "`lsblk -d -o NAME,MODEL,SERIAL,SIZE` shows what is there. Correct `[disk]`, or fit the described disk.",
        reference: "docs/src/how-to/guard.md",
        claims: disk,
    },
    Check {
        id: "machine.root-disk",
        effort: Effort::Quick,
        title: "the system lies on the described disk",
        story: "The root file system is followed through LVM and LUKS down to its disk. A system on another disk would mean that the described one is not in use, and that the wrong one was written.",
        cause: "The machine was started from another disk that also carries a system.",
        remedy: "Choose the described disk first in the firmware's boot order, and unplug what is not needed.",
        reference: "docs/src/how-to/guard.md",
        claims: root_disk,
    },
    Check {
        id: "machine.network",
        effort: Effort::Quick,
        title: "the described network card is connected, with its address",
        story: "Only where the description names a card (`network.mac`, `network.wifi`) or an address. The card is found by its MAC address, because names change when a card is added.",
        cause: "The cable is in another socket, the network card was replaced, or the address is taken.",
        remedy: "`ip -br address` shows cards, links and addresses. Correct `[network]` and apply, or plug the cable where it belongs.",
        reference: "docs/src/reference/machine.md",
        claims: network,
    },
];

fn vendor(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if let Some(wanted) = &subject.machine.identity.vendor {
        claims.claim("machine.vendor", format!("the maker is {wanted}"), || {
            let found = &subject.system()?.dmi.get()?.vendor;
            Ok(Seen::when(
                found == wanted.as_str(),
                format!("the firmware says `{found}`"),
            ))
        });
    }
}

fn product(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if let Some(wanted) = &subject.machine.identity.product {
        claims.claim("machine.product", format!("the model is {wanted}"), || {
            let dmi = subject.system()?.dmi.get()?;
            let good = dmi.product == wanted.as_str();
            Ok(Seen::when(
                good,
                format!("the firmware says `{}` (BIOS {})", dmi.product, dmi.bios),
            ))
        });
    }
}

fn cpu(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("ubuntu.kernel", "the processor is a 64-bit x86", || {
        let cpu = subject.system()?.cpu.get()?;
        let machine = &subject.system()?.kernel.get()?.machine;
        let evidence = format!("{}, {} threads, {machine}", cpu.model, cpu.threads);
        Ok(Seen::when(machine == "x86_64" && cpu.threads > 0, evidence))
    });
}

fn memory(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if let Some(gib) = subject.machine.identity.memory_gib {
        claims.claim("machine.memory_gib", format!("{gib} GiB of memory"), || {
            let kib = *subject.system()?.memory_kib.get()?;
            let good = about(kib, u64::from(gib) << 20);
            Ok(Seen::when(
                good,
                format!("the kernel has {} MiB", kib >> 10),
            ))
        });
    }
}

fn memory_errors(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("", "no uncorrected memory error", || {
        let errors = subject.system()?.memory_errors.get()?;
        if errors.controllers == 0 && errors.uncorrected == 0 {
            return Err("memory without ECC or no EDAC driver".into());
        }
        let evidence = format!(
            "{} uncorrected, {} corrected, counted by {} controllers",
            errors.uncorrected, errors.corrected, errors.controllers
        );
        Ok(Seen::when(errors.uncorrected == 0, evidence))
    });
}

fn memory_log(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim(
        "",
        "no memory or machine-check error in the kernel's log",
        || {
            let log = subject.root()?.kernel_log.get()?;
            let corrected = |text: &str| {
                let text = text.to_lowercase();
                text.contains(" ce ") || text.contains("corrected") && !text.contains("uncorrected")
            };
            let other = log.iter().filter(|line| !line.text.contains("NVRM"));
            let bad: Vec<&str> = other
                .map(|line| line.text.as_str())
                .filter(|text| !corrected(text))
                .collect();
            Ok(match bad.last() {
                Some(last) => Seen::bad(format!("{} lines, the last: {last}", bad.len())),
                None => Seen::good("the kernel's log has none since the machine was started"),
            })
        },
    );
}

fn firmware(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let (wanted, words) = match subject.machine.identity.firmware {
        Firmware::Any => return,
        Firmware::Uefi => (lab_facts::Firmware::Uefi, "UEFI"),
        Firmware::Bios => (lab_facts::Firmware::Bios, "legacy BIOS"),
    };
    claims.claim(
        "machine.firmware",
        format!("it was started by {words}"),
        || {
            let system = subject.system()?;
            let found = *system.firmware.get()?;
            let secure = match &system.secure_boot {
                Fact::Is(Some(true)) => ", Secure Boot is on",
                Fact::Is(Some(false)) => ", Secure Boot is off",
                _ => "",
            };
            let by = match found {
                lab_facts::Firmware::Uefi => "UEFI",
                lab_facts::Firmware::Bios => "legacy BIOS",
            };
            Ok(Seen::when(
                found == wanted,
                format!("it was started by {by}{secure}"),
            ))
        },
    );
}

/// The key that names the disk.
fn disk_key(subject: &Subject<'_>) -> &'static str {
    match subject.machine.disk.serial {
        Some(_) => "disk.serial",
        None => "disk.model",
    }
}

/// The disks that fit the description by name.
fn fitting<'d>(subject: &Subject<'_>, disks: &'d [Disk]) -> Vec<&'d Disk> {
    let wanted = &subject.machine.disk;
    let fits = |one: &&Disk| {
        let serial = wanted
            .serial
            .as_ref()
            .is_none_or(|serial| one.serial == serial.as_str());
        let model = wanted
            .model
            .as_ref()
            .is_none_or(|model| one.model.trim() == model.as_str());
        serial && model
    };
    disks.iter().filter(fits).collect()
}

fn in_words(disk: &Disk) -> String {
    let gb = disk.bytes / 1_000_000_000;
    format!("{} ({}, {}, {gb} GB)", disk.name, disk.model, disk.serial)
}

fn disk(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let claim = format!("{} is fitted", subject.machine.disk.in_words());
    claims.claim(disk_key(subject), claim, || {
        let disks = subject.system()?.disks.get()?;
        let found = fitting(subject, disks);
        let [one] = found.as_slice() else {
            let all = listed(disks.iter().map(in_words));
            return Ok(Seen::bad(format!(
                "{} disks fit; there are: {all}",
                found.len()
            )));
        };
        let size = subject.machine.disk.size_gb.map(u64::from);
        let right = size.is_none_or(|gb| about(one.bytes, gb * 1_000_000_000));
        Ok(Seen::when(right, in_words(one)))
    });
}

fn root_disk(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim(disk_key(subject), "the system lies on that disk", || {
        root_on_disk(subject)
    });
}

fn root_on_disk(subject: &Subject<'_>) -> Judgement {
    let system = subject.system()?;
    let root = system.root.get()?;
    if root.disks.is_empty() {
        return Err(format!("on which disk {} lies cannot be said", root.source).into());
    }
    let disks = system.disks.get()?;
    let [wanted] = *fitting(subject, disks) else {
        return Err("which disk is the described one cannot be said".into());
    };
    let evidence = format!(
        "{} ({}) lies on {}",
        root.source,
        root.fstype,
        listed(&root.disks)
    );
    Ok(Seen::when(root.disks == [wanted.name.clone()], evidence))
}

fn network(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let network = &subject.machine.network;
    if let Some(mac) = &network.mac {
        let claim = format!("the network card {mac} has a link");
        claims.claim_of("card", "network.mac", claim, || {
            nic(subject, |one| one.mac == mac.as_str())
        });
    }
    if let Some(address) = &network.address {
        let claim = format!("its address is {address}");
        claims.claim_of("address", "network.address", claim, || {
            nic(subject, |one| {
                one.addresses.iter().any(|has| has == address.as_str())
            })
        });
    }
    if let Some(wifi) = &network.wifi {
        let claim = format!("{} is connected to a wireless network", wifi.interface);
        claims.claim_of("wifi", "network.wifi", claim, || {
            nic(subject, |one| {
                one.wireless && one.name == wifi.interface.as_str()
            })
        });
    }
}

/// That a network card of that kind is there and has a link.
fn nic(subject: &Subject<'_>, fits: impl Fn(&Nic) -> bool) -> Judgement {
    let nics = subject.system()?.nics.get()?;
    let words = |one: &Nic| {
        let link = if one.up { "has a link" } else { "has no link" };
        format!(
            "{} ({}) {link}, {}",
            one.name,
            one.mac,
            listed(&one.addresses)
        )
    };
    Ok(match nics.iter().find(|one| fits(one)) {
        Some(one) => Seen::when(one.up, words(one)),
        None => Seen::bad(format!("there are: {}", listed(nics.iter().map(words)))),
    })
}
