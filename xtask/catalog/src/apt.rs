//! The vendors' apt repositories and the packages pinned from them (`data/apt.toml`).

use crate::{Catalog, Date, Fingerprint, Meta, Sha256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A vendor's apt repository for Ubuntu 24.04 on amd64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AptRepository {
    /// Its name here, like `docker`.
    pub name: String,
    /// Where it is.
    pub uri: String,
    /// Its suite; `/` for a flat repository.
    pub suite: String,
    /// Its components; none for a flat repository.
    pub components: Vec<String>,
    /// Where its signing key is.
    pub key_url: String,
    /// The signing key's fingerprint.
    pub key_fingerprint: Fingerprint,
    /// The digest of the key file behind `key_url`.
    pub key_sha256: Sha256,
    /// The packages that were seen in it, newest version first.
    pub packages: Vec<PinnedPackage>,
    /// Where this is from.
    pub source: String,
    /// The day it was looked up.
    pub date: Date,
}

/// A package of which exactly one version is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedPackage {
    /// Its name.
    pub name: String,
    /// Its version as apt writes it, like `5:29.8.2-1~ubuntu.24.04~noble`.
    pub version: String,
    /// The digest of the .deb file, where it is known.
    pub sha256: Option<Sha256>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AptFile {
    meta: Meta,
    repository: BTreeMap<String, RawRepository>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRepository {
    uri: String,
    suite: String,
    components: Vec<String>,
    key_url: String,
    key_fingerprint: Fingerprint,
    key_sha256: Sha256,
    package: Vec<PinnedPackage>,
    source: Option<String>,
    date: Option<Date>,
}

pub(crate) fn resolve(file: AptFile) -> BTreeMap<String, AptRepository> {
    let AptFile { meta, repository } = file;
    let inherit = |(name, raw): (String, RawRepository)| {
        let repository = AptRepository {
            name: name.clone(),
            uri: raw.uri,
            suite: raw.suite,
            components: raw.components,
            key_url: raw.key_url,
            key_fingerprint: raw.key_fingerprint,
            key_sha256: raw.key_sha256,
            packages: raw.package,
            source: raw.source.unwrap_or_else(|| meta.source.clone()),
            date: raw.date.unwrap_or(meta.date),
        };
        (name, repository)
    };
    repository.into_iter().map(inherit).collect()
}

impl AptRepository {
    /// The newest pinned version of a package.
    #[must_use]
    pub fn newest(&self, package: &str) -> Option<&PinnedPackage> {
        self.packages.iter().find(|one| one.name == package)
    }

    /// What is pinned of exactly this version of a package.
    #[must_use]
    pub fn pinned(&self, package: &str, version: &str) -> Option<&PinnedPackage> {
        let mut packages = self.packages.iter();
        packages.find(|one| one.name == package && one.version == version)
    }
}

impl Catalog {
    /// A vendor's repository: `docker` or `nvidia-container-toolkit`.
    #[must_use]
    pub fn apt_repository(&self, name: &str) -> Option<&AptRepository> {
        self.apt().get(name)
    }

    /// All repositories that are known, by name.
    pub fn apt_repositories(&self) -> impl Iterator<Item = &AptRepository> {
        self.apt().values()
    }
}
