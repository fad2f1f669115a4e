//! Clearing out what nobody wants any more.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Store;
use super::verify::entries;
use crate::cache::remove;
use crate::{Digest, FetchError};

/// What stays.
#[derive(Debug, Clone)]
pub struct Prune<'a> {
    /// The objects that stay.
    pub keep: &'a BTreeSet<Digest>,
    /// What came in of others, and what was set aside as bad, goes when it is older.
    pub older_than: Duration,
    /// The time now.
    pub now: SystemTime,
    /// Only say what would go.
    pub dry_run: bool,
    /// How long those are waited for who put in or read.
    pub wait: Duration,
}

/// What went, or would.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many objects, partial and bad files.
    pub count: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes the objects that are not to be kept, and old leftovers. While anybody fetches
/// into the store or [holds](Store::hold) it, nothing is removed.
///
/// # Errors
///
/// [`FetchError::Busy`] where others use the store for longer than `wait`,
/// [`FetchError::Io`].
pub fn prune(store: &Store, what: &Prune<'_>) -> Result<Pruned, FetchError> {
    let _alone = match what.dry_run {
        true => store.hold(what.wait)?,
        false => store.alone(what.wait)?,
    };
    let mut pruned = Pruned::default();
    for path in store.files("sha256")? {
        // What is no object is for a person to look at: `verify` names it.
        let Some(digest) = store.digest_at(&path) else {
            continue;
        };
        if !what.keep.contains(&digest) {
            pruned.take(&path, what)?;
            pruned.quietly(&store.stamp(digest), what)?;
        }
    }
    for path in entries(&store.root.join("bad"))? {
        if what.is_old(&path) {
            pruned.take(&path, what)?;
        }
    }
    for path in entries(store.partial.dir())? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".lock") {
            // Nobody holds one while this runs alone.
            pruned.quietly(&path, what)?;
        } else if what.is_old(&described_by(&path)) {
            pruned.take(&path, what)?;
        }
    }
    Ok(pruned)
}

/// A sidecar is as old as the partial file that it describes.
fn described_by(path: &Path) -> PathBuf {
    let partial = path.with_extension("");
    if path.extension().is_some_and(|ext| ext == "json") && partial.exists() {
        return partial;
    }
    path.to_owned()
}

impl Prune<'_> {
    fn is_old(&self, path: &Path) -> bool {
        let changed = fs::symlink_metadata(path).and_then(|meta| meta.modified());
        let age = changed.map(|changed| self.now.duration_since(changed));
        matches!(age, Ok(Ok(age)) if age >= self.older_than)
    }
}

impl Pruned {
    fn take(&mut self, path: &Path, what: &Prune<'_>) -> Result<(), FetchError> {
        let Ok(meta) = fs::symlink_metadata(path) else {
            return Ok(());
        };
        self.quietly(path, what)?;
        self.count += 1;
        self.bytes += meta.len();
        Ok(())
    }

    fn quietly(&self, path: &Path, what: &Prune<'_>) -> Result<(), FetchError> {
        if what.dry_run {
            return Ok(());
        }
        remove(path)
    }
}
