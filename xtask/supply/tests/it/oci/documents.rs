//! Documents: what they say to be, what they are, what they name.

use lab_supply::oci::resolve;
use lab_supply::{Digest, Network, Refusal};
use serde_json::{Value, json};

use crate::world::limits;

use super::{DOCKER_LIST, DOCKER_MANIFEST, Fake, Made, OCI_INDEX, OCI_MANIFEST, index};

#[test]
fn an_image_is_resolved_by_tag_and_by_digest() {
    let (fake, made) = (Fake::new(), Made::new("amd64"));
    fake.image(&made);
    let image = fake.resolve(":v1").unwrap();
    assert_eq!(image.manifest.digest, Digest::of(&made.bytes()));
    assert!(image.index.is_none() && image.layers.len() == 2);
    assert_eq!(image.layers[0].digest, Digest::of(&made.layers[0]));
    assert_eq!(
        image.layers_size(),
        (made.layers[0].len() + made.layers[1].len()) as u64
    );
    assert_eq!(image.labels["org.opencontainers.image.version"], "24.04");
    assert_eq!(image.labels["org.opencontainers.image.licenses"], "MIT");
    assert_eq!(image.labels["a"], "manifest");
    assert_eq!(image.documents.len(), 2);
    assert!(
        image
            .documents
            .iter()
            .all(|(digest, bytes)| *digest == Digest::of(bytes))
    );
    let by_digest = fake
        .resolve(&format!("@sha256:{}", image.manifest.digest))
        .unwrap();
    assert_eq!(
        (by_digest.manifest, by_digest.layers),
        (image.manifest, image.layers)
    );
}

#[test]
fn an_index_leads_to_the_manifest_for_this_platform() {
    let (ours, theirs) = (Made::new("amd64"), Made::new("arm64"));
    for (list, manifest) in [(OCI_INDEX, OCI_MANIFEST), (DOCKER_LIST, DOCKER_MANIFEST)] {
        let fake = Fake::new();
        let (mut ours, mut theirs) = (ours.clone(), theirs.clone());
        if manifest == DOCKER_MANIFEST {
            for made in [&mut ours, &mut theirs] {
                made.describe(
                    manifest,
                    "application/vnd.docker.container.image.v1+json",
                    "application/vnd.docker.image.rootfs.diff.tar.gzip",
                );
            }
        }
        fake.image(&theirs);
        fake.image(&ours);
        let entries: &[(&str, &[u8], &str)] = &[
            (manifest, &theirs.bytes(), "linux/arm64"),
            (manifest, b"attestation", "unknown/unknown"),
            (manifest, &ours.bytes(), "linux/amd64"),
        ];
        let index = index(list, entries).to_string().into_bytes();
        fake.tag(list, index.clone());
        let image = fake.resolve(":v1").unwrap();
        assert_eq!(image.digest(), Digest::of(&index));
        assert_eq!(image.manifest.digest, Digest::of(&ours.bytes()));
        assert_eq!(image.documents.len(), 3);
    }
}

/// Docker Hub by way of a mirror: the image keeps its name.
#[test]
fn a_mirror_is_asked_for_the_same_repository() {
    let (fake, made) = (Fake::new(), Made::new("amd64"));
    fake.image(&made);
    let place = fake.reference(":v1").base();
    let rewrite = |url: &str| match url {
        "https://registry-1.docker.io/v2/library/ubuntu" => {
            vec![place.replace("lab/x", "lab/absent"), place.clone()]
        }
        other => panic!("{other}"),
    };
    let network = Network::new(limits()).with_mirrors(&rewrite);
    let image = resolve(&network, &"ubuntu:v1".parse().unwrap()).unwrap();
    assert_eq!(image.reference.to_string(), "docker.io/library/ubuntu:v1");
    assert_eq!(image.digest(), Digest::of(&made.bytes()));
}

#[test]
fn what_is_not_for_this_platform() {
    let (fake, made) = (Fake::new(), Made::new("arm64"));
    fake.image(&made);
    assert!(
        matches!(fake.refusal(":v1"), Refusal::Platform { found, .. } if found == "linux/arm64")
    );
    let entries: &[(&str, &[u8], &str)] = &[
        (OCI_MANIFEST, &made.bytes(), "linux/arm64"),
        (OCI_MANIFEST, b"", "windows/amd64"),
    ];
    fake.tag(
        OCI_INDEX,
        index(OCI_INDEX, entries).to_string().into_bytes(),
    );
    assert!(
        matches!(fake.refusal(":v1"), Refusal::Platform { found, .. } if found == "linux/arm64, windows/amd64")
    );
    // The index says amd64, and the image is not.
    let entries: &[(&str, &[u8], &str)] = &[(OCI_MANIFEST, &made.bytes(), "linux/amd64")];
    fake.tag(
        OCI_INDEX,
        index(OCI_INDEX, entries).to_string().into_bytes(),
    );
    assert!(
        matches!(fake.refusal(":v1"), Refusal::Platform { found, .. } if found == "linux/arm64")
    );
    // A variant that old processors do not have.
    let mut newer = index(OCI_INDEX, entries);
    newer["manifests"][0]["platform"]["variant"] = json!("v3");
    fake.tag(OCI_INDEX, newer.to_string().into_bytes());
    assert!(matches!(fake.refusal(":v1"), Refusal::Platform { .. }));
}

#[test]
fn an_index_of_indexes() {
    let (fake, made) = (Fake::new(), Made::new("amd64"));
    fake.image(&made);
    let inner = index(OCI_INDEX, &[(OCI_MANIFEST, &made.bytes(), "linux/amd64")])
        .to_string()
        .into_bytes();
    for kind in [OCI_INDEX, OCI_MANIFEST] {
        // Said openly, and under a manifest's type.
        fake.tag(OCI_INDEX, inner.clone());
        let outer = index(OCI_INDEX, &[(kind, &inner, "linux/amd64")])
            .to_string()
            .into_bytes();
        fake.put("manifests/v1", OCI_INDEX, outer);
        assert!(
            matches!(fake.refusal(":v1"), Refusal::Unsupported(why) if why.contains("index")),
            "{kind}"
        );
    }
}

#[test]
fn schema_1_is_refused_with_words() {
    let fake = Fake::new();
    let old =
        json!({ "schemaVersion": 1, "name": "lab/x", "tag": "v1", "fsLayers": [], "history": [] });
    for kind in [
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/json",
        OCI_MANIFEST,
    ] {
        fake.put("manifests/v1", kind, old.to_string().into_bytes());
        let found = fake.refusal(":v1");
        assert!(
            matches!(&found, Refusal::Unsupported(why) if why.contains("schema 1")),
            "{found}"
        );
    }
}

/// What could be read as one kind by one reader and as the other by another.
#[test]
fn documents_of_two_kinds() {
    let (fake, made) = (Fake::new(), Made::new("amd64"));
    fake.image(&made);
    let mut both = made.manifest.clone();
    both["manifests"] = json!([]);
    let mut unnamed = both.clone();
    unnamed.as_object_mut().unwrap().remove("mediaType");
    let mut disagrees = made.manifest.clone();
    disagrees["mediaType"] = json!(DOCKER_MANIFEST);
    for (kind, document) in [
        (OCI_MANIFEST, &both),
        (OCI_INDEX, &unnamed),
        (OCI_MANIFEST, &unnamed),
        (OCI_MANIFEST, &disagrees),
        (OCI_INDEX, &made.manifest),
    ] {
        fake.put("manifests/v1", kind, document.to_string().into_bytes());
        assert!(
            matches!(fake.refusal(":v1"), Refusal::Malformed(_)),
            "{kind} {document}"
        );
    }
}

#[test]
fn manifests_that_are_no_image() {
    let made = Made::new("amd64");
    let change = |path: &str, value: Value| {
        let mut manifest = made.manifest.clone();
        *manifest.pointer_mut(path).unwrap() = value;
        manifest
    };
    let many: Vec<_> = (0..513)
        .map(|_| made.manifest["layers"][0].clone())
        .collect();
    for manifest in [
        change(
            "/config/mediaType",
            json!("application/vnd.cncf.helm.config.v1+json"),
        ),
        change(
            "/layers/0/mediaType",
            json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        ),
        change("/layers", json!(many)),
        change("/layers/0/digest", json!("sha512:00")),
        change("/layers/0/digest", json!("sha256:../../x")),
        change("/layers/0/size", json!(-1)),
        change("/schemaVersion", json!(3)),
        change("/layers", json!([])),
    ] {
        let fake = Fake::new();
        fake.blobs(&made);
        fake.put(
            "manifests/v1",
            OCI_MANIFEST,
            manifest.to_string().into_bytes(),
        );
        assert!(
            matches!(
                fake.refusal(":v1"),
                Refusal::Malformed(_) | Refusal::Unsupported(_)
            ),
            "{manifest}"
        );
    }
}
