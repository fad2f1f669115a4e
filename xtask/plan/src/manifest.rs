//! `/lab/manifest.json`: what the lab put on the image.
//!
//! Every file stands in it with its size, mode and sha256, but for a file that
//! holds a passphrase or a password's hash: all of it but those few characters can
//! be worked out from the rest of the image, and a digest of the whole would then
//! let anybody try passphrases at full speed, past the slow hashing of LUKS, WPA
//! and crypt. A private key is no such thing: nobody guesses it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{BaseFacts, ImageFiles, Payload};

/// The version of the manifest's form.
pub const FORMAT: u32 = 1;

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this form.
    pub format: u32,
    /// The machine's name.
    pub machine: String,
    /// The digest of the resolved description.
    pub description: String,
    /// The version of the program that made the image.
    pub tool: String,
    /// The image that was the base.
    pub base: Base,
    /// The files, by path on the image.
    pub files: BTreeMap<String, Entry>,
    /// What the machine needs from outside, where the image carries it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub payload: Option<Carried>,
}

/// What an image carries so that its machine needs no network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// The number of files.
    pub count: u64,
    /// Their length together, in bytes.
    pub bytes: u64,
    /// The files, by path below `/lab/offline/`.
    pub files: BTreeMap<String, CarriedFile>,
}

/// A file of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarriedFile {
    /// Its length in bytes.
    pub size: u64,
    /// Its sha256, in hex.
    pub sha256: String,
}

impl Carried {
    fn of(payload: &Payload) -> Self {
        let files = payload.files.iter().map(|one| {
            let entry = CarriedFile {
                size: one.size,
                sha256: one.sha256.to_string(),
            };
            (one.path.clone(), entry)
        });
        Self {
            count: payload.files.len() as u64,
            bytes: payload.bytes(),
            files: files.collect(),
        }
    }
}

/// The image that was the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Its file's name.
    pub name: String,
    /// Its volume id.
    pub label: String,
    /// Its sha256, in hex, where it was known.
    pub sha256: Option<String>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its permission bits, in octal.
    pub mode: String,
    /// Its length in bytes, absent where the file is secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its sha256 in hex, absent where the file is secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Manifest {
    /// The manifest of these files. The paths in `secret` get no digest.
    pub(crate) fn of(
        files: &ImageFiles,
        machine: &str,
        description: String,
        base: &BaseFacts,
        secret: &[&str],
        payload: Option<&Payload>,
    ) -> Self {
        let entries = files.iter().map(|(path, file)| {
            let hidden = secret.contains(&path);
            let entry = Entry {
                mode: format!("{:04o}", file.mode),
                size: (!hidden).then_some(file.bytes.len() as u64),
                sha256: (!hidden).then(|| sha256_hex(&file.bytes)),
            };
            (path.to_owned(), entry)
        });
        Self {
            format: FORMAT,
            machine: machine.to_owned(),
            description,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            base: Base {
                name: base.base_name.clone(),
                label: base.label.clone(),
                sha256: base.base_sha256_hex.clone(),
            },
            files: entries.collect(),
            payload: payload.map(Carried::of),
        }
    }

    pub(crate) fn to_json(&self) -> Result<String> {
        let mut json = serde_json::to_string_pretty(self).context("writing the manifest")?;
        json.push('\n');
        Ok(json)
    }
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
