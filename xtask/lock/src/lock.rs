//! The form of `machine.lock`, version 1: TOML, an entry for each thing, sorted by name, so
//! that two branches that lock different things merge without a conflict.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Sha256;

/// The version of this form.
pub const FORMAT: u32 = 1;

const HEAD: &str = "# Made by `cargo xtask lock`: everything that reaches this machine, by digest.\n\
                    # It belongs into version control. Change machine.toml, not this.\n\n";

/// Everything that reaches a machine, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// [`FORMAT`].
    pub format: u32,
    /// What the packages were resolved for ([`crate::Wanted::packages_digest`]).
    pub resolved_for: Sha256,
    /// The state of Ubuntu's archive that they were resolved in: `YYYYMMDDTHHMMSSZ`; none where
    /// the archive keeps no states.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snapshot: Option<String>,
    /// The image that the machine is installed from.
    pub base: Base,
    /// Where packages come from.
    #[serde(skip_serializing_if = "Vec::is_empty", default, rename = "repository")]
    pub repositories: Vec<Repository>,
    /// The vendors' keys.
    #[serde(skip_serializing_if = "Vec::is_empty", default, rename = "key")]
    pub keys: Vec<Key>,
    /// All packages that are installed over what the base system has.
    #[serde(skip_serializing_if = "Vec::is_empty", default, rename = "package")]
    pub packages: Vec<Package>,
    /// Archives and data sets.
    #[serde(skip_serializing_if = "Vec::is_empty", default, rename = "file")]
    pub files: Vec<File>,
    /// Models.
    #[serde(skip_serializing_if = "Vec::is_empty", default, rename = "model")]
    pub models: Vec<Model>,
    /// Container images.
    #[serde(skip_serializing_if = "Vec::is_empty", default, rename = "image")]
    pub images: Vec<Image>,
}

/// The image that a machine is installed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Its release.
    pub release: String,
    /// Its file's name.
    pub file: String,
    /// Its digest, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<Sha256>,
    /// The digest of the list of packages that the system has from it, which the closure
    /// was resolved against.
    pub packages: Sha256,
}

/// A repository of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// Its name here.
    pub name: String,
    /// Where its files are, as they were found when they were locked.
    pub uri: String,
    /// Where they are when that no longer has them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snapshot_uri: Option<String>,
}

/// A vendor's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The repository that it signs.
    pub name: String,
    /// Its full fingerprint.
    pub fingerprint: String,
    /// Where its file is.
    pub url: String,
    /// The file's length in bytes.
    pub size: u64,
    /// The file's digest.
    pub sha256: Sha256,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version as apt writes it.
    pub version: String,
    /// `amd64` or `all`.
    pub architecture: String,
    /// The repository that it comes from.
    pub repository: String,
    /// Its place below the repository's URI.
    pub path: String,
    /// The .deb's length in bytes.
    pub size: u64,
    /// The .deb's digest.
    pub sha256: Sha256,
    /// The packages of this lock that it depends on.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub needs: Vec<String>,
}

/// An archive or a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What it is.
    pub name: String,
    /// Its version, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// Where it is.
    pub url: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// A part of a model or of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// Its digest.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name as Ollama lists it.
    pub name: String,
    /// The registry's URL of its family.
    pub url: String,
    /// The digest of its manifest, which is what Ollama calls the model's.
    pub manifest: Sha256,
    /// The manifest's length in bytes.
    pub manifest_size: u64,
    /// What the manifest names, in its order.
    pub blobs: Vec<Blob>,
}

/// A container image for amd64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Its reference as it is described.
    pub reference: String,
    /// The registry's URL of its repository.
    pub url: String,
    /// The digest behind the tag: of the index of platforms, or of the manifest where there
    /// is no index.
    pub digest: Sha256,
    /// The manifest for amd64.
    pub manifest: Blob,
    /// The image's configuration: its digest is what Docker calls the image's id.
    pub config: Blob,
    /// The layers, the lowest first.
    pub layers: Vec<Blob>,
    /// What the image says of itself (`org.opencontainers.image.*`), where it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// Its licence, where it says one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub licence: Option<String>,
}

/// A text that is no lock.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LockError {
    /// It is no TOML of this form.
    #[error("{0}")]
    Form(String),
    /// Another version of this program wrote it.
    #[error(
        "its format is {found}, this program knows {FORMAT}: lock again (`cargo xtask lock --update`), or use the program that wrote it"
    )]
    Format {
        /// The version that it says.
        found: i64,
    },
    /// Its parts contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    ///
    /// See [`LockError`]; the message names the line or the entry.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        if text.lines().any(|line| line.starts_with("<<<<<<<")) {
            return Err(LockError::Form(
                "it holds the marks of a merge that was not finished: take either side, then `cargo xtask lock`".to_owned(),
            ));
        }
        let table: toml::Table = text.parse().map_err(|error| form(&error))?;
        if let Some(found) = table.get("format").and_then(toml::Value::as_integer)
            && found != i64::from(FORMAT)
        {
            return Err(LockError::Format { found });
        }
        let lock: Self = toml::from_str(text).map_err(|error| form(&error))?;
        lock.sound().map_err(LockError::Contradiction)?;
        Ok(lock)
    }

    /// The text of this lock, sorted.
    ///
    /// # Errors
    ///
    /// Where a value cannot be written as TOML: a size of more than 2^63.
    pub fn to_text(&self) -> Result<String, LockError> {
        let mut sorted = self.clone();
        sorted.sort();
        let body = toml::to_string(&sorted).map_err(|error| LockError::Form(error.to_string()))?;
        Ok(format!("{HEAD}{body}"))
    }

    /// The digest of the text: what an offline payload and a machine name the lock by.
    ///
    /// # Errors
    ///
    /// As [`to_text`](Self::to_text).
    pub fn digest(&self) -> Result<Sha256, LockError> {
        Ok(Sha256::of(self.to_text()?.as_bytes()))
    }

    /// Puts everything in its order.
    pub fn sort(&mut self) {
        self.repositories.sort_by(|a, b| a.name.cmp(&b.name));
        self.keys.sort_by(|a, b| a.name.cmp(&b.name));
        self.packages.sort_by(|a, b| a.name.cmp(&b.name));
        for package in &mut self.packages {
            package.needs.sort();
            package.needs.dedup();
        }
        self.files.sort_by(|a, b| a.name.cmp(&b.name));
        self.models.sort_by(|a, b| a.name.cmp(&b.name));
        self.images.sort_by(|a, b| a.reference.cmp(&b.reference));
    }

    /// The package of that name.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|one| one.name == name)
    }

    /// The repository of that name.
    #[must_use]
    pub fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.iter().find(|one| one.name == name)
    }

    /// The archive or data set of that name.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|one| one.name == name)
    }

    /// The model of that name.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|one| one.name == name)
    }

    /// The image of that reference.
    #[must_use]
    pub fn image(&self, reference: &str) -> Option<&Image> {
        self.images.iter().find(|one| one.reference == reference)
    }

    fn sound(&self) -> Result<(), String> {
        unique("repository", self.repositories.iter().map(|one| &one.name))?;
        unique("key", self.keys.iter().map(|one| &one.name))?;
        unique("package", self.packages.iter().map(|one| &one.name))?;
        unique("file", self.files.iter().map(|one| &one.name))?;
        unique("model", self.models.iter().map(|one| &one.name))?;
        unique("image", self.images.iter().map(|one| &one.reference))?;
        self.packages
            .iter()
            .try_for_each(|one| self.sound_package(one))
    }

    fn sound_package(&self, package: &Package) -> Result<(), String> {
        let name = &package.name;
        if !plain_path(&package.path) {
            return Err(format!(
                "the package {name} has the path {:?}, which is no plain path below a repository",
                package.path
            ));
        }
        if self.repository(&package.repository).is_none() {
            return Err(format!(
                "the package {name} comes from the repository {:?}, which the lock does not have",
                package.repository
            ));
        }
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b'\'')
        };
        if !plain(name) || !plain(&package.version) || !plain(&package.architecture) {
            return Err(format!(
                "the package {name:?} {:?} has a name or a version that no package has",
                package.version
            ));
        }
        match package
            .needs
            .iter()
            .find(|need| self.package(need).is_none())
        {
            Some(need) => Err(format!(
                "the package {name} needs {need}, which the lock does not have"
            )),
            None => Ok(()),
        }
    }
}

fn form(error: &toml::de::Error) -> LockError {
    LockError::Form(error.to_string().trim_end().to_owned())
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("the {what} {name} stands in it twice"));
        }
    }
    Ok(())
}

/// A path below a folder that leads nowhere else.
fn plain_path(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains(|c: char| c.is_control() || c == '\\')
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != ".." && part != ".")
}
