//! Hashing everything in the store again: what the disk has changed since is found.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use super::Store;
use super::each::each;
use super::object::Presence;
use crate::{Digest, FetchError, Progress};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many objects are right.
    pub good: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is not.
    pub bad: Vec<Bad>,
}

/// A file in the store that is no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Where it stood.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
    /// Where it is now; `None` where it could not or need not be moved.
    pub moved_to: Option<PathBuf>,
}

/// Hashes every object, on all processors; what is wrong is moved to `objects/bad/`.
/// `progress` is told an object's digest, and how far its hashing is.
///
/// # Errors
///
/// [`FetchError::Io`] where the store cannot be listed; [`FetchError::Busy`] while it
/// is cleared out. An object that cannot be read is among the bad ones.
pub fn verify(
    store: &Store,
    progress: &(dyn Fn(Digest, Progress) + Sync),
) -> Result<Verified, FetchError> {
    let _hold = store.hold(Duration::from_secs(600))?;
    let files = store.files("sha256")?;
    let jobs = available_parallelism().map_or(1, usize::from);
    let found = each(&files, jobs, |path| judge(store, path, progress));
    let mut verified = Verified::default();
    for one in found {
        match one {
            Ok(Some(bytes)) => {
                verified.good += 1;
                verified.bytes += bytes;
            }
            Ok(None) => {}
            Err(bad) => verified.bad.push(bad),
        }
    }
    Ok(verified)
}

/// `Ok(None)`: it went away meanwhile.
fn judge(
    store: &Store,
    path: &Path,
    progress: &(dyn Fn(Digest, Progress) + Sync),
) -> Result<Option<u64>, Bad> {
    let bad = |why: String, moved_to| Bad {
        path: path.to_owned(),
        why,
        moved_to,
    };
    let Some(digest) = store.digest_at(path) else {
        let why = "its name is no digest, or it stands in the wrong directory";
        return Err(bad(why.to_owned(), None));
    };
    let why = match store.rehash(digest, &mut |now| progress(digest, now)) {
        Ok(Presence::Good(bytes)) => return Ok(Some(bytes)),
        _ if fs::symlink_metadata(path).is_err() => return Ok(None),
        Ok(_) => "its bytes have another sha256 than its name".to_owned(),
        Err(error) => error.to_string(),
    };
    match set_aside(store, digest) {
        Ok(None) => Ok(None),
        Ok(moved_to) => Err(bad(why, moved_to)),
        Err(error) => Err(bad(format!("{why}; {error}"), None)),
    }
}

/// Moves a bad object away, unless another process is replacing it or has done so.
fn set_aside(store: &Store, digest: Digest) -> Result<Option<PathBuf>, FetchError> {
    let Some(lock) = store.try_lock(digest)? else {
        return Ok(None);
    };
    let still = !matches!(store.rehash(digest, &mut |_| {}), Ok(Presence::Good(_)));
    let moved = if still {
        store.set_bad_aside(digest)?
    } else {
        None
    };
    lock.remove()?;
    Ok(moved)
}

impl Store {
    /// All that stands in the directories of one part of the store, sorted.
    pub(super) fn files(&self, part: &str) -> Result<Vec<PathBuf>, FetchError> {
        let mut files = Vec::new();
        for dir in entries(&self.root.join(part))? {
            let is_dir = fs::symlink_metadata(&dir).is_ok_and(|meta| meta.is_dir());
            if is_dir {
                files.extend(entries(&dir)?);
            } else {
                files.push(dir);
            }
        }
        Ok(files)
    }

    /// The digest of the object whose place this is.
    pub(super) fn digest_at(&self, path: &Path) -> Option<Digest> {
        let digest = path.file_name()?.to_str()?.parse().ok()?;
        (self.place(digest) == path).then_some(digest)
    }
}

/// What stands in a directory, sorted; nothing where there is none.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, FetchError> {
    let failed = |error| FetchError::io("listing", dir, error);
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
        Ok(found) => {
            let mut paths = found
                .map(|entry| Ok(entry.map_err(failed)?.path()))
                .collect::<Result<Vec<_>, FetchError>>()?;
            paths.sort();
            Ok(paths)
        }
    }
}
