//! Manifests and indexes (image specification, "manifest.md", "image-index.md",
//! "descriptor.md"; Docker's "Image Manifest Version 2, Schema 2").
//!
//! A document is what its digest is of, and its kind is what it says itself. Where
//! the server's `Content-Type` says otherwise, or the document could be read as both
//! kinds, it is refused (CVE-2021-41190).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::Digest;
use crate::refusal::Refusal;

use super::{MOST_LAYERS, PLATFORM, reference};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What is asked for, in order of preference.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

const CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];
const LAYERS: [&str; 4] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
];

/// What names a document or blob: its type, digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    reference::sha256(&text).map_err(|why| serde::de::Error::custom(format!("{text:.100}: {why}")))
}

/// A fetched document whose digest was checked.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
    /// What the server says that it is, without parameters.
    pub(super) content_type: String,
}

impl Document {
    pub(super) fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.content_type.clone(),
            digest: self.digest,
            size: self.bytes.len() as u64,
        }
    }
}

/// What a document is.
#[derive(Debug)]
pub(super) enum Kind {
    Manifest(Manifest),
    Index(Index),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Index {
    manifests: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(flatten)]
    descriptor: Descriptor,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    variant: Option<String>,
}

/// What tells the kinds apart.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Kind {
    pub(super) fn of(document: &Document) -> Result<Self, Refusal> {
        let outline: Outline = parse(&document.bytes)?;
        let said = document.content_type.as_str();
        if outline.schema_version == 1
            || outline.fs_layers.is_some()
            || said.contains("manifest.v1+") && said.contains("docker")
        {
            return Err(Refusal::Unsupported(
                "it is a manifest of schema 1, which has no digests of its layers' content that could be \
                 checked, and which Docker no longer pulls: the image has to be pushed anew".to_owned(),
            ));
        }
        if outline.schema_version != 2 {
            return Err(Refusal::Malformed(format!(
                "its schemaVersion is {}, expected 2",
                outline.schema_version
            )));
        }
        if let Some(own) = outline.media_type.as_deref().filter(|own| *own != said) {
            return Err(Refusal::Malformed(format!(
                "it calls itself {own:.100}, and the server calls it {said:.100}"
            )));
        }
        let manifest = outline.config.is_some() || outline.layers.is_some();
        match (said, manifest, outline.manifests.is_some()) {
            (OCI_MANIFEST | DOCKER_MANIFEST, true, false) => {
                Manifest::parse(&document.bytes).map(Self::Manifest)
            }
            (OCI_INDEX | DOCKER_LIST, false, true) => parse(&document.bytes).map(Self::Index),
            (OCI_MANIFEST | DOCKER_MANIFEST | OCI_INDEX | DOCKER_LIST, ..) => {
                Err(Refusal::Malformed(format!(
                    "it is called {said}, and its content is not (or not only) that"
                )))
            }
            _ => Err(Refusal::Unsupported(format!(
                "it is of the type {said:.100}, which is no image"
            ))),
        }
    }
}

impl Manifest {
    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let manifest: Self = parse(bytes)?;
        let config = &manifest.config.media_type;
        if !CONFIGS.contains(&config.as_str()) {
            return Err(Refusal::Unsupported(format!(
                "its configuration is of the type {config:.100}: it is no image that runs"
            )));
        }
        if manifest.layers.len() > MOST_LAYERS {
            return Err(Refusal::Unsupported(format!(
                "it has {} layers, at most {MOST_LAYERS} are taken",
                manifest.layers.len()
            )));
        }
        let odd = manifest
            .layers
            .iter()
            .find(|layer| !LAYERS.contains(&layer.media_type.as_str()));
        match odd {
            Some(layer) => Err(Refusal::Unsupported(format!(
                "it has a layer of the type {:.100}",
                layer.media_type
            ))),
            None => Ok(manifest),
        }
    }
}

impl Index {
    /// The manifest for the platform; of several the first, as containerd chooses.
    pub(super) fn choose(self) -> Result<Descriptor, Refusal> {
        let found = self
            .manifests
            .iter()
            .take(50)
            .map(Entry::shown)
            .collect::<Vec<_>>()
            .join(", ");
        let fits = self.manifests.into_iter().find(Entry::fits);
        let Some(entry) = fits else {
            return Err(Refusal::Platform {
                wanted: PLATFORM.to_owned(),
                found,
            });
        };
        match entry.descriptor.media_type.as_str() {
            OCI_MANIFEST | DOCKER_MANIFEST => Ok(entry.descriptor),
            OCI_INDEX | DOCKER_LIST => Err(Refusal::Unsupported(
                "it is an index of indexes: such are not followed".to_owned(),
            )),
            other => Err(Refusal::Unsupported(format!(
                "it names a {other:.100} for {PLATFORM}"
            ))),
        }
    }
}

impl Entry {
    /// `amd64` has variants since v2 (x86-64-v2): old processors have none of them.
    fn fits(&self) -> bool {
        self.platform.as_ref().is_some_and(|platform| {
            let variant = platform.variant.as_deref().unwrap_or_default();
            format!("{}/{}", platform.os, platform.architecture) == PLATFORM
                && matches!(variant, "" | "v1")
        })
    }

    fn shown(&self) -> String {
        match &self.platform {
            Some(platform) => format!("{:.30}/{:.30}", platform.os, platform.architecture),
            None => "one without a platform".to_owned(),
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| Refusal::Malformed(error.to_string()))
}
