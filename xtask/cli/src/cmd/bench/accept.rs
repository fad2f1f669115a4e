//! `bench accept`: thirty checks of one host, in our own way and by three other tools: over
//! the same sshd, in turns, in one run. What counts is the ratio of the least times.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::failure::Failure;
use crate::ui::{self, ASIDE, BAD, GOOD, STRONG};
use crate::{Done, lab};

mod distance;
mod host;
mod ours;
mod rivals;

use host::Host;
use rivals::{Bench, Tool};

/// Measures thirty checks of one host against pytest-testinfra, Ansible and goss.
///
/// The host is a container of Debian 13 on this computer, so Docker and mmdebstrap are
/// needed; testinfra and Ansible are installed into target/bench-accept. A tool that cannot
/// be had is not run, and says why. Exit codes: 0 all aims are met, 2 one is missed or could
/// not be measured.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// How many rounds; the least of each counts.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Plant faults first, and see that each tool finds them and nothing else.
    #[arg(long)]
    prove: bool,
    /// Run the checks once, in our own way, and print those that failed.
    #[arg(long, hide = true, requires = "folder")]
    once_at: Option<SocketAddr>,
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

/// What came of a tool.
struct Row {
    tool: Tool,
    /// The times of its rounds, sorted; or why it was not run.
    times: Result<Vec<Duration>, String>,
}

impl Row {
    fn least(&self) -> Option<Duration> {
        self.times.as_ref().ok()?.first().copied()
    }

    fn median(&self) -> Option<Duration> {
        let times = self.times.as_ref().ok()?;
        times.get(times.len() / 2).copied()
    }
}

/// A figure and what it may be.
struct Aim {
    what: &'static str,
    value: Option<f64>,
    unit: &'static str,
    aim: f64,
    at_most: bool,
}

impl Aim {
    fn met(&self) -> bool {
        self.value.is_some_and(|value| match self.at_most {
            true => value <= self.aim,
            false => value >= self.aim,
        })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    if let (Some(address), Some(folder)) = (arguments.once_at, &arguments.folder) {
        for check in ours::ours(&Host::made(address, folder))? {
            anstream::println!("{check}");
        }
        return Ok(());
    }
    let workspace = lab::workspace()?;
    let folder = workspace.join("target/bench-accept");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let bench = Bench::prepare(&workspace, &folder);
    ui::step("starts the host");
    let mut host = Host::start(&folder)?;
    if arguments.prove {
        prove(&bench, &host)?;
    }
    let rows = measure(&bench, &host, arguments.rounds.max(1));
    let far = measure_far(&bench, &mut host, arguments.rounds.max(1));
    report(&rows, &far)
}

/// Runs each tool once to warm up, then all in turns.
fn measure(bench: &Bench, host: &Host, rounds: u32) -> Vec<Row> {
    let warm = |tool| Row {
        tool,
        times: passes(bench, tool, host).map(|_| Vec::new()),
    };
    let mut rows: Vec<Row> = Tool::ALL.into_iter().map(warm).collect();
    for round in 1..=rounds {
        let mut line = format!("round {round}:");
        for row in &mut rows {
            let Ok(times) = &mut row.times else { continue };
            match passes(bench, row.tool, host) {
                Ok(took) => {
                    line.push_str(&format!(" {} {took:.2?}", row.tool.name()));
                    times.push(took);
                }
                Err(why) => row.times = Err(why),
            }
        }
        anstream::eprintln!("{line}");
    }
    for row in &mut rows {
        if let Ok(times) = &mut row.times {
            times.sort();
        }
    }
    rows
}

/// How long a run takes in which all thirty pass, or why that cannot be said.
fn passes(bench: &Bench, tool: Tool, host: &Host) -> Result<Duration, String> {
    let began = Instant::now();
    let failed = bench
        .once(tool, host, false)
        .map_err(|error| format!("{error:#}"))?;
    let took = began.elapsed();
    match failed.is_empty() {
        true => Ok(took),
        false => Err(format!("these checks failed: {}", listed(&failed))),
    }
}

fn listed(checks: &BTreeSet<String>) -> String {
    checks
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// `accept` and ssh with goss, from far away.
struct Far {
    how: &'static str,
    accept: Duration,
    goss: Result<Duration, String>,
}

fn measure_far(bench: &Bench, host: &mut Host, rounds: u32) -> Result<Far, String> {
    let words = |error: anyhow::Error| format!("{error:#}");
    let (address, how) = distance::far(host).map_err(words)?;
    host.address = address;
    let key = std::fs::read_to_string(host.folder.join("host_key.pub"));
    let key = key.map_err(|error| error.to_string())?;
    host.write_config(&key).map_err(words)?;
    let least = |tool| {
        let times: Result<Vec<Duration>, String> =
            (0..rounds).map(|_| passes(bench, tool, host)).collect();
        times.map(|times| times.into_iter().min().unwrap_or_default())
    };
    Ok(Far {
        how,
        accept: least(Tool::Accept)?,
        goss: least(Tool::Goss),
    })
}

fn report(rows: &[Row], far: &Result<Far, String>) -> Done {
    let of = |tool| {
        rows.iter()
            .find(|row| row.tool == tool)
            .and_then(Row::least)
    };
    let ours = of(Tool::Ours);
    anstream::println!(
        "{STRONG}{:22} {:>10} {:>10} {:>10}{STRONG:#}",
        "30 checks",
        "least",
        "median",
        "ratio"
    );
    for row in rows {
        match (&row.times, row.least(), row.median()) {
            (Ok(_), Some(least), Some(median)) => anstream::println!(
                "{:22} {:>10} {:>10} {:>10}",
                row.tool.name(),
                milliseconds(least),
                milliseconds(median),
                ours.map_or_else(String::new, |ours| format!("{:.1} x", ratio(least, ours)))
            ),
            (Err(why), ..) => {
                anstream::println!("{:22} {ASIDE}not run{ASIDE:#}: {why}", row.tool.name());
            }
            _ => anstream::println!("{:22} {ASIDE}not run{ASIDE:#}", row.tool.name()),
        }
    }
    report_far(far);
    let times = |tool| Some(ratio(of(tool)?, ours?));
    let aims = [
        aim(
            "testinfra over ssh, against ours",
            times(Tool::Testinfra),
            "x",
            20.0,
            false,
        ),
        aim(
            "Ansible, against ours",
            times(Tool::Ansible),
            "x",
            50.0,
            false,
        ),
        aim(
            "ssh and goss, against ours",
            times(Tool::Goss),
            "x",
            1.0,
            false,
        ),
        aim(
            "accept, all of it",
            of(Tool::Accept).map(|one| one.as_secs_f64()),
            "s",
            2.0,
            true,
        ),
        aim(
            "accept, at 100 ms a round trip",
            far.as_ref().ok().map(|far| far.accept.as_secs_f64()),
            "s",
            5.0,
            true,
        ),
    ];
    report_aims(&aims)
}

fn report_far(far: &Result<Far, String>) {
    match far {
        Ok(far) => {
            let goss = match &far.goss {
                Ok(least) => milliseconds(*least),
                Err(why) => format!("not run ({why})"),
            };
            anstream::println!(
                "\nat 100 ms a round trip ({}): accept {}, ssh and goss {goss}\n",
                far.how,
                milliseconds(far.accept)
            );
        }
        Err(why) => {
            anstream::println!("\nat 100 ms a round trip: {ASIDE}not run{ASIDE:#}: {why}\n");
        }
    }
}

fn report_aims(aims: &[Aim]) -> Done {
    anstream::println!("{STRONG}{:36} {:>12}   aim{STRONG:#}", "figure", "here");
    for aim in aims {
        let style = if aim.met() { GOOD } else { BAD };
        let sign = if aim.at_most { "at most" } else { "at least" };
        let value = match aim.value {
            Some(value) => format!("{value:.2} {}", aim.unit),
            None => "not run".to_owned(),
        };
        anstream::println!(
            "{:36} {style}{value:>12}{style:#}   {sign} {} {}",
            aim.what,
            aim.aim,
            aim.unit
        );
    }
    match aims.iter().all(Aim::met) {
        true => Ok(()),
        false => Err(Failure::Environment(anyhow!(
            "an aim was missed, or could not be measured"
        ))),
    }
}

fn aim(what: &'static str, value: Option<f64>, unit: &'static str, aim: f64, at_most: bool) -> Aim {
    Aim {
        what,
        value,
        unit,
        aim,
        at_most,
    }
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1e3)
}

/// Faults: what plants one, what takes it away again, and the check that must see it.
const FAULTS: [(&str, &str, &str); 5] = [
    (
        "systemd-run --quiet --unit=lab-fault python3 -m http.server 8888; sleep 1",
        "systemctl stop lab-fault",
        "c09",
    ),
    ("chmod 0604 /etc/shadow", "chmod 0640 /etc/shadow", "c14"),
    (
        "echo changed >/etc/lab-bench",
        "echo 'a lab in a box' >/etc/lab-bench",
        "c19",
    ),
    ("gpasswd -d lab adm", "gpasswd -a lab adm", "c22"),
    ("hostname other", "hostname lab-bench", "c27"),
];

/// Plants all faults at once: every tool must report these checks and no others.
fn prove(bench: &Bench, host: &Host) -> Done {
    let expected: BTreeSet<String> = FAULTS.iter().map(|one| one.2.to_owned()).collect();
    for (plant, _, _) in FAULTS {
        host.inside(plant, b"")
            .with_context(|| format!("planting a fault: {plant}"))?;
    }
    // `accept` has other checks; its own tests show each of them failing.
    for tool in Tool::ALL.into_iter().filter(|tool| *tool != Tool::Accept) {
        match bench.once(tool, host, true) {
            Ok(found) if found == expected => {
                anstream::println!("{:22} {GOOD}finds{GOOD:#} {}", tool.name(), listed(&found));
            }
            Ok(found) => {
                return Err(Failure::Environment(anyhow!(
                    "{} found {}, expected {}",
                    tool.name(),
                    listed(&found),
                    listed(&expected)
                )));
            }
            Err(why) => anstream::println!("{:22} {ASIDE}not run{ASIDE:#}: {why:#}", tool.name()),
        }
    }
    for (_, mend, _) in FAULTS {
        host.inside(mend, b"")
            .with_context(|| format!("taking a fault away: {mend}"))?;
    }
    Ok(())
}
