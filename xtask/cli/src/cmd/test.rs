//! `test`: the repository's tests, by tier, with what was not run named.

mod dcgan;
mod outcome;
mod programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::doctor;
use crate::failure::Failure;
use crate::ui::{ASIDE, BAD, GOOD, STRONG};
use crate::{Done, lab};
use outcome::Counts;
use programs::TestProgram;

/// Runs the tests.
///
/// Missing programs are installed where apt and root allow, else named; a test
/// that lacks one reads "not run", which is never a pass.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Which tests: `unit` (rules, rendering, image; some minutes), `dcgan` (the
    /// training program, in Python), `container` (real systemd, cloud-init and
    /// netplan in containers), `vm` (images booted in QEMU, and what goes wrong at a
    /// machine).
    #[arg(long, default_value = "all")]
    tier: Tier,
    /// Install nothing: what lacks a program is not run.
    #[arg(long)]
    no_install: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tier {
    Unit,
    Dcgan,
    Container,
    Vm,
    All,
}

impl Tier {
    fn includes(self, other: Self) -> bool {
        self == Self::All || self == other
    }
}

/// The tests of one log: their name, and what runs.
struct Suite<'p> {
    tier: Tier,
    name: &'static str,
    programs: Vec<&'p TestProgram>,
    /// Whether the examples in the documentation belong to it.
    documentation: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let root = lab::workspace()?;
    name_missing(arguments)?;
    let mut counts = Counts::default();
    let mut whole = true;
    if arguments.tier.includes(Tier::Dcgan) {
        whole &= dcgan::run(&root, !arguments.no_install, &mut counts)?;
    }
    if arguments.tier != Tier::Dcgan {
        let all = programs::build(&root)?;
        for suite in suites(&all) {
            if arguments.tier.includes(suite.tier) {
                whole &= run_suite(&root, &suite, &mut counts)?;
            }
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

/// Installs what is missing where that can be, and names the rest.
fn name_missing(arguments: &Arguments) -> Done {
    let missing = || crate::programs::missing(&crate::programs::all());
    if !arguments.no_install && crate::programs::can_install() {
        doctor::install(&missing())?;
    }
    for program in missing() {
        anstream::eprintln!(
            "{ASIDE}missing{ASIDE:#}: {} (package {}), for {}",
            program.need.name(),
            program.package,
            program.for_what
        );
    }
    Ok(())
}

fn suites(all: &[TestProgram]) -> Vec<Suite<'_>> {
    let suite = |tier, name, documentation, of: fn(&TestProgram) -> bool| Suite {
        tier,
        name,
        programs: all.iter().filter(|one| of(one)).collect(),
        documentation,
    };
    vec![
        suite(Tier::Unit, "unit", true, |one| {
            !one.is_in("tests/container") && !one.is_in("tests/system") && !boots(one)
        }),
        suite(Tier::Unit, "image", false, |one| {
            one.is_in("tests/system") && !boots(one)
        }),
        suite(Tier::Container, "container", false, |one| {
            one.is_in("tests/container")
        }),
        suite(Tier::Vm, "vm", false, boots),
    ]
}

/// Whether a program starts virtual machines: whole images, or a kernel that has the USB
/// sticks and the failing disks that this computer's may lack.
fn boots(program: &TestProgram) -> bool {
    (program.is_in("tests/system") && ["vm", "traps"].contains(&program.name.as_str()))
        || (program.is_in("xtask/stick") && program.name == "real")
}

/// Runs the programs of a suite one after the other; says whether all went well.
fn run_suite(root: &Path, suite: &Suite<'_>, counts: &mut Counts) -> Result<bool, Failure> {
    let began = Instant::now();
    let not_run = NotRun::new(root, suite.name)?;
    let log = Log::new(root, suite.name)?;
    anstream::eprintln!(
        "{STRONG}{}{STRONG:#}: {} test programs (log: {})",
        suite.name,
        suite.programs.len(),
        log.path.display()
    );
    let mut good = true;
    for program in &suite.programs {
        log.say(&format!("\n     Running {}\n", program.title(root)))?;
        let mut command = program.command();
        command.env(lab_not_run::LIST, &not_run.path);
        good &= log.run(command)?;
    }
    if suite.documentation {
        let mut command = Command::new(crate::cargo::program());
        command.args(["test", "--workspace", "--doc"]);
        command.current_dir(root);
        good &= log.run(command)?;
    }
    let text = log.text();
    let mut found = outcome::of_rust(&text);
    let skipped = not_run.lines();
    found.passed = found.passed.saturating_sub(skipped.len() as u64);
    found.not_run += skipped.len() as u64;
    report(
        suite.name,
        good && found.failed == 0,
        &found,
        &skipped,
        began,
    );
    if !good || found.failed > 0 {
        outcome::print_failures(&text);
    }
    let good = good && found.failed == 0;
    counts.add(&found);
    Ok(good)
}

/// One line of what came out, and each test that was not run.
fn report(name: &str, good: bool, found: &Counts, not_run: &[String], began: Instant) {
    let (style, word) = if good { (GOOD, "pass") } else { (BAD, "fail") };
    anstream::println!(
        "{style}{word:8}{style:#} {name:6} {} passed, {} failed, {} not run, in {} s",
        found.passed,
        found.failed,
        found.not_run,
        began.elapsed().as_secs()
    );
    for line in not_run {
        anstream::println!("{ASIDE}not run{ASIDE:#}  {line}");
    }
}

/// Where everything goes that the programs of a suite print.
struct Log {
    path: PathBuf,
    file: fs::File,
}

impl Log {
    fn new(root: &Path, name: &str) -> anyhow::Result<Self> {
        let path = root.join("target").join(format!("test-{name}.log"));
        let file =
            fs::File::create(&path).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { path, file })
    }

    fn say(&self, text: &str) -> anyhow::Result<()> {
        use std::io::Write as _;
        (&self.file)
            .write_all(text.as_bytes())
            .with_context(|| format!("writing {}", self.path.display()))
    }

    /// Runs it to its end, and says whether that was a good one.
    fn run(&self, mut command: Command) -> anyhow::Result<bool> {
        let status = command
            .stdin(Stdio::null())
            .stdout(self.file.try_clone().context("keeping the log")?)
            .stderr(self.file.try_clone().context("keeping the log")?)
            .status()
            .with_context(|| format!("running {}", command.get_program().display()))?;
        if !status.success() {
            self.say(&format!(
                "error: {} ended with {status}\n",
                command.get_program().display()
            ))?;
        }
        Ok(status.success())
    }

    fn text(&self) -> String {
        let bytes = fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The file in which tests say that they were not run, and why.
struct NotRun {
    path: PathBuf,
}

impl NotRun {
    fn new(root: &Path, name: &str) -> anyhow::Result<Self> {
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
