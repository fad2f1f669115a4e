//! Who may do what at once: flock(2), which ends with its process however that ends.
//!
//! One lock for each object that is brought in, so that two runs share the work; and
//! one for the store, shared by all who put in or read, alone for who clears out.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Store;
use crate::{Digest, FetchError};

/// How often a held lock is looked at again.
pub(super) const POLL: Duration = Duration::from_millis(100);

/// While it lives, nothing is cleared out of the store.
#[derive(Debug)]
pub struct Hold {
    _file: File,
}

/// The lock on one object.
pub(super) struct ObjectLock {
    file: File,
    path: PathBuf,
}

impl ObjectLock {
    /// Removes the lock's file while it is still held; who waits on it sees that it is gone.
    pub(super) fn remove(self) -> Result<(), FetchError> {
        let removed = crate::cache::remove(&self.path);
        drop(self.file);
        removed
    }
}

impl Store {
    /// Keeps [`super::prune`] away while the caller reads objects. Waits at most
    /// `wait` for one that is under way.
    ///
    /// # Errors
    ///
    /// [`FetchError::Busy`] after `wait`, [`FetchError::Io`].
    pub fn hold(&self, wait: Duration) -> Result<Hold, FetchError> {
        self.guard(wait, File::try_lock_shared)
    }

    /// Keeps everybody else out.
    pub(super) fn alone(&self, wait: Duration) -> Result<Hold, FetchError> {
        self.guard(wait, File::try_lock)
    }

    fn guard(
        &self,
        wait: Duration,
        take: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Hold, FetchError> {
        // Never removed, so its inode stays the one that all lock.
        let lock = self.root.join("in-use");
        let file = open(&lock)?;
        let start = Instant::now();
        loop {
            match take(&file) {
                Ok(()) => return Ok(Hold { _file: file }),
                Err(TryLockError::Error(error)) => {
                    return Err(FetchError::io("locking", &lock, error));
                }
                Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                    return Err(FetchError::Busy {
                        lock,
                        waited: start.elapsed(),
                    });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
            }
        }
    }

    pub(super) fn lock_path(&self, digest: Digest) -> PathBuf {
        self.partial.beside(&digest.to_string(), "lock")
    }

    /// Takes the lock on an object; `None` while another process has it.
    pub(super) fn try_lock(&self, digest: Digest) -> Result<Option<ObjectLock>, FetchError> {
        let path = self.lock_path(digest);
        loop {
            let file = open(&path)?;
            match file.try_lock() {
                Ok(()) if is_still(&file, &path) => return Ok(Some(ObjectLock { file, path })),
                // Its last holder removed it after it was opened here.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => {
                    return Err(FetchError::io("locking", &path, error));
                }
            }
        }
    }
}

fn open(path: &Path) -> Result<File, FetchError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| FetchError::io("locking", path, error))
}

fn is_still(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => held.dev() == there.dev() && held.ino() == there.ino(),
        _ => false,
    }
}
