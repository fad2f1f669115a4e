//! Disks that are not as ordinary: NVMe with sectors of 4 KiB, and one that is encrypted,
//! started by a firmware that wants signatures.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab_rehearse::{Bus, Ends, Firmware, INSTALLATION, Picture, Stage};
use lab_tests::PASSPHRASE;

use crate::stage::{Trial, have_time, reached, up_to_ssh};

/// QEMU's NVMe disks say nothing of a model, so the serial number names it.
const NVME: &[(&str, &str)] = &[(
    "model = \"Samsung SSD 870 EVO 250GB\"",
    "serial = \"S6PENL0T512345X\"",
)];

const LUKS: &[(&str, &str)] = &[(
    "size_gb = 250",
    "size_gb = 250\nluks_passphrase = { env = \"LAB_LUKS\" }",
)];

#[test]
fn nvme_with_sectors_of_4k() -> Result<()> {
    if !have_time("nvme_with_sectors_of_4k") {
        return Ok(());
    }
    let Some(mut trial) = Trial::new("nvme_with_sectors_of_4k", Firmware::Uefi, NVME)? else {
        return Ok(());
    };
    for disk in &mut trial.hardware.disks {
        (disk.bus, disk.sector) = (Bus::Nvme, 4096);
    }
    trial.installs()?;
    trial.starts_up_to_ssh().map(drop)
}

/// Signed all the way from the firmware to the kernel, and a passphrase is asked for before
/// the system starts.
#[test]
fn secure_boot_and_luks() -> Result<()> {
    if !have_time("secure_boot_and_luks") {
        return Ok(());
    }
    let Some(trial) = Trial::new("secure_boot_and_luks", Firmware::SecureBoot, LUKS)? else {
        return Ok(());
    };
    let mut running = trial.start()?;
    let told = trial.follow(&mut running, INSTALLATION)?;
    reached(&told, INSTALLATION.len())?;
    let installed = running.console().text();
    ensure!(
        !installed.contains(PASSPHRASE),
        "the passphrase is on the console"
    );
    ensure!(
        installed.to_lowercase().contains("secure boot enabled")
            || installed.contains("Kernel is locked down"),
        "Secure Boot was not on"
    );
    drop(running);
    // The kernel's log comes when the passphrase was given, and nothing tells when it is asked
    // for: it is typed until it was. Three wrong answers would end it, so never in haste.
    let mut running = trial.start()?;
    let begin = Instant::now();
    let says =
        |running: &lab_rehearse::Running, words: &str| running.console().text().contains(words);
    while !says(&running, "Linux version") {
        ensure!(
            begin.elapsed() < Duration::from_secs(600),
            "it never took the passphrase"
        );
        if !says(&running, "Booting `") {
            sleep(Duration::from_secs(1));
            continue;
        }
        sleep(Duration::from_secs(40));
        for letter in PASSPHRASE.chars() {
            let key = match letter {
                ' ' => "spc".to_owned(),
                other => other.to_string(),
            };
            running.monitor().press(&key)?;
            sleep(Duration::from_millis(150));
        }
        running.monitor().press("ret")?;
    }
    let system = Stage {
        id: "ssh",
        title: "the encrypted system starts, up to SSH",
        ends: Ends::Shows("Started ssh.service"),
        picture: Picture::Last,
    };
    let told = trial.follow(&mut running, &[system])?;
    reached(&told, up_to_ssh().len() - 1)
}
