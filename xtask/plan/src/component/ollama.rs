//! Ollama and its models.

use anyhow::{Context as _, Result};
use lab_catalog::Catalog;
use lab_lock::{Sha256, Wanted, WantedFile, WantedModel};
use lab_machine::Machine;
use lab_machine::types::ModelName;
use tera::Context;

use super::Subject;
use crate::TargetTree;
use crate::placed::{PlacedFile, PlacedModel};
use crate::template::{render, verbatim};
use crate::unit::{Unit, Variable};
use crate::wanted::digest;

/// Where it keeps its models, as [`ENVIRONMENT`] tells it.
const STORE: &str = "/var/lib/ollama/models";
/// The lock's name of its archive.
const ARCHIVE: &str = "ollama";
const MODELS: &str = "etc/lab/ollama/models";
const ENVIRONMENT: &str = "etc/lab/ollama/environment";
const SERVICE: &str = "etc/systemd/system/ollama.service";

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let ollama = &subject.machine.ollama;
    if !ollama.enabled {
        return Ok(None);
    }
    let version = ollama.version;
    let archive = archive(subject.machine, subject.catalog)?;
    tree.file(MODELS, 0o644, models(subject)?)?;
    tree.file(ENVIRONMENT, 0o644, environment(subject)?)?;
    tree.file(SERVICE, 0o644, verbatim(SERVICE)?)?;
    let needs = match subject.machine.driver.enabled {
        true => "driver",
        false => "base",
    };
    Ok(Some(Unit {
        name: "ollama",
        title: format!("Ollama {version}"),
        needs: vec![needs],
        follows: Vec::new(),
        minutes: 120,
        variables: vec![
            ("version", Variable::text(&version)),
            ("archive_url", Variable::text(&archive.url)),
            ("archive_sha256", Variable::text(&archive.sha256)),
            ("address", Variable::text(&local_address(ollama.listen))),
            ("gpus", Variable::list(&ollama.gpus)),
        ],
        inputs: [MODELS, ENVIRONMENT, SERVICE].map(str::to_owned).to_vec(),
        packages: Vec::new(),
        held: false,
    }))
}

/// The program's archive.
fn archive(machine: &Machine, catalog: &Catalog) -> Result<WantedFile> {
    let version = machine.ollama.version;
    let release = catalog.ollama_release(version);
    let release = release.with_context(|| {
        format!("the catalog has no checksum of Ollama {version}: choose a version that it has")
    })?;
    let url = catalog.ollama_url(version);
    let url = url.with_context(|| format!("Ollama {version} has no archive"))?;
    Ok(WantedFile {
        name: ARCHIVE.to_owned(),
        version: Some(version.to_string()),
        url,
        sha256: digest(release.sha256),
        unit: "ollama".to_owned(),
    })
}

pub(crate) fn wants(machine: &Machine, catalog: &Catalog, wanted: &mut Wanted) -> Result<()> {
    if machine.ollama.enabled {
        wanted.files.push(archive(machine, catalog)?);
        for name in &machine.ollama.models {
            wanted.models.push(model(name, catalog)?);
        }
    }
    Ok(())
}

/// A model, by its name as Ollama lists it and by its place in the registry.
fn model(name: &ModelName, catalog: &Catalog) -> Result<WantedModel> {
    let (family, tag) = name
        .as_str()
        .split_once(':')
        .unwrap_or((name.as_str(), "latest"));
    let known = catalog.model(name.as_str());
    let url = catalog.model_manifest_url(name.as_str());
    let url = url.as_deref();
    let base = url.and_then(|url| url.rsplit_once("/manifests/"));
    let (base, _) = base.with_context(|| format!("{name} is no name of a model"))?;
    Ok(WantedModel {
        name: format!("{family}:{tag}"),
        url: base.to_owned(),
        tag: tag.to_owned(),
        manifest: known.and_then(|model| model.manifest).map(digest),
        units: vec!["ollama".to_owned()],
    })
}

/// The record of the archive that was unpacked, as the unit writes it: its digest, in a line.
/// The archive itself does not stay.
pub(crate) fn placed_archive(file: &lab_lock::File) -> Option<PlacedFile> {
    let version = file.version.as_deref().filter(|_| file.name == ARCHIVE)?;
    let record = format!("{}\n", file.sha256);
    Some(PlacedFile {
        name: file.name.clone(),
        path: format!("/opt/ollama/{version}/archive.sha256"),
        sha256: Sha256::of(record.as_bytes()),
        size: record.len() as u64,
    })
}

/// Where a model of a lock lies on a machine: Ollama's manifest, and the blobs by digest.
pub(crate) fn placed_model(model: &lab_lock::Model) -> PlacedModel {
    let file = |path: String, sha256: Sha256, size: u64| PlacedFile {
        name: model.name.clone(),
        path: format!("{STORE}/{path}"),
        sha256,
        size,
    };
    let place = model.url.split_once("://");
    let place = place.map_or(model.url.as_str(), |(_, rest)| rest);
    let place = place.replacen("/v2/", "/", 1);
    let tag = model.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    let manifest = format!("manifests/{place}/{tag}");
    let mut files = vec![file(manifest, model.manifest, model.manifest_size)];
    let mut blobs: Vec<_> = model.blobs.iter().collect();
    blobs.sort_by_key(|blob| blob.sha256);
    blobs.dedup_by_key(|blob| blob.sha256);
    files.extend(blobs.into_iter().map(|blob| {
        file(
            format!("blobs/sha256-{}", blob.sha256),
            blob.sha256,
            blob.size,
        )
    }));
    PlacedModel {
        name: model.name.clone(),
        manifest: model.manifest,
        files,
    }
}

/// Where it is asked from the machine itself.
fn local_address(listen: std::net::SocketAddr) -> std::net::SocketAddr {
    match listen.ip() {
        ip if !ip.is_unspecified() => listen,
        std::net::IpAddr::V4(_) => ([127, 0, 0, 1], listen.port()).into(),
        std::net::IpAddr::V6(_) => (std::net::Ipv6Addr::LOCALHOST, listen.port()).into(),
    }
}

/// A line for each model: its name as Ollama lists it, the registry's URL of its
/// family, its tag, and the digest of its manifest or `-`.
fn models(subject: &Subject<'_>) -> Result<String> {
    let line = |name: &ModelName| {
        let model = model(name, subject.catalog)?;
        let locked = subject.lock.and_then(|lock| lock.model(&model.name));
        let digest = locked.map(|one| one.manifest).or(model.manifest);
        let digest = digest.map_or("-".to_owned(), |digest| digest.to_string());
        Ok(format!(
            "{} {} {} {digest}\n",
            model.name, model.url, model.tag
        ))
    };
    subject.machine.ollama.models.iter().map(line).collect()
}

fn environment(subject: &Subject<'_>) -> Result<String> {
    let ollama = &subject.machine.ollama;
    let mut context = Context::new();
    context.insert("listen", &ollama.listen.to_string());
    context.insert("keep_alive", &ollama.keep_alive_minutes);
    // One model over all of its cards, where it was given more than one.
    context.insert("spread", if ollama.gpus.len() > 1 { "1" } else { "0" });
    render(ENVIRONMENT, &context)
}
