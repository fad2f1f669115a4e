//! Where lists stand and which is taken: packings, digests as names, flat
//! repositories, `Release` with a signature beside it, snapshots, mirrors.

use lab_supply::repository::{Repository, read_lists};
use lab_supply::{Digest, Network, Refusal, ResolveError};
use pgp::crypto::hash::HashAlgorithm;

use super::{
    Files, NOW, Site, announced, clear_signed, files_of, good_files, gz, packages, refusal,
    release, xz,
};
use crate::world::{config, limits, made, quick_key, signing_key};

#[test]
fn the_best_packing_is_taken_by_its_name() {
    let site = Site::new(good_files("Acquire-By-Hash: no\n"));
    let lists = site.read().unwrap();
    assert_eq!(
        site.paths(),
        [
            "/u/dists/noble/InRelease",
            "/u/dists/noble/main/binary-amd64/Packages.xz"
        ]
    );
    assert_eq!(lists.packages.len(), 1);
    let list = &lists.packages[0];
    assert_eq!(
        (list.path.as_str(), list.component.as_str()),
        ("main/binary-amd64/Packages", "main")
    );
    assert!(list.bytes == packages() && list.sha256 == Digest::of(&packages()));
    assert_eq!(lists.date, NOW - 3600);
    assert_eq!(lists.url, site.server.url("/u"));
    assert!(!lists.by_hash && lists.release.starts_with("Origin: Lab\n"));
}

#[test]
fn a_list_is_asked_for_by_its_digest_and_else_by_its_name() {
    let mut files = good_files("Acquire-By-Hash: yes\n");
    let path = "/u/dists/noble/main/binary-amd64/Packages.xz";
    let by_hash = format!(
        "/u/dists/noble/main/binary-amd64/by-hash/SHA256/{}",
        Digest::of(&files[path])
    );
    let site = Site::new(files.clone());
    assert!(site.read().unwrap().by_hash);
    assert_eq!(site.paths()[1..], [by_hash.clone(), path.to_owned()]);
    let list = files.remove(path).unwrap();
    files.insert(by_hash, list);
    let site = Site::new(files);
    site.read().unwrap();
    assert_eq!(site.paths().len(), 2);
}

#[test]
fn every_packing_alone_does() {
    let plain = packages();
    for (suffix, bytes) in [
        (".xz", xz(&plain)),
        (".gz", gz(&plain)),
        ("", plain.clone()),
    ] {
        let path = format!("main/binary-amd64/Packages{suffix}");
        let site = Site::new(files_of("", &[(&path, &bytes)]));
        assert!(site.read().unwrap().packages[0].bytes == plain, "{suffix}");
    }
}

#[test]
fn packages_for_all_architectures_come_along() {
    let (own, all) = (packages(), b"Package: b\n".to_vec());
    let files = |fields: &str| {
        files_of(
            fields,
            &[
                ("main/binary-amd64/Packages", &own),
                ("main/binary-all/Packages", &all),
            ],
        )
    };
    let with = |fields: &str| -> Files {
        let mut files = files(fields);
        let text = release(
            fields,
            &announced(&[
                ("main/binary-amd64/Packages", &own),
                ("main/binary-all/Packages", &all),
            ]),
        )
        .replace("Architectures: amd64", "Architectures: all amd64");
        files.insert(
            "/u/dists/noble/InRelease".to_owned(),
            clear_signed(&quick_key(1), &text),
        );
        files
    };
    let lists = Site::new(with("")).read().unwrap();
    assert_eq!(lists.packages.len(), 2);
    assert_eq!(lists.packages[1].bytes, all);
    let without = Site::new(with("No-Support-for-Architecture-all: Packages\n"))
        .read()
        .unwrap();
    assert_eq!(without.packages.len(), 1);
}

#[test]
fn a_flat_repository_has_its_list_beside_its_release() {
    let (plain, packed) = (packages(), gz(&packages()));
    let text = format!(
        "Date: {}\nSHA256:\n{}",
        super::DATE,
        announced(&[("./Packages", &plain), ("Packages.gz", &packed)])
    );
    let files: Files = [
        (
            "/u/InRelease".to_owned(),
            clear_signed(&quick_key(1), &text),
        ),
        ("/u/Packages.gz".to_owned(), packed),
    ]
    .into();
    for suite in ["/", "./"] {
        let site = Site::new(files.clone());
        let flat = Repository {
            suite: suite.to_owned(),
            components: Vec::new(),
            ..site.repository()
        };
        let lists = read_lists(&Network::new(limits()), &flat, NOW, None).unwrap();
        assert!(lists.packages[0].bytes == plain && lists.packages[0].path == "Packages");
    }
}

#[test]
fn a_signature_beside_release_does_where_there_is_no_inrelease() {
    let mut files = good_files("");
    files.remove("/u/dists/noble/InRelease");
    let text = release(
        "",
        &announced(&[("main/binary-amd64/Packages.xz", &xz(&packages()))]),
    );
    let key = quick_key(1);
    let signature = made(config(&key, HashAlgorithm::Sha512), &key, text.as_bytes());
    files.insert(
        "/u/dists/noble/Release".to_owned(),
        text.clone().into_bytes(),
    );
    files.insert("/u/dists/noble/Release.gpg".to_owned(), signature);
    let site = Site::new(files);
    assert_eq!(site.read().unwrap().release, text);
    site.files.lock().unwrap().insert(
        "/u/dists/noble/Release".to_owned(),
        text.replace("Lab", "Lob").into_bytes(),
    );
    assert!(matches!(refusal(site.read()), Refusal::Signature(_)));
    site.files
        .lock()
        .unwrap()
        .remove("/u/dists/noble/Release.gpg");
    assert!(matches!(site.read(), Err(ResolveError::NoAnswer { .. })));
}

/// A server that has a bad `InRelease` is not asked for the older form.
#[test]
fn a_bad_inrelease_is_the_end() {
    let mut files = good_files("");
    files.insert(
        "/u/dists/noble/InRelease".to_owned(),
        b"<html>Please log in</html>".to_vec(),
    );
    let site = Site::new(files);
    let found = refusal(site.read());
    assert!(
        matches!(&found, Refusal::Malformed(why) if why.contains("web page")),
        "{found}"
    );
    assert_eq!(site.paths().len(), 1);
}

#[test]
fn a_snapshot_is_read_from_its_own_place() {
    let files: Files = good_files("Valid-Until: Tue, 14 Nov 2023 22:15:00 UTC\n")
        .into_iter()
        .map(|(path, bytes)| (path.replace("/u/", "/s/20231114T230000Z/"), bytes))
        .collect();
    let site = Site::new(files);
    let of = |snapshot: &str| Repository {
        snapshot: Some(snapshot.to_owned()),
        snapshot_uri: Some(site.server.url("/s/{snapshot}")),
        ..site.repository()
    };
    let read =
        |repository: &Repository, seen| read_lists(&Network::new(limits()), repository, NOW, seen);
    // Its validity has ended, which is what a snapshot is for.
    let lists = read(&of("20231114T230000Z"), None).unwrap();
    assert_eq!(lists.url, site.server.url("/s/20231114T230000Z"));
    assert!(matches!(
        read(&of("20231115T230000Z"), None),
        Err(ResolveError::NoAnswer { .. })
    ));
    assert!(matches!(
        read(&of("yesterday"), None),
        Err(ResolveError::Input { .. })
    ));
}

/// A service that has nothing of that time and answers with something later.
#[test]
fn a_snapshot_that_is_later_than_its_name_is_refused() {
    let files: Files = good_files("")
        .into_iter()
        .map(|(path, bytes)| (path.replace("/u/", "/s/20231114T200000Z/"), bytes))
        .collect();
    let site = Site::new(files);
    let asked = Repository {
        snapshot: Some("20231114T200000Z".to_owned()),
        snapshot_uri: Some(site.server.url("/s/{snapshot}/")),
        ..site.repository()
    };
    let found = refusal(read_lists(&Network::new(limits()), &asked, NOW, None));
    assert!(
        matches!(&found, Refusal::Unsupported(why) if why.contains("8000 s after the snapshot")),
        "{found}"
    );
}

/// Vendors change keys; meanwhile both are pinned.
#[test]
fn any_of_several_pinned_keys_does() {
    let site = Site::new(good_files(""));
    let mut asked = site.repository();
    asked.keys.insert(0, signing_key(quick_key(2).public_key()));
    let lists = read_lists(&Network::new(limits()), &asked, NOW, None).unwrap();
    let signer = hex::encode_upper(asked.keys[1].fingerprint);
    assert_eq!(lists.signed_by.fingerprint, signer);
    asked.keys.pop();
    let found = refusal(read_lists(&Network::new(limits()), &asked, NOW, None));
    assert!(found.to_string().contains(&signer), "{found}");
}

#[test]
fn mirrors_are_tried_in_order_and_must_vouch_for_themselves() {
    let (bad, good) = (Site::new(Files::new()), Site::new(good_files("")));
    let forged = Site::new(
        [(
            "/u/dists/noble/InRelease".to_owned(),
            clear_signed(&quick_key(2), &release("", "")),
        )]
        .into(),
    );
    let places = [
        bad.server.url("/u"),
        forged.server.url("/u"),
        good.server.url("/u"),
    ];
    let rewrite = |url: &str| match url {
        "https://example.org/ubuntu" => places.to_vec(),
        other => panic!("{other}"),
    };
    let asked = Repository {
        uri: "https://example.org/ubuntu".to_owned(),
        ..good.repository()
    };
    let network = Network::new(limits()).with_mirrors(&rewrite);
    let lists = read_lists(&network, &asked, NOW, None).unwrap();
    assert_eq!(
        (lists.url, lists.place),
        (asked.uri.clone(), places[2].clone())
    );
    let fewer = |_: &str| places[..2].to_vec();
    let error = read_lists(
        &Network::new(limits()).with_mirrors(&fewer),
        &asked,
        NOW,
        None,
    )
    .unwrap_err();
    assert!(
        matches!(&error, ResolveError::Nowhere { errors, .. } if errors.len() == 2),
        "{error}"
    );
    assert!(error.to_string().contains(&places[1]), "{error}");
}

#[test]
fn what_is_not_announced_is_named_with_what_is() {
    let site = Site::new(good_files(""));
    let other = Repository {
        components: vec!["universe".to_owned()],
        ..site.repository()
    };
    let found = refusal(read_lists(&Network::new(limits()), &other, NOW, None));
    assert!(
        matches!(&found, Refusal::Unsupported(why) if why.contains("components: main")),
        "{found}"
    );
}
