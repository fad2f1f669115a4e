//! What shall be looked up anew although it is locked.

use std::collections::BTreeSet;

use lab_lock::Lock;
use thiserror::Error;

/// What shall be looked up anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Update {
    /// Nothing: only what is missing.
    #[default]
    Nothing,
    /// Everything.
    All,
    /// Packages, files, models, images of these names.
    Named(BTreeSet<String>),
}

/// A name that the lock does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "machine.lock has no package, file, model or image {0:?}: `cargo xtask sbom` lists what it has"
)]
pub struct UnknownName(pub String);

impl Update {
    /// All for no names, else these.
    ///
    /// # Errors
    ///
    /// When the lock has nothing of a name.
    pub fn of(names: &[String], lock: Option<&Lock>) -> Result<Self, UnknownName> {
        let Some(lock) = lock.filter(|_| !names.is_empty()) else {
            return Ok(Self::All);
        };
        for name in names {
            let known = lock.package(name).is_some()
                || lock.file(name).is_some()
                || lock.model(name).is_some()
                || lock.image(name).is_some();
            if !known {
                return Err(UnknownName(name.clone()));
            }
        }
        Ok(Self::Named(names.iter().cloned().collect()))
    }

    /// Whether this name is among it.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }
}
