//! What came in so far of a file, and what it is of: `NAME.partial` and its sidecar
//! `NAME.partial.json`.
//!
//! The sidecar is written before the first byte, and the partial file's length is
//! all that says how far the transfer came, so a process may be killed at any
//! instant. What was written is hashed again on the next run: the digest decides,
//! not the sidecar.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::{remove, write_atomically};
use crate::digest::{Hasher, hash_reader};
use crate::{Cache, Digest, FetchError, Phase, Progress, space};

/// What a partial file is part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sidecar {
    version: u32,
    /// The digest that the whole must have.
    sha256: String,
    /// Where it comes from, without credentials.
    pub(crate) url: String,
    /// The server's name for this version of the file.
    pub(crate) validator: Option<String>,
    /// How long the whole is.
    pub(crate) total: Option<u64>,
}

impl Sidecar {
    pub(crate) fn new(
        expected: Digest,
        url: String,
        validator: Option<String>,
        total: Option<u64>,
    ) -> Self {
        Self {
            version: 1,
            sha256: expected.to_string(),
            url,
            validator,
            total,
        }
    }
}

/// A file in the coming.
pub(crate) struct Partial {
    path: PathBuf,
    sidecar_path: PathBuf,
    file: File,
    hasher: Hasher,
    expected: Digest,
    /// How long the whole must be, where the caller knows it.
    size: Option<u64>,
    sidecar: Option<Sidecar>,
}

impl Partial {
    /// Opens what an earlier run left of `name`, hashing it; what is part of another
    /// file is dropped.
    pub(crate) fn open(
        cache: &Cache,
        name: &str,
        expected: Digest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, FetchError> {
        let path = cache.beside(name, "partial");
        let sidecar_path = cache.beside(name, "partial.json");
        let failed = |error| FetchError::io("opening", &path, error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let left = file.metadata().map_err(failed)?.len();
        let sidecar = read_sidecar(&sidecar_path)
            .filter(|found| found.version == 1 && found.sha256 == expected.to_string())
            .filter(|found| found.total.is_none_or(|total| left <= total));
        let mut partial = Self {
            path,
            sidecar_path,
            file,
            hasher: Hasher::new(),
            expected,
            size: None,
            sidecar,
        };
        match partial.sidecar {
            Some(_) => partial.rehash(left, progress)?,
            None => partial.discard()?,
        }
        Ok(partial)
    }

    /// Says how long the whole must be, whatever a server says; more than that is dropped.
    pub(crate) fn of_size(mut self, size: Option<u64>) -> Result<Self, FetchError> {
        if size.is_some_and(|size| self.len() > size) {
            self.discard()?;
        }
        self.size = size;
        Ok(self)
    }

    fn rehash(&mut self, left: u64, progress: &mut dyn FnMut(Progress)) -> Result<(), FetchError> {
        let report = |done| progress(Progress::new(Phase::Hashing, done, Some(left)));
        hash_reader(&mut self.hasher, &mut self.file, report)
            .map_err(|error| FetchError::io("reading", &self.path, error))
    }

    /// How many bytes are here.
    pub(crate) fn len(&self) -> u64 {
        self.hasher.len()
    }

    /// How long the whole is, as far as the caller or a server has said.
    pub(crate) fn total(&self) -> Option<u64> {
        let said = || self.sidecar.as_ref()?.total;
        self.size.or_else(said)
    }

    /// How long the whole must be, where the caller knows it.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// What must not have changed at `url` for its rest to fit. Another server's
    /// names for versions mean nothing here.
    pub(crate) fn validator_for(&self, url: &str) -> Option<&str> {
        let sidecar = self.sidecar.as_ref().filter(|sidecar| sidecar.url == url)?;
        sidecar.validator.as_deref()
    }

    /// The digest that the whole must have.
    pub(crate) fn expected(&self) -> Digest {
        self.expected
    }

    /// The digest of what is here.
    pub(crate) fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Drops everything, and its sidecar with it.
    pub(crate) fn discard(&mut self) -> Result<(), FetchError> {
        let failed = |error| FetchError::io("emptying", &self.path, error);
        self.file.set_len(0).map_err(failed)?;
        self.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        self.hasher = Hasher::new();
        self.sidecar = None;
        remove(&self.sidecar_path)
    }

    /// Begins anew with a file as `sidecar` describes it.
    pub(crate) fn restart(&mut self, sidecar: Sidecar) -> Result<(), FetchError> {
        self.discard()?;
        self.describe(sidecar)
    }

    /// Records what the partial file is part of.
    pub(crate) fn describe(&mut self, sidecar: Sidecar) -> Result<(), FetchError> {
        if self.sidecar.as_ref() != Some(&sidecar) {
            let text = serde_json::to_vec(&sidecar)
                .map_err(|error| FetchError::io("describing", &self.path, error.into()))?;
            write_atomically(&self.sidecar_path, &text)?;
            self.sidecar = Some(sidecar);
        }
        Ok(())
    }

    /// Fails where the rest will not fit on the disk.
    pub(crate) fn ensure_room(&self) -> Result<(), FetchError> {
        let needed = self
            .total()
            .map_or(0, |total| total.saturating_sub(self.len()));
        let dir = self.path.parent().unwrap_or(Path::new("."));
        space::ensure(
            dir,
            &self.path.file_name().unwrap_or_default().to_string_lossy(),
            needed,
        )
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        let needed = self
            .total()
            .map_or(bytes.len() as u64, |total| total.saturating_sub(self.len()));
        self.file
            .write_all(bytes)
            .map_err(|error| space::write_failed(&self.path, needed, error))?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Takes everything away that stands for an unfinished transfer.
    pub(crate) fn abandon(self) -> Result<(), FetchError> {
        remove(&self.path)?;
        remove(&self.sidecar_path)
    }

    /// Makes the file, whose digest fits, stand at `place`: on the disk before under its name.
    pub(crate) fn adopt(self, place: &Path) -> Result<(), FetchError> {
        self.file
            .sync_all()
            .map_err(|error| space::write_failed(&self.path, 0, error))?;
        fs::rename(&self.path, place)
            .map_err(|error| FetchError::io("renaming to", place, error))?;
        remove(&self.sidecar_path)
    }
}

/// A sidecar that cannot be read describes nothing, so nothing is lost but time.
fn read_sidecar(path: &Path) -> Option<Sidecar> {
    let meta = fs::metadata(path)
        .ok()
        .filter(|meta| meta.is_file() && meta.len() < 64 << 10)?;
    let text = fs::read(path)
        .ok()
        .filter(|text| text.len() as u64 == meta.len())?;
    serde_json::from_slice(&text).ok()
}
