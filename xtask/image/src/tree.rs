//! The files that go onto the image.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::ImagePath;

/// The longest target of a symbolic link, in bytes: what fits one
/// continuation area beside a long name.
const MAX_TARGET: usize = 1000;

/// Files to add to the image or to put in the place of the base's, by path.
///
/// Directories are made as needed. Iterates in the order of the paths, so the
/// order of insertion cannot show in the image.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    entries: BTreeMap<ImagePath, Entry>,
}

/// One file of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the file holds.
    pub content: Content,
    /// The permission bits (`0o7777` at most); the owner is always root.
    pub mode: u32,
    /// Whether it gets a line in the base's list of checksums (`md5sum.txt`), which the live
    /// system reads whole at every boot. A file that takes the place of a listed one has one
    /// in any case.
    pub listed: bool,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The bytes of a file on this machine, streamed and never held.
    File {
        /// Where it lies.
        path: PathBuf,
        /// Its length in bytes, which it must still have when it is read.
        len: u64,
        /// Its SHA-256 where the caller knows it: it is checked whenever the
        /// file is read, and a rebuild does not read the file again while the
        /// digest stays the same. Without it, size, inode and times decide.
        sha256: Option<[u8; 32]>,
    },
    /// A symbolic link to this target.
    Symlink(String),
}

impl Content {
    /// The length of the file's data in bytes; a link has none.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
            Self::Symlink(_) => 0,
        }
    }

    /// Whether there is no data.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Entry {
    /// A file of these bytes, mode 0444 as everything on a read-only disc.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            content: Content::Bytes(bytes.into()),
            mode: 0o444,
            listed: true,
        }
    }

    /// The same with other permission bits.
    pub fn with_mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    ///
    /// # Errors
    ///
    /// When the path is taken, when it is or needs a directory where another
    /// entry is a file, when the mode has more than permission bits, or when
    /// a link's target is empty, too long or holds a NUL.
    pub fn insert(&mut self, path: ImagePath, entry: Entry) -> Result<()> {
        if entry.mode & !0o7777 != 0 {
            bail!(
                "adding {path}: the mode {:o} has bits beyond 7777",
                entry.mode
            );
        }
        if let Content::Symlink(target) = &entry.content
            && (target.is_empty() || target.len() > MAX_TARGET || target.contains('\0'))
        {
            bail!("adding the link {path}: its target must be 1 to {MAX_TARGET} bytes without NUL");
        }
        self.refuse_conflicts(&path)?;
        self.entries.insert(path, entry);
        Ok(())
    }

    fn refuse_conflicts(&self, path: &ImagePath) -> Result<()> {
        if self.entries.contains_key(path) {
            bail!("adding {path}: it was added before");
        }
        let below = format!("{path}/");
        let from = (Bound::Included(below.as_str()), Bound::Unbounded);
        if let Some((child, _)) = self.entries.range::<str, _>(from).next()
            && child.as_str().starts_with(&below)
        {
            bail!("adding {path} as a file: {child} needs it as a directory");
        }
        for (at, _) in path.as_str().match_indices('/') {
            let parent = path.as_str().get(..at).unwrap_or_default();
            if self.entries.contains_key(parent) {
                bail!("adding {path}: {parent} is a file, not a directory");
            }
        }
        Ok(())
    }

    /// The entry at a path.
    pub fn get(&self, path: &ImagePath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// All entries in the order of their paths.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&ImagePath, &Entry)> {
        self.entries.iter()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        text.parse().unwrap()
    }

    #[test]
    fn a_file_cannot_be_a_directory_too() {
        let mut tree = Tree::new();
        tree.insert(path("a/b"), Entry::bytes("x")).unwrap();
        tree.insert(path("a.x"), Entry::bytes("x")).unwrap();
        tree.insert(path("a-x"), Entry::bytes("x")).unwrap();
        assert!(tree.insert(path("a"), Entry::bytes("x")).is_err());
        assert!(tree.insert(path("a/b"), Entry::bytes("x")).is_err());
        assert!(tree.insert(path("a/b/c"), Entry::bytes("x")).is_err());
        assert_eq!(tree.len(), 3);
    }

    #[test]
    fn odd_modes_and_links_are_refused() {
        let mut tree = Tree::new();
        let odd = Entry::bytes("x").with_mode(0o100_644);
        assert!(tree.insert(path("a"), odd).is_err());
        for target in [String::new(), "a\0".into(), "x".repeat(1001)] {
            let link = Entry {
                content: Content::Symlink(target),
                mode: 0o777,
                listed: true,
            };
            assert!(tree.insert(path("l"), link).is_err());
        }
    }
}
