//! Registries of images: Debian's docker-registry, and ones that lie.

mod documents;
mod hostile;
mod login;
mod real;

pub(crate) use real::DockerRegistry;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lab_supply::oci::{Image, Reference, resolve};
use lab_supply::{Digest, Network, Refusal, ResolveError};
use serde_json::{Value, json};

use crate::server::{Server, not_found, send};
use crate::world::limits;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A small image as its documents.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) layers: Vec<Vec<u8>>,
    pub(super) config: Value,
    pub(super) manifest: Value,
}

pub(super) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{}", Digest::of(bytes)), "size": bytes.len() })
}

impl Made {
    /// An image of the OCI's types for `architecture`.
    pub(super) fn new(architecture: &str) -> Self {
        let layers = vec![
            format!("layer of {architecture}").into_bytes(),
            b"another layer".to_vec(),
        ];
        let config = json!({
            "architecture": architecture, "os": "linux",
            "config": { "Labels": { "org.opencontainers.image.version": "24.04", "a": "config" } },
            "rootfs": { "type": "layers", "diff_ids": ["sha256:1", "sha256:2"] },
        });
        let mut made = Self {
            layers,
            config,
            manifest: Value::Null,
        };
        made.describe(
            OCI_MANIFEST,
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.oci.image.layer.v1.tar+gzip",
        );
        made
    }

    /// Writes the manifest anew, with these types.
    pub(super) fn describe(&mut self, manifest: &str, config: &str, layer: &str) {
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|bytes| descriptor(layer, bytes))
            .collect();
        self.manifest = json!({
            "schemaVersion": 2, "mediaType": manifest,
            "config": descriptor(config, self.config.to_string().as_bytes()),
            "layers": layers,
            "annotations": { "org.opencontainers.image.licenses": "MIT", "a": "manifest" },
        });
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.manifest.to_string().into_bytes()
    }
}

/// An index over manifests: media type, bytes, platform.
pub(super) fn index(media_type: &str, entries: &[(&str, &[u8], &str)]) -> Value {
    let entries: Vec<_> = entries
        .iter()
        .map(|(kind, bytes, platform)| {
            let (os, architecture) = platform.split_once('/').unwrap();
            let mut entry = descriptor(kind, bytes);
            entry["platform"] = json!({ "os": os, "architecture": architecture });
            entry
        })
        .collect();
    json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries })
}

type Answers = BTreeMap<String, (String, Vec<u8>)>;

/// A registry whose every answer a test decides.
pub(super) struct Fake {
    pub(super) server: Server,
    answers: Arc<Mutex<Answers>>,
}

impl Fake {
    pub(super) fn new() -> Self {
        let answers = Arc::new(Mutex::new(Answers::new()));
        let shared = answers.clone();
        let server = Server::new(move |request, stream| {
            let answer = shared.lock().unwrap().get(&request.path).cloned();
            let Some((kind, bytes)) = answer else {
                return not_found(stream);
            };
            let length = bytes.len().to_string();
            let body = if request.method == "HEAD" {
                &[][..]
            } else {
                &bytes
            };
            send(
                stream,
                "200 OK",
                &[("Content-Type", &kind), ("Content-Length", &length)],
                body,
            );
        });
        Self { server, answers }
    }

    pub(super) fn put(&self, path: &str, kind: &str, bytes: Vec<u8>) {
        let path = format!("/v2/lab/x/{path}");
        self.answers
            .lock()
            .unwrap()
            .insert(path, (kind.to_owned(), bytes));
    }

    pub(super) fn tag(&self, kind: &str, bytes: Vec<u8>) {
        self.put(
            &format!("manifests/sha256:{}", Digest::of(&bytes)),
            kind,
            bytes.clone(),
        );
        self.put("manifests/v1", kind, bytes);
    }

    /// Stands a whole image there, its manifest under `v1`.
    pub(super) fn image(&self, made: &Made) {
        self.blobs(made);
        let kind = made.manifest["mediaType"].as_str().unwrap();
        self.tag(kind, made.bytes());
    }

    pub(super) fn blobs(&self, made: &Made) {
        let config = made.config.to_string().into_bytes();
        for blob in made.layers.iter().chain([&config]) {
            self.put(
                &format!("blobs/sha256:{}", Digest::of(blob)),
                "application/octet-stream",
                blob.clone(),
            );
        }
    }

    pub(super) fn reference(&self, end: &str) -> Reference {
        reference(&self.server, end)
    }

    pub(super) fn resolve(&self, end: &str) -> Result<Image, ResolveError> {
        resolve(&Network::new(limits()), &self.reference(end))
    }

    pub(super) fn refusal(&self, end: &str) -> Refusal {
        refusal(self.resolve(end))
    }
}

pub(super) fn reference(server: &Server, end: &str) -> Reference {
    let host = server.url("").replace("http://", "");
    format!("{host}/lab/x{end}").parse().unwrap()
}

pub(super) fn refusal(found: Result<Image, ResolveError>) -> Refusal {
    match found.expect_err("it must be refused") {
        ResolveError::Refused { refusal, .. } => *refusal,
        other => panic!("{other}"),
    }
}
