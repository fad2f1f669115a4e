//! `machine.lock`: everything that reaches a machine from outside, by digest.
//!
//! [`Wanted`] is what a description asks for: names, addresses, versions where it says
//! one. [`Lock`] is what that was resolved to. This crate is the form of both and the
//! questions that can be asked of them; it touches no disk and no network.
//!
//! Invariants:
//! - one lock, one text: [`Lock::to_text`] of equal locks is equal, entries are sorted;
//! - [`Lock::parse`] takes no unknown key, no name that could lead out of a folder, and
//!   nothing whose parts contradict each other;
//! - a lock says of each of its sections what it was resolved for, so a change of the
//!   description shows exactly where the lock no longer fits.

mod check;
mod digest;
mod graph;
mod lock;
mod wanted;

pub use check::{Missing, missing};
pub use digest::Sha256;
pub use graph::{Path as Reason, reasons};
pub use lock::{Base, Blob, FORMAT, File, Image, Key, Lock, LockError, Model, Package, Repository};
pub use wanted::{
    Wanted, WantedBase, WantedFile, WantedImage, WantedKey, WantedModel, WantedPackage,
    WantedRepository,
};

/// The file's name, beside `machine.toml`.
pub const FILE_NAME: &str = "machine.lock";
