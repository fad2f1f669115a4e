//! A base image and a tree of files, composed into a bootable image.
//!
//! The image is the base with one block of new data put in at one place, its
//! *tail*: everything before stays where it is but for a few fixed sectors
//! (partition tables, volume descriptors, boot catalog), everything behind (an
//! appended EFI system partition, the backup GPT) moves back by the tail's
//! length. The tail holds the added files and new directories for every
//! directory tree of the base. See [`compose`] for how it is written,
//! [`Image`] for reading one, [`verify`] for checking one.
//!
//! Nothing here knows what the files mean.

mod base;
mod boot;
mod compose;
mod image;
mod job;
mod layout;
mod path;
mod tree;
mod verify;

pub use base::{Extent, SECTOR};
pub use boot::{BootEntry, Gpt, GptPartition};
pub use compose::{compose, compose_stream, preview};
pub use image::{FileInfo, FileKind, Image, TreeInfo};
pub use job::{BaseDigest, ComposeError, Composed, Job, Kind, Layout, Progress, Stage};
pub use path::{ImagePath, ImagePathError};
pub use tree::{Content, Entry, Tree};
pub use verify::{Finding, Outcome, Scope, verify};
