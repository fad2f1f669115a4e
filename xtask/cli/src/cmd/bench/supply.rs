//! `bench supply`: choosing packages against apt, hashing against `sha256sum`, composing
//! against `cp`, downloading against `curl`. All ways take turns in one run; of each the
//! least time counts, because machines are noisy; what counts is the ratio.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};

use crate::{Done, lab, ui};

mod child;
mod compose;
mod download;
mod hash;
mod objects;
mod resolve;

use super::figure::{Figure, report};
use super::iso::time;
use child::Once;

/// Measures resolving, hashing, composing and downloading against apt, sha256sum, cp and curl.
///
/// It needs three times --size on the disk below target/, and removes what it wrote. What
/// cannot be measured reads "not run", and why. Exit codes: 0 all aims are met, 2 one is
/// missed or could not be measured.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The size of the payload in MB. What is above 4000 is the same objects once more.
    #[arg(long, default_value_t = 2000)]
    size: u64,
    /// How many rounds; the least of each counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only these.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Do one thing, once, to be measured from outside.
    #[arg(long, hide = true, requires = "folder")]
    once: Option<Once>,
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Resolve,
    Hash,
    Compose,
    Download,
}

/// How a part is measured.
type Measure = fn(&Bench) -> anyhow::Result<Vec<Figure>>;

/// Where and how it is measured.
struct Bench {
    folder: PathBuf,
    program: PathBuf,
    /// In bytes.
    size: u64,
    rounds: u32,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    if let (Some(once), Some(folder)) = (arguments.once, &arguments.folder) {
        return Ok(child::run(once, folder)?);
    }
    let folder = lab::workspace()?.join("target/bench-supply");
    let bench = Bench {
        program: std::env::current_exe().context("finding this program")?,
        size: arguments.size.max(1) * 1_000_000,
        rounds: arguments.rounds.max(1),
        folder,
    };
    let mut figures = Vec::new();
    for part in Part::value_variants() {
        if arguments.only.is_empty() || arguments.only.contains(part) {
            figures.extend(bench.part(*part)?);
        }
    }
    report(&figures)
}

impl Bench {
    /// Measures one part in a folder of its own, which is empty before and gone after.
    fn part(&self, part: Part) -> anyhow::Result<Vec<Figure>> {
        let (name, measure): (_, Measure) = match part {
            Part::Resolve => ("resolving", resolve::measure),
            Part::Hash => ("hashing", hash::measure),
            Part::Compose => ("composing", compose::measure),
            Part::Download => ("downloading", download::measure),
        };
        ui::step(name);
        self.clear()?;
        let measured = measure(self);
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder)
                .with_context(|| format!("removing {}", self.folder.display()))?;
        }
        Ok(measured.unwrap_or_else(|why| vec![Figure::not_run(name, format!("{why:#}"))]))
    }

    fn clear(&self) -> anyhow::Result<()> {
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder)
                .with_context(|| format!("emptying {}", self.folder.display()))?;
        }
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("making {}", self.folder.display()))
    }

    /// This program, doing one thing in the folder.
    fn once(&self, once: Once) -> Vec<String> {
        let words = ["bench", "supply", "--once", once.name(), "--folder"];
        let mut all = vec![self.program.display().to_string()];
        all.extend(words.map(str::to_owned));
        all.push(self.folder.display().to_string());
        all
    }

    /// Measures each of several ways once a round, in turn; the least time of each.
    fn in_turn<const N: usize>(
        &self,
        names: [&str; N],
        mut one: impl FnMut(&str) -> anyhow::Result<Duration>,
    ) -> anyhow::Result<[Duration; N]> {
        let mut least = [Duration::MAX; N];
        for round in 1..=self.rounds {
            let mut line = format!("round {round}:");
            for (name, least) in names.iter().zip(&mut least) {
                let took = one(name)?;
                line.push_str(&format!(" {name} {took:.2?},"));
                *least = took.min(*least);
            }
            anstream::eprintln!("{}", line.trim_end_matches(','));
        }
        for (name, least) in names.iter().zip(least) {
            anstream::println!("{name:36} {least:>9.2?}");
        }
        Ok(least)
    }
}

/// The command of these words.
fn command(words: &[String]) -> anyhow::Result<Command> {
    let (program, arguments) = words.split_first().context("a command has a program")?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

/// Says what is missing, where something is.
fn demand(programs: &[&'static str]) -> anyhow::Result<()> {
    let missing = |name: &&&'static str| !lab_standin::Need::Program(name).is_met();
    match programs.iter().find(missing) {
        Some(name) => Err(anyhow!("{name} is missing")),
        None => Ok(()),
    }
}

/// An empty folder.
fn fresh(folder: &Path) -> anyhow::Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}
