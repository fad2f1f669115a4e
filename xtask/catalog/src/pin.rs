//! Container images and data sets that are pinned by digest (`data/pins.toml`).

use crate::{Catalog, Date, Meta, Sha256};
use serde::{Deserialize, Serialize};

/// A container image of which exactly one content is meant, because tags move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedImage {
    /// Its repository, like `nvidia/cuda`.
    pub repository: String,
    /// The tag that stood for it, like `12.8.1-base-ubuntu24.04`.
    pub tag: String,
    /// The digest of its index of platforms.
    pub digest: Sha256,
    /// The digest of its manifest for amd64, where that was seen.
    pub amd64: Option<Sha256>,
}

/// A file on the network of which exactly one content is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedFile {
    /// Its name here, like `mnist`.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
}

/// `data/pins.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinsFile {
    meta: Meta,
    image: Vec<PinnedImage>,
    file: Vec<PinnedFile>,
}

impl Catalog {
    /// The container images that are pinned.
    #[must_use]
    pub fn pinned_images(&self) -> &[PinnedImage] {
        &self.pins().image
    }

    /// The digests behind a tag.
    #[must_use]
    pub fn pinned_image(&self, repository: &str, tag: &str) -> Option<&PinnedImage> {
        let mut images = self.pinned_images().iter();
        images.find(|one| one.repository == repository && one.tag == tag)
    }

    /// A pinned file by its name here: `mnist`.
    #[must_use]
    pub fn pinned_file(&self, name: &str) -> Option<&PinnedFile> {
        self.pins().file.iter().find(|one| one.name == name)
    }

    /// Where the pins are from, and when they were looked up.
    #[must_use]
    pub fn pins_source(&self) -> (&str, Date) {
        let meta = &self.pins().meta;
        (&meta.source, meta.date)
    }
}
