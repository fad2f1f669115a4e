//! The keys that sign Ubuntu's images and its archive: each one's bytes against its
//! fingerprint, computed here.
#![expect(
    clippy::expect_used,
    reason = "a test stops where its own ground is missing"
)]

use lab_catalog::{Catalog, Fingerprint, PublicKey};

/// Reads one packet in RFC 9580's framing (4.2): its tag, its body, and what follows.
fn packet(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (head, rest) = bytes.split_first().expect("a packet");
    let (tag, octets) = match head {
        // Old format with a length of one or two octets, the only one in such a key.
        0x80..=0xbf => (head >> 2 & 0xf, 1_usize << (head & 3)),
        _ => panic!("unexpected framing {head:#x}"),
    };
    assert!(octets <= 2);
    let (length, rest) = rest.split_at(octets);
    let length = length
        .iter()
        .fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
    let (body, rest) = rest.split_at(length);
    (tag, body, rest)
}

/// The fingerprint of a version 4 key (RFC 9580, 5.5.4.2), computed from the key's bytes.
fn holds(key: &PublicKey) {
    use sha1::{Digest, Sha1};
    let (tag, body, rest) = packet(&key.bytes);
    assert_eq!((tag, body.first()), (6, Some(&4)));
    let mut hash = Sha1::new();
    hash.update([0x99]);
    hash.update(
        u16::try_from(body.len())
            .expect("a short key")
            .to_be_bytes(),
    );
    hash.update(body);
    let computed = Fingerprint::from_bytes(hash.finalize().into());
    assert_eq!(computed, key.fingerprint);
    let (tag, user, rest) = packet(rest);
    assert_eq!((tag, user), (13, key.owner.as_bytes()));
    let (tag, _, rest) = packet(rest);
    assert_eq!((tag, rest.len()), (2, 0));
}

#[test]
fn the_key_of_the_images_hashes_to_its_fingerprint() {
    let release = Catalog::builtin().ubuntu_release("24.04").expect("24.04");
    let key = Catalog::builtin().public_key(release.signing_key);
    let key = key.expect("the key that signs it");
    holds(key);
    assert_eq!(
        key.fingerprint.to_string(),
        "843938DF228D22F7B3742BC0D94AA3F0EFE21092"
    );
}

#[test]
fn the_keys_of_the_archive_hash_to_their_fingerprints() {
    let archive = Catalog::builtin()
        .archives_of("24.04")
        .next()
        .expect("24.04");
    for fingerprint in &archive.signed_by {
        let key = Catalog::builtin().public_key(*fingerprint);
        holds(key.expect("a key that signs it"));
    }
    let known: Vec<String> = archive.signed_by.iter().map(ToString::to_string).collect();
    assert_eq!(
        known,
        [
            "F6ECB3762474EDA9D21B7022871920D1991BC93C",
            "790BC7277767219C42C86F933B4FE6ACC0B21F32",
        ]
    );
}
