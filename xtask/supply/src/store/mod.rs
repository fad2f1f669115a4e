//! The content-addressed store: bytes from outside under the name that is their digest.
//!
//! Below the cache directory, for this user alone (0700, files 0600):
//!
//! | name | holds |
//! |---|---|
//! | `objects/sha256/ab/<hex>` | an object, whole and verified before it got its name |
//! | `objects/stamps/ab/<hex>` | what it looked like when it was hashed ([`crate::stamp`]) |
//! | `objects/partial/<hex>.partial`, `….partial.json` | what came in so far ([`crate::partial`]) |
//! | `objects/partial/<hex>.lock` | the lock of the process that brings that object |
//! | `objects/bad/<hex>` | what stood under that name and was something else |
//! | `objects/in-use` | held by all who put in or read, against who clears out |
//!
//! No name in it comes from outside: paths are made of digests alone.

mod each;
mod fetch;
mod item;
mod lock;
mod mirrors;
mod object;
mod prune;
mod queue;
mod report;
mod tally;
mod verify;

use std::path::PathBuf;

use crate::{Cache, Digest, FetchError};

pub use fetch::fetch_all;
pub use item::{FetchAll, Missing, Wanted, missing};
pub use lock::Hold;
pub use mirrors::{BadMirrors, Mirrors};
pub use prune::{Prune, Pruned, prune};
pub use report::{FetchFailed, FetchedAll, FetchedItem, ItemFailed, Why};
pub use tally::{ItemProgress, ItemState, Overall};
pub use verify::{Bad, Verified, verify};

/// The store below one cache directory.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    /// Where objects are while they come in.
    partial: Cache,
}

impl Store {
    /// Opens the store of `cache`, making its directories where they are missing.
    ///
    /// # Errors
    ///
    /// [`FetchError::Io`] where they can be neither found nor made.
    pub fn open(cache: &Cache) -> Result<Self, FetchError> {
        let root = cache.dir().join("objects");
        for part in ["sha256", "stamps", "bad"] {
            Cache::open(root.join(part))?;
        }
        let partial = Cache::open(root.join("partial"))?;
        Ok(Self { root, partial })
    }

    /// Where the object `digest` stands, or would.
    pub fn place(&self, digest: Digest) -> PathBuf {
        self.named("sha256", digest)
    }

    /// Where its stamp stands.
    fn stamp(&self, digest: Digest) -> PathBuf {
        self.named("stamps", digest)
    }

    fn named(&self, part: &str, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        let start = name.get(..2).unwrap_or("00");
        self.root.join(part).join(start).join(&name)
    }

    /// How many bytes of `digest` an earlier run left.
    fn partial_len(&self, digest: Digest) -> u64 {
        let path = self.partial.beside(&digest.to_string(), "partial");
        std::fs::metadata(path).map_or(0, |meta| meta.len())
    }
}
