//! The system's own archive of packages, and the keys that sign it (`data/archives.toml`).

use crate::ubuntu::RawKey;
use crate::{Catalog, Date, Fingerprint, Meta, PublicKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The mark in a snapshot's address that the state's name takes the place of.
const SNAPSHOT: &str = "{snapshot}";

/// The archive of a release of Ubuntu, for amd64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Archive {
    /// Its name here: `ubuntu`.
    pub name: String,
    /// The release that it is of, like `24.04`.
    pub release: String,
    /// Where it is.
    pub uri: String,
    /// Its suites, the release's own first.
    pub suites: Vec<String>,
    /// Its components.
    pub components: Vec<String>,
    /// Where its states of the past are, `{snapshot}` being a state's name such as
    /// `20261101T000000Z`; none where it keeps none.
    pub snapshot_uri: Option<String>,
    /// The fingerprints of the keys that may sign it, the one in use first. Each key's bytes
    /// are in the catalog ([`Catalog::public_key`]).
    pub signed_by: Vec<Fingerprint>,
    /// Where this is from.
    pub source: String,
    /// The day it was looked up.
    pub date: Date,
}

impl Archive {
    /// Where the archive's state of that moment is; none where it keeps no states.
    #[must_use]
    pub fn snapshot(&self, state: &str) -> Option<String> {
        let uri = self.snapshot_uri.as_ref()?;
        Some(uri.replace(SNAPSHOT, state))
    }
}

/// `data/archives.toml`.
#[derive(Debug)]
pub(crate) struct ArchivesFile {
    archives: Vec<Archive>,
    keys: Vec<PublicKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    meta: Meta,
    archive: BTreeMap<String, RawArchive>,
    #[serde(default)]
    key: Vec<RawKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArchive {
    release: String,
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
    snapshot_uri: Option<String>,
    signed_by: Vec<Fingerprint>,
}

impl RawArchive {
    fn resolve(self, name: String, meta: &Meta) -> Archive {
        Archive {
            name,
            release: self.release,
            uri: self.uri,
            suites: self.suites,
            components: self.components,
            snapshot_uri: self.snapshot_uri,
            signed_by: self.signed_by,
            source: meta.source.clone(),
            date: meta.date,
        }
    }
}

impl<'de> Deserialize<'de> for ArchivesFile {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let RawFile { meta, archive, key } = RawFile::deserialize(from)?;
        let keys: Option<Vec<PublicKey>> = key.into_iter().map(RawKey::resolve).collect();
        let keys = keys.ok_or_else(|| serde::de::Error::custom("a key is not Base64"))?;
        let archives = archive.into_iter();
        let archives: Vec<Archive> = archives
            .map(|(name, raw)| raw.resolve(name, &meta))
            .collect();
        for one in &archives {
            sound(one, &keys).map_err(serde::de::Error::custom)?;
        }
        Ok(Self { archives, keys })
    }
}

/// An archive that nobody could ask, or whose answer nobody could check, is none.
fn sound(archive: &Archive, keys: &[PublicKey]) -> Result<(), String> {
    let name = &archive.name;
    if let Some(uri) = &archive.snapshot_uri
        && !uri.contains(SNAPSHOT)
    {
        return Err(format!("{name}: `{uri}` has no {SNAPSHOT} in it"));
    }
    if archive.suites.is_empty() || archive.signed_by.is_empty() {
        return Err(format!("{name} has no suite, or no key that signs it"));
    }
    let known = |one: &Fingerprint| keys.iter().any(|key| key.fingerprint == *one);
    match archive.signed_by.iter().find(|one| !known(one)) {
        Some(lacking) => Err(format!("{name}: the key {lacking} is not in the file")),
        None => Ok(()),
    }
}

impl Catalog {
    /// The archives that are known, by name.
    #[must_use]
    pub fn archives(&self) -> &[Archive] {
        &self.archives_file().archives
    }

    /// The archives of the release with that number, like `24.04`: one, unless somebody's own
    /// `archives.toml` has more.
    pub fn archives_of(&self, release: &str) -> impl Iterator<Item = &Archive> {
        self.archives()
            .iter()
            .filter(move |one| one.release == release)
    }

    /// The archives' keys.
    pub(crate) fn archive_keys(&self) -> &[PublicKey] {
        &self.archives_file().keys
    }
}

#[cfg(test)]
mod tests {
    use crate::Catalog;

    const DATA: &str = include_str!("../data/archives.toml");

    fn refused(text: &str) -> String {
        Catalog::with_files(&[("archives.toml", text)]).unwrap_err()
    }

    #[test]
    fn the_archive_of_the_release_keeps_its_states() {
        let archive = Catalog::builtin().archives_of("24.04").next().unwrap();
        assert_eq!(archive.name, "ubuntu");
        assert_eq!(
            archive.snapshot("20261101T000000Z").unwrap(),
            "https://snapshot.ubuntu.com/ubuntu/20261101T000000Z"
        );
        assert!(Catalog::builtin().archives_of("22.04").next().is_none());
    }

    #[test]
    fn a_mirror_takes_its_place() {
        let mirror = DATA
            .replace(
                "http://archive.ubuntu.com/ubuntu",
                "http://mirror.example/u",
            )
            .replace(
                "snapshot_uri = \"https://snapshot.ubuntu.com/ubuntu/{snapshot}\"\n",
                "",
            );
        let catalog = Catalog::with_files(&[("archives.toml", &mirror)]).unwrap();
        let archive = catalog.archives_of("24.04").next().unwrap();
        assert_eq!(archive.uri, "http://mirror.example/u");
        assert_eq!(archive.snapshot("20261101T000000Z"), None);
    }

    #[test]
    fn what_could_not_be_checked_is_refused() {
        let no_mark = DATA.replace("/{snapshot}", "/");
        assert!(refused(&no_mark).contains("has no {snapshot} in it"));
        let other = DATA.replacen("F6ECB3762474", "F6ECB3762475", 1);
        assert!(refused(&other).contains("is not in the file"));
        let none = DATA.replace(
            "suites = [\"noble\", \"noble-updates\", \"noble-security\"]",
            "suites = []",
        );
        assert!(refused(&none).contains("no suite"));
        let broken = DATA.replacen("mQIN", "mQ=N", 1);
        assert!(refused(&broken).contains("not Base64"));
    }
}
