//! The files of the tree: opened once, checked against what the caller said,
//! read in pieces.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use super::identity::Identity;
use crate::layout::{Checksums, Part, Piece, Plan};
use crate::{Content, ImagePath};

/// A digest that is equal only where a part's bytes are: what a rebuild goes
/// by.
pub(super) type Mark = [u8; 32];

/// The marks of all parts, in their order. Opens no file, but looks at each.
pub(super) fn marks(plan: &Plan<'_>) -> Result<Vec<Mark>> {
    let mut files = Sha256::new_with_prefix(b"checksums");
    let mut marks = Vec::new();
    for part in &plan.parts {
        let mark = match &part.piece {
            Piece::File {
                path,
                content,
                listed,
            } => {
                let mark = content_mark(path, content)?;
                if *listed {
                    files.update(path.as_str().as_bytes());
                    files.update(mark);
                }
                mark
            }
            // An empty file stands in no part, but on the list; the list's
            // length and paths are told by the trees' bytes, which follow.
            Piece::Checksums => {
                files.update(
                    plan.checksums
                        .as_ref()
                        .map_or_else(Vec::new, Checksums::render),
                );
                files.clone().finalize().into()
            }
            Piece::Trees(bytes) => digest(b"trees", bytes),
        };
        marks.push(mark);
    }
    Ok(marks)
}

fn digest(kind: &[u8], bytes: &[u8]) -> Mark {
    let mut hash = Sha256::new_with_prefix(kind);
    hash.update(bytes);
    hash.finalize().into()
}

fn content_mark(path: &ImagePath, content: &Content) -> Result<Mark> {
    match content {
        Content::Bytes(bytes) => Ok(digest(b"bytes", bytes)),
        Content::Symlink(target) => Ok(digest(b"link", target.as_bytes())),
        Content::File {
            path: from,
            len,
            sha256,
        } => {
            let meta = std::fs::metadata(from)
                .with_context(|| format!("looking at {} for {path}", from.display()))?;
            if !meta.is_file() || meta.len() != *len {
                bail!(
                    "{} for {path} should be a file of {len} bytes, but is {}",
                    from.display(),
                    described(&meta)
                );
            }
            match sha256 {
                Some(known) => Ok(digest(b"sha256", known)),
                None => {
                    let identity = serde_json::to_vec(&Identity::of(&meta))?;
                    Ok(digest(b"file", &identity))
                }
            }
        }
    }
}

fn described(meta: &std::fs::Metadata) -> String {
    if meta.is_file() {
        format!("{} bytes long: it changed", meta.len())
    } else {
        "not a regular file".into()
    }
}

/// A part's bytes, from the first to the last.
pub(super) enum Reader<'p> {
    Bytes(&'p [u8]),
    Owned(std::io::Cursor<Vec<u8>>),
    File { file: File, part: &'p Part<'p> },
}

impl<'p> Reader<'p> {
    /// Opens a part; `list` is what the checksum list holds.
    pub(super) fn open(part: &'p Part<'p>, list: Option<Vec<u8>>) -> Result<Self> {
        Ok(match &part.piece {
            Piece::Trees(bytes) => Self::Bytes(bytes),
            Piece::Checksums => Self::Owned(std::io::Cursor::new(list.unwrap_or_default())),
            Piece::File { path, content, .. } => match content {
                Content::Bytes(bytes) => Self::Bytes(bytes),
                Content::Symlink(_) => Self::Bytes(&[]),
                Content::File { path: from, .. } => {
                    let file = File::open(from)
                        .with_context(|| format!("opening {} for {path}", from.display()))?;
                    Self::File { file, part }
                }
            },
        })
    }

    /// Fills a buffer, which must be no longer than what is left.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        match self {
            Self::Bytes(rest) => {
                let Some((now, later)) = rest.split_at_checked(buffer.len()) else {
                    bail!("a part of the image is shorter than planned");
                };
                buffer.copy_from_slice(now);
                *rest = later;
                Ok(())
            }
            Self::Owned(cursor) => cursor
                .read_exact(buffer)
                .context("the checksum list is shorter than planned"),
            Self::File { file, part } => file.read_exact(buffer).with_context(|| {
                format!("reading {}: it ended early or cannot be read", name(part))
            }),
        }
    }

    /// Refuses a file that has grown.
    pub(super) fn finish(mut self) -> Result<()> {
        if let Self::File { file, part } = &mut self
            && file.read(&mut [0; 1])? != 0
        {
            bail!("reading {}: it is longer than it was", name(part));
        }
        Ok(())
    }
}

/// A part in words: the file it comes from.
pub(super) fn name(part: &Part<'_>) -> String {
    match &part.piece {
        Piece::File {
            path,
            content: Content::File { path: from, .. },
            ..
        } => format!("{} for {path}", from.display()),
        Piece::File { path, .. } => path.to_string(),
        Piece::Checksums => "md5sum.txt".into(),
        Piece::Trees(_) => "the directory trees".into(),
    }
}

/// The SHA-256 that the caller knows for a part.
pub(super) fn known_digest(part: &Part<'_>) -> Option<[u8; 32]> {
    match &part.piece {
        Piece::File {
            content: Content::File { sha256, .. },
            ..
        } => *sha256,
        _ => None,
    }
}

/// Whether the checksum list names a part.
pub(super) fn is_listed(part: &Part<'_>) -> bool {
    matches!(part.piece, Piece::File { listed: true, .. })
}
