//! Detached signatures: what counts, and everything that must not.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab_supply::{SignatureError, SigningKey, verify_detached};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{SecretKey, SignatureType, SubpacketData};
use pgp::types::{Duration as PgpDuration, KeyDetails as _};

use crate::world::{
    SIGNED_AT, config, made, not_run, part, quick_key, rsa_key, signed, signing_key,
};

const DATA: &[u8] = b"0123 *base.iso\n";

fn at(seconds: u32) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::from(seconds))
}

fn verify(key: &SecretKey, signatures: &[u8]) -> Result<u64, SignatureError> {
    let key = signing_key(key.public_key());
    let by = verify_detached(&key, DATA, signatures, at(SIGNED_AT + 100))?;
    assert_eq!(by.fingerprint, hex::encode_upper(key.fingerprint));
    Ok(by.created)
}

/// Why the only signature does not count.
fn refusal(key: &SecretKey, signatures: &[u8]) -> String {
    match verify(key, signatures) {
        Err(SignatureError::NoneGood { found, .. }) => found.join("; "),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_signature_counts_by_rsa_and_by_ed25519() {
    for key in [quick_key(1), rsa_key(1, 2048)] {
        for hash in [
            HashAlgorithm::Sha256,
            HashAlgorithm::Sha384,
            HashAlgorithm::Sha512,
        ] {
            let signature = made(config(&key, hash), &key, DATA);
            assert_eq!(verify(&key, &signature), Ok(u64::from(SIGNED_AT)));
        }
    }
}

#[test]
fn changed_data_is_refused() {
    let key = quick_key(1);
    assert!(refusal(&key, &signed(&key, b"0124 *base.iso\n")).contains("does not verify"));
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let (key, other) = (quick_key(1), quick_key(2));
    let why = refusal(&key, &signed(&other, DATA));
    assert!(
        why.contains(&hex::encode_upper(other.fingerprint().as_bytes())),
        "{why}"
    );
}

/// Short and even long key ids can be made to collide; here the id simply lies.
#[test]
fn another_key_that_passes_for_the_pinned_one_is_refused() {
    let (key, other) = (quick_key(1), quick_key(2));
    let mut by_id = config(&other, HashAlgorithm::Sha512);
    by_id.hashed_subpackets.truncate(1);
    by_id.unhashed_subpackets = vec![part(SubpacketData::IssuerKeyId(key.legacy_key_id()))];
    assert!(refusal(&key, &made(by_id, &other, DATA)).contains("does not verify"));
    let mut by_fingerprint = config(&other, HashAlgorithm::Sha512);
    by_fingerprint.hashed_subpackets[1] = part(SubpacketData::IssuerFingerprint(key.fingerprint()));
    assert!(refusal(&key, &made(by_fingerprint, &other, DATA)).contains("does not verify"));
    let mut unnamed = config(&other, HashAlgorithm::Sha512);
    unnamed.hashed_subpackets.truncate(1);
    unnamed.unhashed_subpackets.clear();
    assert!(refusal(&key, &made(unnamed, &other, DATA)).contains("does not verify"));
}

#[test]
fn weak_hashes_are_refused_though_they_verify() {
    let key = rsa_key(1, 2048);
    for hash in [
        HashAlgorithm::Sha1,
        HashAlgorithm::Sha224,
        HashAlgorithm::Ripemd160,
    ] {
        let why = refusal(&key, &made(config(&key, hash), &key, DATA));
        assert!(why.contains("too weak"), "{hash}: {why}");
    }
}

#[test]
fn weak_keys_are_refused() {
    let key = rsa_key(3, 1024);
    let error = verify(&key, &signed(&key, DATA)).unwrap_err();
    assert!(
        matches!(&error, SignatureError::WeakKey { why, .. } if why.contains("1024")),
        "{error}"
    );
}

#[test]
fn expired_signatures_are_refused_and_others_not() {
    let key = quick_key(1);
    let with = |lifetime: u32| {
        let mut config = config(&key, HashAlgorithm::Sha512);
        config
            .hashed_subpackets
            .push(part(SubpacketData::SignatureExpirationTime(
                PgpDuration::from_secs(lifetime),
            )));
        made(config, &key, DATA)
    };
    assert!(refusal(&key, &with(100)).contains("expired 0 s ago"));
    assert!(refusal(&key, &with(40)).contains("expired 60 s ago"));
    assert!(verify(&key, &with(101)).is_ok());
    assert!(verify(&key, &with(0)).is_ok());
}

/// What is not hashed anyone can add: it must not say when the signature was made.
#[test]
fn a_time_that_is_not_signed_does_not_count() {
    let key = quick_key(1);
    let mut config = config(&key, HashAlgorithm::Sha512);
    let time = config.hashed_subpackets.remove(0);
    config.unhashed_subpackets.push(time);
    assert!(refusal(&key, &made(config, &key, DATA)).contains("when it was made"));
}

#[test]
fn signatures_of_another_type_are_refused() {
    let key = quick_key(1);
    for typ in [
        SignatureType::Text,
        SignatureType::Standalone,
        SignatureType::CertGeneric,
    ] {
        let mut config = config(&key, HashAlgorithm::Sha512);
        config.typ = typ;
        let Ok(signature) = config.sign(&key, &pgp::types::Password::empty(), DATA) else {
            continue;
        };
        assert!(
            refusal(&key, &crate::world::bytes_of(&signature)).contains("of type"),
            "{typ:?}"
        );
    }
}

#[test]
fn one_good_signature_among_several_is_enough() {
    let (key, other) = (rsa_key(1, 2048), quick_key(2));
    let weak = made(config(&key, HashAlgorithm::Sha1), &key, DATA);
    let all = [signed(&other, DATA), weak.clone(), signed(&key, DATA)];
    assert!(verify(&key, &all.concat()).is_ok());
    let why = refusal(&key, &all[..2].concat());
    assert!(
        why.contains("does not verify") && why.contains("too weak"),
        "{why}"
    );
    assert!(verify(&key, &all[2].repeat(16)).is_ok());
    assert!(matches!(
        verify(&key, &all[2].repeat(17)),
        Err(SignatureError::NotASignature(_))
    ));
}

#[test]
fn armored_signatures_are_read_and_no_other_armor_is_a_key() {
    let key = quick_key(1);
    let signature = pgp::composed::DetachedSignature::new(
        config(&key, HashAlgorithm::Sha512)
            .sign(&key, &pgp::types::Password::empty(), DATA)
            .unwrap(),
    );
    let text = signature
        .to_armored_bytes(pgp::composed::ArmorOptions::default())
        .unwrap();
    assert!(text.starts_with(b"-----BEGIN PGP SIGNATURE"));
    assert!(verify(&key, &text).is_ok());
    let wrong = SigningKey {
        packet: text.clone(),
        ..signing_key(key.public_key())
    };
    assert!(matches!(
        verify_detached(&wrong, DATA, &text, at(SIGNED_AT)),
        Err(SignatureError::NotAKey(_))
    ));
}

#[test]
fn a_key_that_is_not_the_one_its_fingerprint_names_is_refused() {
    let (key, other) = (quick_key(1), quick_key(2));
    let mut wrong = signing_key(other.public_key());
    wrong.fingerprint = signing_key(key.public_key()).fingerprint;
    let error = verify_detached(&wrong, DATA, &signed(&other, DATA), at(SIGNED_AT)).unwrap_err();
    assert!(matches!(error, SignatureError::OtherKey { .. }), "{error}");
}

#[test]
fn what_is_no_signature_file_is_refused() {
    let key = quick_key(1);
    let page = b"<!DOCTYPE html><html><body>Please log in</body></html>".to_vec();
    let key_packet = signing_key(key.public_key()).packet;
    for bytes in [
        Vec::new(),
        page,
        b"rubbish".to_vec(),
        vec![0; 1000],
        vec![0xff; 1000],
        key_packet,
    ] {
        let error = verify(&key, &bytes).unwrap_err();
        assert!(matches!(error, SignatureError::NotASignature(_)), "{error}");
    }
    assert!(
        verify(&key, b"<html>")
            .unwrap_err()
            .to_string()
            .contains("web page")
    );
}

/// Every byte of a signature and of a key is changed in turn, and both are cut at
/// every length: never a panic, and never a signature that still counts unless the
/// change is outside of what is signed.
#[test]
fn spoilt_signatures_and_keys_neither_count_nor_panic() {
    let key = quick_key(1);
    let good = signed(&key, DATA);
    let counted = |bytes: &[u8]| verify(&key, bytes).is_ok();
    assert!((0..good.len()).all(|end| !counted(&good[..end])));
    let mut still = 0;
    for (at, flip) in (0..good.len()).flat_map(|at| [(at, 0x01), (at, 0x80), (at, 0xff)]) {
        let mut spoilt = good.clone();
        spoilt[at] ^= flip;
        still += usize::from(counted(&spoilt));
    }
    // The unhashed key id (8 bytes and its type) may change: the fingerprint still names the key.
    assert!(still <= 3 * 10, "{still}");
    let pinned = signing_key(key.public_key());
    for at in 0..pinned.packet.len() {
        let mut spoilt = pinned.clone();
        spoilt.packet[at] ^= 0x41;
        let _ = verify_detached(&spoilt, DATA, &good, SystemTime::now());
        spoilt.packet.truncate(at);
        assert!(verify_detached(&spoilt, DATA, &good, SystemTime::now()).is_err());
    }
}

/// GnuPG makes Ubuntu's signatures: its key, its packets, its several signers.
#[test]
fn gnupgs_signatures_are_understood() {
    let test = "gnupgs_signatures_are_understood";
    if Command::new("gpg")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        return not_run(test, "gpg is not installed");
    }
    let home = tempfile::tempdir().unwrap();
    let gpg = |arguments: &[&str]| {
        let done = Command::new("gpg")
            .arg("--homedir")
            .arg(home.path())
            .args([
                "--batch",
                "--quiet",
                "--yes",
                "--passphrase",
                "",
                "--pinentry-mode",
                "loopback",
            ])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        done.stdout
    };
    for (name, kind) in [("a@example.com", "rsa2048"), ("b@example.com", "ed25519")] {
        gpg(&["--quick-generate-key", name, kind, "sign", "never"]);
    }
    let list = home.path().join("SHA256SUMS");
    fs::write(&list, DATA).unwrap();
    let list = list.to_str().unwrap();
    let both = ["-u", "a@example.com", "-u", "b@example.com"];
    for name in ["a@example.com", "b@example.com"] {
        let packet = gpg(&["--export", name]);
        let colons = String::from_utf8(gpg(&["--with-colons", "--fingerprint", name])).unwrap();
        let fingerprint = colons
            .lines()
            .find_map(|line| line.strip_prefix("fpr:::::::::"))
            .unwrap();
        let fingerprint = hex::decode(fingerprint.trim_end_matches(':'))
            .unwrap()
            .try_into()
            .unwrap();
        let key = SigningKey {
            fingerprint,
            packet,
        };
        for form in [&["--no-armor"][..], &["--armor"][..]] {
            let signature = gpg(&[form, &both, &["-o", "-", "--detach-sign", list]].concat());
            verify_detached(&key, DATA, &signature, SystemTime::now()).unwrap();
            assert!(verify_detached(&key, b"other", &signature, SystemTime::now()).is_err());
        }
        let weak = gpg(&[
            "--digest-algo",
            "SHA1",
            "-u",
            name,
            "-o",
            "-",
            "--detach-sign",
            list,
        ]);
        assert!(verify_detached(&key, DATA, &weak, SystemTime::now()).is_err());
        let armored = SigningKey {
            packet: gpg(&["--armor", "--export", name]),
            ..key
        };
        let signature = gpg(&["-u", name, "-o", "-", "--detach-sign", list]);
        verify_detached(&armored, DATA, &signature, SystemTime::now()).unwrap();
    }
    let _ = Command::new("gpgconf")
        .arg("--homedir")
        .arg(home.path())
        .args(["--kill", "all"])
        .status();
}
