//! Subkeys: only those count that the pinned key itself vouches for, for signing.

use std::io::Cursor;

use lab_supply::repository::read_lists;
use lab_supply::{Network, Refusal, SigningKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    KeyFlags, Packet, PacketParser, PacketTrait as _, PubKeyInner, PublicSubkey, SecretKey,
    SignatureType, SubpacketData,
};
use pgp::types::{KeyDetails as _, KeyVersion, Password};

use super::gnupg::Gnupg;
use super::{NOW, Site, clear_signed, of_key, refusal, release};
use crate::world::{config, limits, not_run, part, quick_key, rsa_key};

/// Binary packets, without those that `drop` takes.
fn without(packets: &[u8], drop: impl Fn(&Packet) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    for packet in PacketParser::new(Cursor::new(packets)) {
        let packet = packet.unwrap();
        if !drop(&packet) {
            packet_bytes(&packet, &mut out);
        }
    }
    out
}

fn packet_bytes(packet: &Packet, out: &mut Vec<u8>) {
    match packet {
        Packet::PublicKey(one) => one.to_writer_with_header(out).unwrap(),
        Packet::PublicSubkey(one) => one.to_writer_with_header(out).unwrap(),
        Packet::UserId(one) => one.to_writer_with_header(out).unwrap(),
        Packet::Signature(one) => one.to_writer_with_header(out).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn read(key: SigningKey, signed: &[u8]) -> Refusal {
    let site = Site::new([("/u/dists/noble/InRelease".to_owned(), signed.to_vec())].into());
    refusal(read_lists(
        &Network::new(limits()),
        &of_key(&site.server.url("/u"), key),
        NOW,
        None,
    ))
}

#[test]
fn only_a_subkey_that_the_pinned_key_vouches_for_signs() {
    let test = "only_a_subkey_that_the_pinned_key_vouches_for_signs";
    let Some(gnupg) = Gnupg::new() else {
        return not_run(test, "gpg is not installed");
    };
    let past: &[&str] = &["--faked-system-time", "20231110T000000"];
    let signed_at: &[&str] = &["--faked-system-time", "20231114T221320"];
    let mut made = Vec::new();
    for user in ["good@example.org", "evil@example.org"] {
        let fingerprint = gnupg.generate(past, user, "ed25519", "cert", "never");
        gnupg.run(
            &[
                past,
                &["--quick-add-key", &fingerprint, "ed25519", "sign", "never"],
            ]
            .concat(),
        );
        let signed = gnupg.clear_sign(
            &[signed_at, &["-u", &fingerprint]].concat(),
            &release("", ""),
        );
        let binary = gnupg.run(&["--export", &fingerprint]);
        made.push((gnupg.key(&fingerprint), binary, signed));
    }
    let (good, evil) = (&made[0], &made[1]);
    let with = |packet: Vec<u8>| SigningKey {
        packet,
        ..good.0.clone()
    };
    let accepted = |found: &Refusal| found.to_string().contains("announces no");
    assert!(accepted(&read(good.0.clone(), &good.2)));
    assert!(!accepted(&read(good.0.clone(), &evil.2)));
    // The stranger's subkey and its binding, put behind the pinned key.
    let is_subkey = |packet: &Packet| {
        matches!(packet, Packet::PublicSubkey(_))
            || matches!(packet, Packet::Signature(one) if one.typ() == Some(SignatureType::SubkeyBinding))
    };
    let strangers = without(&evil.1, |packet| !is_subkey(packet));
    let found = read(with([good.1.clone(), strangers].concat()), &evil.2);
    assert!(found.to_string().contains("does not vouch"), "{found}");
    // No binding at all.
    let unbound = without(
        &good.1,
        |packet| matches!(packet, Packet::Signature(one) if one.typ() == Some(SignatureType::SubkeyBinding)),
    );
    let found = read(with(unbound), &good.2);
    assert!(found.to_string().contains("does not vouch"), "{found}");
    // Both keys in one file: it must be exactly one.
    let two = with([good.1.clone(), evil.1.clone()].concat());
    let site = Site::new(super::Files::new());
    let error = read_lists(
        &Network::new(limits()),
        &of_key(&site.server.url("/u"), two),
        NOW,
        None,
    )
    .unwrap_err();
    assert!(error.to_string().contains("more than one key"), "{error}");
}

/// How a subkey is bound.
#[derive(Clone, Copy)]
struct Binding {
    hash: HashAlgorithm,
    signs: bool,
    /// Whether the subkey says that it belongs to the primary key.
    back: bool,
    revoked: bool,
}

/// A key of two packets and the binding between them.
fn bound(primary: &SecretKey, subkey: &SecretKey, binding: Binding) -> Vec<u8> {
    let none = Password::empty();
    let made = subkey.created_at();
    let params = subkey.public_params().clone();
    let inner = PubKeyInner::new(KeyVersion::V4, subkey.algorithm(), made, None, params).unwrap();
    let packet = PublicSubkey::from_inner(inner).unwrap();
    let mut forth = config(primary, binding.hash);
    forth.typ = SignatureType::SubkeyBinding;
    let mut flags = KeyFlags::default();
    flags.set_sign(binding.signs);
    forth
        .hashed_subpackets
        .push(part(SubpacketData::KeyFlags(flags)));
    if binding.back {
        let mut back = config(subkey, HashAlgorithm::Sha512);
        back.typ = SignatureType::KeyBinding;
        let back = back
            .sign_primary_key_binding(subkey, &packet, &none, primary.public_key())
            .unwrap();
        forth
            .hashed_subpackets
            .push(part(SubpacketData::EmbeddedSignature(Box::new(back))));
    }
    let forth = forth
        .sign_subkey_binding(primary, primary.public_key(), &none, &packet)
        .unwrap();
    let mut out = Vec::new();
    primary
        .public_key()
        .to_writer_with_header(&mut out)
        .unwrap();
    packet.to_writer_with_header(&mut out).unwrap();
    forth.to_writer_with_header(&mut out).unwrap();
    if binding.revoked {
        let mut revocation = config(primary, binding.hash);
        revocation.typ = SignatureType::SubkeyRevocation;
        let revocation = revocation
            .sign_subkey_binding(primary, primary.public_key(), &none, &packet)
            .unwrap();
        revocation.to_writer_with_header(&mut out).unwrap();
    }
    out
}

#[test]
fn a_subkey_must_be_bound_firmly_for_signing_and_back() {
    let (primary, subkey) = (rsa_key(1, 2048), quick_key(2));
    let signed = clear_signed(&subkey, &release("", ""));
    let good = Binding {
        hash: HashAlgorithm::Sha512,
        signs: true,
        back: true,
        revoked: false,
    };
    let cases = [
        (good, "announces no"),
        (
            Binding {
                revoked: true,
                ..good
            },
            "a subkey that was revoked",
        ),
        (
            Binding {
                hash: HashAlgorithm::Sha1,
                ..good
            },
            "does not vouch",
        ),
        (
            Binding {
                signs: false,
                ..good
            },
            "not one for signing",
        ),
        (
            Binding {
                back: false,
                ..good
            },
            "not one for signing",
        ),
    ];
    for (binding, says) in cases {
        let packet = bound(&primary, &subkey, binding);
        let fingerprint = primary.fingerprint().as_bytes().try_into().unwrap();
        let found = read(
            SigningKey {
                fingerprint,
                packet,
            },
            &signed,
        );
        assert!(found.to_string().contains(says), "{says}: {found}");
    }
}

/// Every byte of a key is changed in turn, and it is cut at every length: never a
/// panic, and never another key than the pinned one.
#[test]
fn spoilt_keys_do_not_panic() {
    let test = "spoilt_keys_do_not_panic";
    let Some(gnupg) = Gnupg::new() else {
        return not_run(test, "gpg is not installed");
    };
    let fingerprint = gnupg.generate(&[], "a@example.org", "ed25519", "cert", "never");
    gnupg.run(&["--quick-add-key", &fingerprint, "ed25519", "sign", "never"]);
    let packet = gnupg.run(&["--export", &fingerprint]);
    let key = gnupg.key(&fingerprint);
    let network = Network::new(limits());
    // The key is read before anything is asked for: nobody has to answer.
    let read = |packet: Vec<u8>| {
        let asked = of_key(
            "http://127.0.0.1:9",
            SigningKey {
                packet,
                ..key.clone()
            },
        );
        read_lists(&network, &asked, NOW, None).unwrap_err()
    };
    for at in 0..packet.len() {
        let mut spoilt = packet.clone();
        spoilt[at] ^= 0x41;
        let _ = read(spoilt);
        let _ = read(packet[..at].to_vec());
    }
}
