//! A machine to be emulated: its firmware, its boot medium, its disks.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::Guest;

/// What starts the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS, which QEMU carries.
    Bios,
    /// OVMF without Secure Boot.
    Uefi,
    /// OVMF that starts only what Microsoft's keys vouch for.
    SecureBoot,
}

/// What the machine starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// An optical disc in a drive on AHCI.
    Cd,
    /// A stick on USB 3.
    Usb,
}

/// Firmware code and the variables it starts with: Debian's and Ubuntu's names, then
/// Fedora's and Arch's.
const UEFI: &[(&str, &str)] = &[
    (
        "/usr/share/OVMF/OVMF_CODE_4M.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.fd",
    ),
    (
        "/usr/share/OVMF/OVMF_CODE.fd",
        "/usr/share/OVMF/OVMF_VARS.fd",
    ),
    (
        "/usr/share/edk2/ovmf/OVMF_CODE.fd",
        "/usr/share/edk2/ovmf/OVMF_VARS.fd",
    ),
    (
        "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
        "/usr/share/edk2/x64/OVMF_VARS.4m.fd",
    ),
];

/// The same with Secure Boot on and Microsoft's keys enrolled.
const SECURE: &[(&str, &str)] = &[
    (
        "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
    ),
    (
        "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
    ),
    (
        "/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd",
        "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd",
    ),
];

impl Firmware {
    /// The files of the firmware: none for BIOS, else code and variables.
    ///
    /// # Errors
    ///
    /// When no known place has them.
    pub fn files(self) -> Result<Option<(PathBuf, PathBuf)>> {
        let places = match self {
            Self::Bios => return Ok(None),
            Self::Uefi => UEFI,
            Self::SecureBoot => SECURE,
        };
        for (code, variables) in places {
            if Path::new(code).is_file() && Path::new(variables).is_file() {
                return Ok(Some((code.into(), variables.into())));
            }
        }
        bail!("no firmware OVMF for {self:?} in {places:?}: install the Debian package ovmf")
    }
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
///
/// The device node alone says nothing: inside some containers it can be opened and then
/// runs no guest. The processor's flag decides too, and `LAB_ACCELERATOR` overrules both.
fn accelerator() -> Vec<String> {
    let asked = env::var("LAB_ACCELERATOR").ok();
    let kvm = || {
        let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let able = flags
            .split_whitespace()
            .any(|word| word == "vmx" || word == "svm");
        able && File::options()
            .read(true)
            .write(true)
            .open("/dev/kvm")
            .is_ok()
    };
    let kvm = match asked.as_deref() {
        Some(name) => name == "kvm",
        None => kvm(),
    };
    words(if kvm {
        "-accel kvm -cpu host -smp 2"
    } else {
        "-accel tcg,thread=multi -cpu max -smp 1"
    })
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
