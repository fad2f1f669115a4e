//! What starts a virtual machine: SeaBIOS, or OVMF with and without Secure Boot.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

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

    /// What a report calls it.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Bios => "BIOS (SeaBIOS)",
            Self::Uefi => "UEFI (OVMF)",
            Self::SecureBoot => "UEFI with Secure Boot (OVMF)",
        }
    }
}
