//! `fetch`: gets the base image into the cache.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use clap::Args;
use lab_lock::Lock;
use lab_machine::Machine;
use lab_resolve::Object;
use lab_supply::oci::Puller;
use lab_supply::store::{self, FetchAll, FetchFailed, ItemFailed, ItemProgress, ItemState, Wanted};
use lab_supply::{
    Authority, BaseImage, Digest, FetchOptions, Fetched, Limits, Origin, Phase, SignatureState,
    SigningKey, fetch_base,
};

use crate::failure::Failure;
use crate::outside::{self, Outside};
use crate::ui::{self, Meter};
use crate::{Done, MachineArg, lab, locked};

/// Gets the base image, and everything that is locked, into the cache.
///
/// The download goes on where an interrupted one stopped. It counts only when
/// its sha256 is the catalog's and the list that names it is signed by Ubuntu's
/// key. An image that you already have may be copied into the cache's folder
/// under its own name: it is verified like a download.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// Leave the base image out: get what machine.lock names only.
    #[arg(long)]
    without_base: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

/// How to get it.
#[derive(Debug, Clone, Args)]
pub(crate) struct How {
    /// A mirror's folder to take the image from, instead of Ubuntu's own.
    #[arg(long, value_name = "URL", env = "LAB_UBUNTU_MIRROR")]
    mirror: Option<String>,
    /// Touch no network: what is not in the cache is an error.
    #[arg(long)]
    pub(crate) frozen: bool,
    /// How many downloads run at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    jobs: u16,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    if !arguments.without_base {
        tell(&get(machine, &arguments.how)?);
    }
    match locked::fitting(&described, machine)? {
        Some(lock) => objects(&lock, &arguments.how),
        None => {
            ui::step("nothing is locked yet: `cargo xtask lock` says what else there is to fetch");
            Ok(())
        }
    }
}

/// Gets everything that a lock names besides the base image.
pub(crate) fn objects(lock: &Lock, how: &How) -> Done {
    let store = lab::store()?;
    let mirrors = Outside::configured()?.mirrors().clone();
    let wanted = wanted(lock);
    let missing = store::missing(&store, &wanted);
    if missing.count == 0 {
        anstream::println!("in the cache: all {} objects that are locked", wanted.len());
        return Ok(());
    }
    ui::step(&format!(
        "{} of {} objects are to be fetched, {}",
        missing.count,
        wanted.len(),
        ui::bytes(missing.bytes)
    ));
    let options = FetchAll {
        frozen: how.frozen,
        jobs: usize::from(how.jobs),
        mirrors,
        credentials: outside::credentials(),
        ..FetchAll::default()
    };
    let meter = Mutex::new(Meter::new());
    let progress = |report: ItemProgress<'_>| {
        if let Ok(mut meter) = meter.lock() {
            note(&mut meter, &report);
        }
    };
    let fetched = store::fetch_all(&store, &wanted, &options, &progress);
    drop(meter);
    let fetched = fetched.map_err(|why| failed(&why, lock))?;
    anstream::println!(
        "fetched {} objects, {} over the network",
        fetched.downloaded,
        ui::bytes(fetched.received)
    );
    Ok(())
}

/// What no place has any more is no matter of trying again: it is locked, and only another
/// lock helps, or a place that kept it.
fn failed(why: &FetchFailed, lock: &Lock) -> Failure {
    let gone: Vec<String> = why.gone().map(|one| no_longer(one, lock)).collect();
    let text = match gone.is_empty() {
        true => why.to_string(),
        false => format!("{why}\n{}\n{KEPT}", gone.join("\n")),
    };
    match why.input_at_fault() {
        true if gone.is_empty() => Failure::Input(anyhow::anyhow!(
            "{text}\n  what is not what was locked: `cargo xtask lock --update` looks up what there is now"
        )),
        true => Failure::Input(anyhow::anyhow!("{text}")),
        false => Failure::Environment(anyhow::anyhow!("{text}")),
    }
}

/// Where else a file may be that the vendor took away.
const KEPT: &str = "  Or name a place that kept the file: a mirror in mirrors.toml; or copy it out of a cache \
                    that has it (`objects/sha256/` below the cache's folder), where it counts by its digest";

/// What to do about a file that is locked and that its vendor no longer has.
fn no_longer(one: &ItemFailed, lock: &Lock) -> String {
    let name: String = one.name.chars().filter(|c| !c.is_control()).collect();
    let update = match name_of(lock, one.sha256) {
        Some(name) => format!("lock --update {name}"),
        None => "lock --update".to_owned(),
    };
    format!(
        "  {name}: the vendor no longer has the file that is locked; `cargo xtask {update}` locks what there is now"
    )
}

/// What `lock --update` calls the thing that a file belongs to; keys have no name there.
fn name_of(lock: &Lock, digest: Digest) -> Option<&str> {
    let is = |sha256: &lab_lock::Sha256| sha256.0 == digest.0;
    let package = || {
        lock.packages
            .iter()
            .find(|one| is(&one.sha256))
            .map(|one| &one.name)
    };
    let file = || {
        lock.files
            .iter()
            .find(|one| is(&one.sha256))
            .map(|one| &one.name)
    };
    let in_model =
        |one: &&lab_lock::Model| is(&one.manifest) || one.blobs.iter().any(|blob| is(&blob.sha256));
    let model = || lock.models.iter().find(in_model).map(|one| &one.name);
    let in_image = |one: &&lab_lock::Image| {
        let parts = [&one.manifest, &one.config].into_iter().chain(&one.layers);
        parts.into_iter().any(|blob| is(&blob.sha256))
    };
    let image = || lock.images.iter().find(in_image).map(|one| &one.reference);
    let name = package().or_else(file).or_else(model).or_else(image);
    name.map(String::as_str)
}

/// Says what came, and how far all of it is.
fn note(meter: &mut Meter, report: &ItemProgress<'_>) {
    let all = report.all;
    if report.state == ItemState::Stored {
        meter.finish();
        ui::aside(&format!(
            "{:>4} of {}  {}",
            all.ended, all.count, report.name
        ));
    }
    meter.update("downloading", all.bytes, Some(all.total));
}

/// What a lock names, as the store is asked for it. A registry's blobs share one way in.
fn wanted(lock: &Lock) -> Vec<Wanted> {
    let mut ways: BTreeMap<String, Arc<dyn Authority>> = BTreeMap::new();
    let mut one = |object: Object| {
        let authority = object.registry.map(|base| {
            let way = ways.entry(base.clone()).or_insert_with(|| {
                Arc::new(Puller::new(
                    &base,
                    Limits::default(),
                    outside::credentials(),
                ))
            });
            Arc::clone(way)
        });
        Wanted {
            name: object.name,
            sha256: object.sha256,
            size: Some(object.size),
            urls: object.urls,
            authority,
        }
    };
    lab_resolve::objects(lock)
        .into_iter()
        .map(&mut one)
        .collect()
}

fn tell(fetched: &Fetched) {
    match &fetched.origin {
        Origin::Cache => anstream::println!("in the cache: {}", fetched.path.display()),
        Origin::Downloaded { url, bytes } => {
            anstream::println!(
                "fetched {} from {url}: {}",
                ui::bytes(*bytes),
                fetched.path.display()
            );
        }
    }
    anstream::println!("size      {} bytes", fetched.size);
    anstream::println!("sha256    {}", fetched.sha256);
    match &fetched.signature {
        SignatureState::Verified(by) => anstream::println!("signature good, by {}", by.fingerprint),
        SignatureState::NotChecked(why) => anstream::println!("signature not checked: {why}"),
    }
}

/// The machine's base image, from the cache or the network.
pub(crate) fn get(machine: &Machine, how: &How) -> Result<Fetched, Failure> {
    let image = base_image(machine)?;
    let options = FetchOptions {
        mirror: how.mirror.clone(),
        frozen: how.frozen,
        ..FetchOptions::default()
    };
    let mut meter = Meter::new();
    let mut progress = |report: lab_supply::Progress| {
        let (label, total) = match report.phase {
            Phase::Downloading => ("downloading", report.total),
            Phase::Hashing => ("hashing", report.total),
            Phase::Storing => ("storing", report.total),
            // Counted in seconds, which say nothing as bytes.
            Phase::Waiting => ("waiting for another run", None),
            Phase::Retrying => ("retrying", None),
        };
        meter.update(label, report.done, total);
    };
    Ok(fetch_base(&lab::cache()?, &image, &options, &mut progress)?)
}

fn base_image(machine: &Machine) -> Result<BaseImage, Failure> {
    let catalog = lab::catalog()?;
    let release = machine.ubuntu.release.as_str();
    let unknown = || Failure::input(format!("the catalog has no image of Ubuntu {release}"));
    let image = catalog.ubuntu_image(release).ok_or_else(unknown)?;
    let series = catalog
        .ubuntu_releases()
        .iter()
        .find(|one| one.image(release).is_some())
        .ok_or_else(unknown)?;
    let key = catalog.public_key(series.signing_key).ok_or_else(|| {
        Failure::Environment(anyhow::anyhow!(
            "the catalog has no key {}",
            series.signing_key
        ))
    })?;
    Ok(BaseImage {
        release: release.to_owned(),
        file_name: image.file_name.clone(),
        urls: vec![image.url.clone(), image.superseded_url.clone()],
        sha256: Some(Digest(*image.sha256.as_bytes())),
        signing_key: SigningKey {
            fingerprint: *key.fingerprint.as_bytes(),
            packet: key.bytes.clone(),
        },
    })
}
