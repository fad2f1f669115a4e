//! `fetch`: gets the base image into the cache.

use clap::Args;
use lab_machine::Machine;
use lab_supply::{
    BaseImage, Digest, FetchOptions, Fetched, Origin, Phase, SignatureState, SigningKey, fetch_base,
};

use crate::failure::Failure;
use crate::ui::{self, Meter};
use crate::{Done, MachineArg, lab};

/// Gets the base image into the cache, and verifies it.
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
    frozen: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let fetched = get(machine, &arguments.how)?;
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
    Ok(())
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
