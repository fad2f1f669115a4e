//! A lock of everything that a machine wants, with digests of made-up bytes.

use lab_lock::{
    Base, Blob, FORMAT, File, Image, Key, Lock, Model, Package, Repository, Sha256, Wanted,
    WantedImage, WantedModel, WantedPackage,
};

/// The state of the archive that it says it was resolved in.
pub const SNAPSHOT: &str = "20261101T000000Z";

fn digest(of: &str) -> Sha256 {
    Sha256::of(of.as_bytes())
}

fn blob(of: &str, media_type: &str) -> Blob {
    Blob {
        sha256: digest(of),
        size: of.len() as u64,
        media_type: media_type.to_owned(),
    }
}

fn package(name: &str, version: &str, repository: &str, needs: &[&str]) -> Package {
    Package {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: "amd64".to_owned(),
        repository: repository.to_owned(),
        path: format!("pool/{name}.deb"),
        size: 7,
        sha256: digest(name),
        needs: needs.iter().map(|one| (*one).to_owned()).collect(),
    }
}

fn of_wanted(one: &WantedPackage) -> Package {
    let version = one.version.as_deref().unwrap_or("2.0-1");
    let repository = one.repository.as_deref().unwrap_or("ubuntu");
    package(&one.name, version, repository, &["libneeded"])
}

fn model(one: &WantedModel) -> Model {
    Model {
        name: one.name.clone(),
        url: one.url.clone(),
        manifest: one.manifest.unwrap_or(digest(&one.name)),
        manifest_size: 9,
        blobs: vec![blob("weights", "application/vnd.ollama.image.model")],
    }
}

fn image(one: &WantedImage) -> Image {
    let of = |part: &str| blob(&format!("{part} of {}", one.reference), "application/json");
    Image {
        reference: one.reference.clone(),
        url: "https://quay.io/v2/jupyter/tensorflow-notebook".to_owned(),
        digest: one.digest.unwrap_or(digest("index")),
        manifest: of("manifest"),
        config: of("config"),
        layers: vec![of("layer")],
        version: None,
        licence: None,
    }
}

/// A lock that has all of it, and one package that every other needs.
pub fn lock_of(wanted: &Wanted) -> Lock {
    let repository = |one: &lab_lock::WantedRepository| Repository {
        name: one.name.clone(),
        uri: one.uri.clone(),
        snapshot_uri: None,
    };
    let key = |one: &lab_lock::WantedRepository| {
        let key = one.key.as_ref()?;
        Some(Key {
            name: one.name.clone(),
            fingerprint: key.fingerprint.clone(),
            url: key.url.clone(),
            size: 3,
            sha256: digest(&key.url),
        })
    };
    let file = |one: &lab_lock::WantedFile| File {
        name: one.name.clone(),
        version: one.version.clone(),
        url: one.url.clone(),
        size: 5,
        sha256: one.sha256,
    };
    let mut packages: Vec<Package> = wanted.packages.iter().map(of_wanted).collect();
    packages.push(package("libneeded", "1:2.39-0ubuntu8", "ubuntu", &[]));
    Lock {
        format: FORMAT,
        resolved_for: wanted.packages_digest(),
        snapshot: Some(SNAPSHOT.to_owned()),
        base: Base {
            release: wanted.base.release.clone(),
            file: wanted.base.file.clone(),
            sha256: wanted.base.sha256,
            packages: digest("the base's packages"),
        },
        repositories: wanted.repositories.iter().map(repository).collect(),
        keys: wanted.repositories.iter().filter_map(key).collect(),
        packages,
        files: wanted.files.iter().map(file).collect(),
        models: wanted.models.iter().map(model).collect(),
        images: wanted.images.iter().map(image).collect(),
    }
}
