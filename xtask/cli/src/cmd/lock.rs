//! `lock`: looks up what reaches the machine, and writes it down by digest.

use std::path::PathBuf;

use clap::Args;
use lab_lock::Lock;

use super::fetch;
use crate::locked::{self, Installed};
use crate::ui::{self, GOOD, STRONG};
use crate::{Done, MachineArg, lab};

/// Locks everything that reaches the machine, by digest.
///
/// Writes machine.lock beside machine.toml: every package of the closure, archive,
/// model, image and key. What is locked already stays as it is; only what is
/// missing is looked up. The closure is resolved against what the base image
/// installs, so the base image must be at hand (it is fetched).
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// Look up again what these names have (packages, models, images, files); all without a name.
    #[arg(long, value_name = "NAME", num_args = 0..)]
    update: Option<Vec<String>>,
    /// Change nothing; fail where the lock does not fit the description.
    #[arg(long, conflicts_with = "update")]
    check: bool,
    /// What the machine has before the lab comes: its /var/lib/dpkg/status, or a manifest.
    /// Without it: the list in the base image.
    #[arg(long, value_name = "FILE")]
    installed: Option<PathBuf>,
    /// The base image. Without it: Ubuntu's, from the cache or the network.
    #[arg(long, value_name = "FILE", conflicts_with = "installed")]
    base: Option<PathBuf>,
    #[command(flatten)]
    how: fetch::How,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let path = locked::path(&described);
    if arguments.check {
        let lock = locked::must(&described)?;
        locked::refuse_stale(&described, &locked::wanted(machine)?, &lock)?;
        anstream::println!(
            "{GOOD}{}{GOOD:#} fits {}",
            path.display(),
            described.path.display()
        );
        return Ok(());
    }
    let names = arguments.update.as_deref();
    let fits = names.is_none()
        && locked::read(&described)?.is_some_and(|lock| {
            locked::wanted(machine).is_ok_and(|wanted| lab_lock::missing(&wanted, &lock).is_empty())
        });
    if fits {
        anstream::println!(
            "{GOOD}{}{GOOD:#}: everything is locked already",
            path.display()
        );
        return Ok(());
    }
    let installed = match (&arguments.installed, &arguments.base) {
        (Some(file), _) => Installed::File(file.clone()),
        (None, Some(base)) => Installed::Base(base.clone()),
        (None, None) => Installed::Base(fetch::get(machine, &arguments.how)?.path),
    };
    let made = locked::make(&described, machine, &installed, names)?;
    for change in &made.changes {
        anstream::println!("  {change}");
    }
    anstream::println!("{GOOD}{}{GOOD:#}", path.display());
    print_totals(&made.lock);
    Ok(())
}

/// How much of what a lock names.
pub(crate) fn print_totals(lock: &Lock) {
    for (what, count, size) in totals(lock) {
        anstream::println!("  {count:>5} {what:<9} {:>9}", ui::bytes(size));
    }
    let all: u64 = lab_resolve::objects(lock).iter().map(|one| one.size).sum();
    anstream::println!("  {STRONG}in all          {:>9}{STRONG:#}", ui::bytes(all));
}

fn totals(lock: &Lock) -> Vec<(&'static str, usize, u64)> {
    let packages = lock.packages.iter().map(|one| one.size).sum();
    let files = lock.files.iter().map(|one| one.size).sum();
    let blobs = |all: &[lab_lock::Blob]| all.iter().map(|one| one.size).sum::<u64>();
    let models = lock
        .models
        .iter()
        .map(|one| one.manifest_size + blobs(&one.blobs))
        .sum();
    let images = lock
        .images
        .iter()
        .map(|one| one.manifest.size + one.config.size + blobs(&one.layers))
        .sum();
    vec![
        ("packages", lock.packages.len(), packages),
        ("files", lock.files.len(), files),
        ("models", lock.models.len(), models),
        ("images", lock.images.len(), images),
    ]
}
