//! What the tests of this crate share.

#![allow(dead_code, reason = "each test program uses its part")]

use lab_catalog::Catalog;
use lab_machine::{Outcome, Sources, read};

/// The day that the tests take for today.
pub(crate) const TODAY: &str = "2026-11-23";

/// The description of the Z440 that stands in the repository.
pub(crate) const GPU_SERVER: &str = include_str!("../../../../images/gpu-server/machine.toml");

/// Reads a text as a description.
pub(crate) fn read_text(text: &str) -> (Sources, Outcome) {
    let sources = Sources::single("machine.toml", text);
    let outcome = read(&sources, Catalog::builtin(), TODAY.parse().ok());
    (sources, outcome)
}
