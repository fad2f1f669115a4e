//! From what a description asks for to `machine.lock`: what is locked already stays, what is
//! missing is looked up, verified and chosen.
//!
//! The parts are elsewhere: `lab-supply` brings lists and documents and says whether they
//! count, `lab-apt` chooses packages, `lab-lock` is the form. This crate joins them; it reads
//! no clock and no environment.

mod change;
mod documents;
mod installed;
mod objects;
mod packages;
mod update;

use std::collections::BTreeMap;

use anyhow::Result;
use lab_lock::{Lock, Wanted};
use lab_supply::Network;

pub use change::{Change, changes};
pub use installed::InstalledList;
pub use objects::{Object, objects};
pub use update::{UnknownName, Update};

/// With what is resolved.
pub struct World<'a> {
    /// The way to everything outside.
    pub network: &'a Network<'a>,
    /// The archives' own keys, by full fingerprint in upper-case hexadecimal digits.
    pub keys: &'a BTreeMap<String, Vec<u8>>,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// Keeps a document that came along: a key, a manifest. It is fetched anyway.
    pub keep: &'a (dyn Fn(&[u8]) -> Result<()> + Sync),
    /// Hears what is being done.
    pub say: &'a (dyn Fn(&str) + Sync),
}

/// Resolves what is missing in `old`, and what `update` names, and keeps the rest.
/// `installed` is what the system has from its base.
///
/// # Errors
///
/// When something cannot be reached, does not count, or does not exist, naming it. Nothing was
/// changed then.
pub fn resolve(
    world: &World<'_>,
    wanted: &Wanted,
    installed: &InstalledList<'_>,
    old: Option<&Lock>,
    update: &Update,
) -> Result<Lock> {
    let mut lock = packages::locked(world, wanted, installed, old, update)?;
    lock.files = documents::files(world, wanted, old, update)?;
    lock.models = documents::models(world, wanted, old, update)?;
    lock.images = documents::images(world, wanted, old, update)?;
    lock.sort();
    // What was written must be readable: whoever finds out later has no lock.
    Lock::parse(&lock.to_text()?)?;
    Ok(lock)
}
