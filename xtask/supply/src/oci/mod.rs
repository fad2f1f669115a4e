//! Container images in registries: the OCI distribution specification 1.1 ("pull")
//! and image specification 1.1, and Docker's image manifest version 2, schema 2.
//!
//! What vouches for what: a digest in the reference, or else TLS, for the first
//! document; each document for the digest and size of what it names. A document is
//! parsed after its digest was checked. Layers are not fetched here: [`Image::blob`]
//! says where they are and what to send along.

mod document;
mod pull;
mod reference;
mod registry;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use document::Descriptor;
pub use pull::Puller;
pub use reference::Reference;
pub use registry::{Blob, Registry};

use crate::Digest;
use crate::network::{Network, refused_at};
use crate::refusal::{Refusal, ResolveError};

use document::{Document, Kind, Manifest};

/// The longest manifest or index that is taken, in bytes (the distribution
/// specification asks registries for at least this, section "pushing manifests").
const LONGEST_MANIFEST: u64 = 4 << 20;
/// The longest configuration. Real ones have some 20 KiB.
const LONGEST_CONFIG: u64 = 8 << 20;
/// More layers than this no runtime mounts.
const MOST_LAYERS: usize = 512;
/// What images are run on here.
const PLATFORM: &str = "linux/amd64";

/// An image for linux/amd64, resolved to digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What was asked for.
    pub reference: Reference,
    /// The index (manifest list) that names the manifest, where there is one. This is
    /// the digest that pins the reference for every platform.
    pub index: Option<Descriptor>,
    /// The manifest for linux/amd64.
    pub manifest: Descriptor,
    /// The configuration; its digest is the image's id.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// Labels of the configuration and annotations of the manifest, which go before:
    /// `org.opencontainers.image.version`, `….licenses` and others.
    pub labels: BTreeMap<String, String>,
    /// The bytes of index, manifest and configuration, by digest.
    pub documents: BTreeMap<Digest, Vec<u8>>,
}

impl Image {
    /// The digest that a reference without a tag would name this image by.
    pub fn digest(&self) -> Digest {
        self.index.as_ref().unwrap_or(&self.manifest).digest
    }

    /// The bytes of the layers together, as they are transferred.
    pub fn layers_size(&self) -> u64 {
        let sizes = self.layers.iter().map(|layer| layer.size);
        sizes.fold(0, u64::saturating_add)
    }
}

/// Resolves a reference to the image for linux/amd64.
///
/// # Errors
///
/// [`ResolveError::Refused`] where a document does not fit what named it, is of a
/// format that is not taken, or there is no image for the platform.
pub fn resolve(network: &Network<'_>, reference: &Reference) -> Result<Image, ResolveError> {
    let what = format!("the image {reference}");
    network.at_places(&what, &reference.base(), |place| {
        Resolving {
            registry: Registry::new(network, &what, place, reference.repository()),
            reference,
            what: &what,
            documents: BTreeMap::new(),
        }
        .image()
    })
}

struct Resolving<'a> {
    registry: Registry<'a>,
    reference: &'a Reference,
    what: &'a str,
    documents: BTreeMap<Digest, Vec<u8>>,
}

impl Resolving<'_> {
    fn image(mut self) -> Result<Image, ResolveError> {
        let (url, first) = self.first()?;
        let (index, manifest) =
            match Kind::of(&first).map_err(|refusal| self.refused(&url, refusal))? {
                Kind::Manifest(manifest) => (None, (first.descriptor(), manifest)),
                Kind::Index(index) => {
                    let named = index
                        .choose()
                        .map_err(|refusal| self.refused(&url, refusal))?;
                    (Some(first.descriptor()), self.named(named)?)
                }
            };
        let (manifest, parsed) = manifest;
        let labels = self.config(&parsed)?;
        Ok(Image {
            reference: self.reference.clone(),
            index,
            manifest,
            config: parsed.config,
            layers: parsed.layers,
            labels,
            documents: self.documents,
        })
    }

    fn refused(&self, url: &str, refusal: Refusal) -> ResolveError {
        refused_at(self.what, url, refusal)
    }

    /// What the reference itself names.
    fn first(&mut self) -> Result<(String, Document), ResolveError> {
        let document = self
            .registry
            .manifest(&self.reference.selector(), self.reference.digest())?;
        self.keep(&document);
        Ok((
            self.registry.manifest_url(&self.reference.selector()),
            document,
        ))
    }

    /// The manifest that an index names.
    fn named(&mut self, named: Descriptor) -> Result<(Descriptor, Manifest), ResolveError> {
        let selector = format!("sha256:{}", named.digest);
        let url = self.registry.manifest_url(&selector);
        let document = self.registry.manifest(&selector, Some(named.digest))?;
        if document.bytes.len() as u64 != named.size {
            return Err(self.refused(
                &url,
                Refusal::Size {
                    found: document.bytes.len() as u64,
                    expected: named.size,
                },
            ));
        }
        self.keep(&document);
        match Kind::of(&document).map_err(|refusal| self.refused(&url, refusal))? {
            Kind::Manifest(manifest) => Ok((named, manifest)),
            Kind::Index(_) => Err(self.refused(
                &url,
                Refusal::Unsupported(
                    "an index names it, and it is an index again: such are not followed".to_owned(),
                ),
            )),
        }
    }

    fn keep(&mut self, document: &Document) {
        self.documents
            .insert(document.digest, document.bytes.clone());
    }

    /// Fetches the configuration, holds it against platform and manifest, and gives labels.
    fn config(&mut self, manifest: &Manifest) -> Result<BTreeMap<String, String>, ResolveError> {
        let url = self.registry.blob_url(manifest.config.digest);
        let bytes = self.registry.small_blob(&manifest.config, LONGEST_CONFIG)?;
        let labels = Config::parse(&bytes)
            .and_then(|config| config.labels(manifest))
            .map_err(|refusal| self.refused(&url, refusal))?;
        self.documents.insert(manifest.config.digest, bytes);
        Ok(labels)
    }
}

/// The image's configuration (image specification, "config.md"), as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    config: Option<Inner>,
    rootfs: Option<RootFs>,
}

#[derive(Debug, Deserialize)]
struct Inner {
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

impl Config {
    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(bytes)
            .map_err(|error| Refusal::Malformed(format!("it is no image configuration: {error}")))
    }

    fn labels(self, manifest: &Manifest) -> Result<BTreeMap<String, String>, Refusal> {
        let found = format!("{}/{}", self.os, self.architecture);
        if found != PLATFORM {
            return Err(Refusal::Platform {
                wanted: PLATFORM.to_owned(),
                found,
            });
        }
        let layers = self.rootfs.map_or(0, |rootfs| rootfs.diff_ids.len());
        if layers != manifest.layers.len() {
            return Err(Refusal::Malformed(format!(
                "it is of {layers} layers, the manifest has {}",
                manifest.layers.len()
            )));
        }
        let mut labels = self
            .config
            .and_then(|inner| inner.labels)
            .unwrap_or_default();
        labels.extend(manifest.annotations.clone());
        Ok(labels)
    }
}
