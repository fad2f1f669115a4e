//! Repositories that lie: in the signature, around it, in dates, paths, sizes, and in
//! how they answer.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use lab_supply::repository::{fetch_key, read_lists};
use lab_supply::{Cause, Network, Refusal, ResolveError};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{SignatureType, SubpacketData};
use pgp::types::{Duration as PgpDuration, KeyDetails as _};

use super::{
    DATE, NOW, Site, announced, clear_signed, clear_signed_with, files_of, good_files, gz,
    packages, refusal, refusal_of, release, repository, signed_files, xz,
};
use crate::server::{Server, send};
use crate::world::{config, limits, part, quick_key, quick_key_of, rsa_key, signing_key};

fn text() -> String {
    release(
        "",
        &announced(&[("main/binary-amd64/Packages", &packages())]),
    )
}

fn good() -> Vec<u8> {
    clear_signed(&quick_key(1), &text())
}

#[test]
fn text_before_or_after_the_signed_block() {
    let fields = b"Origin: Evil\n".to_vec();
    for spoilt in [
        [fields.clone(), good()].concat(),
        [good(), fields.clone()].concat(),
        [b"\n".to_vec(), good()].concat(),
        [good(), b"\n\n".to_vec(), fields].concat(),
    ] {
        assert!(matches!(refusal_of(spoilt), Refusal::Malformed(_)));
    }
}

#[test]
fn two_signed_blocks() {
    let forged = clear_signed(&quick_key(2), &text());
    for spoilt in [
        [good(), good()].concat(),
        [forged.clone(), good()].concat(),
        [good(), forged].concat(),
    ] {
        assert!(matches!(refusal_of(spoilt), Refusal::Malformed(_)));
    }
}

#[test]
fn a_signature_by_another_key_whatever_it_says_to_be() {
    let (key, other) = (quick_key(1), quick_key(2));
    let honest = clear_signed(&other, &text());
    assert!(matches!(refusal_of(honest), Refusal::Signature(_)));
    let mut by_id = config(&other, HashAlgorithm::Sha512);
    by_id.typ = SignatureType::Text;
    by_id.hashed_subpackets.truncate(1);
    by_id.unhashed_subpackets = vec![part(SubpacketData::IssuerKeyId(key.legacy_key_id()))];
    assert!(matches!(
        refusal_of(clear_signed_with(by_id, &other, &text())),
        Refusal::Signature(_)
    ));
    let mut by_fingerprint = config(&other, HashAlgorithm::Sha512);
    by_fingerprint.typ = SignatureType::Text;
    by_fingerprint.hashed_subpackets[1] = part(SubpacketData::IssuerFingerprint(key.fingerprint()));
    assert!(matches!(
        refusal_of(clear_signed_with(by_fingerprint, &other, &text())),
        Refusal::Signature(_)
    ));
}

/// Eight digits can be forged: this key was found in some minutes, by trying the times
/// that a key can say to be made at until the end of its fingerprint was the right one.
#[test]
fn a_key_of_the_same_short_id() {
    let (key, forged) = (quick_key(1), quick_key_of(2, 882_858_816));
    let [own, other] = [&key, &forged].map(|key| signing_key(key.public_key()));
    assert_eq!(own.fingerprint[16..], other.fingerprint[16..]);
    let found = refusal_of(clear_signed(&forged, &text()));
    assert!(matches!(found, Refusal::Signature(_)), "{found}");
    let site = Site::new([("/key".to_owned(), other.packet)].into());
    let network = Network::new(limits());
    let error = fetch_key(&network, &site.server.url("/key"), own.fingerprint).unwrap_err();
    assert!(error.to_string().contains("E94250B9A12C42C4"), "{error}");
}

#[test]
fn a_changed_text() {
    let spoilt = String::from_utf8(good())
        .unwrap()
        .replace("Origin: Lab", "Origin: Lob");
    let found = refusal_of(spoilt.into_bytes());
    assert!(found.to_string().contains("does not verify"), "{found}");
}

#[test]
fn a_signature_by_a_weak_hash() {
    let key = rsa_key(1, 2048);
    for hash in [HashAlgorithm::Md5, HashAlgorithm::Sha1] {
        let mut weak = config(&key, hash);
        weak.typ = SignatureType::Text;
        let signed = clear_signed_with(weak, &key, &text());
        let site = Site::new([("/u/dists/noble/InRelease".to_owned(), signed)].into());
        let asked = repository(&site.server.url("/u"), &key);
        let found = refusal(read_lists(&Network::new(limits()), &asked, NOW, None));
        assert!(found.to_string().contains("too weak"), "{found}");
    }
}

#[test]
fn an_expired_signature() {
    let key = quick_key(1);
    let mut short = config(&key, HashAlgorithm::Sha512);
    short.typ = SignatureType::Text;
    short
        .hashed_subpackets
        .push(part(SubpacketData::SignatureExpirationTime(
            PgpDuration::from_secs(3600),
        )));
    let found = refusal_of(clear_signed_with(short, &key, &text()));
    assert!(found.to_string().contains("expired 0 s ago"), "{found}");
}

/// RFC 9580, section 5.2.3.7.
#[test]
fn a_critical_part_that_nobody_understands() {
    let key = quick_key(1);
    for (critical, says) in [(true, "critical"), (false, "announces no")] {
        let mut config = config(&key, HashAlgorithm::Sha512);
        config.typ = SignatureType::Text;
        let mut unknown = part(SubpacketData::Experimental(101, vec![1, 2, 3].into()));
        unknown.is_critical = critical;
        config.hashed_subpackets.push(unknown);
        let signed = clear_signed_with(config, &key, &release("", ""));
        let found = refusal_of(signed);
        assert!(found.to_string().contains(says), "{found}");
    }
}

#[test]
fn dates_that_do_not_go_with_the_clock() {
    let with = |fields: &str| clear_signed(&quick_key(1), &release(fields, ""));
    let found = refusal_of(with("Valid-Until: Tue, 14 Nov 2023 23:13:20 UTC\n"));
    assert_eq!(
        found,
        Refusal::Stale {
            valid_until: NOW,
            now: NOW
        }
    );
    let site = Site::new(good_files(""));
    let at = |now, seen| read_lists(&Network::new(limits()), &site.repository(), now, seen);
    let found = refusal(at(NOW - 3600 - 2 * 86_400, None));
    // The signature is from the future as well, and is looked at first.
    assert!(found.to_string().contains("clock"), "{found}");
    let seen = NOW - 3600;
    at(NOW, Some(seen)).unwrap();
    let found = refusal(at(NOW, Some(seen + 1)));
    assert_eq!(
        found,
        Refusal::Rollback {
            found: seen,
            seen: seen + 1
        }
    );
}

#[test]
fn a_date_in_the_far_future() {
    let future = text().replace(DATE, "Fri, 17 Nov 2023 22:13:20 UTC");
    let found = refusal_of(clear_signed(&quick_key(1), &future));
    assert_eq!(
        found,
        Refusal::Clock {
            ahead: 3 * 86_400 - 3600
        }
    );
    assert!(found.to_string().contains("set the clock"), "{found}");
}

#[test]
fn paths_that_lead_elsewhere() {
    for path in [
        "../../../etc/passwd",
        "/etc/passwd",
        "main/../../x",
        "main/binary-amd64/%2e%2e/x",
    ] {
        let text = release("", &announced(&[(path, b"x")]));
        assert!(
            matches!(
                refusal_of(clear_signed(&quick_key(1), &text)),
                Refusal::Path(_)
            ),
            "{path}"
        );
    }
}

#[test]
fn another_suites_release_under_the_same_key() {
    let other = text().replace("noble", "noble-security");
    let found = refusal_of(clear_signed(&quick_key(1), &other));
    assert!(
        matches!(&found, Refusal::Unsupported(why) if why.contains("noble-security")),
        "{found}"
    );
}

/// The digest of the packed file is right, and 64 MiB come out of it.
#[test]
fn decompression_bombs() {
    let bomb = vec![0; 64 << 20];
    for (suffix, packed) in [(".xz", xz(&bomb)), (".gz", gz(&bomb))] {
        let path = format!("main/binary-amd64/Packages{suffix}");
        let site = Site::new(files_of(
            "",
            &[
                ("main/binary-amd64/Packages", &packages()),
                (&path, &packed),
            ],
        ));
        let found = refusal(site.read());
        assert!(
            matches!(found, Refusal::Decompression { expected, .. } if expected == packages().len() as u64),
            "{found}"
        );
    }
}

/// What unpacks to the right size and other bytes.
#[test]
fn a_list_that_is_another_after_unpacking() {
    let mut other = packages();
    other[9] = b'b';
    let site = Site::new(files_of(
        "",
        &[
            ("main/binary-amd64/Packages", &packages()),
            ("main/binary-amd64/Packages.xz", &xz(&other)),
        ],
    ));
    assert!(matches!(refusal(site.read()), Refusal::Digest { .. }));
}

#[test]
fn sizes_that_no_list_has() {
    let line = format!(
        " {} 99999999999999 main/binary-amd64/Packages\n",
        lab_supply::Digest::of(b"x")
    );
    let site = Site::new(signed_files(&release("", &line)));
    assert!(matches!(refusal(site.read()), Refusal::Size { .. }));
    assert_eq!(site.paths().len(), 1);
}

#[test]
fn a_transfer_that_drips_or_breaks_off_ends_in_time() {
    let files = good_files("");
    let in_release = files["/u/dists/noble/InRelease"].clone();
    for drips in [false, true] {
        let signed = in_release.clone();
        let server = Server::new(move |request, stream| {
            if request.path.ends_with("InRelease") {
                let length = signed.len().to_string();
                return send(stream, "200 OK", &[("Content-Length", &length)], &signed);
            }
            send(stream, "200 OK", &[("Content-Length", "100")], b"x");
            while drips && stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(300));
            }
        });
        let start = Instant::now();
        let error = read_lists(
            &Network::new(limits()),
            &repository(&server.url("/u"), &quick_key(1)),
            NOW,
            None,
        )
        .unwrap_err();
        assert!(matches!(error.cause(), Some(Cause::Broken(_))), "{error}");
        assert!(
            start.elapsed() < Duration::from_secs(8),
            "{:?}",
            start.elapsed()
        );
    }
}

/// Credentials are for the host that they are for, and for no other that it sends to.
#[test]
fn credentials_do_not_follow_a_redirect() {
    let site = Site::new(good_files(""));
    let target = site.server.url("");
    let first = Server::new(move |request, stream| {
        let location = format!("{target}{}", request.path);
        send(
            stream,
            "302 Found",
            &[("Location", &location), ("Content-Length", "0")],
            b"",
        );
    });
    let host = first.url("").replace("http://", "");
    let authorization = |asked: &str| (asked == host).then(|| "Basic c2VjcmV0".to_owned());
    let network = Network::new(limits()).with_credentials(&authorization);
    read_lists(
        &network,
        &repository(&first.url("/u"), &quick_key(1)),
        NOW,
        None,
    )
    .unwrap();
    assert!(
        first
            .requests()
            .iter()
            .all(|request| request.authorization.as_deref() == Some("Basic c2VjcmV0"))
    );
    assert!(
        site.server
            .requests()
            .iter()
            .all(|request| request.authorization.is_none())
    );
}

#[test]
fn a_host_that_wants_credentials_says_so() {
    let server =
        Server::new(|_, stream| send(stream, "401 Unauthorized", &[("Content-Length", "0")], b""));
    let asked = repository(&server.url("/u"), &quick_key(1));
    let found = refusal(read_lists(&Network::new(limits()), &asked, NOW, None));
    assert!(
        matches!(&found, Refusal::Denied(why) if why.contains("none are given")),
        "{found}"
    );
    let authorization = |_: &str| Some("Basic c2VjcmV0".to_owned());
    let network = Network::new(limits()).with_credentials(&authorization);
    let error = read_lists(&network, &asked, NOW, None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("not accepted") && !error.contains("c2Vj"),
        "{error}"
    );
}

/// Every byte of a good `InRelease` is changed in turn, and it is cut at every length:
/// never a panic, and what is still accepted is the same text.
#[test]
fn spoilt_inreleases_are_never_believed() {
    let whole = good();
    let spoilt = move |path: &str| -> Option<Vec<u8>> {
        let mut parts = path.split('/').skip(1);
        let (how, at) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
        let mut bytes = whole.clone();
        match how {
            "cut" => bytes.truncate(at),
            flip => *bytes.get_mut(at)? ^= flip.parse::<u8>().ok()?,
        }
        Some(bytes)
    };
    let length = good().len();
    let server = Server::new(move |request, stream| {
        let bytes = spoilt(&request.path).filter(|_| request.path.ends_with("InRelease"));
        match bytes {
            Some(bytes) => send(
                stream,
                "200 OK",
                &[("Content-Length", &bytes.len().to_string())],
                &bytes,
            ),
            None if request.path.ends_with("Packages") => {
                send(
                    stream,
                    "200 OK",
                    &[("Content-Length", &packages().len().to_string())],
                    &packages(),
                );
            }
            None => send(stream, "404 No", &[("Content-Length", "0")], b""),
        }
    });
    let network = Network::new(limits());
    let read = |how: &str, at: usize| {
        let asked = repository(&server.url(&format!("/{how}/{at}")), &quick_key(1));
        read_lists(&network, &asked, NOW, None)
    };
    let mut still = 0;
    for (at, how) in (0..length).flat_map(|at| [(at, "1"), (at, "128"), (at, "cut")]) {
        if let Ok(lists) = read(how, at) {
            assert!(
                lists.release == text(),
                "{how} {at}: another text is believed"
            );
            still += 1;
        }
    }
    // The hash's name in the head, the unhashed key id, the armor's checksum, the last line's end.
    assert!(still < 80, "{still}");
}

#[test]
fn a_release_that_is_missing_is_no_refusal() {
    let site = Site::new(super::Files::new());
    let error = site.read().unwrap_err();
    assert!(
        matches!(&error, ResolveError::NoAnswer { cause, .. } if matches!(**cause, Cause::Absent(404))),
        "{error}"
    );
    assert!(error.input_at_fault());
}
