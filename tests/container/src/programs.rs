//! Outside programs, and saying so when they are missing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use lab_not_run::programs::{CONTAINER, UPSTREAMS};

/// How long a server may take to come up, on a busy machine too.
const ANSWER: Duration = Duration::from_secs(30);

/// What is missing to run containers here, in words; nothing when all is there.
#[must_use]
pub fn missing() -> Option<String> {
    missing_of(CONTAINER).or_else(missing_docker)
}

/// What is missing to run upstreams and a machine among them here.
#[must_use]
pub fn missing_for_upstreams() -> Option<String> {
    missing_of(&[CONTAINER, UPSTREAMS].concat()).or_else(missing_docker)
}

fn missing_of(packages: &[(&str, &str)]) -> Option<String> {
    let missing: Vec<_> = packages
        .iter()
        .filter(|(name, _)| find(name).is_none())
        .map(|(name, package)| format!("{name} (Debian package {package})"))
        .collect();
    (!missing.is_empty()).then(|| format!("missing {}", missing.join(", ")))
}

fn missing_docker() -> Option<String> {
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
    run_in(Path::new("."), program, arguments)
}

/// The same, in a folder.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
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

/// Asks until the answer is yes, for a while.
///
/// # Errors
///
/// When it never was; what was waited for is in the error.
pub(crate) fn wait_for(what: &str, mut yes: impl FnMut() -> bool) -> Result<()> {
    let begin = Instant::now();
    while !yes() {
        if begin.elapsed() > ANSWER {
            bail!("waited {} s in vain until {what}", ANSWER.as_secs());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A program on `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
