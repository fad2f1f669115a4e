//! A licence as the lists write it: an SPDX expression (specification 2.3, annex D).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::expression::Expression;

/// What stands for licence texts that have no short name.
pub(crate) const UNNAMED: &str = "LicenseRef-unnamed";

const REFERENCE: &str = "LicenseRef-";
/// The longest identifier that is made of a name, in bytes.
const LONGEST_NAME: usize = 80;

/// A licence: an SPDX expression of identifiers of the SPDX License List and of references
/// (`LicenseRef-…`) for what the list does not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Licence(String);

/// A text that is no licence expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{found:?} is no SPDX licence expression of known identifiers; one looks like `MIT OR Apache-2.0`, and a licence that SPDX does not list like `LicenseRef-name`"
)]
pub struct LicenceError {
    /// The text, cut.
    pub found: String,
}

impl Licence {
    /// What something says of itself: an expression, or else the name of a licence.
    /// None where there is nothing that could be a name.
    #[must_use]
    pub fn stated(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| reference(text).map(Self))
    }

    /// The expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The references in it, each once, sorted.
    #[must_use]
    pub fn references(&self) -> BTreeSet<&str> {
        self.0
            .split([' ', '(', ')'])
            .filter(|word| word.starts_with(REFERENCE))
            .collect()
    }

    /// Whether it is one licence and no combination of several.
    #[must_use]
    pub fn is_single(&self) -> bool {
        !self.0.contains(' ')
    }

    pub(crate) fn of(expression: &Expression) -> Self {
        Self(expression.text())
    }
}

/// The reference for a licence of that name; none where no character of it can stand in one.
pub(crate) fn reference(name: &str) -> Option<String> {
    let mut id = String::new();
    for c in name.trim().chars() {
        match c {
            '+' => id.push_str("-or-later"),
            _ if c.is_ascii_alphanumeric() || c == '.' => id.push(c),
            _ if id.ends_with('-') => {}
            _ => id.push('-'),
        }
        if id.len() >= LONGEST_NAME {
            break;
        }
    }
    let id = id.trim_matches('-');
    (!id.is_empty()).then(|| format!("{REFERENCE}{id}"))
}

impl fmt::Display for Licence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for Licence {
    type Err = LicenceError;

    fn from_str(text: &str) -> Result<Self, LicenceError> {
        let found = || text.chars().take(80).collect();
        match Expression::parse(text) {
            Some(expression) => Ok(Self::of(&expression)),
            None => Err(LicenceError { found: found() }),
        }
    }
}

impl TryFrom<String> for Licence {
    type Error = LicenceError;

    fn try_from(text: String) -> Result<Self, LicenceError> {
        text.parse()
    }
}

impl From<Licence> for String {
    fn from(licence: Licence) -> Self {
        licence.0
    }
}
