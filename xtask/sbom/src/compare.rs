//! A machine's packages against the list.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use crate::inventory::{Inventory, Kind};

/// A package that a machine has, as `dpkg-query` names it (`${Package}`, `${Version}`,
/// `${Architecture}`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its name, without an architecture.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
}

/// What a machine has otherwise than it is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The package is not installed.
    Missing {
        /// The package.
        name: String,
        /// The version that is locked.
        locked: String,
    },
    /// It is another version: a lower one, or a higher one of a package that is held.
    Other {
        /// The package.
        name: String,
        /// The version that is locked.
        locked: String,
        /// The version that the machine has.
        version: String,
    },
    /// It is a higher version of a package that is not held, as security updates make it.
    /// To be shown, and no fault.
    Newer {
        /// The package.
        name: String,
        /// The version that is locked.
        locked: String,
        /// The version that the machine has.
        version: String,
    },
}

impl Difference {
    /// Whether the machine is not what it should be.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Newer { .. })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, locked } => {
                write!(out, "{name} {locked} is locked, and not installed")
            }
            Self::Other {
                name,
                locked,
                version,
            } => write!(out, "{name} is {version}, and locked as {locked}"),
            Self::Newer {
                name,
                locked,
                version,
            } => write!(out, "{name} is {version}, newer than the locked {locked}"),
        }
    }
}

/// What of the list's packages a machine has otherwise, by name. Packages that the list does
/// not have are the base system's and are passed over.
///
/// `held` says whether a package must keep its version (`apt-mark hold`, a pin), `order` is
/// Debian's order of versions. A package that is there for another architecture only (`i386`
/// beside `amd64`) is missing.
#[must_use]
pub fn compare(
    list: &Inventory,
    installed: &[Installed],
    held: &dyn Fn(&str) -> bool,
    order: &dyn Fn(&str, &str) -> Ordering,
) -> Vec<Difference> {
    let mut has: BTreeMap<&str, Vec<&Installed>> = BTreeMap::new();
    for one in installed {
        has.entry(&one.name).or_default().push(one);
    }
    let locked = list.of_kind(Kind::Package).filter_map(|one| {
        let version = one.version.as_deref()?;
        Some((one.name.as_str(), version, one.architecture.as_deref()))
    });
    let difference = |(name, locked, architecture): (&str, &str, Option<&str>)| {
        let here = has.get(name).map(Vec::as_slice).unwrap_or_default();
        match native(here, architecture) {
            None => Some(Difference::Missing {
                name: name.to_owned(),
                locked: locked.to_owned(),
            }),
            Some(found) => other_version(name, locked, &found.version, held, order),
        }
    };
    locked.filter_map(difference).collect()
}

/// The one of that architecture; else one that any machine takes: a package may go from
/// `amd64` to `all` with a version.
fn native<'i>(here: &[&'i Installed], architecture: Option<&str>) -> Option<&'i Installed> {
    let same = here
        .iter()
        .find(|one| Some(one.architecture.as_str()) == architecture);
    let usable = || {
        here.iter()
            .find(|one| ["amd64", "all"].contains(&one.architecture.as_str()))
    };
    same.or_else(usable).copied()
}

fn other_version(
    name: &str,
    locked: &str,
    version: &str,
    held: &dyn Fn(&str) -> bool,
    order: &dyn Fn(&str, &str) -> Ordering,
) -> Option<Difference> {
    let (name, locked, version) = (name.to_owned(), locked.to_owned(), version.to_owned());
    match order(&version, &locked) {
        Ordering::Equal => None,
        Ordering::Greater if !held(&name) => Some(Difference::Newer {
            name,
            locked,
            version,
        }),
        _ => Some(Difference::Other {
            name,
            locked,
            version,
        }),
    }
}
