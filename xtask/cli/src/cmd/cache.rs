//! `cache`: what is kept of downloads, verified or thrown away.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use lab_supply::store::{self, Prune as PruneHow, Store};
use lab_supply::{Digest, Phase, Progress};

use crate::failure::Failure;
use crate::ui::{self, BAD, GOOD, Meter};
use crate::{Done, MachineArg, lab, locked};

/// Looks after the cache of downloads.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Reads everything again, and puts aside what is not what it was.
    Verify,
    /// Removes what no machine.lock of this checkout names.
    Prune(Prune),
}

#[derive(Debug, Args)]
struct Prune {
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let store = lab::store()?;
    match &arguments.what {
        What::Verify => verify(&store),
        What::Prune(prune) => self::prune(&store, prune.dry_run),
    }
}

fn verify(store: &Store) -> Done {
    let meter = Mutex::new((Meter::new(), 0));
    let progress = |_: Digest, report: Progress| {
        let whole = report.total.filter(|total| *total == report.done);
        if let (Phase::Hashing, Some(bytes), Ok(mut meter)) = (report.phase, whole, meter.lock()) {
            meter.1 += bytes;
            let done = meter.1;
            meter.0.update("verifying", done, None);
        }
    };
    let found = store::verify(store, &progress)?;
    drop(meter);
    for bad in &found.bad {
        anstream::println!("{BAD}bad{BAD:#}  {}: {}", bad.path.display(), bad.why);
    }
    anstream::println!(
        "{GOOD}{}{GOOD:#} good ({}), {} bad: {}",
        found.good,
        ui::bytes(found.bytes),
        found.bad.len(),
        lab::cache()?.dir().display()
    );
    match found.bad.is_empty() {
        true => Ok(()),
        false => Err(Failure::input(
            "what was bad lies in objects/bad now; `cargo xtask fetch` gets it again",
        )),
    }
}

fn prune(store: &Store, dry_run: bool) -> Done {
    let keep = locked_everywhere()?;
    let how = PruneHow {
        keep: &keep,
        older_than: ABANDONED,
        now: SystemTime::now(),
        dry_run,
        wait: Duration::from_secs(60),
    };
    let pruned = store::prune(store, &how)?;
    let verb = if dry_run { "would go" } else { "removed" };
    anstream::println!(
        "{verb}: {} objects, {}",
        pruned.count,
        ui::bytes(pruned.bytes)
    );
    Ok(())
}

/// What came in so far of a download that nobody went on with for so long is thrown away.
const ABANDONED: Duration = Duration::from_secs(14 * 86_400);

/// What the locks of all machines of this checkout name. One that cannot be read stops it:
/// what it names would be lost.
fn locked_everywhere() -> Result<BTreeSet<Digest>, Failure> {
    let mut keep = BTreeSet::new();
    for name in lab::machine_names()? {
        let described = lab::describe(&MachineArg {
            machine: Some(name),
        })?;
        if let Some(lock) = locked::read(&described)? {
            keep.extend(lab_resolve::objects(&lock).iter().map(|one| one.sha256));
        }
    }
    Ok(keep)
}
