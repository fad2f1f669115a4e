//! The fingerprint of an OpenPGP version 4 key (RFC 9580, 5.5.4.2): 40 hexadecimal digits.

use super::{ValueError, sha256::hex_into, string_serde};
use std::{fmt, str::FromStr};

/// Names one OpenPGP key for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 20]);

impl Fingerprint {
    /// The fingerprint with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The fingerprint's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut bytes = [0; 20];
        hex_into(text, &mut bytes)
            .map(|()| Self(bytes))
            .ok_or_else(|| ValueError::new("a key's fingerprint", text, "40 hexadecimal digits"))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

string_serde!(Fingerprint);
