//! `apply`: brings a running machine to its description.

use std::io::IsTerminal as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use lab_plan::Drift;

use crate::failure::Failure;
use crate::reach::{HostArg, Reached, confirmed};
use crate::ui::{ASIDE, BAD, GOOD, STRONG};
use crate::{Done, MachineArg, cmd::diff, lab, locked, secrets, ui};

/// Brings a running machine to its description, with the files and units of the image.
///
/// It shows what it would do, asks, and follows the units until all are ready.
/// Nothing is reinstalled and no disk is divided anew. What was in place before is
/// kept: `--back` returns to it.
///
/// Exit codes: 0 the machine is as described, 1 a unit failed, 2 could not run.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    #[command(flatten)]
    host: HostArg,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Lay down the files of before the last apply again.
    #[arg(long, conflicts_with = "dry_run")]
    back: bool,
    /// Do not wait until the units are ready.
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for the units, in minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 120)]
    patience: u64,
}

/// How long files may take to be laid down.
const LAYING: Duration = Duration::from_secs(300);

/// How often the machine is asked how far it is.
const EVERY: Duration = Duration::from_millis(300);

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let host = arguments.host.name();
    if arguments.back {
        let mut reached = arguments.host.reach(machine)?;
        agree(
            arguments,
            &format!("Lay down on {host} what was in place before? [y/N] "),
        )?;
        let said = reached.root(
            "going back",
            &adopting("/usr/lib/lab/adopt back", ""),
            b"",
            LAYING,
        )?;
        anstream::println!("{}", said.trim());
        return follow(&mut reached, arguments);
    }
    let secrets = secrets::gather(&described, machine)?;
    let texts = described.texts();
    let lock = locked::fitting(&described, machine)?;
    let subject = lab::subject(machine, &secrets, &texts, lock.as_ref())?;
    let overlay = lab_plan::overlay(&subject)?;
    let mut reached = arguments.host.reach(machine)?;
    let drift = diff::ask(&mut reached, machine, &overlay)?;
    diff::print(&drift, machine, &host);
    if drift.is_none() {
        anstream::println!("Nothing was changed.");
        return Ok(());
    }
    print_plan(&drift);
    if arguments.dry_run {
        anstream::println!("Nothing was changed (--dry-run).");
        return Ok(());
    }
    agree(arguments, &format!("Apply this to {host}? [y/N] "))?;
    let bundle = lab_plan::bundle(&subject)?;
    send(&mut reached, &bundle, &drift.set_up_again)?;
    follow(&mut reached, arguments)
}

fn print_plan(drift: &Drift) {
    if !drift.runs_again.is_empty() {
        anstream::println!(
            "\n{STRONG}runs again{STRONG:#}\n  {}",
            drift.runs_again.join(", ")
        );
    }
    anstream::println!();
}

fn agree(arguments: &Arguments, question: &str) -> Done {
    if arguments.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::input(
            "nobody can be asked here (standard input is no terminal): look at it with --dry-run, then run it with --yes",
        ));
    }
    match confirmed(question) {
        true => Ok(()),
        false => {
            anstream::println!("Nothing was changed.");
            Err(Failure::Said)
        }
    }
}

/// A line for sh that has systemd run the program that lays files down, so that a line
/// that is cut does not stop it halfway; what it said is printed after it, and after a
/// failure `tidy` runs.
fn adopting(program: &str, tidy: &str) -> String {
    format!(
        "set -e; umask 077; mkdir -p /run/lab; log=$(mktemp /run/lab/apply.XXXXXX); trap 'rm -f \"$log\"' EXIT
systemd-run --quiet --wait --collect --property=StandardOutput=append:\"$log\" --property=StandardError=append:\"$log\" \
    {program} || {{ cat \"$log\" >&2; {tidy} exit 1; }}
cat \"$log\""
    )
}

/// Sends everything in one go and lays it down. What does not arrive whole is not laid
/// down: the archive is unpacked and checked before the first file is replaced.
fn send(reached: &mut Reached, bundle: &[u8], again: &[String]) -> Done {
    ui::step(&format!("sends {}", ui::bytes(bundle.len() as u64)));
    // Names of units are plain words: see `Unit`.
    let adopt = format!(
        "/bin/bash \"$d/overlay/usr/lib/lab/adopt\" new \"$d\" {}",
        again.join(" ")
    );
    let unpack = format!(
        "set -e; umask 077; mkdir -p /var/lib/lab/incoming; cd /var/lib/lab/incoming
find . -mindepth 1 -maxdepth 1 -mtime +0 -exec rm -rf {{}} +
d=$(mktemp -d \"$PWD/new.XXXXXX\")
trap 'rm -rf \"$d\"' EXIT
tar -xzf - --no-same-owner -C \"$d\"
{}",
        adopting(&adopt, "rm -rf \"$d\";")
    );
    let said = reached.root("laying down the new files", &unpack, bundle, LAYING)?;
    ui::step(said.trim());
    Ok(())
}

/// Where a unit is, as `lab status --porcelain` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    unit: String,
    state: String,
    text: String,
    way_out: String,
}

fn lines(status: &str) -> Vec<Line> {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let line = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [unit, state, _since, _try, text, way_out] = fields.as_slice() else {
            return None;
        };
        Some(Line {
            unit: clean(unit),
            state: clean(state),
            text: clean(text),
            way_out: clean(way_out),
        })
    };
    status.lines().filter_map(line).collect()
}

/// Prints each change of a unit, until all are ready or one failed for good.
fn follow(reached: &mut Reached, arguments: &Arguments) -> Done {
    if arguments.no_wait {
        anstream::println!("The units are at work: `lab status` on the machine shows them.");
        return Ok(());
    }
    let began = Instant::now();
    let mut seen: Vec<Line> = Vec::new();
    loop {
        let (status, text) = reached.ask("/usr/local/bin/lab status --porcelain")?;
        let now = lines(&text);
        for line in now.iter().filter(|line| !seen.contains(line)) {
            print_line(line);
        }
        seen = now;
        match status {
            Some(0) => {
                anstream::println!(
                    "{GOOD}ready{GOOD:#} after {:.1} s: the machine is as described",
                    began.elapsed().as_secs_f64()
                );
                return Ok(());
            }
            Some(1) => {
                anstream::println!(
                    "{BAD}failed{BAD:#}: correct it and apply again, or go back with `cargo xtask apply --back`"
                );
                return Err(Failure::Said);
            }
            Some(3) => {}
            other => {
                return Err(Failure::Environment(anyhow::anyhow!(
                    "asking for the units' state: `lab status` ended with {other:?}"
                )));
            }
        }
        if began.elapsed() > Duration::from_secs(arguments.patience * 60) {
            return Err(Failure::Environment(anyhow::anyhow!(
                "not ready within {} minutes; the units go on without anybody waiting: `lab status` on the machine shows them",
                arguments.patience
            )));
        }
        sleep(EVERY);
    }
}

fn print_line(line: &Line) {
    let style = match line.state.as_str() {
        "ready" => GOOD,
        "failed" => BAD,
        "waiting" => ASIDE,
        _ => STRONG,
    };
    anstream::println!(
        "  {:12} {style}{:8}{style:#} {}",
        line.unit,
        line.state,
        line.text
    );
    if line.state == "failed" && !line.way_out.is_empty() {
        anstream::println!("  {:12} {:8} way out: {}", "", "", line.way_out);
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn status_lines_are_taken_apart_and_cleaned() {
        let text = "docker\twaiting\t1\t2\tthe \u{1b}[31mname\tretry\nlab\tworking\n";
        let all = lines(text);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].text, "the [31mname");
        assert_eq!(all[0].way_out, "retry");
    }
}
