//! CUDA's compute capability: which instructions a GPU understands.

use super::{ValueError, string_serde};
use std::{fmt, str::FromStr};

/// A compute capability like 6.1, ordered by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComputeCapability {
    /// The generation; code never runs across it.
    pub major: u8,
    /// The step within the generation.
    pub minor: u8,
}

impl ComputeCapability {
    /// The capability `major.minor`.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// Whether a GPU of this capability runs machine code made for `code`: the
    /// same major number, and a minor number that is not smaller.
    ///
    /// Source: CUDA C++ Programming Guide, "Binary Compatibility".
    #[must_use]
    pub const fn runs_code_for(self, code: Self) -> bool {
        self.major == code.major && self.minor >= code.minor
    }
}

/// A number without sign, blank or leading zero.
pub(super) fn plain_number<N: FromStr>(text: &str) -> Option<N> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let plain = digits && (text.len() == 1 || !text.starts_with('0'));
    plain.then(|| text.parse().ok())?
}

impl FromStr for ComputeCapability {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.split_once('.')
            .and_then(|(major, minor)| Some(Self::new(plain_number(major)?, plain_number(minor)?)))
            .ok_or_else(|| {
                ValueError::new(
                    "a compute capability",
                    text,
                    "two numbers with a dot between, like `6.1`",
                )
            })
    }
}

impl fmt::Display for ComputeCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

string_serde!(ComputeCapability);
