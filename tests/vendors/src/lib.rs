//! Programs that stand in for the vendors' in tests, and the library that stands in for
//! the driver's: building them, and saying where they are.
//!
//! The programs are `nvidia-smi`, `nvidia-ctk`, `nvidia-persistenced` and `ollama`, in
//! `src/bin`; each says in its head what it does not prove. They ask for cards through
//! NVML, so on a machine without a driver they need the mock of `lab-mock-nvml`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

pub mod words;

/// Builds the mock of NVML and returns the library's file.
///
/// A program finds it under the name `libnvidia-ml.so.1`.
///
/// # Errors
///
/// When Cargo cannot be run or the build fails.
pub fn nvml_library() -> Result<PathBuf> {
    let built = build(&["-p", "lab-mock-nvml", "--lib"])?;
    let library = built
        .into_iter()
        .filter(|artifact| artifact.target.kind.iter().any(|kind| kind == "cdylib"))
        .flat_map(|artifact| artifact.filenames)
        .find(|file| file.extension().is_some_and(|end| end == "so"));
    library.context("building lab-mock-nvml: Cargo named no shared library among what it made")
}

/// Builds the stand-in of this name and returns the program's file.
///
/// # Errors
///
/// When there is no such stand-in, Cargo cannot be run or the build fails.
pub fn program(name: &str) -> Result<PathBuf> {
    let built = build(&["-p", "lab-vendors", "--bin", name])?;
    let program = built
        .into_iter()
        .filter(|artifact| artifact.target.name == name)
        .find_map(|artifact| artifact.executable);
    program.with_context(|| format!("building {name}: Cargo named no program among what it made"))
}

/// What Cargo says of a thing that it made, as far as it matters here.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Runs Cargo and returns what it made, or found made already.
fn build(what: &[&str]) -> Result<Vec<Artifact>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let said = Command::new(&cargo)
        .args(["build", "--message-format=json"])
        .args(what)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .with_context(|| format!("running {} build {}", cargo.display(), what.join(" ")))?;
    if !said.status.success() {
        let reason = String::from_utf8_lossy(&said.stderr);
        bail!("cargo build {}: {}\n{reason}", what.join(" "), said.status);
    }
    let messages = String::from_utf8_lossy(&said.stdout);
    // Messages of other kinds lack these fields.
    Ok(messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}
