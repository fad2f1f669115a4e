//! The cache directory: where it is, what may be named in it, who may work in it.
//!
//! A fetched file stands in it under its own name, so that a person can put one
//! there by hand. Beside it, while and after it is fetched:
//!
//! | name | holds |
//! |---|---|
//! | `NAME.partial`, `NAME.partial.json` | what came in so far, and of what ([`crate::partial`]) |
//! | `NAME.lock` | the lock of the process that works on NAME |
//! | `NAME.SHA256SUMS`, `NAME.SHA256SUMS.gpg` | the vendor's signed list that vouched for it |
//! | `stamps/` | digests of files that were hashed once ([`crate::stamp`]) |

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{FetchError, Phase, Progress, space};

/// How often a held lock is looked at again.
const POLL: Duration = Duration::from_millis(100);

/// A directory of fetched files.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Opens the cache in `dir`, making the directory, for this user alone, where it is missing.
    ///
    /// # Errors
    ///
    /// [`FetchError::Io`] where it can be neither found nor made.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, FetchError> {
        let dir = dir.into();
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&dir)
            .map_err(|error| FetchError::io("making the cache directory", &dir, error))?;
        Ok(Self { dir })
    }

    /// Where the cache is when nobody says otherwise: `$LAB_CACHE_DIR`, else
    /// `lab-in-a-box` below `$XDG_CACHE_HOME` (XDG Base Directory Specification), else
    /// below the system's usual place in `$HOME`. `var` looks up a variable of the
    /// environment. `None` where none of the three is set.
    pub fn default_dir(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        let path = |name| {
            var(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        if let Some(dir) = path("LAB_CACHE_DIR") {
            return Some(dir);
        }
        // The specification has relative paths ignored.
        let xdg = path("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
        let usual = if cfg!(target_os = "macos") {
            "Library/Caches"
        } else {
            ".cache"
        };
        let base = xdg.or_else(|| Some(path("HOME")?.join(usual)))?;
        Some(base.join("lab-in-a-box"))
    }

    /// The cache's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the file `name` belongs.
    ///
    /// # Errors
    ///
    /// [`FetchError::BadUrl`] for what is no plain file name: it could lead out of
    /// the cache.
    pub fn place(&self, name: &str) -> Result<PathBuf, FetchError> {
        let plain = !name.is_empty()
            && name.len() <= 200
            && !name.starts_with('.')
            && !name.contains(['/', '\\'])
            && !name.contains(char::is_control);
        if plain {
            return Ok(self.dir.join(name));
        }
        Err(FetchError::BadUrl {
            url: name.to_owned(),
            why: "it is no plain file name".to_owned(),
        })
    }

    /// The file `name.suffix`, which belongs to the file `name`.
    pub(crate) fn beside(&self, name: &str, suffix: &str) -> PathBuf {
        self.dir.join(format!("{name}.{suffix}"))
    }

    /// Takes the lock on `name`, waiting at most `wait` while another process has it.
    /// It is held until the file is dropped, or the process ends however it ends.
    pub(crate) fn lock(
        &self,
        name: &str,
        wait: Duration,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<File, FetchError> {
        let lock = self.beside(name, "lock");
        let failed = |error| FetchError::io("locking", &lock, error);
        // Never removed: another process may be waiting on this very inode.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock)
            .map_err(failed)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                    return Err(FetchError::Busy {
                        lock,
                        waited: start.elapsed(),
                    });
                }
                Err(TryLockError::WouldBlock) => {
                    progress(Progress::new(
                        Phase::Waiting,
                        start.elapsed().as_secs(),
                        Some(wait.as_secs()),
                    ));
                    std::thread::sleep(POLL);
                }
            }
        }
    }
}

/// Replaces `path` by `bytes`, readable by this user alone: all of it or nothing.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    let failed = |error| space::write_failed(path, bytes.len() as u64, error);
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(dir)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Removes `path` where it is.
pub(crate) fn remove(path: &Path) -> Result<(), FetchError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(FetchError::io("removing", path, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(pairs: &[(&str, &str)]) -> Option<PathBuf> {
        Cache::default_dir(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_default_directory_follows_the_environment() {
        let home = ("HOME", "/home/a");
        let usual = if cfg!(target_os = "macos") {
            "Library/Caches"
        } else {
            ".cache"
        };
        let at_home = PathBuf::from(format!("/home/a/{usual}/lab-in-a-box"));
        assert_eq!(
            dir(&[home, ("LAB_CACHE_DIR", "/c"), ("XDG_CACHE_HOME", "/x")]),
            Some("/c".into())
        );
        assert_eq!(
            dir(&[home, ("XDG_CACHE_HOME", "/x")]),
            Some("/x/lab-in-a-box".into())
        );
        assert_eq!(
            dir(&[home, ("XDG_CACHE_HOME", "relative")]),
            Some(at_home.clone())
        );
        assert_eq!(
            dir(&[home, ("LAB_CACHE_DIR", ""), ("XDG_CACHE_HOME", "")]),
            Some(at_home)
        );
        assert_eq!(dir(&[]), None);
    }

    #[test]
    fn names_that_lead_out_of_the_cache_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().join("deep/er")).unwrap();
        let long = "a".repeat(201);
        for name in [
            "", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a\nb", &long,
        ] {
            assert!(cache.place(name).is_err(), "{name:?}");
        }
        assert!(cache.place("ubuntu-24.04.5-live-server-amd64.iso").is_ok());
    }

    #[test]
    fn a_held_lock_is_waited_for_and_then_reported() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let held = cache.lock("a", Duration::ZERO, &mut |_| {}).unwrap();
        let mut reports = 0;
        let error = cache
            .lock("a", Duration::from_millis(250), &mut |_| reports += 1)
            .unwrap_err();
        assert!(matches!(error, FetchError::Busy { .. }), "{error}");
        assert!(reports >= 2, "{reports}");
        cache.lock("b", Duration::ZERO, &mut |_| {}).unwrap();
        drop(held);
        cache.lock("a", Duration::ZERO, &mut |_| {}).unwrap();
    }
}
