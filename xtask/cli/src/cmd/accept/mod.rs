//! `accept`: proves over SSH, against the real cards, every claim that a description makes.

mod expected;
mod host;
mod output;
mod screen;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use lab_accept::report::Report;
use lab_accept::{Evidence, Select};
use lab_remote::Target;

use crate::failure::Failure;
use crate::{Done, MachineArg};
use screen::Screen;

/// Proves over SSH, against the real cards, every claim that the description makes.
///
/// Looks at everything in seconds and changes nothing. `--workloads` also has Ollama,
/// TensorFlow and the cards' memory work for minutes; `--disruptive` restarts Docker and,
/// twice, the machine.
///
/// Exit codes: 0 all that could be judged passed, 1 something failed, 2 could not run.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The machines to prove, such as `gpu-server.local`, `admin@192.0.2.7:22` or hosts of
    /// ~/.ssh/config.
    #[arg(long, value_name = "[USER@]HOST[:PORT]", num_args = 1.., required_unless_present = "replay")]
    host: Vec<Target>,
    /// Sign in with this key and no other.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Only checks whose group, id or id[subject] fits, such as `gpu` or `*[gt1030]`.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// All but such checks.
    #[arg(long, value_name = "GLOB")]
    skip: Vec<String>,
    /// Have the cards work: minutes in which they are busy.
    #[arg(long)]
    workloads: bool,
    /// Restart Docker, make containers anew, and restart the machine twice.
    #[arg(long)]
    disruptive: bool,
    /// First wait until the machine is ready, through its first boot and restarts.
    #[arg(long)]
    wait: bool,
    /// How long to wait at most, in minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    patience: u64,
    /// Keep report.json, report.html, report.xml and evidence.json in this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// How the report is printed.
    #[arg(long, value_name = "FORM", default_value = "text")]
    format: Format,
    /// How reports call the machine: a rehearsal says that it is one.
    #[arg(long, hide = true, value_name = "NAME")]
    called: Option<String>,
    /// Judge the evidence that `--report` kept in this folder, without any machine.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["host", "workloads", "disruptive", "wait", "identity"])]
    replay: Option<PathBuf>,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: docs/src/reference/report.md.
    Json,
    /// For servers that build and test.
    Junit,
}

/// What came of one machine: its report and the evidence behind it, or why there is none.
type Came = Result<(Report, Evidence), Failure>;

pub(crate) fn run(arguments: &Arguments) -> Done {
    let select = Select::new(&arguments.only, &arguments.skip);
    if let Some(folder) = &arguments.replay {
        let came = host::replay(folder, &select)?;
        return output::finish(arguments, vec![(came.0.host.clone(), Ok(came))]);
    }
    let names: Vec<String> = arguments.host.iter().map(ToString::to_string).collect();
    let screen = Screen::new(&names, arguments.format);
    let all: Vec<(String, Came)> = thread::scope(|scope| {
        let threads: Vec<_> = arguments
            .host
            .iter()
            .enumerate()
            .map(|(index, target)| {
                let view = screen.of(index);
                let select = &select;
                scope.spawn(move || host::prove(arguments, target, select, view))
            })
            .collect();
        let ends = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| {
                Err(Failure::Environment(anyhow::anyhow!(
                    "proving it went wrong; the message above says where"
                )))
            })
        });
        names.iter().cloned().zip(ends).collect()
    });
    screen.end();
    output::finish(arguments, all)
}

impl Arguments {
    fn patience(&self) -> Duration {
        Duration::from_secs(self.patience.saturating_mul(60))
    }
}
