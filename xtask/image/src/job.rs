//! What the engine is asked and what it answers.

use std::path::{Path, PathBuf};

use crate::Tree;

/// One image to make.
pub struct Job<'a> {
    /// The base image. It is only ever read.
    pub base: &'a Path,
    /// Where the image shall stand. Until it is whole it stands beside it as
    /// `.NAME.partial`.
    pub out: &'a Path,
    /// The files to add or to put in the place of the base's. `md5sum.txt` is
    /// not among them: the engine keeps it right.
    pub tree: &'a Tree,
    /// What is known of the base's SHA-256.
    pub base_digest: BaseDigest,
    /// A folder for records of what was written, which make the next run
    /// fast. Made when missing; may be emptied at any time.
    pub state_dir: Option<&'a Path>,
    /// The output's permission bits, from its first byte on: 0600 where the
    /// tree holds a secret.
    pub mode: u32,
    /// Called now and then, from the calling thread.
    pub progress: &'a mut dyn FnMut(Progress),
}

/// What the caller knows of the base's SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseDigest {
    /// Verified by the caller and unchanged since: not computed again.
    Known([u8; 32]),
    /// Must be this: computed in the same pass, a difference is refused and
    /// no output stays.
    Expect([u8; 32]),
    /// Computed in the same pass and reported.
    Unknown,
}

/// A finished image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// The base's SHA-256.
    pub base_sha256: [u8; 32],
    /// Bytes written by this run.
    pub bytes_written: u64,
    /// How it was made.
    pub kind: Kind,
    /// Where the new data lies.
    pub layout: Layout,
    /// What the user should know: a leftover of a killed run removed, say.
    pub notes: Vec<String>,
}

/// How an image came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Written from the base.
    First,
    /// An earlier output edited.
    Rebuilt,
    /// The output was already what was asked for.
    Unchanged,
}

/// Where things lie in an image, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Where the tail begins: all data of the base before it keeps its place.
    pub tail_start: u64,
    /// The tail's length; what stood behind `tail_start` in the base moves by
    /// this much.
    pub tail_len: u64,
    /// How much of the tail is in use.
    pub tail_used: u64,
    /// The whole image's size.
    pub size: u64,
}

impl Layout {
    /// The first sector (of 2048 bytes) that is not the base's: what
    /// [`crate::Scope::Since`] takes.
    pub fn tail_lba(&self) -> u64 {
        self.tail_start / crate::SECTOR
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the base and writing the image.
    Compose,
    /// Editing an earlier output.
    Rebuild,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The base image is damaged, or has something that would break.
    #[error("{0:#}")]
    Base(anyhow::Error),
    /// The base is not the file it should be.
    #[error(
        "{} has the SHA-256 {}, but {} was expected: get it again, or name the digest it should have",
        .base.display(), hex::encode(.found), hex::encode(.expected)
    )]
    DigestMismatch {
        /// The base.
        base: PathBuf,
        /// Its SHA-256.
        found: [u8; 32],
        /// What it should be.
        expected: [u8; 32],
    },
    /// A file of the tree is missing, has changed, or does not fit the base.
    #[error("{0:#}")]
    Tree(anyhow::Error),
    /// Another run is writing the same output.
    #[error(
        "another run is writing {} (it holds {}): wait for it to end",
        .out.display(), .partial.display()
    )]
    Busy {
        /// The output.
        out: PathBuf,
        /// The locked file.
        partial: PathBuf,
    },
    /// The disk is full.
    #[error(
        "writing {}: no space left on the device; the image needs {needed} bytes, \
         {available} were free at the start: free some, or choose another place. {state}",
        .out.display()
    )]
    NoSpace {
        /// The output.
        out: PathBuf,
        /// The image's size in bytes.
        needed: u64,
        /// Bytes free before the run.
        available: u64,
        /// What was left behind.
        state: String,
    },
    /// The output cannot be written.
    #[error("{0:#}")]
    Output(anyhow::Error),
}

impl ComposeError {
    /// Whether the input is at fault (the base, the tree, the choice of the
    /// output), not the surroundings.
    pub fn is_input_fault(&self) -> bool {
        match self {
            Self::Base(_) | Self::DigestMismatch { .. } | Self::Tree(_) => true,
            Self::Busy { .. } | Self::NoSpace { .. } | Self::Output(_) => false,
        }
    }
}
