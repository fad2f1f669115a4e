//! A version made of numbers with dots between, as most vendors number releases.

use super::{ValueError, string_serde};
use std::{cmp::Ordering, fmt, str::FromStr};

/// Most numbers that a version may have.
const MOST: usize = 4;

/// A version like 1.19.1 or 9.3.0.75: one to four numbers, compared as numbers.
///
/// Missing numbers count as zero in comparison, so 2.19 equals 2.19.0 there;
/// what was written is kept and printed.
#[derive(Debug, Clone, Copy)]
pub struct DottedVersion {
    numbers: [u32; MOST],
    /// How many of the numbers were written; 1 to `MOST`.
    written: u8,
}

impl DottedVersion {
    /// The numbers that were written, most significant first.
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        self.numbers
            .get(..usize::from(self.written))
            .unwrap_or(&self.numbers)
    }

    /// The first number.
    #[must_use]
    pub const fn major(&self) -> u32 {
        self.numbers[0]
    }

    /// The second number, zero where none was written.
    #[must_use]
    pub const fn minor(&self) -> u32 {
        self.numbers[1]
    }

    /// Whether this version is `series` or one of its later parts: 2.19.1 is in series 2.19.
    #[must_use]
    pub fn is_in_series(&self, series: &Self) -> bool {
        self.numbers.starts_with(series.numbers())
    }
}

impl PartialEq for DottedVersion {
    fn eq(&self, other: &Self) -> bool {
        self.numbers == other.numbers
    }
}

impl Eq for DottedVersion {}

impl PartialOrd for DottedVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DottedVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers)
    }
}

impl std::hash::Hash for DottedVersion {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.numbers.hash(state);
    }
}

impl FromStr for DottedVersion {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError::new(
                "a version",
                text,
                "one to four numbers with dots between, like `1.19.1`",
            )
        };
        let mut version = Self {
            numbers: [0; MOST],
            written: 0,
        };
        for part in text.split('.') {
            let place = version.numbers.get_mut(usize::from(version.written));
            *place.ok_or_else(wrong)? = number(part).ok_or_else(wrong)?;
            version.written += 1;
        }
        Ok(version)
    }
}

/// Digits only. A leading zero is refused, because it would not survive `Display`: driver
/// versions such as 580.65.06 are not dotted versions but text.
fn number(text: &str) -> Option<u32> {
    super::compute_capability::plain_number(text)
}

impl fmt::Display for DottedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, number) in self.numbers().iter().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            write!(f, "{dot}{number}")?;
        }
        Ok(())
    }
}

string_serde!(DottedVersion);
