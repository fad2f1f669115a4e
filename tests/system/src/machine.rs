//! A machine to be emulated: its firmware, its boot medium, its disks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab_rehearse::{Accelerator, Firmware};

use crate::Guest;

/// What the machine starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// An optical disc in a drive on AHCI.
    Cd,
    /// A stick on USB 3.
    Usb,
}

/// A machine that is not running yet.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) firmware: Firmware,
    medium: Option<(Medium, PathBuf)>,
    disks: Vec<PathBuf>,
    memory_mib: u32,
    more: Vec<String>,
}

impl Machine {
    /// A machine with this firmware, 768 MiB of memory, no network, and nothing to boot.
    #[must_use]
    pub fn new(firmware: Firmware) -> Self {
        Self {
            firmware,
            medium: None,
            disks: Vec::new(),
            memory_mib: 768,
            more: Vec::new(),
        }
    }

    /// Boots from this image, which is not written to.
    #[must_use]
    pub fn boot(mut self, medium: Medium, image: &Path) -> Self {
        self.medium = Some((medium, image.to_owned()));
        self
    }

    /// Has this raw image as a disk on AHCI, after earlier ones. It is not written to:
    /// what the guest writes is forgotten.
    #[must_use]
    pub fn disk(mut self, image: &Path) -> Self {
        self.disks.push(image.to_owned());
        self
    }

    /// Has this much memory, in MiB.
    #[must_use]
    pub fn memory_mib(mut self, memory: u32) -> Self {
        self.memory_mib = memory;
        self
    }

    /// Has more arguments of QEMU.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.more.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Switches it on.
    ///
    /// # Errors
    ///
    /// When QEMU or its firmware is missing or does not start.
    pub fn start(&self) -> Result<Guest> {
        Guest::start(self)
    }

    /// QEMU's arguments; `folder` takes the files that belong to one run.
    pub(crate) fn arguments(&self, folder: &Path) -> Result<Vec<String>> {
        let mut all = accelerator();
        all.extend(words(
            "-display none -monitor none -no-reboot -nic none -serial stdio",
        ));
        // Without graphics SeaBIOS repeats the screen on the serial port and takes keys
        // from it. OVMF always does.
        let machine = match self.firmware {
            Firmware::SecureBoot => {
                "-machine q35,graphics=off,smm=on \
                 -global driver=cfi.pflash01,property=secure,value=on"
            }
            _ => "-machine q35,graphics=off",
        };
        all.extend(words(machine));
        all.extend(["-m".into(), self.memory_mib.to_string()]);
        all.extend([
            "-qmp".into(),
            format!("unix:{},server=on,wait=off", path(&folder.join("qmp"))?),
        ]);
        self.firmware_arguments(folder, &mut all)?;
        if let Some((medium, image)) = &self.medium {
            medium_arguments(*medium, image, &mut all)?;
        }
        for (number, disk) in self.disks.iter().enumerate() {
            drive(&format!("disk{number}"), "snapshot=on", disk, &mut all)?;
            let port = number + 1;
            all.extend(words(&format!(
                "-device ide-hd,drive=disk{number},bus=ide.{port},bootindex={}",
                port + 1
            )));
        }
        all.extend(self.more.iter().cloned());
        Ok(all)
    }

    fn firmware_arguments(&self, folder: &Path, all: &mut Vec<String>) -> Result<()> {
        let Some((code, variables)) = self.firmware.files()? else {
            return Ok(());
        };
        let own = folder.join("variables");
        fs::copy(&variables, &own).with_context(|| format!("copying {}", variables.display()))?;
        for (unit, file, access) in [(0, &code, ",readonly=on"), (1, &own, "")] {
            let file = path(file)?;
            all.push("-drive".into());
            all.push(format!(
                "if=pflash,format=raw,unit={unit},file={file}{access}"
            ));
        }
        Ok(())
    }
}

fn medium_arguments(medium: Medium, image: &Path, all: &mut Vec<String>) -> Result<()> {
    match medium {
        Medium::Cd => {
            drive("medium", "media=cdrom,readonly=on", image, all)?;
            all.extend(words("-device ide-cd,drive=medium,bus=ide.0,bootindex=0"));
        }
        Medium::Usb => {
            drive("medium", "readonly=on", image, all)?;
            all.extend(words(
                "-device qemu-xhci -device usb-storage,drive=medium,removable=on,bootindex=0",
            ));
        }
    }
    Ok(())
}

fn drive(id: &str, how: &str, image: &Path, all: &mut Vec<String>) -> Result<()> {
    all.push("-drive".into());
    all.push(format!(
        "if=none,id={id},format=raw,{how},file={}",
        path(image)?
    ));
    Ok(())
}

/// KVM with two processors where it works, else emulation with one: a second one makes no
/// boot shorter, and two guests run at once.
fn accelerator() -> Vec<String> {
    let here = Accelerator::here();
    let processors = match here {
        Accelerator::Kvm => "-smp 2",
        Accelerator::Tcg => "-smp 1",
    };
    words(&format!("{} {processors}", here.arguments()))
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// A path as QEMU's options take it: a comma is doubled.
fn path(path: &Path) -> Result<String> {
    let text = path
        .to_str()
        .with_context(|| format!("{} is no UTF-8", path.display()))?;
    Ok(text.replace(',', ",,"))
}
