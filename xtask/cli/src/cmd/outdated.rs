//! `outdated`: what is newer than what is locked, what is known to be unsafe, and whose
//! support ends; nothing is changed.

use clap::Args;
use lab_machine::Machine;
use lab_resolve::{Change, InstalledList, Update};

use super::fetch;
use crate::failure::Failure;
use crate::locked::{self, Installed};
use crate::ui::{ASIDE, BAD, GOOD, STRONG};
use crate::{Done, MachineArg, lab};

/// Lists what is newer than what is locked, what is unsafe, and what support ends.
///
/// Asks the same servers as `lock --update` would and writes nothing. Ends with 1 where
/// something is known to be unsafe, for which `check` refuses the description.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// What the machine has before the lab comes, as for `lock`.
    #[arg(long, value_name = "FILE")]
    installed: Option<std::path::PathBuf>,
    #[command(flatten)]
    how: fetch::How,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine_despite(&[UNSAFE])?;
    let lock = locked::must(&described)?;
    let installed = match &arguments.installed {
        Some(file) => Installed::File(file.clone()),
        None => Installed::Base(fetch::get(machine, &arguments.how)?.path),
    };
    let list = installed.read()?;
    let now = locked::resolve(
        &locked::wanted(machine)?,
        &InstalledList::of(&list),
        Some(&lock),
        &Update::All,
    )?;
    print_changes(&lab_resolve::changes(Some(&lock), &now));
    let safe = print_vulnerabilities(machine)?;
    print_support(machine)?;
    match safe {
        true => Ok(()),
        false => Err(Failure::Said),
    }
}

fn print_changes(changes: &[Change]) {
    if changes.is_empty() {
        anstream::println!("{GOOD}nothing is newer than what is locked{GOOD:#}");
        return;
    }
    anstream::println!(
        "{STRONG}newer than what is locked{STRONG:#}  (take it: cargo xtask lock --update)"
    );
    for change in changes {
        anstream::println!("  {change}");
    }
}

/// The rule by which `check` refuses what is listed here with more words.
const UNSAFE: &str = "toolkit-cve";

/// Whether nothing that is known is unsafe.
fn print_vulnerabilities(machine: &Machine) -> Result<bool, Failure> {
    if !machine.toolkit.enabled {
        return Ok(true);
    }
    let catalog = lab::catalog()?;
    let version = machine.toolkit.version;
    let mut safe = true;
    for hole in catalog.toolkit_vulnerabilities_of(version) {
        safe = false;
        anstream::println!(
            "{BAD}unsafe{BAD:#}  container toolkit {version}: {}, mended in {}",
            hole.id,
            hole.fixed_in
        );
    }
    Ok(safe)
}

/// How many days before an end it is spoken of.
const SOON: i32 = 365;

fn print_support(machine: &Machine) -> Done {
    let (catalog, today) = (lab::catalog()?, lab::today());
    let mut ends = Vec::new();
    if machine.driver.enabled
        && let Some(branch) = catalog.driver_branch(machine.driver.branch)
        && let Some(end) = branch.end_of_support
    {
        ends.push((
            format!("NVIDIA's driver branch {}", machine.driver.branch),
            end,
        ));
    }
    for release in catalog.ubuntu_releases() {
        if release.image(machine.ubuntu.release.as_str()).is_some() {
            ends.push((
                format!("Ubuntu {}", release.version),
                release.end_of_standard_support,
            ));
        }
    }
    for (what, end) in ends {
        let left = today.days_until(end);
        match left {
            ..0 => anstream::println!("{BAD}ended{BAD:#}   {what}: support ended on {end}"),
            0..SOON => anstream::println!(
                "{ASIDE}ends{ASIDE:#}    {what}: support ends on {end}, in {left} days"
            ),
            _ => anstream::println!("{GOOD}supported{GOOD:#} {what}: until {end}"),
        }
    }
    Ok(())
}
