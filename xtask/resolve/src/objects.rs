//! Where everything that a lock names can be fetched.

use lab_lock::{Lock, Package, Sha256};
use lab_supply::Digest;

/// An object to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is, for people.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where it may be, in order of preference.
    pub urls: Vec<String>,
    /// The registry's URL of the repository that it is a blob of, where it is one: asking needs
    /// a token there.
    pub registry: Option<String>,
}

/// Everything that a lock names besides the base image, each digest once, in the lock's order.
#[must_use]
pub fn objects(lock: &Lock) -> Vec<Object> {
    let mut all: Vec<Object> = Vec::new();
    for key in &lock.keys {
        all.push(plain(
            &format!("the key of {}", key.name),
            key.sha256,
            key.size,
            vec![key.url.clone()],
        ));
    }
    for package in &lock.packages {
        let name = format!("{} {}", package.name, package.version);
        all.push(plain(
            &name,
            package.sha256,
            package.size,
            places(lock, package),
        ));
    }
    for file in &lock.files {
        all.push(plain(
            &file.name,
            file.sha256,
            file.size,
            vec![file.url.clone()],
        ));
    }
    for model in &lock.models {
        let at = |what: &str, one: Sha256| format!("{}/{what}/sha256:{one}", model.url);
        all.push(blob(
            &model.name,
            model.manifest,
            model.manifest_size,
            at("manifests", model.manifest),
            &model.url,
        ));
        for one in &model.blobs {
            all.push(blob(
                &model.name,
                one.sha256,
                one.size,
                at("blobs", one.sha256),
                &model.url,
            ));
        }
    }
    for image in &lock.images {
        let at = |what: &str, one: Sha256| format!("{}/{what}/sha256:{one}", image.url);
        let manifest = &image.manifest;
        all.push(blob(
            &image.reference,
            manifest.sha256,
            manifest.size,
            at("manifests", manifest.sha256),
            &image.url,
        ));
        for one in std::iter::once(&image.config).chain(&image.layers) {
            all.push(blob(
                &image.reference,
                one.sha256,
                one.size,
                at("blobs", one.sha256),
                &image.url,
            ));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|one| seen.insert(one.sha256));
    all
}

/// The vendor's own place first: it is the nearest. A state of the past has what is gone there.
fn places(lock: &Lock, package: &Package) -> Vec<String> {
    let Some(repository) = lock.repository(&package.repository) else {
        return Vec::new();
    };
    let below = |uri: &String| format!("{uri}/{}", package.path);
    std::iter::once(&repository.uri)
        .chain(&repository.snapshot_uri)
        .map(below)
        .collect()
}

fn plain(name: &str, sha256: Sha256, size: u64, urls: Vec<String>) -> Object {
    Object {
        name: name.to_owned(),
        sha256: Digest(sha256.0),
        size,
        urls,
        registry: None,
    }
}

fn blob(name: &str, sha256: Sha256, size: u64, url: String, registry: &str) -> Object {
    Object {
        registry: Some(registry.to_owned()),
        ..plain(name, sha256, size, vec![url])
    }
}
