//! Registries that lie, break off, send too much or send elsewhere.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use lab_supply::oci::{Registry, resolve};
use lab_supply::{Cause, Digest, Network, Refusal, ResolveError};
use serde_json::json;

use super::{Fake, Made, OCI_MANIFEST, reference, refusal};
use crate::server::{Server, send};
use crate::world::limits;

#[test]
fn another_document_than_the_digest_names() {
    let (fake, made) = (Fake::new(), Made::new("amd64"));
    fake.image(&made);
    let wanted = Digest::of(b"another");
    fake.put(
        &format!("manifests/sha256:{wanted}"),
        OCI_MANIFEST,
        made.bytes(),
    );
    let found = fake.refusal(&format!("@sha256:{wanted}"));
    assert!(matches!(found, Refusal::Digest { expected, .. } if expected == wanted));
}

#[test]
fn a_registry_that_announces_another_digest_than_it_sends() {
    let made = Made::new("amd64");
    let server = Server::new(move |_, stream| {
        let bytes = made.bytes();
        let digest = format!("sha256:{}", Digest::of(b"another"));
        let length = bytes.len().to_string();
        send(
            stream,
            "200 OK",
            &[
                ("Content-Type", OCI_MANIFEST),
                ("Content-Length", &length),
                ("Docker-Content-Digest", &digest),
            ],
            &bytes,
        );
    });
    let found = refusal(resolve(&Network::new(limits()), &reference(&server, ":v1")));
    assert!(matches!(found, Refusal::Digest { .. }), "{found}");
}

#[test]
fn a_configuration_that_is_another_or_of_another_size() {
    let made = Made::new("amd64");
    let config = made.config.to_string().into_bytes();
    let path = format!("blobs/sha256:{}", Digest::of(&config));
    let spoilt = |change: fn(&mut Vec<u8>)| {
        let fake = Fake::new();
        fake.image(&made);
        let mut bytes = config.clone();
        change(&mut bytes);
        fake.put(&path, "application/json", bytes);
        fake.resolve(":v1").unwrap_err()
    };
    let other = spoilt(|bytes| bytes[0] = b' ');
    assert!(
        matches!(other.refusal(), Some(Refusal::Digest { .. })),
        "{other}"
    );
    let longer = spoilt(|bytes| bytes.push(b' '));
    assert!(
        matches!(longer.cause(), Some(Cause::Lied(why)) if why.contains("longer")),
        "{longer}"
    );
    // The manifest lies about the size of what its digest names.
    for size in [config.len() - 1, config.len() + 1, 1 << 40] {
        let (fake, mut lying) = (Fake::new(), made.clone());
        lying.manifest["config"]["size"] = json!(size);
        fake.image(&lying);
        let error = fake.resolve(":v1").unwrap_err();
        assert!(error.to_string().contains("bytes"), "{size}: {error}");
    }
}

#[test]
fn a_huge_manifest() {
    let (fake, made) = (Fake::new(), Made::new("amd64"));
    let mut huge = made.bytes();
    huge.resize(5 << 20, b' ');
    fake.put("manifests/v1", OCI_MANIFEST, huge);
    let error = fake.resolve(":v1").unwrap_err();
    assert!(
        matches!(error.cause(), Some(Cause::Lied(why)) if why.contains("longer than 4194304")),
        "{error}"
    );
    // Without a length, and without an end.
    let server = Server::new(|_, stream| {
        send(stream, "200 OK", &[("Content-Type", OCI_MANIFEST)], b"");
        while stream.write_all(&[b' '; 65536]).is_ok() {}
    });
    let error = resolve(&Network::new(limits()), &reference(&server, ":v1")).unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[test]
fn deep_json_does_not_exhaust_the_stack() {
    let fake = Fake::new();
    for open in ["[", "{\"a\":"] {
        fake.put(
            "manifests/v1",
            OCI_MANIFEST,
            open.repeat(500_000).into_bytes(),
        );
        assert!(matches!(fake.refusal(":v1"), Refusal::Malformed(_)));
    }
}

#[test]
fn a_manifest_that_breaks_off_or_drips() {
    for drips in [false, true] {
        let server = Server::new(move |_, stream| {
            send(
                stream,
                "200 OK",
                &[("Content-Type", OCI_MANIFEST), ("Content-Length", "1000")],
                b"{",
            );
            while drips && stream.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(300));
            }
        });
        let start = Instant::now();
        let error = resolve(&Network::new(limits()), &reference(&server, ":v1")).unwrap_err();
        assert!(matches!(error.cause(), Some(Cause::Broken(_))), "{error}");
        assert!(
            start.elapsed() < Duration::from_secs(8),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_name_that_is_not_there() {
    let error = Fake::new().resolve(":v1").unwrap_err();
    assert!(
        matches!(&error, ResolveError::NoAnswer { cause, .. } if matches!(**cause, Cause::Absent(404))),
        "{error}"
    );
}

/// Blobs are often elsewhere. Who asks for one is told where the registry has it, and
/// that host's redirect gets no credentials.
#[test]
fn a_blob_that_is_elsewhere() {
    let (elsewhere, made) = (Fake::new(), Made::new("amd64"));
    elsewhere.blobs(&made);
    let target = elsewhere.server.url("");
    let manifest = made.bytes();
    let server = Server::new(move |request, stream| {
        if request.path.contains("/manifests/") {
            let length = manifest.len().to_string();
            return send(
                stream,
                "200 OK",
                &[("Content-Type", OCI_MANIFEST), ("Content-Length", &length)],
                &manifest,
            );
        }
        let location = format!("{target}{}", request.path);
        send(
            stream,
            "307 Temporary Redirect",
            &[("Location", &location), ("Content-Length", "0")],
            b"",
        );
    });
    let authorization = |_: &str| Some("Basic c2VjcmV0".to_owned());
    let network = Network::new(limits()).with_credentials(&authorization);
    let asked = reference(&server, ":v1");
    let image = resolve(&network, &asked).unwrap();
    let seen = elsewhere.server.requests();
    assert!(
        seen.len() == 1 && seen[0].authorization.is_none(),
        "{seen:?}"
    );
    let base = asked.base();
    let registry = Registry::new(&network, "x", &base, asked.repository());
    let blob = registry.blob(image.layers[0].digest).unwrap();
    assert_eq!(
        blob.url,
        format!("{base}/blobs/sha256:{}", image.layers[0].digest)
    );
    assert_eq!(blob.authorization.as_deref(), Some("Basic c2VjcmV0"));
    assert!(!format!("{blob:?}").contains("c2Vj"));
    assert_eq!(
        elsewhere.server.requests().len(),
        1,
        "the redirect was followed"
    );
}

/// Every byte of a good manifest is changed in turn: never a panic, and by its digest
/// never accepted.
#[test]
fn spoilt_manifests_do_not_panic_and_do_not_count() {
    let (fake, made) = (Fake::new(), Made::new("amd64"));
    fake.image(&made);
    let (good, digest) = (made.bytes(), Digest::of(&made.bytes()));
    let by_digest = format!("manifests/sha256:{digest}");
    let network = Network::new(limits());
    for (at, flip) in (0..good.len()).flat_map(|at| [(at, 0x01), (at, 0x20), (at, 0x80)]) {
        let mut spoilt = good.clone();
        spoilt[at] ^= flip;
        fake.put("manifests/v1", OCI_MANIFEST, spoilt.clone());
        fake.put(&by_digest, OCI_MANIFEST, spoilt);
        if let Ok(image) = resolve(&network, &fake.reference(":v1")) {
            assert!(image.manifest.digest != digest && !image.labels["a"].is_empty());
        }
        let error = resolve(&network, &fake.reference(&format!("@sha256:{digest}"))).unwrap_err();
        assert!(
            matches!(error.refusal(), Some(Refusal::Digest { .. })),
            "{error}"
        );
    }
}
