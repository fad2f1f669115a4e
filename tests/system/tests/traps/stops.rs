//! What the guard stops before anything is written.

use anyhow::Result;
use lab_rehearse::Firmware;

use crate::stage::Trial;

/// The description with the disk's serial number.
const SERIAL: &[(&str, &str)] = &[(
    "size_gb = 250",
    "serial = \"S6PENL0T512345X\"\nsize_gb = 250",
)];

#[test]
fn wrong_machine() -> Result<()> {
    let Some(mut trial) = Trial::new("wrong_machine", Firmware::Bios, &[])? else {
        return Ok(());
    };
    trial.hardware.product = "HP Z420 Workstation".to_owned();
    trial.is_stopped("HP Z420 Workstation")
}

#[test]
fn wrong_disk_serial() -> Result<()> {
    let Some(mut trial) = Trial::new("wrong_disk_serial", Firmware::Uefi, SERIAL)? else {
        return Ok(());
    };
    for disk in &mut trial.hardware.disks {
        disk.serial = "S6PENL0T999999X".to_owned();
    }
    trial.is_stopped("S6PENL0T999999X")
}

#[test]
fn card_missing() -> Result<()> {
    let Some(mut trial) = Trial::new("card_missing", Firmware::Bios, &[])? else {
        return Ok(());
    };
    trial
        .hardware
        .said
        .on_bus
        .retain(|card| card.address != "0000:02:00.0");
    trial.is_stopped("no PCI device at 0000:02:00.0")
}
