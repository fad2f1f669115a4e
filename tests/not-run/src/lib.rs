//! How a test says that it was not run, because a program or a file is missing.
//!
//! The harness knows pass and fail only, so such a test returns as if it had
//! passed. It leaves a line in the file that the environment variable [`LIST`]
//! names, and `cargo xtask test`, which sets it, counts the line and not the pass.

pub mod programs;

use std::fs::OpenOptions;
use std::io::Write as _;

/// The environment variable that names the list.
pub const LIST: &str = "LAB_NOT_RUN";

/// Says that `test` was not run, and why: on standard error and in the list.
///
/// # Panics
///
/// When the list cannot be written: a test that nobody hears of would read as a
/// pass.
pub fn not_run(test: &str, reason: &str) {
    let line = format!("{test}: {}\n", reason.replace('\n', " "));
    eprint!("NOT RUN {line}");
    let Some(list) = std::env::var_os(LIST) else {
        return;
    };
    // One write, so that two tests at once do not mix their lines.
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&list)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("writing {}: {error}", list.display());
    }
}
