//! Cargo: which one, and what it made.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;

use crate::failure::Failure;

/// What Cargo says of a program that it made, or found made already.
#[derive(Debug, Deserialize)]
pub(crate) struct Artifact {
    /// The `Cargo.toml` of its package.
    pub(crate) manifest_path: PathBuf,
    pub(crate) target: Target,
    pub(crate) profile: Profile,
    /// The program's file.
    pub(crate) executable: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Profile {
    /// Whether it runs tests.
    pub(crate) test: bool,
}

/// Cargo: the one that runs this, where it does.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds what `what` chooses of all the workspace, and says which programs came of it.
///
/// # Errors
///
/// When something does not compile: the compiler has said what, then.
pub(crate) fn build(root: &Path, what: &[&str]) -> Result<Vec<Artifact>, Failure> {
    let output = Command::new(program())
        .args(["build", "--workspace"])
        .args(what)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo build")?;
    match output.status.success() {
        true => Ok(artifacts(&String::from_utf8_lossy(&output.stdout))),
        false => Err(Failure::Said),
    }
}

/// The programs among Cargo's messages, which are a line each. Those of other kinds lack a
/// field.
pub(crate) fn artifacts(messages: &str) -> Vec<Artifact> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}
