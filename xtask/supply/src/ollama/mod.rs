//! Models of Ollama's registry. It speaks the distribution protocol with media types
//! of its own (ollama/ollama, `types/model/name.go`, `server/images.go`; looked at
//! 2026-11-22): a manifest of Docker's schema 2 whose layers are the weights, the
//! template, parameters and licenses.
//!
//! Ollama names a manifest by the digest of its bytes as they came, so they are kept
//! byte for byte.

mod name;

use serde::Deserialize;

pub use name::ModelName;

use crate::Digest;
use crate::network::{Network, refused_at};
use crate::oci::{Descriptor, Registry};
use crate::refusal::{Refusal, ResolveError};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const MODEL: &str = "application/vnd.ollama.image.model";
const LICENSE: &str = "application/vnd.ollama.image.license";

/// More blobs than this no model has.
const MOST_BLOBS: usize = 256;
/// The longest license that is read, in bytes.
const LONGEST_LICENSE: u64 = 1 << 20;

/// A model, resolved to digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its name, short forms made long.
    pub name: ModelName,
    /// The manifest, byte for byte.
    pub manifest: Vec<u8>,
    /// The manifest's digest.
    pub digest: Digest,
    /// The configuration and all layers, each once.
    pub blobs: Vec<ModelBlob>,
}

/// A blob of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelBlob {
    /// Its digest.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

impl ModelBlob {
    /// Whether it is the text of a license that the model is under.
    pub fn is_license(&self) -> bool {
        self.media_type == LICENSE
    }
}

impl Model {
    /// The blobs' bytes together.
    pub fn size(&self) -> u64 {
        let sizes = self.blobs.iter().map(|blob| blob.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// The licenses' texts that the model is under, as blobs.
    pub fn licenses(&self) -> impl Iterator<Item = &ModelBlob> {
        self.blobs.iter().filter(|blob| blob.is_license())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Resolves a model. `expected` is the manifest's digest where it is pinned.
///
/// # Errors
///
/// [`ResolveError::Refused`] where the manifest is not the expected one, is none, or
/// names no weights.
pub fn resolve(
    network: &Network<'_>,
    name: &ModelName,
    expected: Option<Digest>,
) -> Result<Model, ResolveError> {
    let what = format!("the model {name}");
    network.at_places(&what, &name.base(), |place| {
        let registry = Registry::new(network, &what, place, &name.repository());
        let url = registry.manifest_url(name.tag());
        let (manifest, _) = registry.document(&url, MANIFEST, expected)?;
        let blobs = blobs(&manifest).map_err(|refusal| refused_at(&what, &url, refusal))?;
        Ok(Model {
            name: name.clone(),
            digest: Digest::of(&manifest),
            manifest,
            blobs,
        })
    })
}

/// Fetches the text of a license that a model names.
///
/// # Errors
///
/// [`ResolveError::Refused`] where it is too long, is not what the manifest names, or
/// is no UTF-8.
pub fn license(
    network: &Network<'_>,
    name: &ModelName,
    blob: &ModelBlob,
) -> Result<String, ResolveError> {
    let what = format!("a license of the model {name}");
    network.at_places(&what, &name.base(), |place| {
        let registry = Registry::new(network, &what, place, &name.repository());
        let descriptor = Descriptor {
            media_type: blob.media_type.clone(),
            digest: blob.sha256,
            size: blob.size,
        };
        let text = registry.small_blob(&descriptor, LONGEST_LICENSE)?;
        String::from_utf8(text).map_err(|_| {
            let not = Refusal::Malformed("it is not UTF-8".to_owned());
            refused_at(&what, &registry.blob_url(blob.sha256), not)
        })
    })
}

fn blobs(manifest: &[u8]) -> Result<Vec<ModelBlob>, Refusal> {
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|error| Refusal::Malformed(error.to_string()))?;
    let kind = manifest.media_type.as_deref().unwrap_or(MANIFEST);
    if manifest.schema_version != 2 || kind != MANIFEST {
        return Err(Refusal::Unsupported(format!(
            "it is a {kind:.100} of schema {}, expected {MANIFEST} of schema 2",
            manifest.schema_version
        )));
    }
    if manifest.layers.len() >= MOST_BLOBS {
        return Err(Refusal::Unsupported(format!(
            "it has {} layers, at most {MOST_BLOBS} are taken",
            manifest.layers.len()
        )));
    }
    if !manifest
        .layers
        .iter()
        .any(|layer| layer.media_type == MODEL)
    {
        return Err(Refusal::Unsupported(format!(
            "it names no weights (no layer is of the type {MODEL}): it is no model of Ollama's"
        )));
    }
    let mut blobs: Vec<ModelBlob> = Vec::new();
    for layer in [manifest.config].into_iter().chain(manifest.layers) {
        let before = blobs.iter().find(|blob| blob.sha256 == layer.digest);
        match before {
            Some(before) if before.size != layer.size => {
                return Err(Refusal::Malformed(format!(
                    "it gives two sizes for {}",
                    layer.digest
                )));
            }
            Some(_) => {}
            None => blobs.push(ModelBlob {
                sha256: layer.digest,
                size: layer.size,
                media_type: layer.media_type,
            }),
        }
    }
    Ok(blobs)
}
