//! What a file is, without hashing it again while it has not changed.
//!
//! A stamp records a file's device, inode, size, modification and status-change
//! time together with its digest. As in git's index ("racy git", in its technical
//! documentation), a time-stamp says nothing about changes within its own tick, so
//! a stamp counts only where hashing began well after the file's times.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::cache::write_atomically;
use crate::digest::{Hasher, hash_reader};
use crate::{Cache, Digest, FetchError, Phase, Progress};

/// More than a tick of any kernel's clock (10 ms at 100 Hz).
const FINE: Duration = Duration::from_millis(50);

/// More than the two seconds of FAT, the coarsest file system in use.
const COARSE: Duration = Duration::from_millis(2100);

/// A stamp is a line of JSON; nothing longer is one.
const LONGEST: u64 = 4096;

/// Where stamps pile up beyond this many, they are all dropped: each costs one hashing.
const MOST_STAMPS: usize = 512;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The digest of its bytes.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Whether that was known from an earlier run.
    pub from_stamp: bool,
}

/// What changes when a file's content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Shape {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: i64,
    mtime_nsec: i64,
    ctime: i64,
    ctime_nsec: i64,
}

impl Shape {
    fn of(meta: &Metadata) -> Self {
        Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime: meta.mtime(),
            mtime_nsec: meta.mtime_nsec(),
            ctime: meta.ctime(),
            ctime_nsec: meta.ctime_nsec(),
        }
    }

    /// From when on a hashing could not have missed a change, in nanoseconds since 1970.
    fn settled_at(&self) -> i128 {
        let nanos =
            |seconds: i64, nsec: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nsec);
        let newest = nanos(self.mtime, self.mtime_nsec).max(nanos(self.ctime, self.ctime_nsec));
        let coarse = self.mtime_nsec == 0 && self.ctime_nsec == 0;
        newest
            + i128::try_from(if coarse { COARSE } else { FINE }.as_nanos()).unwrap_or(i128::MAX / 2)
    }
}

#[derive(Serialize, Deserialize)]
struct Stamp {
    version: u32,
    shape: Shape,
    /// When hashing began, in seconds and nanoseconds since 1970.
    hashed_at: (i64, u32),
    sha256: String,
}

impl Stamp {
    fn digest_of(&self, shape: &Shape) -> Option<Digest> {
        let (seconds, nanos) = self.hashed_at;
        let hashed_at = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let holds =
            self.version == 1 && self.shape == *shape && self.shape.settled_at() <= hashed_at;
        holds.then(|| self.sha256.parse().ok()).flatten()
    }

    /// Writes it for the file `path` to `place`.
    fn write(&self, path: &Path, place: &Path) -> Result<(), FetchError> {
        let text = serde_json::to_vec(self)
            .map_err(|error| FetchError::io("stamping", path, error.into()))?;
        write_atomically(place, &text)
    }
}

fn now() -> (i64, u32) {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (
        i64::try_from(since.as_secs()).unwrap_or(0),
        since.subsec_nanos(),
    )
}

/// A file that is about to be hashed by the caller, who reads it anyway.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    shape: Shape,
    hashed_at: (i64, u32),
}

impl Watch {
    /// Remembers what `path` looks like before it is read. A file that was written
    /// this instant is waited on, at most for 2.1 s, until its times can be told
    /// from a later change's.
    ///
    /// # Errors
    ///
    /// [`FetchError::Io`] where it is no regular file or cannot be looked at.
    pub fn begin(path: &Path) -> Result<Self, FetchError> {
        let shape = Shape::of(&regular(path)?);
        let (seconds, nanos) = now();
        let now_ns = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let wait = shape.settled_at() - now_ns;
        // A file from the future is not waited for: its stamp will not count.
        if let Ok(wait) = u64::try_from(wait)
            && Duration::from_nanos(wait) <= COARSE
        {
            std::thread::sleep(Duration::from_nanos(wait));
        }
        Ok(Self {
            path: path.to_owned(),
            shape,
            hashed_at: now(),
        })
    }

    /// Records that all bytes of the file, read since [`Watch::begin`], have this digest.
    ///
    /// # Errors
    ///
    /// [`FetchError::Io`] where the file has changed meanwhile, so that the digest is
    /// of no file at all, or where the stamp cannot be written.
    pub fn finish(self, cache: &Cache, sha256: Digest) -> Result<(), FetchError> {
        let place = place_of(&self.path, cache)?;
        make_room(&place)?;
        self.finish_at(&place, sha256)
    }

    /// Like [`Watch::finish`], the stamp standing at `place`.
    pub(crate) fn finish_at(self, place: &Path, sha256: Digest) -> Result<(), FetchError> {
        if Shape::of(&regular(&self.path)?) != self.shape {
            let changed = io::Error::other(
                "it changed while it was read; let whatever writes it end, then run again",
            );
            return Err(FetchError::io("hashing", &self.path, changed));
        }
        let stamp = Stamp {
            version: 1,
            shape: self.shape,
            hashed_at: self.hashed_at,
            sha256: sha256.to_string(),
        };
        if stamp.digest_of(&self.shape).is_none() {
            return Ok(());
        }
        stamp.write(&self.path, place)
    }
}

/// Stamps a file that this process has just written and hashed on the way, alone, and
/// put under its name. Nobody is waited for: who writes to it in this very tick of the
/// clock goes unseen, as who wrote to it before it had its name.
pub(crate) fn stamp_own(path: &Path, place: &Path, sha256: Digest) -> Result<(), FetchError> {
    let shape = Shape::of(&regular(path)?);
    let settled = shape.settled_at();
    let hashed_at = (
        i64::try_from(settled / 1_000_000_000).unwrap_or(0),
        u32::try_from(settled % 1_000_000_000).unwrap_or(0),
    );
    let stamp = Stamp {
        version: 1,
        shape,
        hashed_at,
        sha256: sha256.to_string(),
    };
    stamp.write(path, place)
}

/// Looks up what `path` is, if it was hashed before and has not changed since.
pub fn recall(path: &Path, cache: &Cache) -> Option<Identity> {
    recall_at(path, &place_of(path, cache).ok()?)
}

/// Like [`recall`], the stamp standing at `place`.
pub(crate) fn recall_at(path: &Path, place: &Path) -> Option<Identity> {
    let shape = Shape::of(&regular(path).ok()?);
    let stamp = trusted_stamp(place)?;
    let sha256 = stamp.digest_of(&shape)?;
    Some(Identity {
        sha256,
        size: shape.size,
        from_stamp: true,
    })
}

/// Says what `path` is, hashing it only if it is new or has changed.
///
/// # Errors
///
/// [`FetchError::Io`] where it cannot be read, is no regular file, or changes meanwhile.
pub fn identify(
    path: &Path,
    cache: &Cache,
    progress: &mut dyn FnMut(Progress),
) -> Result<Identity, FetchError> {
    if let Some(known) = recall(path, cache) {
        return Ok(known);
    }
    let watch = Watch::begin(path)?;
    let failed = |error| FetchError::io("reading", path, error);
    let file = File::open(path).map_err(failed)?;
    let size = watch.shape.size;
    let mut hasher = Hasher::new();
    hash_reader(&mut hasher, file, |done| {
        progress(Progress::new(Phase::Hashing, done, Some(size)));
    })
    .map_err(failed)?;
    let sha256 = hasher.finish();
    watch.finish(cache, sha256)?;
    Ok(Identity {
        sha256,
        size,
        from_stamp: false,
    })
}

/// Looks at a file before it is opened: opening a pipe would wait for its writer.
fn regular(path: &Path) -> Result<Metadata, FetchError> {
    let meta = fs::metadata(path).map_err(|error| FetchError::io("looking at", path, error))?;
    if meta.is_file() {
        return Ok(meta);
    }
    Err(FetchError::io(
        "looking at",
        path,
        io::Error::other("it is not a regular file"),
    ))
}

/// A stamp's name follows from the file's path, so that a replaced file replaces its stamp.
fn place_of(path: &Path, cache: &Cache) -> Result<PathBuf, FetchError> {
    let real = fs::canonicalize(path).map_err(|error| FetchError::io("looking at", path, error))?;
    let name = Digest::of(real.as_os_str().as_encoded_bytes()).to_string();
    let dir = Cache::open(cache.dir().join("stamps"))?;
    Ok(dir.dir().join(name.get(..32).unwrap_or(&name)))
}

/// Reads a stamp that nobody else can have written.
fn trusted_stamp(place: &Path) -> Option<Stamp> {
    let nofollow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).ok()?;
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(nofollow)
        .open(place)
        .ok()?;
    let meta = file.metadata().ok()?;
    let ours = meta.is_file()
        && meta.uid() == rustix::process::geteuid().as_raw()
        && meta.mode() & 0o022 == 0;
    let mut text = Vec::new();
    file.take(LONGEST)
        .read_to_end(&mut text)
        .ok()
        .filter(|_| ours)?;
    serde_json::from_slice(&text).ok()
}

fn make_room(place: &Path) -> Result<(), FetchError> {
    let Some(dir) = place.parent() else {
        return Ok(());
    };
    let failed = |error| FetchError::io("listing", dir, error);
    let stamps: Vec<_> = fs::read_dir(dir)
        .map_err(failed)?
        .take(MOST_STAMPS + 1)
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    if stamps.len() > MOST_STAMPS {
        fs::remove_dir_all(dir)
            .and_then(|()| fs::create_dir(dir))
            .map_err(failed)?;
    }
    Ok(())
}
