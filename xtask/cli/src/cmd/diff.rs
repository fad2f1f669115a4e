//! `diff`: what on a machine differs from its description.

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use clap::Args;
use lab_machine::Machine;
use lab_plan::{Drift, Landing, Overlay, Part};
use similar::TextDiff;

use crate::failure::Failure;
use crate::reach::{HostArg, Reached};
use crate::ui::{ASIDE, GOOD, STRONG};
use crate::{Done, MachineArg, lab, locked, secrets};

/// Shows what on the machine differs from its description, and changes nothing.
///
/// Files, packages and their versions, units, and what somebody changed by hand.
/// Exit codes: 0 nothing differs, 1 something does, 2 could not ask.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    #[command(flatten)]
    host: HostArg,
    /// Show how the content of files differs.
    #[arg(long)]
    content: bool,
}

/// How long the machine may take to look at itself: it hashes its own few files.
const SURVEY: Duration = Duration::from_secs(120);

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let secrets = secrets::gather(&described, machine)?;
    let texts = described.texts();
    let lock = locked::fitting(&described, machine)?;
    let overlay = lab_plan::overlay(&lab::subject(machine, &secrets, &texts, lock.as_ref())?)?;
    let mut reached = arguments.host.reach(machine)?;
    let drift = ask(&mut reached, machine, &overlay)?;
    print(&drift, machine, &arguments.host.name());
    if arguments.content {
        print_contents(&mut reached, &drift, &overlay)?;
    }
    match drift.is_none() {
        true => Ok(()),
        false => Err(Failure::Said),
    }
}

/// Asks the machine, and compares its answer.
pub(crate) fn ask(
    reached: &mut Reached,
    machine: &Machine,
    overlay: &Overlay,
) -> Result<Drift, Failure> {
    let script = lab_plan::survey(overlay)?;
    let answer = reached.root(
        "asking the machine how it is",
        "bash -s",
        script.as_bytes(),
        SURVEY,
    )?;
    Ok(lab_plan::drift(machine, overlay, &answer)?)
}

/// Prints what differs, a table for each kind of thing.
pub(crate) fn print(drift: &Drift, machine: &Machine, host: &str) {
    match drift.generation {
        None => anstream::println!("{host} has no lab yet."),
        Some(number) => {
            let same = drift.description.as_deref() == Some(machine.digest().as_str());
            let made = if same {
                "this description"
            } else {
                "another description"
            };
            anstream::println!("{host} has generation {number}, made from {made}.");
        }
    }
    if drift.pending {
        anstream::println!("{ASIDE}An apply was cut off and is not finished.{ASIDE:#}");
    }
    if drift.is_none() {
        anstream::println!("{GOOD}Nothing differs.{GOOD:#}");
        return;
    }
    for (part, head) in [
        (Part::File, "files"),
        (Part::Package, "packages"),
        (Part::Setting, "changed by hand"),
        (Part::Unit, "units"),
    ] {
        print_part(drift, part, head);
    }
}

fn print_part(drift: &Drift, part: Part, head: &str) {
    let all: Vec<_> = drift
        .differences
        .iter()
        .filter(|one| one.part == part)
        .collect();
    let Some(width) = all.iter().map(|one| one.name.len()).max() else {
        return;
    };
    anstream::println!("\n{STRONG}{head}{STRONG:#}");
    for one in all {
        // What a machine says may hold anything.
        let is: String = one.is.chars().filter(|c| !c.is_control()).collect();
        anstream::println!(
            "  {:width$}  {is} {ASIDE}->{ASIDE:#} {}",
            one.name,
            one.should
        );
    }
}

/// Files of which only the owner may know are not shown.
fn print_contents(reached: &mut Reached, drift: &Drift, overlay: &Overlay) -> Done {
    for path in &drift.changed_files {
        let Some(Landing::File { bytes, mode }) = overlay.tree.get(path) else {
            continue;
        };
        let (true, Ok(should)) = (mode & 0o004 != 0, std::str::from_utf8(bytes)) else {
            anstream::println!("\n{STRONG}/{path}{STRONG:#}: its content is not shown");
            continue;
        };
        // Paths of the lab are plain words: see `TargetTree`.
        let found = reached.root(
            "reading a file",
            &format!("head -c 200000 /{path} | base64 -w0"),
            b"",
            SURVEY,
        )?;
        let found = base64::engine::general_purpose::STANDARD
            .decode(found.trim())
            .with_context(|| format!("reading /{path} of the machine"))?;
        let is = String::from_utf8_lossy(&found);
        let is: String = is
            .chars()
            .filter(|c| !c.is_control() || "\n\t".contains(*c))
            .collect();
        anstream::print!(
            "\n{}",
            TextDiff::from_lines(is.as_str(), should)
                .unified_diff()
                .header(
                    &format!("/{path} on the machine"),
                    &format!("/{path} as described")
                )
        );
    }
    Ok(())
}
