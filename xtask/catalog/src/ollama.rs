//! Ollama: its releases, what they ask of the driver, and models with their
//! sizes (`data/ollama.toml`).

use crate::{Catalog, ComputeCapability, Date, DottedVersion, DriverBranch, Meta, Sha256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A release of Ollama for Linux on amd64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OllamaRelease {
    /// Its version.
    pub version: DottedVersion,
    /// The digest of its archive.
    pub sha256: Sha256,
    /// The archive's length in bytes, where it is known.
    pub size: Option<u64>,
}

/// Since some version Ollama refuses older GPUs on older drivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverFloor {
    /// The first version of Ollama that refuses.
    pub since: DottedVersion,
    /// It refuses GPUs below this capability …
    pub below: ComputeCapability,
    /// … on drivers older than this branch.
    pub driver: DriverBranch,
}

/// A model in Ollama's registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Model {
    /// Its name and tag, like `gemma3:1b`.
    pub name: String,
    /// The digest of its manifest, where it is pinned. The manifest ends without a newline.
    pub manifest: Option<Sha256>,
    /// The manifest's length in bytes.
    pub manifest_size: Option<u64>,
    /// The files that the manifest names; empty where the model is not pinned.
    pub blobs: Vec<Blob>,
    /// What it takes on disk, in bytes: exact where it is pinned, else as the registry rounds it.
    pub disk_bytes: u64,
    /// Where this is from.
    pub source: String,
    /// The day it was looked up.
    pub date: Date,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// What it is: `model`, `template`, `license`, `params`, `config`.
    pub role: String,
    /// Its digest, which is also its name.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
}

impl Model {
    /// Graphics memory that the model asks for with a short context, in MiB. An
    /// estimate: the weights and a fifth for buffers and context, and 512 MiB
    /// for what CUDA and the runner take before the first weight is loaded.
    #[must_use]
    pub fn vram_estimate_mib(&self) -> u64 {
        const CUDA_AND_RUNNER_MIB: u64 = 512;
        let weights = self.disk_bytes.div_ceil(1 << 20);
        weights + weights / 5 + CUDA_AND_RUNNER_MIB
    }

    /// Whether the digests of all its files are known.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.manifest.is_some() && !self.blobs.is_empty()
    }
}

/// `data/ollama.toml`.
#[derive(Debug)]
pub(crate) struct OllamaFile {
    raw: RawFile,
    models: BTreeMap<String, Model>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    meta: Meta,
    url: String,
    manifest_url: String,
    blob_url: String,
    archive_since: DottedVersion,
    release: Vec<OllamaRelease>,
    floor: Vec<DriverFloor>,
    model: BTreeMap<String, RawModel>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    manifest: Option<Sha256>,
    manifest_size: Option<u64>,
    #[serde(default)]
    blobs: Vec<Blob>,
    disk_bytes: Option<u64>,
    source: Option<String>,
    date: Option<Date>,
}

impl RawModel {
    fn resolve(self, name: &str, meta: &Meta) -> Option<Model> {
        let pinned = self.blobs.iter().map(|blob| blob.size).sum::<u64>();
        let pinned = self.manifest_size.map(|manifest| manifest + pinned);
        Some(Model {
            name: name.to_owned(),
            manifest: self.manifest,
            manifest_size: self.manifest_size,
            blobs: self.blobs,
            disk_bytes: pinned.or(self.disk_bytes)?,
            source: self.source.unwrap_or_else(|| meta.source.clone()),
            date: self.date.unwrap_or(meta.date),
        })
    }
}

impl<'de> Deserialize<'de> for OllamaFile {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = RawFile::deserialize(from)?;
        let mut models = BTreeMap::new();
        for (name, model) in &raw.model {
            let model = model.clone().resolve(name, &raw.meta).ok_or_else(|| {
                serde::de::Error::custom(format!("{name} has neither files nor a size"))
            })?;
            models.insert(name.clone(), model);
        }
        Ok(Self { raw, models })
    }
}

impl Catalog {
    /// Ollama's releases that are known, oldest first.
    #[must_use]
    pub fn ollama_releases(&self) -> &[OllamaRelease] {
        &self.ollama_file().raw.release
    }

    /// What is known of one release.
    #[must_use]
    pub fn ollama_release(&self, version: DottedVersion) -> Option<&OllamaRelease> {
        let mut releases = self.ollama_releases().iter();
        releases.find(|one| one.version == version)
    }

    /// Where a release's archive is. None for versions that had another form of archive.
    #[must_use]
    pub fn ollama_url(&self, version: DottedVersion) -> Option<String> {
        let raw = &self.ollama_file().raw;
        let known = version >= raw.archive_since;
        known.then(|| raw.url.replace("{version}", &version.to_string()))
    }

    /// The first version that comes as `ollama-linux-amd64.tar.zst`.
    #[must_use]
    pub fn ollama_archive_since(&self) -> DottedVersion {
        self.ollama_file().raw.archive_since
    }

    /// What a version of Ollama asks of the driver for a GPU of that capability:
    /// the oldest branch that will do. None where it asks nothing.
    #[must_use]
    pub fn ollama_driver_floor(
        &self,
        version: DottedVersion,
        gpu: ComputeCapability,
    ) -> Option<&DriverFloor> {
        let floors = self.ollama_file().raw.floor.iter();
        floors
            .filter(|floor| version >= floor.since && gpu < floor.below)
            .max_by_key(|floor| floor.driver)
    }

    /// All models that are known, by name.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.ollama_file().models.values()
    }

    /// A model by name and tag, like `gemma3:1b`.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.ollama_file().models.get(name)
    }

    /// Where the manifest of a model of Ollama's own library is. None where the name has no tag.
    #[must_use]
    pub fn model_manifest_url(&self, name: &str) -> Option<String> {
        let (family, tag) = name.split_once(':')?;
        let url = &self.ollama_file().raw.manifest_url;
        Some(url.replace("{family}", family).replace("{tag}", tag))
    }

    /// Where one file of a model is. None where the name has no tag.
    #[must_use]
    pub fn model_blob_url(&self, name: &str, blob: Sha256) -> Option<String> {
        let (family, _) = name.split_once(':')?;
        let url = &self.ollama_file().raw.blob_url;
        let url = url.replace("{family}", family);
        Some(url.replace("{hex}", &blob.to_string()))
    }

    /// Where the facts about Ollama are from, and when they were looked up.
    #[must_use]
    pub fn ollama_source(&self) -> (&str, Date) {
        let meta = &self.ollama_file().raw.meta;
        (&meta.source, meta.date)
    }
}
