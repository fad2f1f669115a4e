//! The small values that the catalog's facts are made of.
//!
//! Every type here has one door: its [`FromStr`](std::str::FromStr). Serde goes
//! through that door in both directions, so a value that came from a file obeys
//! the same grammar as one that came from code, and `Display` prints what the
//! door takes back.

mod compute_capability;
mod date;
mod dotted_version;
mod fingerprint;
pub(crate) mod pci_id;
mod sha256;

pub use compute_capability::ComputeCapability;
pub use date::Date;
pub use dotted_version::DottedVersion;
pub use fingerprint::Fingerprint;
pub use pci_id::PciId;
pub use sha256::Sha256;

use std::fmt;

/// A text that is not the value it was read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    what: &'static str,
    found: String,
    expected: &'static str,
}

impl ValueError {
    /// Refuses `found`, which was read as a `what`; `expected` says in words what would do.
    pub(crate) fn new(what: &'static str, found: &str, expected: &'static str) -> Self {
        // Outside input may be megabytes long or hold control characters; an
        // error message must be neither.
        let mut shown: String = found
            .chars()
            .take(64)
            .flat_map(char::escape_debug)
            .collect();
        if found.chars().nth(64).is_some() {
            shown.push('…');
        }
        Self {
            what,
            found: shown,
            expected,
        }
    }

    /// What would have been right, in words.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            found,
            expected,
        } = self;
        write!(f, "`{found}` is not {what}: expected {expected}")
    }
}

impl std::error::Error for ValueError {}

/// Gives a type with `FromStr` and `Display` its serde form: a string.
macro_rules! string_serde {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Door;
                impl serde::de::Visitor<'_> for Door {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a string")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                from.deserialize_str(Door)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $crate::ValueError;
            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}
pub(crate) use string_serde;
