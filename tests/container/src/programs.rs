//! Outside programs, and saying so when they are missing.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::TEST_PACKAGES;

/// What is missing to run containers here, in words; nothing when all is there.
#[must_use]
pub fn missing() -> Option<String> {
    let missing: Vec<_> = TEST_PACKAGES
        .iter()
        .filter(|(name, _)| find(name).is_none())
        .map(|(name, package)| format!("{name} (Debian package {package})"))
        .collect();
    if !missing.is_empty() {
        return Some(format!("missing {}", missing.join(", ")));
    }
    let asked = run("docker", &["info", "--format", "{{.OSType}}"]);
    match asked.as_deref().map(str::trim) {
        Ok("linux") => None,
        Ok(other) => Some(format!(
            "docker runs containers of '{other}', wanted are those of linux"
        )),
        Err(why) => Some(format!("docker does not answer: {why:#}")),
    }
}

/// Runs a program and returns what it printed on stdout.
///
/// # Errors
///
/// When it cannot be started or fails; the end of what it said is in the error.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = said.lines().collect();
        let end = lines.len().saturating_sub(30);
        bail!(
            "{program} {} ended with {}:\n{}",
            arguments.join(" "),
            output.status,
            lines.get(end..).unwrap_or_default().join("\n")
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program on `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
