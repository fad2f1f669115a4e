//! What an image carries for a machine without a network: everything that the lock names, from
//! the cache, and a signed repository over its packages.

use anyhow::Context as _;
use lab_image::{Content, Entry, ImagePath, Tree};
use lab_lock::Lock;
use lab_payload::{Deb, RepositoryKey};
use lab_plan::{Payload, PayloadFile, place};
use lab_supply::Digest;
use lab_supply::store::Store;

use crate::failure::Failure;
use crate::keys;

/// A payload: what the plan must know of it, and where its bytes are.
pub(crate) struct Packed {
    /// For the plan.
    pub(crate) payload: Payload,
    /// For the image.
    files: Vec<(String, Content)>,
}

impl Packed {
    /// All bytes of it.
    pub(crate) fn size(&self) -> u64 {
        self.files.iter().map(|(_, content)| content.len()).sum()
    }

    /// Adds it to what goes onto the image.
    pub(crate) fn add_to(self, tree: &mut Tree) -> anyhow::Result<()> {
        for (path, content) in self.files {
            let name: ImagePath = path.parse().with_context(|| format!("the path {path}"))?;
            tree.insert(
                name,
                Entry {
                    content,
                    mode: 0o644,
                    // Gigabytes, which nobody wants to wait for at every boot: they are
                    // verified by their digests when they are copied.
                    listed: false,
                },
            )?;
        }
        Ok(())
    }
}

/// Packs everything that a lock names, which must all be in the cache.
pub(crate) fn pack(machine: &str, lock: &Lock, store: &Store) -> Result<Packed, Failure> {
    let digest = lab_plan::digest_file(lock)?;
    let mut files = vec![(
        place::OFFLINE_DIGEST.to_owned(),
        Content::Bytes(digest.into_bytes()),
    )];
    let debs: Vec<Deb> = lock.packages.iter().map(|one| deb(one, store)).collect();
    for deb in &debs {
        let content = object(store, deb.sha256, deb.size);
        files.push((format!("apt/{}", lab_payload::place(deb)), content));
    }
    let key = RepositoryKey::of_seed(keys::repository_seed(machine)?, machine)
        .map_err(anyhow::Error::from)?;
    let index = lab_payload::repository(&debs, &key).map_err(anyhow::Error::from)?;
    for (path, text) in [
        ("apt/Packages", index.packages),
        ("apt/InRelease", index.in_release),
        ("apt.asc", index.key),
    ] {
        files.push((path.to_owned(), Content::Bytes(text.into_bytes())));
    }
    let packages: std::collections::BTreeSet<[u8; 32]> =
        debs.iter().map(|deb| deb.sha256).collect();
    for one in lab_resolve::objects(lock) {
        if !packages.contains(&one.sha256.0) {
            files.push((
                format!("blobs/{}", one.sha256),
                object(store, one.sha256.0, one.size),
            ));
        }
    }
    let described = files
        .iter()
        .map(|(path, content)| described(path, content))
        .collect();
    let prefix = place::OFFLINE;
    Ok(Packed {
        payload: Payload { files: described },
        files: files
            .into_iter()
            .map(|(path, content)| (format!("{prefix}{path}"), content))
            .collect(),
    })
}

fn deb(package: &lab_lock::Package, store: &Store) -> Deb {
    Deb {
        name: package.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        file: store.place(Digest(package.sha256.0)),
        size: package.size,
        sha256: package.sha256.0,
    }
}

/// An object of the cache. The composer reads and checks it.
fn object(store: &Store, sha256: [u8; 32], size: u64) -> Content {
    Content::File {
        path: store.place(Digest(sha256)),
        len: size,
        sha256: Some(sha256),
    }
}

fn described(path: &str, content: &Content) -> PayloadFile {
    let sha256 = match content {
        Content::File {
            sha256: Some(known),
            ..
        } => lab_lock::Sha256(*known),
        Content::Bytes(bytes) => lab_lock::Sha256::of(bytes),
        _ => lab_lock::Sha256::of(&[]),
    };
    PayloadFile {
        path: path.to_owned(),
        size: content.len(),
        sha256,
    }
}
