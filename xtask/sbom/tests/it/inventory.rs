//! What stands in the list.

use lab_sbom::{Inventory, Kind, Moment};

use crate::fixture::{digest, licences, list, lock, wanted};

fn component(name: &str) -> lab_sbom::Component {
    let list = list();
    let found = list.components.iter().find(|one| one.name == name);
    found.unwrap().clone()
}

#[test]
fn it_does_not_depend_on_the_order_of_what_it_is_made_of() {
    let (mut wanted, mut lock) = (wanted(), lock());
    wanted.packages.reverse();
    lock.packages.reverse();
    let other = Inventory::of("gpu-server", &wanted, &lock, &licences()).unwrap();
    assert_eq!(other, list());
    assert!(
        other
            .components
            .is_sorted_by_key(|one| (one.kind, one.name.clone()))
    );
}

#[test]
fn it_reads_back_as_it_was_written() {
    let text = serde_json::to_string(&list()).unwrap();
    assert_eq!(serde_json::from_str::<Inventory>(&text).unwrap(), list());
    let wrong = text.replacen("Apache-2.0", "Apache-2.0 AND", 1);
    assert!(serde_json::from_str::<Inventory>(&wrong).is_err());
}

#[test]
fn a_package_has_its_places_its_units_and_its_name_in_the_world() {
    let libc = component("libc6");
    let urls: Vec<&str> = libc.sources.iter().map(|one| one.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://ubuntu.example.org/linux/pool/libc6_amd64.deb",
            "https://old.example.org/ubuntu/20261128T000000Z/pool/libc6_amd64.deb"
        ]
    );
    assert_eq!(libc.units, ["docker", "driver"]);
    assert!(!libc.direct);
    assert_eq!(
        libc.purl,
        "pkg:deb/ubuntu/libc6@2.39-0ubuntu8.6?arch=amd64&distro=ubuntu-24.04"
    );
    let plus = component("libstdc++6").purl;
    assert!(plus.starts_with("pkg:deb/ubuntu/libstdc%2B%2B6@14.2.0-4ubuntu2~24.04?"));
    let docker = component("docker-ce");
    assert!(docker.direct);
    assert_eq!(
        docker.purl,
        "pkg:deb/docker/docker-ce@5:29.1.0-1~ubuntu.24.04~noble?arch=amd64&distro=ubuntu-24.04&repository_url=https://docker.example.org/linux/"
    );
}

#[test]
fn models_and_images_are_named_by_their_manifest_and_list_their_parts() {
    let model = component("gemma3:1b");
    assert_eq!(model.sha256, Some(digest("model")));
    assert_eq!(model.units, ["ollama"]);
    assert_eq!(model.size, Some(800 + 815_310_432 + 8432));
    assert_eq!(
        model.licence.unwrap().as_str(),
        "LicenseRef-Gemma-Terms-of-Use"
    );
    let urls: Vec<String> = model.sources.into_iter().map(|one| one.url).collect();
    let weights = format!(
        "https://models.example.org/v2/library/gemma3/blobs/sha256:{}",
        digest("weights")
    );
    assert_eq!(urls.len(), 3);
    assert!(urls[0].ends_with("/gemma3/manifests/1b"));
    assert_eq!(urls[1], weights);

    let image = component("images.example.org/jupyter/Note:2025");
    assert_eq!(image.units, ["dcgan", "jupyter"]);
    assert_eq!(
        image.size,
        Some(3_000_016_000),
        "the empty layer counts once"
    );
    assert_eq!(
        image.purl,
        format!(
            "pkg:oci/note@sha256:{}?arch=amd64&repository_url=images.example.org/jupyter/note",
            digest("manifest")
        )
    );
    assert_eq!(image.licence.unwrap().as_str(), "BSD-3-Clause");
}

#[test]
fn each_kind_is_there() {
    let list = list();
    let counts = Kind::ALL.map(|kind| list.of_kind(kind).count());
    assert_eq!(counts, [1, 1, 5, 1, 1, 1]);
}

#[test]
fn moments_are_written_as_rfc_3339_has_them() {
    let cases = [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (u64::MAX, "9999-12-31T23:59:59Z"),
    ];
    for (seconds, text) in cases {
        assert_eq!(Moment::from_unix(seconds).to_string(), text);
    }
    let snapshot = Moment::of_snapshot("20261128T061500Z").unwrap();
    assert_eq!(snapshot.to_string(), "2026-11-28T06:15:00Z");
    for wrong in [
        "",
        "20261328T061500Z",
        "2026112T0615000Z",
        "20261128T061500",
        "é0261128T06150Z",
    ] {
        assert_eq!(Moment::of_snapshot(wrong), None, "{wrong}");
    }
}
