//! The one list that every form is written from.

use std::collections::{BTreeMap, BTreeSet};

use lab_lock::{Blob, Lock, LockError, Package, Repository, Sha256, Wanted};
use serde::{Deserialize, Serialize};

use crate::address::{self, Purl};
use crate::licence::Licence;

/// Everything that a description and its lock put on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// The machine's name.
    pub machine: String,
    /// The digest of the lock that it was made from ([`Lock::digest`]).
    pub lock: Sha256,
    /// The components, by kind, then by name.
    pub components: Vec<Component>,
}

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The image that the machine is installed from.
    Base,
    /// A vendor's key.
    Key,
    /// A package.
    Package,
    /// An archive or a data set.
    File,
    /// A model.
    Model,
    /// A container image.
    Image,
}

impl Kind {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [
        Self::Base,
        Self::Key,
        Self::Package,
        Self::File,
        Self::Model,
        Self::Image,
    ];

    /// Its name in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Key => "key",
            Self::Package => "package",
            Self::File => "file",
            Self::Model => "model",
            Self::Image => "image",
        }
    }
}

/// A part of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// What it is.
    pub kind: Kind,
    /// Its name: a package's, a model's as Ollama lists it, an image's reference, a file's
    /// name; of a key the repository that it signs.
    pub name: String,
    /// Its version: a key's fingerprint, a base image's release, a model's tag.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// `amd64` or `all`, of a package and an image.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub architecture: Option<String>,
    /// Its licence, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub licence: Option<Licence>,
    /// Who hands it out: the repository's name, or the host; empty where that is not known.
    pub supplier: String,
    /// Its digest: of a model and an image that of the manifest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<Sha256>,
    /// Its length in bytes with all its parts, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
    /// Its package URL.
    pub purl: String,
    /// Where it is, the first place first, and its parts.
    pub sources: Vec<Source>,
    /// The units that it is for, by name.
    pub units: Vec<String>,
    /// Whether it is asked for by name, and not only needed by something.
    pub direct: bool,
    /// The names of the packages that it needs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub needs: Vec<String>,
}

/// Where bytes are, and which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The address.
    pub url: String,
    /// The digest of what is there.
    pub sha256: Sha256,
}

impl Component {
    /// What it is called within a list: `package:libc6`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}:{}", self.kind.name(), self.name)
    }
}

impl Inventory {
    /// Lists what is wanted as it is locked. `licences` are known by the digest of what they
    /// are of: a .deb, a file, the manifest of a model or an image, or one of a model's blobs
    /// (the licence's own is the natural one).
    ///
    /// # Errors
    ///
    /// Where the lock has no digest, see [`Lock::digest`].
    pub fn of(
        machine: &str,
        wanted: &Wanted,
        lock: &Lock,
        licences: &BTreeMap<Sha256, Licence>,
    ) -> Result<Self, LockError> {
        let maker = Maker {
            wanted,
            lock,
            licences,
            units: units_of_packages(wanted, lock),
        };
        let mut components = vec![maker.base()];
        components.extend(maker.keys());
        components.extend(lock.packages.iter().map(|one| maker.package(one)));
        components.extend(maker.files());
        components.extend(lock.models.iter().map(|one| maker.model(one)));
        components.extend(lock.images.iter().map(|one| maker.image(one)));
        components.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Ok(Self {
            machine: machine.to_owned(),
            lock: lock.digest()?,
            components,
        })
    }

    /// The components of a kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(move |one| one.kind == kind)
    }
}

/// The units that each package is for, by the package's name.
fn units_of_packages<'l>(
    wanted: &'l Wanted,
    lock: &'l Lock,
) -> BTreeMap<&'l str, BTreeSet<&'l str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let units: BTreeSet<&str> = wanted
        .packages
        .iter()
        .map(|one| one.unit.as_str())
        .collect();
    for unit in units {
        for package in lock.packages_of(wanted, unit) {
            found.entry(&package.name).or_default().insert(unit);
        }
    }
    found
}

struct Maker<'l> {
    wanted: &'l Wanted,
    lock: &'l Lock,
    licences: &'l BTreeMap<Sha256, Licence>,
    units: BTreeMap<&'l str, BTreeSet<&'l str>>,
}

impl Maker<'_> {
    fn base(&self) -> Component {
        let base = &self.lock.base;
        let purl = generic(&base.file, &base.release, base.sha256.as_ref(), None);
        Component {
            version: Some(base.release.clone()),
            sha256: base.sha256,
            direct: true,
            ..component(Kind::Base, &base.file, purl)
        }
    }

    fn keys(&self) -> impl Iterator<Item = Component> {
        self.lock.keys.iter().map(|key| Component {
            version: Some(key.fingerprint.clone()),
            supplier: address::host(&key.url).to_owned(),
            sha256: Some(key.sha256),
            size: Some(key.size),
            sources: vec![source(key.url.clone(), key.sha256)],
            ..component(
                Kind::Key,
                &key.name,
                generic(
                    &format!("{}-key", key.name),
                    &key.fingerprint,
                    Some(&key.sha256),
                    Some(&key.url),
                ),
            )
        })
    }

    fn package(&self, package: &Package) -> Component {
        let repository = self.lock.repository(&package.repository);
        let places = repository.map(|one| self.places(one)).unwrap_or_default();
        let units = self.units.get(package.name.as_str());
        Component {
            version: Some(package.version.clone()),
            architecture: Some(package.architecture.clone()),
            licence: self.licences.get(&package.sha256).cloned(),
            supplier: package.repository.clone(),
            sha256: Some(package.sha256),
            size: Some(package.size),
            sources: places
                .iter()
                .map(|place| source(address::below(place, &package.path), package.sha256))
                .collect(),
            units: units
                .map(|units| units.iter().map(|one| (*one).to_owned()).collect())
                .unwrap_or_default(),
            direct: self
                .wanted
                .packages
                .iter()
                .any(|one| one.name == package.name),
            needs: package.needs.clone(),
            ..component(Kind::Package, &package.name, self.deb(package, repository))
        }
    }

    /// Where a repository's files are, and where they are when that no longer has them.
    fn places(&self, repository: &Repository) -> Vec<String> {
        let state = self.lock.snapshot.as_deref().unwrap_or_default();
        let snapshot = repository.snapshot_uri.as_deref();
        let snapshot = snapshot.map(|uri| uri.replace("{snapshot}", state));
        let mut places = vec![repository.uri.clone()];
        places.extend(snapshot.filter(|uri| *uri != repository.uri));
        places
    }

    /// A vendor's packages are not Ubuntu's: what is known to be wrong with Ubuntu's package
    /// of that name says nothing of theirs.
    fn deb(&self, package: &Package, repository: Option<&Repository>) -> String {
        let name = &package.repository;
        let own = self
            .wanted
            .repositories
            .iter()
            .any(|one| one.own && one.name == *name);
        let mut release = self.lock.base.release.splitn(3, '.');
        let release = [release.next(), release.next()].map(Option::unwrap_or_default);
        let mut qualifiers = vec![
            ("arch", package.architecture.clone()),
            ("distro", format!("ubuntu-{}", release.join("."))),
        ];
        if let (false, Some(repository)) = (own, repository) {
            qualifiers.push(("repository_url", repository.uri.clone()));
        }
        Purl {
            kind: "deb",
            vendor: Some(if own { "ubuntu" } else { name }),
            name: &package.name,
            version: &package.version,
            qualifiers,
        }
        .text()
    }

    fn files(&self) -> impl Iterator<Item = Component> {
        self.lock.files.iter().map(|file| {
            let wanted = self.wanted.files.iter().filter(|one| one.name == file.name);
            let units: BTreeSet<String> = wanted.map(|one| one.unit.clone()).collect();
            let version = file.version.as_deref().unwrap_or_default();
            let purl = generic(&file.name, version, Some(&file.sha256), Some(&file.url));
            Component {
                version: file.version.clone(),
                licence: self.licences.get(&file.sha256).cloned(),
                supplier: address::host(&file.url).to_owned(),
                sha256: Some(file.sha256),
                size: Some(file.size),
                sources: vec![source(file.url.clone(), file.sha256)],
                direct: !units.is_empty(),
                units: units.into_iter().collect(),
                ..component(Kind::File, &file.name, purl)
            }
        })
    }

    fn model(&self, model: &lab_lock::Model) -> Component {
        let (family, tag) = model
            .name
            .split_once(':')
            .unwrap_or((&model.name, "latest"));
        let asked = self.wanted.models.iter().find(|one| one.name == model.name);
        let tag = asked.map_or(tag, |one| &one.tag);
        let url = address::manifest(&model.url, tag);
        let digests = std::iter::once(model.manifest).chain(model.blobs.iter().map(|b| b.sha256));
        let mut sources = vec![source(url.clone(), model.manifest)];
        sources.extend(blobs(&model.url, &model.blobs));
        Component {
            version: Some(tag.to_owned()),
            licence: self.first_licence(digests),
            supplier: address::host(&model.url).to_owned(),
            sha256: Some(model.manifest),
            size: Some(sum(model.manifest_size, &model.blobs)),
            sources,
            units: sorted(asked.map(|one| &one.units)),
            direct: asked.is_some(),
            ..component(
                Kind::Model,
                &model.name,
                generic(family, tag, Some(&model.manifest), Some(&url)),
            )
        }
    }

    fn image(&self, image: &lab_lock::Image) -> Component {
        let manifest = &image.manifest;
        let digest = format!("sha256:{}", manifest.sha256);
        let url = address::manifest(&image.url, &digest);
        let mut sources = vec![source(url, manifest.sha256)];
        sources.extend(blobs(&image.url, std::slice::from_ref(&image.config)));
        sources.extend(blobs(&image.url, &image.layers));
        let known = self.first_licence([manifest.sha256, image.config.sha256, image.digest]);
        let mut wanted = self.wanted.images.iter();
        let asked = wanted.find(|one| one.reference == image.reference);
        let stated = || image.licence.as_deref().and_then(Licence::stated);
        Component {
            version: image.version.clone(),
            architecture: Some("amd64".to_owned()),
            licence: known.or_else(stated),
            supplier: address::host(&image.url).to_owned(),
            sha256: Some(manifest.sha256),
            size: Some(sum(
                manifest.size.saturating_add(image.config.size),
                &image.layers,
            )),
            sources,
            units: sorted(asked.map(|one| &one.units)),
            direct: asked.is_some(),
            ..component(Kind::Image, &image.reference, oci(&image.url, &digest))
        }
    }

    fn first_licence(&self, digests: impl IntoIterator<Item = Sha256>) -> Option<Licence> {
        let mut known = digests
            .into_iter()
            .filter_map(|one| self.licences.get(&one));
        known.next().cloned()
    }
}

fn component(kind: Kind, name: &str, purl: String) -> Component {
    Component {
        kind,
        name: name.to_owned(),
        version: None,
        architecture: None,
        licence: None,
        supplier: String::new(),
        sha256: None,
        size: None,
        purl,
        sources: Vec::new(),
        units: Vec::new(),
        direct: false,
        needs: Vec::new(),
    }
}

/// Names in their order, each once.
fn sorted(names: Option<&Vec<String>>) -> Vec<String> {
    let names: BTreeSet<&String> = names.into_iter().flatten().collect();
    names.into_iter().cloned().collect()
}

fn source(url: String, sha256: Sha256) -> Source {
    Source { url, sha256 }
}

fn blobs<'b>(repository: &'b str, all: &'b [Blob]) -> impl Iterator<Item = Source> + 'b {
    all.iter()
        .map(move |one| source(address::blob(repository, &one.sha256), one.sha256))
}

/// The length of a manifest and its parts. A part that is named twice is fetched once.
fn sum(first: u64, parts: &[Blob]) -> u64 {
    let parts: BTreeMap<Sha256, u64> = parts.iter().map(|one| (one.sha256, one.size)).collect();
    parts
        .values()
        .fold(first, |sum, size| sum.saturating_add(*size))
}

fn generic(name: &str, version: &str, digest: Option<&Sha256>, url: Option<&str>) -> String {
    Purl {
        kind: "generic",
        vendor: None,
        name,
        version,
        qualifiers: vec![
            (
                "checksum",
                digest
                    .map(|one| format!("sha256:{one}"))
                    .unwrap_or_default(),
            ),
            ("download_url", url.unwrap_or_default().to_owned()),
        ],
    }
    .text()
}

/// The repository's URL is its API's (`https://HOST/v2/NAME`); a purl has `HOST/NAME`.
fn oci(url: &str, digest: &str) -> String {
    let place = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = place.replacen("/v2/", "/", 1).to_lowercase();
    Purl {
        kind: "oci",
        vendor: None,
        name: place.rsplit('/').next().unwrap_or_default(),
        version: digest,
        qualifiers: vec![
            ("arch", "amd64".to_owned()),
            ("repository_url", place.clone()),
        ],
    }
    .text()
}
