//! Reads a description and shows everything that is wrong with it.
//!
//! `cargo +nightly fuzz run description`, best begun with the machine.toml of
//! images/gpu-server as corpus in `fuzz/corpus/description/`.

#![no_main]

use lab_catalog::Catalog;
use lab_machine::{Sources, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let sources = Sources::single("machine.toml", text);
    let outcome = read(&sources, Catalog::builtin(), None);
    for finding in &outcome.diagnostics {
        let _ = finding.render(&sources, true);
        let _ = finding.json(&sources);
    }
    assert!(outcome.machine.is_some() || outcome.has_errors());
});
