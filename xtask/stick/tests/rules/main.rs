//! Which disks are refused, on computers made of files: every rule, and every way in which a
//! system can lie on a disk.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod confirming;
mod refusing;
mod system;
mod tree;

use lab_stick::{Candidate, Kinds, Refusal, candidate};
use tree::Tree;

/// The image's size.
const NEED: u64 = 4_000_000_000;

/// Holds a disk of a tree against the rules, as the command does.
fn ask(tree: &Tree, name: &str) -> Result<Candidate, Refusal> {
    candidate(&tree.host().survey().unwrap(), name, NEED, Kinds::default())
}

/// Why a disk is refused, even where a test's kinds are allowed.
fn refused(tree: &Tree, name: &str) -> Refusal {
    let survey = tree.host().survey().unwrap();
    let strict = candidate(&survey, name, NEED, Kinds::default()).unwrap_err();
    let loose = candidate(&survey, name, 0, Kinds { test_devices: true });
    if !matches!(strict, Refusal::NoStick { .. } | Refusal::TooSmall { .. }) {
        assert_eq!(loose.unwrap_err(), strict, "no parameter opens it");
    }
    strict
}
