//! How much a source is preferred: apt_preferences(5), cut down to what a lock needs.

use std::collections::BTreeMap;

/// The priority of a source, and of single packages of it.
///
/// As with apt, the version with the highest priority is the candidate, and among those of
/// equal priority the newest. A negative priority is never chosen. From 1000 on a version is
/// chosen although it is older than what is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Of all packages that are not named; apt's default is 500.
    pub priority: i32,
    /// Of the packages that are.
    pub packages: BTreeMap<String, i32>,
}

impl Default for Pin {
    fn default() -> Self {
        Self {
            priority: 500,
            packages: BTreeMap::new(),
        }
    }
}

impl Pin {
    /// A vendor's source: 500 for the packages that are named, 100 for all others, which are
    /// then taken only where no other source has them.
    pub fn only<'a>(packages: impl IntoIterator<Item = &'a str>) -> Self {
        let named = packages.into_iter().map(|name| (name.to_owned(), 500));
        Self {
            priority: 100,
            packages: named.collect(),
        }
    }

    /// The priority of the package `name`.
    pub fn of(&self, name: &str) -> i32 {
        self.packages.get(name).copied().unwrap_or(self.priority)
    }
}
