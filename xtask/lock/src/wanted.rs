//! What a description asks for, before anything is looked up.

use serde::Serialize;

use crate::Sha256;

/// Everything that a machine needs from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// The image that it is installed from.
    pub base: WantedBase,
    /// The state of Ubuntu's archive that the description names: `YYYYMMDDTHHMMSSZ`.
    pub snapshot: Option<String>,
    /// Where packages come from, by name.
    pub repositories: Vec<WantedRepository>,
    /// The packages that the units name.
    pub packages: Vec<WantedPackage>,
    /// Archives and data sets.
    pub files: Vec<WantedFile>,
    /// Models, as Ollama names them.
    pub models: Vec<WantedModel>,
    /// Container images.
    pub images: Vec<WantedImage>,
}

/// The image that a machine is installed from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WantedBase {
    /// Its release: `24.04.5`.
    pub release: String,
    /// Its file's name.
    pub file: String,
    /// Its digest.
    pub sha256: Option<Sha256>,
}

/// A repository of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedRepository {
    /// Its name here.
    pub name: String,
    /// Where it is.
    pub uri: String,
    /// Where its states of the past are, `{snapshot}` being the state's name; none where
    /// it keeps none.
    pub snapshot_uri: Option<String>,
    /// Its suites; `/` for a flat one.
    pub suites: Vec<String>,
    /// Its components; none for a flat one.
    pub components: Vec<String>,
    /// The full fingerprints of the keys that may sign it.
    pub signed_by: Vec<String>,
    /// Its key's file, where the machine does not have it by itself.
    pub key: Option<WantedKey>,
    /// Whether it is the system's own archive: a vendor's gives only what is named.
    pub own: bool,
}

/// A vendor's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedKey {
    /// Where it is.
    pub url: String,
    /// The full fingerprint of its only primary key.
    pub fingerprint: String,
}

/// A package that a unit installs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct WantedPackage {
    /// Its name.
    pub name: String,
    /// Its version where the description or the catalog says one.
    pub version: Option<String>,
    /// The repository that it must come from; none: wherever apt would take it.
    pub repository: Option<String>,
    /// The unit that installs it.
    pub unit: String,
}

/// An archive or a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedFile {
    /// What it is: `ollama`, `mnist`.
    pub name: String,
    /// Its version, where it has one.
    pub version: Option<String>,
    /// Where it is.
    pub url: String,
    /// Its digest, as the catalog pins it.
    pub sha256: Sha256,
    /// The unit that uses it.
    pub unit: String,
}

/// A model of Ollama's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedModel {
    /// Its name as Ollama lists it: `gemma3:1b`.
    pub name: String,
    /// The registry's URL of its family, such as `https://HOST/v2/library/gemma3`.
    pub url: String,
    /// Its tag.
    pub tag: String,
    /// The digest of its manifest where the catalog pins it.
    pub manifest: Option<Sha256>,
    /// The units that use it.
    pub units: Vec<String>,
}

/// A container image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedImage {
    /// Its reference as Docker takes it.
    pub reference: String,
    /// The digest that it must have, where the catalog pins it.
    pub digest: Option<Sha256>,
    /// The units that run it.
    pub units: Vec<String>,
}

impl Wanted {
    /// What packages are resolved for: another text, another closure.
    #[must_use]
    pub fn packages_digest(&self) -> Sha256 {
        let mut repositories: Vec<String> = self.repositories.iter().map(line).collect();
        repositories.sort();
        let mut packages: Vec<_> = self.packages.iter().collect();
        packages.sort();
        let mut text = format!("base {}\n", line(&self.base));
        text.push_str(&format!("snapshot {:?}\n", self.snapshot));
        for one in repositories {
            text.push_str(&format!("repository {one}\n"));
        }
        for one in packages {
            text.push_str(&format!("package {}\n", line(one)));
        }
        Sha256::of(text.as_bytes())
    }
}

/// A value in one line, the same for equal ones.
fn line<T: std::fmt::Debug>(value: &T) -> String {
    format!("{value:?}")
}
