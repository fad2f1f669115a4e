//! Where what a lock names lies on a machine that was made by it, for whoever looks there.
//! What was installed by apt is not among it: dpkg keeps that.

use lab_lock::{Lock, Sha256};

use crate::component::{dcgan, ollama};
use crate::locked::name_and_tag;
use crate::source::key_path;

/// A file on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedFile {
    /// What it is of: the lock's name of it.
    pub name: String,
    /// Its absolute path.
    pub path: String,
    /// Its digest.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
}

/// A model on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedModel {
    /// Its name as Ollama lists it.
    pub name: String,
    /// The digest of its manifest, by which Ollama lists it.
    pub manifest: Sha256,
    /// The manifest and what it names.
    pub files: Vec<PlacedFile>,
}

/// An image of containers on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedImage {
    /// Its reference as it is described.
    pub reference: String,
    /// The name that it has there.
    pub tag: String,
    /// What Docker may call its identity: the digest of its configuration, and that of its
    /// manifest where containerd keeps the images.
    pub ids: [Sha256; 2],
}

/// Everything of a lock that lies on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// The vendors' keys.
    pub keys: Vec<PlacedFile>,
    /// Data sets, and of what was unpacked the record of its archive.
    pub files: Vec<PlacedFile>,
    /// Models.
    pub models: Vec<PlacedModel>,
    /// Images.
    pub images: Vec<PlacedImage>,
}

/// Where everything of a lock lies. A file that no component knows has no place.
pub fn placed(lock: &Lock) -> Placed {
    let key = |key: &lab_lock::Key| PlacedFile {
        name: key.name.clone(),
        path: key_path(&key.name),
        sha256: key.sha256,
        size: key.size,
    };
    let file = |file| ollama::placed_archive(file).or_else(|| dcgan::placed_data(file));
    Placed {
        keys: lock.keys.iter().map(key).collect(),
        files: lock.files.iter().filter_map(file).collect(),
        models: lock.models.iter().map(ollama::placed_model).collect(),
        images: lock.images.iter().map(image).collect(),
    }
}

fn image(image: &lab_lock::Image) -> PlacedImage {
    let (name, tag) = name_and_tag(&image.reference);
    PlacedImage {
        reference: image.reference.clone(),
        tag: format!("{name}:{}", tag.unwrap_or("locked")),
        ids: [image.config.sha256, image.manifest.sha256],
    }
}
