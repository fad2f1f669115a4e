//! One object: whether it is there and right, and how it gets in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::Store;
use crate::digest::{CHUNK, Hasher, hash_reader};
use crate::stamp::{Watch, recall_at, stamp_own};
use crate::{Cache, Digest, FetchError, Phase, Progress, space};

/// How long [`Store::put`] and [`Store::adopt`] wait for who clears out.
const WAIT: Duration = Duration::from_secs(600);

/// What stands under an object's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Nothing.
    Absent,
    /// The object, of this many bytes.
    Good(u64),
    /// Something else: no regular file, or a file of another digest.
    Bad,
}

impl Store {
    /// Whether the object is there, whole and right. It is hashed only where it has
    /// changed, or was put there by hand, since it was last looked at.
    ///
    /// # Errors
    ///
    /// [`FetchError::Io`] where it cannot be read.
    pub fn contains(&self, digest: Digest, size: Option<u64>) -> Result<bool, FetchError> {
        let found = self.presence(digest, &mut |_| {})?;
        Ok(matches!(found, Presence::Good(found) if size.is_none_or(|size| size == found)))
    }

    /// Opens an object to read it. Who reads it hashes it: the disk may have changed it.
    ///
    /// # Errors
    ///
    /// [`FetchError::Io`] where there is none.
    pub fn open_object(&self, digest: Digest) -> Result<File, FetchError> {
        let place = self.place(digest);
        open_regular(&place).map_err(|error| FetchError::io("opening the object", &place, error))
    }

    /// Puts bytes in, and says their digest.
    ///
    /// # Errors
    ///
    /// [`FetchError::DiskFull`], [`FetchError::Io`], and [`FetchError::Busy`] where the
    /// store is cleared out for longer than ten minutes.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, FetchError> {
        self.put_from(bytes, bytes.len() as u64)
            .map(|(digest, _)| digest)
    }

    /// Puts a copy of the file `path` in, and says its digest and length. It is a copy,
    /// because whoever may write to `path` must not be able to write to an object.
    ///
    /// # Errors
    ///
    /// As [`Store::put`].
    pub fn adopt(&self, path: &Path) -> Result<(Digest, u64), FetchError> {
        let failed = |error| FetchError::io("reading", path, error);
        let meta = fs::metadata(path).map_err(failed)?;
        if !meta.is_file() {
            return Err(failed(io::Error::other("it is not a regular file")));
        }
        self.put_from(File::open(path).map_err(failed)?, meta.len())
    }

    fn put_from(&self, from: impl io::Read, size: u64) -> Result<(Digest, u64), FetchError> {
        let _hold = self.hold(WAIT)?;
        let dir = self.partial.dir();
        space::ensure(dir, "an object", size)?;
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(dir)
            .map_err(|error| FetchError::io("making a file in", dir, error))?;
        let (digest, len) = copy(from, &mut file, size)?;
        if self.presence(digest, &mut |_| {})? != Presence::Good(len) {
            self.set_bad_aside(digest)?;
            file.as_file()
                .sync_all()
                .map_err(|error| space::write_failed(file.path(), 0, error))?;
            let place = self.ready_place(digest)?;
            file.persist(&place)
                .map_err(|error| FetchError::io("renaming to", &place, error.error))?;
            self.stamp_own(digest);
        }
        Ok((digest, len))
    }

    /// What stands under the object's name; hashed where its stamp does not vouch for it.
    pub(super) fn presence(
        &self,
        digest: Digest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Presence, FetchError> {
        let (place, stamp) = (self.place(digest), self.stamp(digest));
        let looked = |error| FetchError::io("looking at", &place, error);
        match fs::symlink_metadata(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Presence::Absent),
            Err(error) => return Err(looked(error)),
            Ok(meta) if !meta.is_file() => return Ok(Presence::Bad),
            Ok(_) => {}
        }
        if let Some(known) = recall_at(&place, &stamp) {
            return Ok(judged(digest, known.sha256, known.size));
        }
        match self.rehash(digest, progress) {
            // Moved aside or cleared out meanwhile.
            Err(FetchError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Presence::Absent)
            }
            done => done,
        }
    }

    /// Hashes what stands under the object's name, whatever its stamp says, and stamps it
    /// where it is right.
    pub(super) fn rehash(
        &self,
        digest: Digest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Presence, FetchError> {
        let (place, stamp) = (self.place(digest), self.stamp(digest));
        let failed = |error| FetchError::io("reading", &place, error);
        let watch = Watch::begin(&place)?;
        let file = open_regular(&place).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut hasher = Hasher::new();
        hash_reader(&mut hasher, file, |done| {
            progress(Progress::new(Phase::Hashing, done, Some(size)));
        })
        .map_err(failed)?;
        let (len, found) = (hasher.len(), hasher.finish());
        if found == digest {
            make_dir_of(&stamp)?;
            watch.finish_at(&stamp, digest)?;
        }
        Ok(judged(digest, found, len))
    }

    /// Where an object will stand, its directory made.
    pub(super) fn ready_place(&self, digest: Digest) -> Result<std::path::PathBuf, FetchError> {
        let place = self.place(digest);
        make_dir_of(&place)?;
        Ok(place)
    }

    /// Stamps an object that this process has just stored. One without a stamp, because
    /// the disk is full, is as good: it is hashed once more.
    pub(super) fn stamp_own(&self, digest: Digest) {
        let stamp = self.stamp(digest);
        let _ = make_dir_of(&stamp).and_then(|()| stamp_own(&self.place(digest), &stamp, digest));
    }

    /// Moves what stands under the object's name, if anything, to `objects/bad/`.
    pub(super) fn set_bad_aside(
        &self,
        digest: Digest,
    ) -> Result<Option<std::path::PathBuf>, FetchError> {
        let (from, to) = (self.place(digest), self.bad_place(digest));
        crate::cache::remove(&self.stamp(digest))?;
        match fs::rename(&from, &to) {
            Ok(()) => Ok(Some(to)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FetchError::io("moving aside", &from, error)),
        }
    }

    /// A name in `objects/bad/` that is not taken.
    fn bad_place(&self, digest: Digest) -> std::path::PathBuf {
        let dir = self.root.join("bad");
        let name = |n: u32| match n {
            0 => dir.join(digest.to_string()),
            n => dir.join(format!("{digest}.{n}")),
        };
        let free = (0..1000).map(name).find(|path| !path.exists());
        free.unwrap_or_else(|| name(1000))
    }
}

fn judged(expected: Digest, found: Digest, size: u64) -> Presence {
    if found == expected {
        Presence::Good(size)
    } else {
        Presence::Bad
    }
}

/// Opens what is a regular file under its own name, and nothing that a link leads to.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is not a regular file"))
}

fn make_dir_of(path: &Path) -> Result<(), FetchError> {
    path.parent()
        .map_or(Ok(()), |dir| Cache::open(dir).map(drop))
}

/// Copies all of `from` into `file`, hashing it.
fn copy(
    mut from: impl io::Read,
    file: &mut NamedTempFile,
    size: u64,
) -> Result<(Digest, u64), FetchError> {
    let mut hasher = Hasher::new();
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        chunk.clear();
        let read = from
            .by_ref()
            .take(CHUNK as u64)
            .read_to_end(&mut chunk)
            .map_err(|error| FetchError::io("reading for", file.path(), error))?;
        if read == 0 {
            let len = hasher.len();
            return Ok((hasher.finish(), len));
        }
        let needed = size.saturating_sub(hasher.len());
        file.write_all(&chunk)
            .map_err(|error| space::write_failed(file.path(), needed, error))?;
        hasher.update(&chunk);
    }
}
