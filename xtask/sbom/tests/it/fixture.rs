//! A small lab: a driver, Docker with what it needs, a model and an image.

use std::collections::BTreeMap;

use lab_lock::{
    Base, Blob, File, Image, Key, Lock, Model, Package, Repository, Sha256, Wanted, WantedFile,
    WantedImage, WantedModel, WantedPackage, WantedRepository,
};
use lab_sbom::{Inventory, Licence, licence_of_model};

pub(crate) fn digest(of: &str) -> Sha256 {
    Sha256::of(of.as_bytes())
}

fn package(name: &str, version: &str, repository: &str, needs: &[&str]) -> Package {
    Package {
        name: name.into(),
        version: version.into(),
        architecture: "amd64".into(),
        repository: repository.into(),
        path: format!("pool/{name}_amd64.deb"),
        size: 1_234_567,
        sha256: digest(name),
        needs: needs.iter().map(|one| (*one).to_owned()).collect(),
    }
}

fn repository(name: &str, own: bool) -> WantedRepository {
    WantedRepository {
        name: name.into(),
        uri: format!("https://{name}.example.org/linux"),
        snapshot_uri: None,
        suites: vec!["noble".into()],
        components: vec!["main".into()],
        signed_by: vec!["AB".repeat(20)],
        key: None,
        own,
    }
}

pub(crate) fn wanted() -> Wanted {
    let asked = |name: &str, unit: &str| WantedPackage {
        name: name.into(),
        version: None,
        repository: None,
        unit: unit.into(),
    };
    Wanted {
        repositories: vec![repository("ubuntu", true), repository("docker", false)],
        packages: vec![
            asked("docker-ce", "docker"),
            asked("nvidia-utils-580-server", "driver"),
        ],
        files: vec![WantedFile {
            name: "ollama".into(),
            version: Some("0.35.1".into()),
            url: "https://files.example.org/ollama-linux-amd64.tar.zst".into(),
            sha256: digest("ollama"),
            unit: "ollama".into(),
        }],
        models: vec![WantedModel {
            name: "gemma3:1b".into(),
            url: "https://models.example.org/v2/library/gemma3".into(),
            tag: "1b".into(),
            manifest: None,
            units: vec!["ollama".into()],
        }],
        images: vec![WantedImage {
            reference: "images.example.org/jupyter/Note:2025".into(),
            digest: None,
            units: vec!["jupyter".into(), "dcgan".into()],
        }],
        ..Wanted::default()
    }
}

fn packages() -> Vec<Package> {
    vec![
        package("libc6", "2.39-0ubuntu8.6", "ubuntu", &[]),
        package("libstdc++6", "14.2.0-4ubuntu2~24.04", "ubuntu", &["libc6"]),
        package(
            "containerd.io",
            "2.1.5-1~ubuntu.24.04~noble",
            "docker",
            &["libc6"],
        ),
        package(
            "docker-ce",
            "5:29.1.0-1~ubuntu.24.04~noble",
            "docker",
            &["containerd.io", "libc6"],
        ),
        package(
            "nvidia-utils-580-server",
            "580.173.02-0ubuntu0.24.04.1",
            "ubuntu",
            &["libstdc++6"],
        ),
    ]
}

fn blob(of: &str, size: u64, kind: &str) -> Blob {
    Blob {
        sha256: digest(of),
        size,
        media_type: format!("application/{kind}"),
    }
}

fn model() -> Model {
    Model {
        name: "gemma3:1b".into(),
        url: "https://models.example.org/v2/library/gemma3".into(),
        manifest: digest("model"),
        manifest_size: 800,
        blobs: vec![
            blob("weights", 815_310_432, "vnd.ollama.image.model"),
            blob("terms", 8432, "vnd.ollama.image.license"),
        ],
    }
}

fn image() -> Image {
    Image {
        reference: "images.example.org/jupyter/Note:2025".into(),
        url: "https://images.example.org/v2/jupyter/note".into(),
        digest: digest("index"),
        manifest: blob("manifest", 9000, "json"),
        config: blob("config", 7000, "json"),
        // The empty layer stands in most images more than once.
        layers: ["layer", "empty", "top", "empty"]
            .map(|of| blob(of, 1_000_000_000, "tar"))
            .to_vec(),
        version: None,
        licence: Some("BSD-3-Clause".into()),
    }
}

pub(crate) fn lock() -> Lock {
    let repository = |name: &str, snapshot: Option<&str>| Repository {
        name: name.into(),
        uri: format!("https://{name}.example.org/linux/"),
        snapshot_uri: snapshot.map(str::to_owned),
    };
    let mut lock = Lock {
        format: 1,
        resolved_for: wanted().packages_digest(),
        snapshot: Some("20261128T000000Z".into()),
        base: Base {
            release: "24.04.5".into(),
            file: "ubuntu-24.04.5-live-server-amd64.iso".into(),
            sha256: Some(digest("base")),
            packages: digest("list"),
        },
        repositories: vec![
            repository("ubuntu", Some("https://old.example.org/ubuntu/{snapshot}")),
            repository("docker", None),
        ],
        keys: vec![Key {
            name: "docker".into(),
            fingerprint: "9DC858229FC7DD38854AE2D88D81803C0EBFCD88".into(),
            url: "https://docker.example.org/linux/gpg".into(),
            size: 3817,
            sha256: digest("key"),
        }],
        packages: packages(),
        files: vec![File {
            name: "ollama".into(),
            version: Some("0.35.1".into()),
            url: "https://files.example.org/ollama-linux-amd64.tar.zst".into(),
            size: 1_400_000_000,
            sha256: digest("ollama"),
        }],
        models: vec![model()],
        images: vec![image()],
    };
    lock.sort();
    lock
}

pub(crate) fn licences() -> BTreeMap<Sha256, Licence> {
    let stated = |text: &str| Licence::stated(text).unwrap();
    BTreeMap::from([
        (digest("ollama"), stated("MIT")),
        (digest("docker-ce"), stated("Apache-2.0")),
        (
            digest("libstdc++6"),
            stated("GPL-3.0-or-later WITH GCC-exception-3.1 AND LicenseRef-unnamed"),
        ),
        (
            digest("nvidia-utils-580-server"),
            stated("NVIDIA Driver License"),
        ),
        (
            digest("terms"),
            licence_of_model("Gemma Terms of Use\n\nLast modified: March 24, 2024\n").unwrap(),
        ),
    ])
}

pub(crate) fn list() -> Inventory {
    Inventory::of("gpu-server", &wanted(), &lock(), &licences()).unwrap()
}
