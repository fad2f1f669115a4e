//! `sbom`: what is in a machine.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use lab_lock::{Lock, Sha256};
use lab_sbom::{Inventory, Licence, Moment};
use lab_supply::Digest;
use lab_supply::store::Store;

use crate::failure::Failure;
use crate::lab::Described;
use crate::{Done, MachineArg, lab, locked};

/// Lists everything that reaches the machine: version, licence, digest, origin.
///
/// Licences of packages are read from the packages themselves, as far as they are
/// in the cache (`cargo xtask fetch`); what a package does not say in a form that
/// can be read is left open, never guessed.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The form of the list.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// CycloneDX 1.6, JSON.
    Cyclonedx,
    /// SPDX 2.3, JSON.
    Spdx,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let lock = locked::must(&described)?;
    locked::refuse_stale(&described, &locked::wanted(machine)?, &lock)?;
    let inventory = inventory(&described, &lock)?;
    // The same lock gives the same list: its time is that of the state that it was locked in.
    let moment = lock.snapshot.as_deref().and_then(Moment::of_snapshot);
    let text = match arguments.format {
        Form::Text => lab_sbom::text(&inventory),
        Form::Cyclonedx => {
            lab_sbom::cyclonedx(&inventory, moment.as_ref()).context("writing CycloneDX")?
        }
        Form::Spdx => {
            let made = moment.unwrap_or_else(|| Moment::from_unix(0));
            lab_sbom::spdx(&inventory, &made).context("writing SPDX")?
        }
    };
    anstream::print!("{text}");
    Ok(())
}

/// Everything that a lock names, with the licences that are known here.
pub(crate) fn inventory(described: &Described, lock: &Lock) -> Result<Inventory, Failure> {
    of(described, lock, &licences(&lab::store()?, lock))
}

/// Everything that a lock names, and of licences what the lock itself says.
pub(crate) fn without_licences(described: &Described, lock: &Lock) -> Result<Inventory, Failure> {
    of(described, lock, &BTreeMap::new())
}

fn of(
    described: &Described,
    lock: &Lock,
    licences: &BTreeMap<Sha256, Licence>,
) -> Result<Inventory, Failure> {
    let machine = described.machine()?;
    let wanted = locked::wanted(machine)?;
    let list = Inventory::of(machine.identity.name.as_str(), &wanted, lock, licences);
    Ok(list.context("listing what is locked")?)
}

/// The licences of what is in the cache. A package that cannot be read there has none that is
/// known: `cache verify` is what finds such a one.
fn licences(store: &Store, lock: &Lock) -> BTreeMap<Sha256, Licence> {
    let mut found = BTreeMap::new();
    for package in &lock.packages {
        let digest = Digest(package.sha256.0);
        if !store.contains(digest, Some(package.size)).unwrap_or(false) {
            continue;
        }
        let text = lab_payload::copyright(&store.place(digest), &package.name);
        if let Ok(Some(text)) = text
            && let Some(licence) = lab_sbom::licence_of_copyright(&text)
        {
            found.insert(package.sha256, licence);
        }
    }
    for blob in lock.models.iter().flat_map(|model| &model.blobs) {
        if blob.media_type == "application/vnd.ollama.image.license"
            && let Some(text) = short_text(store, Digest(blob.sha256.0))
            && let Some(licence) = lab_sbom::licence_of_model(&text)
        {
            found.insert(blob.sha256, licence);
        }
    }
    found
}

fn short_text(store: &Store, digest: Digest) -> Option<String> {
    let mut text = String::new();
    let file = std::fs::File::open(store.place(digest)).ok()?;
    file.take(1 << 20).read_to_string(&mut text).ok()?;
    Some(text)
}
