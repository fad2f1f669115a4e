//! The guard's data: what it compares the machine with.

use anyhow::Result;
use lab_machine::Machine;
use lab_machine::section::disk::Erase;
use lab_machine::section::identity::Firmware;
use lab_machine::types::{DiskModel, DiskSerial, DmiText};
use tera::Context;

use crate::template::render;

/// `/lab/guard.conf`, which the guard sources.
pub(crate) fn conf(machine: &Machine) -> Result<String> {
    let identity = &machine.identity;
    let disk = &machine.disk;
    let number = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let mut context = Context::new();
    context.insert("machine", identity.name.as_str());
    context.insert(
        "vendor",
        &text(identity.vendor.as_ref().map(DmiText::as_str)),
    );
    context.insert(
        "product",
        &text(identity.product.as_ref().map(DmiText::as_str)),
    );
    context.insert("memory_gib", &number(identity.memory_gib));
    context.insert("firmware", firmware(identity.firmware));
    context.insert("gpus", &gpus(machine));
    context.insert(
        "disk_serial",
        &text(disk.serial.as_ref().map(DiskSerial::as_str)),
    );
    context.insert(
        "disk_model",
        &disk.model.as_ref().map(DiskModel::udev).unwrap_or_default(),
    );
    context.insert("disk_size_gb", &number(disk.size_gb));
    context.insert("disk_erase", erase(disk.erase_when()));
    render("lab/guard.conf", &context)
}

fn firmware(firmware: Firmware) -> &'static str {
    match firmware {
        Firmware::Any => "any",
        Firmware::Uefi => "uefi",
        Firmware::Bios => "bios",
    }
}

fn erase(erase: Erase) -> &'static str {
    match erase {
        Erase::IfBlank => "if-blank",
        Erase::Always => "always",
    }
}

fn gpus(machine: &Machine) -> String {
    let words = machine.cards.iter().map(|card| match &card.slot {
        Some(slot) => format!("{slot}={}", card.pci_id),
        None => format!("any={}", card.pci_id),
    });
    words.collect::<Vec<_>>().join(" ")
}
