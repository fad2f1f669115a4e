//! Whole installations in a folder, with programs that only write down that they were
//! called. Early, late and error commands run in the real shell.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod commands;
mod disk;
mod places;
mod whole;
