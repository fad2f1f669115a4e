//! The whole way to a base image: pins, signed lists, several places, the cache.

use std::fs;
use std::net::TcpStream;
use std::sync::Arc;

use lab_supply::{
    Cause, Digest, FetchError, FetchOptions, Origin, Phase, SignatureState, fetch_base,
};
use pgp::packet::SecretKey;

use crate::server::{Request, Server, honest, not_found, send};
use crate::world::{World, content, image, options, pinned, quick_key, signed, signing_key};

const LEN: usize = 300_000;

/// A vendor's directory: files by name; all else is absent.
fn vendor(files: Vec<(&str, Vec<u8>)>) -> Server {
    let files: Vec<(String, Vec<u8>)> = files
        .into_iter()
        .map(|(name, bytes)| (format!("/24.04/{name}"), bytes))
        .collect();
    let files = Arc::new(files);
    Server::new(move |request: &Request, stream: &mut TcpStream| {
        match files.iter().find(|(path, _)| *path == request.path) {
            Some((_, bytes)) => honest(request, stream, bytes, "\"v1\""),
            None => not_found(stream),
        }
    })
}

fn list_of(name: &str, bytes: &[u8]) -> Vec<u8> {
    format!(
        "{} *other.iso\n{} *{name}\n",
        Digest::of(b"other"),
        Digest::of(bytes)
    )
    .into_bytes()
}

/// A directory as Ubuntu's: the image, the list, the signature by `key`.
fn signed_vendor(bytes: &[u8], key: &SecretKey) -> Server {
    let list = list_of("base.iso", bytes);
    let signature = [signed(&quick_key(77), &list), signed(key, &list)].concat();
    vendor(vec![
        ("base.iso", bytes.to_vec()),
        ("SHA256SUMS", list),
        ("SHA256SUMS.gpg", signature),
    ])
}

fn url(server: &Server) -> String {
    server.url("/24.04/base.iso")
}

#[test]
fn a_signed_list_vouches_with_and_without_a_pin_and_offline_afterwards() {
    let (bytes, key) = (content(1, LEN), quick_key(1));
    let server = signed_vendor(&bytes, &key);
    for pin in [None, Some(Digest::of(&bytes))] {
        let world = World::new();
        let wanted = image(pin, &[url(&server)], &key);
        let fetched = world.fetch_content(&wanted, &bytes);
        let SignatureState::Verified(by) = &fetched.signature else {
            panic!("{:?}", fetched.signature)
        };
        assert_eq!(
            by.fingerprint,
            hex::encode_upper(wanted.signing_key.fingerprint)
        );
        let before = server.requests().len();
        let frozen = FetchOptions {
            frozen: true,
            ..options()
        };
        let mut hashed = 0;
        let again = fetch_base(&world.cache, &wanted, &frozen, &mut |progress| {
            hashed += u32::from(progress.phase == Phase::Hashing);
        })
        .unwrap();
        assert_eq!(
            (again.origin, again.signature),
            (Origin::Cache, fetched.signature)
        );
        assert_eq!(
            (hashed, server.requests().len()),
            (0, before),
            "hashed or fetched again"
        );
    }
}

#[test]
fn a_pin_and_a_signed_list_that_disagree_are_both_shown() {
    let (bytes, key) = (content(1, LEN), quick_key(1));
    let server = signed_vendor(&bytes, &key);
    let world = World::new();
    let pin = Digest::of(b"another");
    let error = world.fetch_error(&image(Some(pin), &[url(&server)], &key));
    assert!(matches!(error, FetchError::PinDisagrees { .. }), "{error}");
    assert!(error.input_at_fault());
    let text = error.to_string();
    assert!(
        text.contains(&pin.to_string()) && text.contains(&Digest::of(&bytes).to_string()),
        "{text}"
    );
    assert_eq!(
        server.requests().len(),
        0,
        "the image was fetched though it could not fit"
    );
}

#[test]
fn a_list_signed_by_somebody_else_ends_it_with_and_without_a_pin() {
    let (bytes, key) = (content(1, LEN), quick_key(1));
    let server = signed_vendor(&bytes, &quick_key(2));
    for pin in [None, Some(Digest::of(&bytes))] {
        let error = World::new().fetch_error(&image(pin, &[url(&server)], &key));
        assert!(matches!(error, FetchError::BadSignature { .. }), "{error}");
        assert!(
            error.input_at_fault() && error.to_string().contains("SHA256SUMS.gpg"),
            "{error}"
        );
    }
}

#[test]
fn a_list_that_was_changed_after_signing_ends_it() {
    let (bytes, key) = (content(1, LEN), quick_key(1));
    let signature = signed(&key, &list_of("base.iso", b"what the vendor signed"));
    let server = vendor(vec![
        ("base.iso", bytes.clone()),
        ("SHA256SUMS", list_of("base.iso", &bytes)),
        ("SHA256SUMS.gpg", signature),
    ]);
    let error = World::new().fetch_error(&image(None, &[url(&server)], &key));
    assert!(matches!(error, FetchError::BadSignature { .. }), "{error}");
}

#[test]
fn without_a_pin_an_absent_list_or_signature_ends_it_and_with_one_it_is_said() {
    let (bytes, key) = (content(1, LEN), quick_key(1));
    let list = list_of("base.iso", &bytes);
    let unlisted = list_of("elsewhere.iso", &bytes);
    let cases = [
        (vec![("base.iso", bytes.clone())], "no such file"),
        (
            vec![("base.iso", bytes.clone()), ("SHA256SUMS", list)],
            "SHA256SUMS.gpg",
        ),
        (
            vec![
                ("base.iso", bytes.clone()),
                ("SHA256SUMS.gpg", signed(&key, &unlisted)),
                ("SHA256SUMS", unlisted),
            ],
            "does not name base.iso",
        ),
    ];
    for (files, says) in cases {
        let server = vendor(files);
        let error = World::new().fetch_error(&image(None, &[url(&server)], &key));
        assert!(matches!(error, FetchError::Unverifiable { .. }), "{error}");
        assert!(error.to_string().contains(says), "{says}: {error}");
        let fetched = World::new().fetch_content(&pinned(&bytes, &[url(&server)]), &bytes);
        let SignatureState::NotChecked(why) = fetched.signature else {
            panic!("{:?}", fetched.signature)
        };
        assert!(why.contains(says), "{says}: {why}");
    }
}

#[test]
fn lists_and_signatures_are_bounded() {
    let key = quick_key(1);
    for endless in ["SHA256SUMS", "SHA256SUMS.gpg"] {
        let path = format!("/24.04/{endless}");
        let server = Server::new(move |request, stream| {
            if request.path != path {
                return send(stream, "200 OK", &[("Content-Length", "2")], b"ok");
            }
            send(stream, "200 OK", &[], b"");
            while std::io::Write::write_all(stream, &[b'a'; 65536]).is_ok() {}
        });
        let error = World::new().fetch_error(&image(None, &[url(&server)], &key));
        assert!(error.to_string().contains("it is longer than"), "{error}");
        assert!(!matches!(error, FetchError::Failed { .. }), "{error}");
    }
}

#[test]
fn the_superseded_place_is_tried_when_the_current_one_has_no_file() {
    let (bytes, key) = (content(1, LEN), quick_key(1));
    let current = vendor(vec![]);
    let old = signed_vendor(&bytes, &key);
    for pin in [None, Some(Digest::of(&bytes))] {
        let fetched =
            World::new().fetch_content(&image(pin, &[url(&current), url(&old)], &key), &bytes);
        assert!(
            matches!(fetched.signature, SignatureState::Verified(_)),
            "{:?}",
            fetched.signature
        );
        assert_eq!(
            fetched.origin,
            Origin::Downloaded {
                url: url(&old),
                bytes: LEN as u64
            }
        );
    }
}

#[test]
fn what_was_tried_everywhere_is_shown_together() {
    let bytes = content(1, LEN);
    let (absent, empty) = (vendor(vec![]), vendor(vec![]));
    let urls = [url(&absent), url(&empty)];
    let error = World::new().fetch_error(&pinned(&bytes, &urls));
    assert!(
        matches!(&error, FetchError::NotFound { tried, .. } if tried.len() == 2),
        "{error}"
    );
    assert!(error.input_at_fault());
    assert!(
        urls.iter().all(|url| error.to_string().contains(url)),
        "{error}"
    );
    let wrong = vendor(vec![("base.iso", content(2, LEN))]);
    let error = World::new().fetch_error(&pinned(&bytes, &[url(&absent), url(&wrong)]));
    let FetchError::Failed { tried, .. } = &error else {
        panic!("{error}")
    };
    assert!(
        matches!(tried[0].cause, Cause::Absent(404))
            && matches!(tried[1].cause, Cause::WrongContent { .. })
    );
    assert!(!error.input_at_fault());
}

#[test]
fn what_came_from_one_place_is_continued_at_the_next() {
    let bytes = content(1, 3 << 20);
    let half = bytes.clone();
    let broken = Server::of_file(move |request, stream| {
        crate::server::honest_until(request, stream, &half, "\"a\"", 2 << 20);
    });
    let whole = vendor(vec![("base.iso", bytes.clone())]);
    let fetched = World::new().fetch_content(
        &pinned(&bytes, &[broken.url("/base.iso"), url(&whole)]),
        &bytes,
    );
    assert_eq!(
        fetched.origin,
        Origin::Downloaded {
            url: url(&whole),
            bytes: 1 << 20
        }
    );
    assert_eq!(
        whole.requests()[0].if_range,
        None,
        "another server's tag was sent"
    );
}

#[test]
fn a_mirror_replaces_the_vendors_places() {
    let bytes = content(1, LEN);
    let vendors = vendor(vec![("base.iso", bytes.clone())]);
    let mirror = vendor(vec![("base.iso", bytes.clone())]);
    let world = World::new();
    for slash in ["", "/"] {
        let _ = fs::remove_file(world.place());
        let options = FetchOptions {
            mirror: Some(mirror.url("/24.04") + slash),
            ..options()
        };
        fetch_base(
            &world.cache,
            &pinned(&bytes, &[url(&vendors)]),
            &options,
            &mut |_| {},
        )
        .unwrap();
    }
    assert_eq!((vendors.requests().len(), mirror.requests().len()), (0, 2));
    let bad = FetchOptions {
        mirror: Some("ftp://u:s3cret@h/".to_owned()),
        ..options()
    };
    let error = fetch_base(&world.cache, &pinned(&bytes, &[]), &bad, &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, FetchError::BadUrl { .. }) && error.input_at_fault(),
        "{error}"
    );
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn a_file_brought_by_hand_is_verified_and_adopted_without_network() {
    let bytes = content(1, LEN);
    let world = World::new();
    fs::write(world.place(), &bytes).unwrap();
    let fetched = world.fetch_content(
        &pinned(&bytes, &["http://127.0.0.1:9/base.iso".to_owned()]),
        &bytes,
    );
    assert_eq!(fetched.origin, Origin::Cache);
    assert!(matches!(fetched.signature, SignatureState::NotChecked(_)));
}

#[test]
fn a_file_brought_by_hand_without_a_pin_needs_only_the_list() {
    let (bytes, key) = (content(1, LEN), quick_key(1));
    let server = signed_vendor(&bytes, &key);
    let world = World::new();
    fs::write(world.place(), &bytes).unwrap();
    let fetched = world.fetch_content(&image(None, &[url(&server)], &key), &bytes);
    assert_eq!(fetched.origin, Origin::Cache);
    assert!(matches!(fetched.signature, SignatureState::Verified(_)));
    assert_eq!(
        server.requests().len(),
        0,
        "the image was fetched though it was there"
    );
}

#[test]
fn the_list_too_can_be_brought_by_hand_and_must_hold() {
    let (bytes, key) = (content(1, LEN), quick_key(1));
    let world = World::new();
    let list = list_of("base.iso", &bytes);
    fs::write(world.place(), &bytes).unwrap();
    fs::write(world.path("base.iso.SHA256SUMS"), &list).unwrap();
    fs::write(
        world.path("base.iso.SHA256SUMS.gpg"),
        signed(&quick_key(2), &list),
    )
    .unwrap();
    let wanted = image(None, &[], &key);
    let frozen = FetchOptions {
        frozen: true,
        ..options()
    };
    let get = || fetch_base(&world.cache, &wanted, &frozen, &mut |_| {});
    assert!(matches!(get(), Err(FetchError::Frozen { .. })));
    fs::write(world.path("base.iso.SHA256SUMS.gpg"), signed(&key, &list)).unwrap();
    assert!(matches!(
        get().unwrap().signature,
        SignatureState::Verified(_)
    ));
}

#[test]
fn a_wrong_file_in_the_cache_stays_until_the_right_one_comes() {
    let bytes = content(1, LEN);
    let world = World::new();
    fs::write(world.place(), b"wrong").unwrap();
    let wanted = pinned(&bytes, &["http://127.0.0.1:9/base.iso".to_owned()]);
    let error = world.fetch(&wanted).unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&Digest::of(b"wrong").to_string()) && text.contains("is in the cache"),
        "{text}"
    );
    assert_eq!(fs::read(world.place()).unwrap(), b"wrong");
    let server = vendor(vec![("base.iso", bytes.clone())]);
    world.fetch_content(&pinned(&bytes, &[url(&server)]), &bytes);
}

#[test]
fn frozen_touches_no_network() {
    let bytes = content(1, LEN);
    let server = vendor(vec![("base.iso", bytes.clone())]);
    let world = World::new();
    let frozen = FetchOptions {
        frozen: true,
        ..options()
    };
    let wanted = pinned(&bytes, &[url(&server)]);
    let get = || fetch_base(&world.cache, &wanted, &frozen, &mut |_| {}).unwrap_err();
    assert!(matches!(get(), FetchError::Frozen { found, .. } if found.contains("nothing")));
    fs::write(world.place(), b"wrong").unwrap();
    assert!(matches!(get(), FetchError::Frozen { found, .. } if found.contains("another")));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_signing_key_that_is_not_the_named_one_is_refused_before_anything_else() {
    let bytes = content(1, LEN);
    let mut wanted = pinned(&bytes, &[]);
    wanted.signing_key.packet = signing_key(quick_key(2).public_key()).packet;
    assert!(matches!(
        World::new().fetch_error(&wanted),
        FetchError::BadKey(_)
    ));
    wanted.signing_key.packet.clear();
    assert!(matches!(
        World::new().fetch_error(&wanted),
        FetchError::BadKey(_)
    ));
}

#[test]
fn progress_ends_at_the_whole() {
    let bytes = content(1, LEN);
    let server = vendor(vec![("base.iso", bytes.clone())]);
    let world = World::new();
    let mut reports = Vec::new();
    fetch_base(
        &world.cache,
        &pinned(&bytes, &[url(&server)]),
        &options(),
        &mut |progress| reports.push(progress),
    )
    .unwrap();
    let downloading: Vec<_> = reports
        .iter()
        .filter(|report| report.phase == Phase::Downloading)
        .collect();
    assert!(
        downloading
            .windows(2)
            .all(|pair| pair[0].done <= pair[1].done)
    );
    let last = downloading.last().unwrap();
    assert_eq!((last.done, last.total), (LEN as u64, Some(LEN as u64)));
}
