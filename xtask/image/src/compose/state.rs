//! Records of what was written, which let the next run do less. They are a
//! cache: a record that is missing, damaged or of another time costs time and
//! nothing else.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize as SerializeDerive};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256};

use super::identity::{Identity, boot_id};

/// Changes whenever a record, or what the engine makes of the same input,
/// does.
const FORMAT: u32 = 1;
/// How many tail lengths are remembered of one base.
const MAX_HEADS: usize = 4;

/// What is known of an output.
#[derive(Debug, Clone, SerializeDerive, Deserialize)]
pub(super) struct OutputRecord {
    pub(super) identity: Identity,
    pub(super) base_sha256: String,
    pub(super) head: HeadKey,
    pub(super) sha256: String,
    /// States of the digest, by the place up to which they go.
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) parts: Vec<PartRecord>,
}

/// What is known of a base.
#[derive(Debug, Clone, SerializeDerive, Deserialize)]
pub(super) struct BaseRecord {
    pub(super) identity: Identity,
    pub(super) sha256: String,
    /// States of the digest at the tail's start, for several tails.
    pub(super) heads: Vec<(HeadKey, Checkpoint)>,
}

/// What the bytes before the tail follow from, besides the base.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDerive, Deserialize)]
pub(super) struct HeadKey {
    pub(super) tail_start: u64,
    pub(super) tail_len: u64,
    pub(super) size: u64,
    /// The SHA-256 of all patches and their places.
    pub(super) patches: String,
}

/// The digest of all bytes before a place.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDerive, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) at: u64,
    state: String,
}

/// A part as it was written.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDerive, Deserialize)]
pub(super) struct PartRecord {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) mark: String,
    pub(super) md5: Option<String>,
}

impl Checkpoint {
    pub(super) fn take(at: u64, hash: &Sha256) -> Self {
        Self {
            at,
            state: hex::encode(hash.serialize()),
        }
    }

    /// The digest, to go on with.
    pub(super) fn resume(&self) -> Option<Sha256> {
        let bytes = hex::decode(&self.state).ok()?;
        let state = SerializedState::<Sha256>::try_from(bytes.as_slice()).ok()?;
        Sha256::deserialize(&state).ok()
    }
}

impl BaseRecord {
    /// The digest before the tail, where it is known.
    pub(super) fn head(&self, key: &HeadKey) -> Option<&Checkpoint> {
        let mut heads = self.heads.iter();
        heads
            .find(|(known, _)| known == key)
            .map(|(_, state)| state)
    }

    /// Remembers a digest before the tail.
    pub(super) fn remember(&mut self, key: &HeadKey, state: Checkpoint) {
        self.heads.retain(|(known, _)| known != key);
        self.heads.insert(0, (key.clone(), state));
        self.heads.truncate(MAX_HEADS);
    }
}

/// The folder of records.
#[derive(Debug, Clone)]
pub(super) struct Store {
    dir: Option<PathBuf>,
}

/// A record on disk: with what it needs to be believed.
#[derive(SerializeDerive, Deserialize)]
struct Envelope<T> {
    format: u32,
    boot: Option<String>,
    record: T,
}

impl Store {
    pub(super) fn new(dir: Option<&Path>) -> Self {
        Self {
            dir: dir.map(Path::to_path_buf),
        }
    }

    fn path(&self, kind: &str, of: &Path) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStrExt as _;
        let key = hex::encode(Sha256::digest(of.as_os_str().as_bytes()));
        let key = key.get(..24).unwrap_or(&key);
        Some(self.dir.as_ref()?.join(format!("{kind}-{key}.json")))
    }

    /// Reads a record; none where there is none to believe. `bound` records
    /// hold only until the machine boots again.
    pub(super) fn load<T: DeserializeOwned>(
        &self,
        kind: &str,
        of: &Path,
        bound: bool,
    ) -> Option<T> {
        let text = std::fs::read_to_string(self.path(kind, of)?).ok()?;
        let (sum, body) = text.split_once('\n')?;
        if sum != hex::encode(Sha256::digest(body)) {
            return None;
        }
        let envelope: Envelope<T> = serde_json::from_str(body).ok()?;
        let same_boot = !bound || envelope.boot == boot_id();
        (envelope.format == FORMAT && same_boot).then_some(envelope.record)
    }

    /// Writes a record.
    pub(super) fn save<T: Serialize>(&self, kind: &str, of: &Path, record: T) -> Result<()> {
        let Some(path) = self.path(kind, of) else {
            return Ok(());
        };
        let envelope = Envelope {
            format: FORMAT,
            boot: boot_id(),
            record,
        };
        let body = serde_json::to_string(&envelope)?;
        let text = format!("{}\n{body}", hex::encode(Sha256::digest(&body)));
        write_whole(&path, text.as_bytes())
            .with_context(|| format!("writing the record {}", path.display()))
    }

    /// Removes a record.
    pub(super) fn forget(&self, kind: &str, of: &Path) -> Result<()> {
        let Some(path) = self.path(kind, of) else {
            return Ok(());
        };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing the record {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().context("a record without a folder")?;
    std::fs::create_dir_all(dir)?;
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let write = || {
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(bytes)?;
        std::fs::rename(&partial, path)
    };
    write().inspect_err(|_| {
        // Nothing to be done where even this fails.
        let _ = std::fs::remove_file(&partial);
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_can_be_put_down_and_taken_up() {
        let mut hash = Sha256::new();
        hash.update([7; 4096]);
        let checkpoint = Checkpoint::take(4096, &hash);
        let mut resumed = checkpoint.resume().unwrap();
        resumed.update(b"rest");
        hash.update(b"rest");
        assert_eq!(resumed.finalize(), hash.finalize());
        let broken = Checkpoint {
            at: 0,
            state: "00".into(),
        };
        assert!(broken.resume().is_none());
    }

    #[test]
    fn a_damaged_record_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(Some(dir.path()));
        let of = Path::new("/x/y.iso");
        store.save("image", of, vec![1, 2, 3]).unwrap();
        assert_eq!(
            store.load::<Vec<u8>>("image", of, true),
            Some(vec![1, 2, 3])
        );
        let path = store.path("image", of).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("[1,2,3]", "[1,2,4]")).unwrap();
        assert_eq!(store.load::<Vec<u8>>("image", of, true), None);
        store.forget("image", of).unwrap();
        store.forget("image", of).unwrap();
        assert!(!path.exists());
    }
}
