//! What a machine needs from outside, gathered from its parts: what `cargo xtask lock`
//! resolves, and what a lock is held against.

use anyhow::{Context as _, Result};
use lab_catalog::Catalog;
use lab_lock::{Sha256, Wanted};
use lab_machine::Machine;

use crate::component::all_wants;

/// Everything that this machine asks for from outside.
///
/// # Errors
///
/// When the catalog lacks what the machine needs: a repository, a release, a pinned file.
pub fn wanted(machine: &Machine, catalog: &Catalog) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for (name, wants) in all_wants() {
        wants(machine, catalog, &mut wanted)
            .with_context(|| format!("looking at what the component `{name}` wants"))?;
    }
    Ok(wanted)
}

/// A digest of the catalog's as the lock has it.
pub(crate) fn digest(of: lab_catalog::Sha256) -> Sha256 {
    Sha256(*of.as_bytes())
}
