//! `bench rehearse`: what an edit of the description costs on the stick, a whole write
//! against `dd` and `cmp`, and how long each stage of a rehearsal took.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lab_rehearse::{Outcome, Report};

use crate::failure::Failure;
use crate::{Done, MachineArg, lab, ui};

mod stick;

use super::figure::{Figure, report};
use super::iso::time;

/// Measures what an edit writes to the stick, the stick's whole write, and a rehearsal's stages.
///
/// The stick is a loop device, so that this needs root; it takes three times --size on the
/// disk and removes what it wrote, but for the base, which stays in the cache. The stages are
/// those of a rehearsal that was kept. What cannot be measured reads "not run", and why.
/// Exit codes: 0 all aims are met, 2 one is missed or could not be measured.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The size of the base in MB; Ubuntu's own has 3900.
    #[arg(long, default_value_t = 1000)]
    size: u64,
    /// How many rounds; the least time of each way counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// The folder for the image and the file behind the loop device. Without it: target/bench-rehearse.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// The folder with the rehearsal.json to read. Without it: target/rehearse/NAME.
    #[arg(long, value_name = "DIR")]
    rehearsal: Option<PathBuf>,
    /// Only these.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Stick,
    Stages,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let wanted = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let mut figures = Vec::new();
    if wanted(Part::Stick) {
        figures.extend(stick(arguments)?);
    }
    if wanted(Part::Stages) {
        figures.push(stages(arguments)?);
    }
    report(&figures)
}

/// In a folder of its own, which is gone afterwards.
fn stick(arguments: &Arguments) -> Result<Vec<Figure>, Failure> {
    ui::step("writing a stick");
    let described = lab::describe(&arguments.machine)?;
    described.machine()?;
    let scratch = match &arguments.scratch {
        Some(folder) => folder.join("lab-bench-rehearse"),
        None => lab::workspace()?.join("target/bench-rehearse"),
    };
    let measured = stick::measure(&stick::Wanted {
        folder: &scratch,
        description: &described.path,
        stand_in: &lab::cache()?.dir().join("stand-in"),
        size: arguments.size,
        rounds: arguments.rounds.max(1),
    });
    Ok(measured.unwrap_or_else(|why| vec![Figure::not_run("writing a stick", format!("{why:#}"))]))
}

/// The table of the stages; the figure is how many of them were not reached.
fn stages(arguments: &Arguments) -> Result<Figure, Failure> {
    const WHAT: &str = "stages of the rehearsal not reached";
    ui::step("reading a rehearsal");
    let folder = match &arguments.rehearsal {
        Some(folder) => folder.clone(),
        None => {
            let described = lab::describe(&arguments.machine)?;
            let name = described.machine()?.identity.name.to_string();
            lab::workspace()?.join("target/rehearse").join(name)
        }
    };
    let file = folder.join("rehearsal.json");
    if arguments.rehearsal.is_none() && !file.exists() {
        let why = "no rehearsal yet, `cargo xtask rehearse --base stand-in` makes one";
        return Ok(Figure::not_run(WHAT, why.to_owned()));
    }
    Ok(match Report::read(&file) {
        Ok(rehearsal) => {
            tell(&rehearsal, &file);
            Figure {
                what: WHAT,
                value: Ok(rehearsal.missed() as f64),
                unit: "",
                at_most: 0.0,
            }
        }
        Err(why) => Figure::not_run(WHAT, format!("{why:#}")),
    })
}

fn tell(rehearsal: &Report, file: &Path) {
    anstream::println!(
        "{}: {}, {}, {}",
        file.display(),
        rehearsal.machine,
        rehearsal.base,
        rehearsal.accelerator
    );
    let all = rehearsal.seconds();
    for stage in &rehearsal.stages {
        let note = if stage.outcome == Outcome::Reached {
            ""
        } else {
            "  not reached"
        };
        anstream::println!(
            "{:52} {:>8.1} s {:>5.1} %{note}",
            stage.title,
            stage.seconds,
            stage.seconds / all.max(1e-9) * 100.0
        );
    }
    anstream::println!("{:52} {all:>8.1} s", "all of it");
}
