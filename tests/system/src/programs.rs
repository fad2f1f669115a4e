//! Outside programs, and saying so when they are missing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use lab_not_run::not_run;

/// Whether all these programs (by name) and files (by absolute path) are here; each is
/// given with the Debian package that has it. Where one is missing, the test is said
/// not to have run, with everything that is missing.
#[must_use]
pub fn have(test: &str, wanted: &[(&str, &str)]) -> bool {
    let missing: Vec<_> = wanted
        .iter()
        .filter(|(name, _)| find(name).is_none())
        .map(|(name, package)| format!("{name} (Debian package {package})"))
        .collect();
    if missing.is_empty() {
        return true;
    }
    not_run(test, &format!("missing {}", missing.join(", ")));
    false
}

/// What a guest needs: QEMU, and for UEFI its firmware.
#[must_use]
pub fn guest_programs(test: &str, firmware: crate::Firmware) -> bool {
    if !have(test, &[("qemu-system-x86_64", "qemu-system-x86")]) {
        return false;
    }
    if firmware.files().is_err() {
        not_run(test, "missing the UEFI firmware OVMF (Debian package ovmf)");
        return false;
    }
    true
}

/// Runs a program and returns what it printed, stdout before stderr.
///
/// # Errors
///
/// When it cannot be started or fails; what it printed is in the error.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    run_in(Path::new("."), program, arguments)
}

/// Like [`run`], in a folder.
///
/// # Errors
///
/// As [`run`].
pub fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let found = find(program).with_context(|| format!("{program} is not on this machine"))?;
    let output = Command::new(found)
        .args(arguments)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .env("MTOOLS_SKIP_CHECK", "1")
        .output()
        .with_context(|| format!("starting {program}"))?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said += &String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!(
            "{program} {} ended with {}:\n{said}",
            arguments.join(" "),
            output.status
        );
    }
    Ok(said)
}

/// A program on `PATH` or where root's programs are, or a file by its absolute path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
