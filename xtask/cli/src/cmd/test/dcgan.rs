//! The tests of the training program, which is in Python: its style, its types, its
//! behaviour, in an environment of its own below `target/`.
//!
//! The environment is made by pip from a list with digests, and made again when the list
//! changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;

use super::outcome::{self, Counts};
use super::{Log, report};
use crate::cmd::doctor;
use crate::failure::Failure;
use crate::programs;
use crate::ui::{BAD, STRONG};

/// What is tried, in order: the name, and the words behind the environment's `bin/`.
const STEPS: [(&str, &[&str]); 4] = [
    ("ruff check", &["ruff", "check", "."]),
    ("ruff format", &["ruff", "format", "--check", "."]),
    ("mypy", &["mypy"]),
    ("pytest", &["pytest", "-q", "-p", "no:cacheprovider"]),
];

/// Runs them; says whether all went well.
pub(super) fn run(root: &Path, install: bool, counts: &mut Counts) -> Result<bool, Failure> {
    let began = Instant::now();
    fs::create_dir_all(root.join("target")).context("making the folder target")?;
    let log = Log::new(root, "dcgan")?;
    anstream::eprintln!(
        "{STRONG}dcgan{STRONG:#}: the training program (log: {})",
        log.path.display()
    );
    let folder = root.join("images/dcgan");
    let Some(environment) = environment(root, &folder, &log, install)? else {
        anstream::println!("{BAD}fail    {BAD:#} dcgan  no Python environment:");
        outcome::print_failures(&log.text());
        return Ok(false);
    };
    let mut failed = Vec::new();
    for (name, words) in STEPS {
        log.say(&format!("\n     Running {name}\n"))?;
        let before = log.text().len();
        if !log.run(step(&environment, &folder, words))? {
            failed.push((name, before, log.text().len()));
        }
    }
    let good = failed.is_empty();
    let text = log.text();
    let mut found = outcome::of_pytest(&text).unwrap_or_default();
    // An end that nothing was counted of is a failure, too.
    found.failed += u64::from(!good && found.failed == 0);
    let skipped: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("SKIPPED "))
        .map(str::to_owned)
        .collect();
    report("dcgan", good, &found, &skipped, began);
    for (name, from, to) in failed {
        print_end(name, text.get(from..to).unwrap_or(&text));
    }
    counts.add(&found);
    Ok(good)
}

/// As much of what a failed step said as tells what is wrong: each of them ends with it.
const LINES: usize = 40;

fn print_end(name: &str, said: &str) {
    anstream::println!("  {name} failed:");
    let lines: Vec<&str> = said.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
        anstream::println!("  {line}");
    }
}

fn step(environment: &Path, folder: &Path, words: &[&str]) -> Command {
    let (program, rest) = words.split_first().unwrap_or((&"python3", &[]));
    let mut command = Command::new(environment.join("bin").join(program));
    command
        .args(rest)
        .current_dir(folder)
        // Nothing is left in the sources: they are what lands on the machine.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("RUFF_CACHE_DIR", environment.join("ruff-cache"))
        .env("MYPY_CACHE_DIR", environment.join("mypy-cache"));
    command
}

/// The environment, made where it is not there or was made from another list.
fn environment(
    root: &Path,
    folder: &Path,
    log: &Log,
    install: bool,
) -> anyhow::Result<Option<PathBuf>> {
    let place = root.join("target/dcgan-venv");
    let list = folder.join("requirements.txt");
    let wanted =
        fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    let made_from = place.join("made-from.txt");
    if fs::read_to_string(&made_from).is_ok_and(|there| there == wanted) {
        return Ok(Some(place));
    }
    let made = bare(&place, log)? || (install && with_venv(&place, log)?);
    if !made {
        return Ok(None);
    }
    let mut pip = Command::new(place.join("bin/python3"));
    pip.args(["-m", "pip", "install", "--quiet", "--require-hashes"])
        .args(["--disable-pip-version-check", "--no-deps", "-r"])
        .arg(&list);
    if !log.run(pip)? {
        return Ok(None);
    }
    fs::write(&made_from, wanted).with_context(|| format!("writing {}", made_from.display()))?;
    Ok(Some(place))
}

fn bare(place: &Path, log: &Log) -> anyhow::Result<bool> {
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(place);
    log.run(venv)
}

/// On Debian the module that makes environments is a package of its own.
fn with_venv(place: &Path, log: &Log) -> anyhow::Result<bool> {
    if !programs::can_install() || doctor::install(&[programs::VENV]).is_err() {
        return Ok(false);
    }
    bare(place, log)
}
