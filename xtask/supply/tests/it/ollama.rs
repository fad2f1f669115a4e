//! Models: a manifest of Ollama's library byte for byte, Debian's docker-registry as
//! the registry, and small servers that lie.
//!
//! docker-registry speaks the same protocol as registry.ollama.ai and keeps manifests
//! byte for byte. It does not prove that Ollama's own registry answers so: its types
//! in `Content-Type`, its redirects of blobs to a store elsewhere and its refusals are
//! not the same program's.

use lab_supply::ollama::{Model, ModelName, license, resolve};
use lab_supply::{Digest, Network, Refusal, ResolveError};
use serde_json::json;

use crate::oci::DockerRegistry;
use crate::server::{Server, send};
use crate::world::{limits, not_run};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// gemma3:1b's manifest as registry.ollama.ai had it on 2026-11-22: 855 bytes, whose
/// digest two public places give.
const GEMMA: &str = concat!(
    r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","#,
    r#""config":{"mediaType":"application/vnd.docker.container.image.v1+json","#,
    r#""digest":"sha256:120007c81bf8b4eb54e896a4a3e5ff9949f124b0ea42295277c8523f7fa9c7f6","size":492},"layers":["#,
    r#"{"mediaType":"application/vnd.ollama.image.model","#,
    r#""digest":"sha256:7cd4618c1faf8b7233c6c906dac1694b6a47684b37b8895d470ac688520b9c01","size":815310432},"#,
    r#"{"mediaType":"application/vnd.ollama.image.template","#,
    r#""digest":"sha256:e0a42594d802e5d31cdc786deb4823edb8adff66094d49de8fffe976d753e348","size":358},"#,
    r#"{"mediaType":"application/vnd.ollama.image.license","#,
    r#""digest":"sha256:dd084c7d92a3c1c14cc09ae77153b903fd2024b64a100a0cc8ec9316063d2dbc","size":8432},"#,
    r#"{"mediaType":"application/vnd.ollama.image.params","#,
    r#""digest":"sha256:3116c52250752e00dd06b16382e952bd33c34fd79fc4fe3a5d2c77cf7de1b14b","size":77}]}"#,
);
const GEMMA_DIGEST: &str = "8648f39daa8fbf5b18c7b4e6a8fb4990c692751d49917417b8842ca5758e7ffc";

/// A server that answers every request with this manifest.
fn serving(manifest: Vec<u8>) -> Server {
    Server::new(move |_, stream| {
        let length = manifest.len().to_string();
        send(
            stream,
            "200 OK",
            &[("Content-Type", MANIFEST), ("Content-Length", &length)],
            &manifest,
        );
    })
}

fn from(server: &Server, expected: Option<Digest>) -> Result<Model, ResolveError> {
    let host = server.url("").replace("http://", "");
    resolve(
        &Network::new(limits()),
        &format!("{host}/library/gemma3:1b").parse().unwrap(),
        expected,
    )
}

#[test]
fn gemmas_manifest_is_understood() {
    let server = serving(GEMMA.as_bytes().to_vec());
    let pinned = GEMMA_DIGEST.parse().unwrap();
    let model = from(&server, Some(pinned)).unwrap();
    assert_eq!(server.requests()[0].path, "/v2/library/gemma3/manifests/1b");
    assert_eq!(
        (model.digest, model.manifest.as_slice()),
        (pinned, GEMMA.as_bytes())
    );
    assert_eq!(
        model.size() + model.manifest.len() as u64,
        815_319_791 + 855
    );
    assert_eq!(model.blobs.len(), 5);
    let licenses: Vec<_> = model.licenses().collect();
    assert!(licenses.len() == 1 && licenses[0].size == 8432);
}

#[test]
fn a_mirror_gets_the_same_name() {
    let server = serving(GEMMA.as_bytes().to_vec());
    let rewrite = |url: &str| vec![url.replace("https://registry.ollama.ai", &server.url(""))];
    let network = Network::new(limits()).with_mirrors(&rewrite);
    let model = resolve(&network, &"gemma3:1b".parse().unwrap(), None).unwrap();
    assert_eq!(
        model.name.to_string(),
        "registry.ollama.ai/library/gemma3:1b"
    );
    assert_eq!(server.requests()[0].path, "/v2/library/gemma3/manifests/1b");
}

#[test]
fn manifests_that_are_no_model() {
    let found = from(
        &serving(GEMMA.as_bytes().to_vec()),
        Some(Digest::of(b"another")),
    )
    .unwrap_err();
    assert!(
        matches!(found.refusal(), Some(Refusal::Digest { .. })),
        "{found}"
    );
    let twice = GEMMA.replace(
        "3116c52250752e00dd06b16382e952bd33c34fd79fc4fe3a5d2c77cf7de1b14b",
        "e0a42594d802e5d31cdc786deb4823edb8adff66094d49de8fffe976d753e348",
    );
    for spoilt in [
        GEMMA.replace("ollama.image.model", "ollama.image.other"),
        GEMMA.replace("\"schemaVersion\":2", "\"schemaVersion\":1"),
        GEMMA.replacen("manifest.v2", "manifest.v3", 1),
        GEMMA.replace("sha256:7cd4", "sha256-7cd4"),
        GEMMA.replace("815310432", "-1"),
        twice,
        "<html>".to_owned(),
        String::new(),
    ] {
        let error = from(&serving(spoilt.clone().into_bytes()), None).unwrap_err();
        assert!(
            matches!(
                error.refusal(),
                Some(Refusal::Malformed(_) | Refusal::Unsupported(_))
            ),
            "{spoilt}: {error}"
        );
    }
}

#[test]
fn spoilt_manifests_do_not_panic() {
    let spoilt = |path: &str| -> Option<Vec<u8>> {
        let at: usize = path.rsplit('/').next()?.parse().ok()?;
        let mut bytes = GEMMA.as_bytes().to_vec();
        *bytes.get_mut(at)? ^= 0x04;
        Some(bytes)
    };
    let server = Server::new(move |request, stream| {
        let bytes = spoilt(&request.path).unwrap_or_default();
        send(
            stream,
            "200 OK",
            &[("Content-Length", &bytes.len().to_string())],
            &bytes,
        );
    });
    let host = server.url("").replace("http://", "");
    let network = Network::new(limits());
    let pinned = GEMMA_DIGEST.parse().unwrap();
    for at in 0..GEMMA.len() {
        let name: ModelName = format!("{host}/library/gemma3:{at}").parse().unwrap();
        let _ = resolve(&network, &name, None);
        assert!(resolve(&network, &name, Some(pinned)).is_err());
    }
}

#[test]
fn docker_registry_holds_a_model() {
    let test = "docker_registry_holds_a_model";
    let Some(registry) = DockerRegistry::start("", &[]) else {
        return not_run(test, "docker-registry is not installed");
    };
    let blobs = [
        ("model", b"weights".to_vec()),
        (
            "license",
            "Do as you would be done by. §1".as_bytes().to_vec(),
        ),
    ];
    let descriptor = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": format!("sha256:{}", Digest::of(bytes)), "size": bytes.len() });
    let layers: Vec<_> = blobs
        .iter()
        .map(|(kind, bytes)| descriptor(&format!("application/vnd.ollama.image.{kind}"), bytes))
        .collect();
    for bytes in blobs
        .iter()
        .map(|(_, bytes)| bytes.as_slice())
        .chain([&b"{}"[..]])
    {
        registry.blob("library/small", "", bytes);
    }
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, b"{}"), "layers": layers }).to_string();
    registry.manifest(
        "library/small/manifests/1b",
        "",
        MANIFEST,
        manifest.as_bytes(),
    );
    let name: ModelName = format!("{}/library/small:1b", registry.host)
        .parse()
        .unwrap();
    let network = Network::new(limits());
    let model = resolve(&network, &name, None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(model.manifest, manifest.as_bytes());
    let text = license(&network, &name, model.licenses().next().unwrap()).unwrap();
    assert_eq!(text.as_bytes(), blobs[1].1);
}
