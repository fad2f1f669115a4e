//! `test`: the repository's tests, by tier, with what was not run named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::doctor;
use crate::failure::Failure;
use crate::ui::{ASIDE, BAD, GOOD, STRONG};
use crate::{Done, lab, programs};

/// Runs the tests.
///
/// Missing programs are installed where apt and root allow, else named; a test
/// that lacks one reads "not run", which is never a pass.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Which tests: `unit` (rules, rendering, image; about a minute), `container`
    /// (real systemd, cloud-init and netplan in containers), `vm` (images booted
    /// in QEMU).
    #[arg(long, default_value = "all")]
    tier: Tier,
    /// Install nothing: what lacks a program is not run.
    #[arg(long)]
    no_install: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tier {
    Unit,
    Container,
    Vm,
    All,
}

impl Tier {
    fn includes(self, other: Self) -> bool {
        self == Self::All || self == other
    }
}

/// How many tests of a run came out how.
#[derive(Debug, Default)]
struct Counts {
    passed: u64,
    failed: u64,
    not_run: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let root = lab::workspace()?;
    let missing = programs::missing(&programs::all());
    if !arguments.no_install && programs::can_install() {
        doctor::install(&missing)?;
    }
    for program in programs::missing(&programs::all()) {
        anstream::eprintln!(
            "{ASIDE}missing{ASIDE:#}: {} (package {}), for {}",
            program.need.name(),
            program.package,
            program.for_what
        );
    }
    let mut counts = Counts::default();
    let runs: [(Tier, &str, &[&str]); 4] = [
        (
            Tier::Unit,
            "unit",
            &[
                "test",
                "--workspace",
                "--exclude",
                "lab-tests",
                "--exclude",
                "lab-container",
            ],
        ),
        (
            Tier::Unit,
            "image",
            &["test", "--package", "lab-tests", "--lib", "--test", "image"],
        ),
        (
            Tier::Container,
            "container",
            &["test", "--package", "lab-container"],
        ),
        (
            Tier::Vm,
            "vm",
            &["test", "--package", "lab-tests", "--test", "vm"],
        ),
    ];
    let mut whole = true;
    for (tier, name, words) in runs {
        if arguments.tier.includes(tier) {
            whole &= run_one(&root, name, words, &mut counts)?;
        }
    }
    // The plain form, so that other programs can read it.
    println!(
        "{} passed, {} failed, {} skipped",
        counts.passed, counts.failed, counts.not_run
    );
    match whole && counts.failed == 0 {
        true => Ok(()),
        false => Err(Failure::Said),
    }
}

/// Runs one `cargo test`; says whether all went well.
fn run_one(root: &Path, name: &str, words: &[&str], counts: &mut Counts) -> Result<bool, Failure> {
    let began = Instant::now();
    let not_run = NotRun::new(root, name)?;
    let log = root.join("target").join(format!("test-{name}.log"));
    let file = fs::File::create(&log).with_context(|| format!("writing {}", log.display()))?;
    anstream::eprintln!(
        "{STRONG}{name}{STRONG:#}: cargo {} (log: {})",
        words.join(" "),
        log.display()
    );
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(words)
        .arg("--no-fail-fast")
        .current_dir(root)
        .env(lab_not_run::LIST, &not_run.path)
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("keeping the log")?)
        .stderr(file)
        .status()
        .context("running cargo test")?;
    let text = fs::read_to_string(&log).unwrap_or_default();
    let found = count(&text);
    let skipped = not_run.lines();
    let passed = found.passed.saturating_sub(skipped.len() as u64);
    let good = status.success() && found.failed == 0;
    let (style, word) = if good { (GOOD, "pass") } else { (BAD, "fail") };
    anstream::println!(
        "{style}{word:8}{style:#} {name:6} {passed} passed, {} failed, {} not run, in {} s",
        found.failed,
        skipped.len() as u64 + found.not_run,
        began.elapsed().as_secs()
    );
    for line in &skipped {
        anstream::println!("{ASIDE}not run{ASIDE:#}  {line}");
    }
    if !good {
        print_failures(&text);
    }
    counts.passed += passed;
    counts.failed += found.failed;
    counts.not_run += skipped.len() as u64 + found.not_run;
    Ok(good)
}

/// The file in which tests say that they were not run, and why.
struct NotRun {
    path: PathBuf,
}

impl NotRun {
    fn new(root: &Path, name: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(root.join("target"))?;
        let path = root.join("target").join(format!("test-{name}.not-run"));
        fs::write(&path, "").with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { path })
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let mut lines: Vec<String> = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    }
}

/// Adds up the closing lines of all test programs:
/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
fn count(log: &str) -> Counts {
    let mut counts = Counts::default();
    for line in log.lines().filter(|line| line.starts_with("test result:")) {
        let number = |word: &str| -> u64 {
            let part = line
                .split(['.', ';'])
                .find(|part| part.trim().ends_with(word));
            part.and_then(|part| part.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        counts.passed += number(" passed");
        counts.failed += number(" failed");
        counts.not_run += number(" ignored");
    }
    counts
}

/// Prints what cargo says of the tests that failed, or, where none ran, the end
/// of the log (a program that did not build).
fn print_failures(log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    let failed = |line: &&&str| line.starts_with("test ") && line.ends_with("FAILED");
    for line in lines.iter().filter(failed) {
        anstream::println!("  {line}");
    }
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("---- ") && line.ends_with(" ----") {
            for detail in lines
                .iter()
                .skip(at)
                .take(40)
                .take_while(|detail| !detail.starts_with("failures:"))
            {
                anstream::println!("  {detail}");
            }
        }
    }
    if !lines.iter().any(|line| failed(&line)) {
        for line in lines.iter().skip(lines.len().saturating_sub(60)) {
            anstream::println!("  {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn closing_lines_are_added_up() {
        let log = "running 3 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 4 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s\n";
        let counts = count(log);
        assert_eq!((counts.passed, counts.failed, counts.not_run), (6, 5, 1));
    }
}
