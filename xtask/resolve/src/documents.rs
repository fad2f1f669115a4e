//! Files, models and images: each by itself.

use anyhow::{Context as _, Result, anyhow, bail};
use lab_lock::{
    Blob, File, Image, Lock, Model, Sha256, Wanted, WantedFile, WantedImage, WantedModel,
};
use lab_supply::{Digest, oci, ollama, pinned};

use crate::{Update, World};

pub(crate) fn files(
    world: &World<'_>,
    wanted: &Wanted,
    old: Option<&Lock>,
    update: &Update,
) -> Result<Vec<File>> {
    let one = |file: &WantedFile| {
        let kept = old.and_then(|old| old.file(&file.name)).filter(|one| {
            one.sha256 == file.sha256 && one.url == file.url && one.version == file.version
        });
        match kept {
            Some(kept) if !update.has(&file.name) => Ok(kept.clone()),
            _ => self::file(world, file),
        }
    };
    wanted.files.iter().map(one).collect()
}

fn file(world: &World<'_>, wanted: &WantedFile) -> Result<File> {
    (world.say)(&format!("asks how long {} is", wanted.name));
    let size = pinned::size_of(world.network, &wanted.name, &wanted.url)?;
    Ok(File {
        name: wanted.name.clone(),
        version: wanted.version.clone(),
        url: wanted.url.clone(),
        size,
        sha256: wanted.sha256,
    })
}

pub(crate) fn models(
    world: &World<'_>,
    wanted: &Wanted,
    old: Option<&Lock>,
    update: &Update,
) -> Result<Vec<Model>> {
    let one = |model: &WantedModel| {
        let kept = old.and_then(|old| old.model(&model.name)).filter(|one| {
            one.url == model.url && model.manifest.is_none_or(|pin| pin == one.manifest)
        });
        match kept {
            Some(kept) if !update.has(&model.name) => Ok(kept.clone()),
            _ => self::model(world, model),
        }
    };
    wanted.models.iter().map(one).collect()
}

fn model(world: &World<'_>, wanted: &WantedModel) -> Result<Model> {
    (world.say)(&format!("looks up the model {}", wanted.name));
    let name: ollama::ModelName = wanted.name.parse()?;
    let found = ollama::resolve(world.network, &name, wanted.manifest.map(digest))?;
    (world.keep)(&found.manifest)?;
    let blob = |one: &ollama::ModelBlob| Blob {
        sha256: Sha256(one.sha256.0),
        size: one.size,
        media_type: one.media_type.clone(),
    };
    Ok(Model {
        name: wanted.name.clone(),
        url: wanted.url.clone(),
        manifest: Sha256(found.digest.0),
        manifest_size: found.manifest.len() as u64,
        blobs: found.blobs.iter().map(blob).collect(),
    })
}

pub(crate) fn images(
    world: &World<'_>,
    wanted: &Wanted,
    old: Option<&Lock>,
    update: &Update,
) -> Result<Vec<Image>> {
    let one = |image: &WantedImage| {
        let kept = old
            .and_then(|old| old.image(&image.reference))
            .filter(|one| {
                image
                    .digest
                    .is_none_or(|pin| pin == one.digest || pin == one.manifest.sha256)
            });
        match kept {
            Some(kept) if !update.has(&image.reference) => Ok(kept.clone()),
            _ => self::image(world, image),
        }
    };
    wanted.images.iter().map(one).collect()
}

fn image(world: &World<'_>, wanted: &WantedImage) -> Result<Image> {
    (world.say)(&format!("looks up the image {}", wanted.reference));
    let reference: oci::Reference = wanted.reference.parse()?;
    let asked = match wanted.digest {
        Some(pin) if reference.digest().is_none() => reference.pinned(digest(pin)),
        _ => reference.clone(),
    };
    let found = oci::resolve(world.network, &asked)?;
    for bytes in found.documents.values() {
        (world.keep)(bytes)?;
    }
    let label = |name: &str| {
        found
            .labels
            .get(&format!("org.opencontainers.image.{name}"))
            .cloned()
    };
    Ok(Image {
        reference: wanted.reference.clone(),
        url: reference.base(),
        digest: Sha256(found.digest().0),
        manifest: blob(&found.manifest),
        config: blob(&found.config),
        layers: found.layers.iter().map(blob).collect(),
        version: label("version"),
        licence: label("licenses"),
    })
}

fn blob(one: &oci::Descriptor) -> Blob {
    Blob {
        sha256: Sha256(one.digest.0),
        size: one.size,
        media_type: one.media_type.clone(),
    }
}

fn digest(one: Sha256) -> Digest {
    Digest(one.0)
}

/// A fingerprint of version 4, from its hexadecimal digits.
pub(crate) fn fingerprint(text: &str) -> Result<[u8; 20]> {
    let bytes = hex::decode(text).with_context(|| format!("the fingerprint {text:?}"))?;
    let Ok(found) = bytes.try_into() else {
        bail!("the fingerprint {text:?} has not 40 hexadecimal digits");
    };
    Ok(found)
}

/// The key file of a repository.
pub(crate) fn key(
    world: &World<'_>,
    name: &str,
    wanted: &lab_lock::WantedKey,
) -> Result<(lab_lock::Key, Vec<u8>)> {
    (world.say)(&format!("fetches the key of {name}"));
    let bytes = lab_supply::repository::fetch_key(
        world.network,
        &wanted.url,
        fingerprint(&wanted.fingerprint)?,
    )?;
    (world.keep)(&bytes)?;
    let key = lab_lock::Key {
        name: name.to_owned(),
        fingerprint: wanted.fingerprint.clone(),
        url: wanted.url.clone(),
        size: bytes.len() as u64,
        sha256: Sha256::of(&bytes),
    };
    Ok((key, bytes))
}

/// The bytes of a key that the caller has.
pub(crate) fn own_key(world: &World<'_>, fingerprint: &str) -> Result<Vec<u8>> {
    world
        .keys
        .get(fingerprint)
        .cloned()
        .ok_or_else(|| anyhow!("the catalog has no key {fingerprint}"))
}
