//! A PCI vendor and device id, as `lspci -nn` prints it: `10de:1c82`.

use super::{ValueError, string_serde};
use std::{fmt, str::FromStr};

/// Which make and model a PCI function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciId {
    /// The vendor's number, given out by PCI-SIG.
    pub vendor: u16,
    /// The device's number, given out by the vendor.
    pub device: u16,
}

impl PciId {
    /// NVIDIA's vendor number.
    pub const NVIDIA: u16 = 0x10de;

    /// One of NVIDIA's devices.
    #[must_use]
    pub const fn nvidia(device: u16) -> Self {
        Self {
            vendor: Self::NVIDIA,
            device,
        }
    }

    /// Whether NVIDIA made it.
    #[must_use]
    pub const fn is_nvidia(self) -> bool {
        self.vendor == Self::NVIDIA
    }
}

/// Exactly four hexadecimal digits.
pub(crate) fn four_hex(text: &str) -> Option<u16> {
    let plain = text.len() == 4 && text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u16::from_str_radix(text, 16).ok())?
}

impl FromStr for PciId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.split_once(':')
            .and_then(|(vendor, device)| {
                Some(Self {
                    vendor: four_hex(vendor)?,
                    device: four_hex(device)?,
                })
            })
            .ok_or_else(|| {
                ValueError::new(
                    "a PCI id",
                    text,
                    "vendor and device, four hexadecimal digits each, like `10de:1c82`",
                )
            })
    }
}

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.device)
    }
}

string_serde!(PciId);
