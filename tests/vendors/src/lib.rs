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
    library("lab-mock-nvml")
}

/// Builds the mock of the CUDA driver and returns the library's file.
///
/// A program finds it under the name `libcuda.so.1`.
///
/// # Errors
///
/// When Cargo cannot be run or the build fails.
pub fn cuda_library() -> Result<PathBuf> {
    library("lab-mock-cuda")
}

fn library(package: &str) -> Result<PathBuf> {
    let library = build()?
        .into_iter()
        .filter(|artifact| artifact.is_of(package) && artifact.has_kind("cdylib"))
        .flat_map(|artifact| artifact.filenames)
        .find(|file| file.extension().is_some_and(|end| end == "so"));
    library.with_context(|| {
        format!("building {package}: Cargo named no shared library among what it made")
    })
}

/// Builds the stand-in of this name and returns the program's file.
///
/// # Errors
///
/// When there is no such stand-in, Cargo cannot be run or the build fails.
pub fn program(name: &str) -> Result<PathBuf> {
    program_of("lab-vendors", name)
}

/// Builds a program of a package of this workspace and returns its file.
///
/// # Errors
///
/// When there is no such program, Cargo cannot be run or the build fails.
pub fn program_of(package: &str, name: &str) -> Result<PathBuf> {
    let program = build()?
        .into_iter()
        .filter(|artifact| artifact.is_of(package) && artifact.has_kind("bin"))
        .filter(|artifact| artifact.target.name == name && !artifact.profile.test)
        .find_map(|artifact| artifact.executable);
    program.with_context(|| format!("building {name}: Cargo named no program among what it made"))
}

/// What Cargo says of a thing that it made, as far as it matters here.
#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    target: Target,
    profile: Profile,
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Artifact {
    /// Whether it is of that package. An identity ends in `#NAME@VERSION`.
    fn is_of(&self, package: &str) -> bool {
        let name = self.package_id.rsplit_once('#').map(|(_, name)| name);
        name.and_then(|name| name.split('@').next()) == Some(package)
    }

    fn has_kind(&self, kind: &str) -> bool {
        self.target.kind.iter().any(|one| one == kind)
    }
}

/// Runs Cargo and returns what it made, or found made already.
///
/// All of the workspace: Cargo gives a dependency the features that all packages of one
/// build ask for, and a build of some of them would make half of the tree a second time.
///
/// With `LAB_PROGRAMS_ONLY` in the environment the tests are left out, which nobody wants who
/// only looks at a demonstration.
fn build() -> Result<Vec<Artifact>> {
    let mut words = vec!["build", "--workspace", "--message-format=json"];
    if std::env::var_os("LAB_PROGRAMS_ONLY").is_none() {
        words.push("--all-targets");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let said = Command::new(&cargo)
        .args(&words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .with_context(|| format!("running {} {}", cargo.display(), words.join(" ")))?;
    if !said.status.success() {
        let reason = String::from_utf8_lossy(&said.stderr);
        bail!("cargo {}: {}\n{reason}", words.join(" "), said.status);
    }
    let messages = String::from_utf8_lossy(&said.stdout);
    // Messages of other kinds lack these fields.
    Ok(messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}
