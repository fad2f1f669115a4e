//! What the tests share: a cache of their own, content, keys, quick limits.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use lab_not_run::not_run;
use lab_supply::{
    BaseImage, Cache, Digest, FetchError, FetchOptions, Fetched, Limits, SigningKey, fetch_base,
};
use pgp::composed::KeyType;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{
    PacketTrait as _, PubKeyInner, PublicKey, SecretKey, Signature, SignatureConfig, SignatureType,
    Subpacket, SubpacketData,
};
use pgp::types::{KeyDetails as _, KeyVersion, Password, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

pub(crate) const NAME: &str = "base.iso";

/// When test signatures are made.
pub(crate) const SIGNED_AT: u32 = 1_700_000_000;

/// A cache that goes away with the test.
pub(crate) struct World {
    _dir: tempfile::TempDir,
    pub(crate) cache: Cache,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().join("cache")).unwrap();
        Self { _dir: dir, cache }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.cache.dir().join(name)
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.path(NAME)
    }

    /// How many bytes an interrupted transfer left.
    pub(crate) fn partial_len(&self) -> Option<u64> {
        Some(fs::metadata(self.path("base.iso.partial")).ok()?.len())
    }

    pub(crate) fn fetch(&self, image: &BaseImage) -> Result<Fetched, FetchError> {
        fetch_base(&self.cache, image, &options(), &mut |_| {})
    }

    /// Fetches what must succeed, and holds what is in the cache against `content`.
    pub(crate) fn fetch_content(&self, image: &BaseImage, content: &[u8]) -> Fetched {
        let fetched = self.fetch(image).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            fs::read(&fetched.path).unwrap() == content,
            "other bytes in the cache"
        );
        assert_eq!(fetched.path, self.place());
        assert_eq!(fetched.sha256, Digest::of(content));
        assert_eq!(fetched.size, content.len() as u64);
        assert_eq!(self.partial_len(), None, "a partial file is left");
        assert!(
            !self.path("base.iso.partial.json").exists(),
            "a sidecar is left"
        );
        fetched
    }

    /// Fetches what must fail, and holds that nothing stands under the image's name.
    pub(crate) fn fetch_error(&self, image: &BaseImage) -> FetchError {
        let error = self.fetch(image).expect_err("it must not succeed");
        assert!(
            !self.place().exists(),
            "something stands under the final name"
        );
        error
    }
}

/// Limits that let a failing test end soon.
pub(crate) fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        idle: Duration::from_secs(1),
        least_rate: 10_000,
        retries: 2,
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        most_bytes: 8 << 20,
        lock_wait: Duration::from_secs(20),
    }
}

pub(crate) fn options() -> FetchOptions {
    FetchOptions {
        limits: limits(),
        ..FetchOptions::default()
    }
}

/// Bytes without a pattern that a splice could hide in.
pub(crate) fn content(seed: u64, len: usize) -> Vec<u8> {
    use rand_chacha::rand_core::RngCore as _;
    let mut bytes = vec![0; len];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// An image whose digest is pinned.
pub(crate) fn pinned(content: &[u8], urls: &[String]) -> BaseImage {
    image(Some(Digest::of(content)), urls, &quick_key(1))
}

pub(crate) fn image(sha256: Option<Digest>, urls: &[String], key: &SecretKey) -> BaseImage {
    BaseImage {
        release: "24.04.5".to_owned(),
        file_name: NAME.to_owned(),
        urls: urls.to_vec(),
        sha256,
        signing_key: signing_key(key.public_key()),
    }
}

/// When test keys say to be made.
const MADE: u32 = 1_600_000_000;

/// An Ed25519 key: made in no time.
pub(crate) fn quick_key(seed: u64) -> SecretKey {
    quick_key_of(seed, MADE)
}

/// An Ed25519 key that says to be made at another time.
pub(crate) fn quick_key_of(seed: u64, made: u32) -> SecretKey {
    let algorithm = PublicKeyAlgorithm::EdDSALegacy;
    key(seed, &KeyType::Ed25519Legacy, algorithm, made)
}

pub(crate) fn rsa_key(seed: u64, bits: u32) -> SecretKey {
    key(seed, &KeyType::Rsa(bits), PublicKeyAlgorithm::RSA, MADE)
}

fn key(seed: u64, kind: &KeyType, algorithm: PublicKeyAlgorithm, made: u32) -> SecretKey {
    let (public, secret) = kind.generate(ChaCha8Rng::seed_from_u64(seed)).unwrap();
    let made = Timestamp::from_secs(made);
    let inner = PubKeyInner::new(KeyVersion::V4, algorithm, made, None, public).unwrap();
    SecretKey::new(PublicKey::from_inner(inner).unwrap(), secret).unwrap()
}

pub(crate) fn signing_key(key: &PublicKey) -> SigningKey {
    let mut packet = Vec::new();
    key.to_writer_with_header(&mut packet).unwrap();
    let fingerprint = key.fingerprint().as_bytes().try_into().unwrap();
    SigningKey {
        fingerprint,
        packet,
    }
}

/// A signature's parts, for tests to spoil.
pub(crate) fn config(key: &SecretKey, hash: HashAlgorithm) -> SignatureConfig {
    let mut config = SignatureConfig::v4(SignatureType::Binary, key.algorithm(), hash);
    config.hashed_subpackets = vec![
        part(SubpacketData::SignatureCreationTime(Timestamp::from_secs(
            SIGNED_AT,
        ))),
        part(SubpacketData::IssuerFingerprint(key.fingerprint())),
    ];
    config.unhashed_subpackets = vec![part(SubpacketData::IssuerKeyId(key.legacy_key_id()))];
    config
}

pub(crate) fn part(data: SubpacketData) -> Subpacket {
    Subpacket::regular(data).unwrap()
}

pub(crate) fn made(config: SignatureConfig, key: &SecretKey, data: &[u8]) -> Vec<u8> {
    bytes_of(&config.sign(key, &Password::empty(), data).unwrap())
}

pub(crate) fn bytes_of(signature: &Signature) -> Vec<u8> {
    let mut bytes = Vec::new();
    signature.to_writer_with_header(&mut bytes).unwrap();
    bytes
}

/// A good signature.
pub(crate) fn signed(key: &SecretKey, data: &[u8]) -> Vec<u8> {
    made(config(key, HashAlgorithm::Sha512), key, data)
}
