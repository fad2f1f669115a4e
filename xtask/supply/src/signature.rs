//! Detached OpenPGP signatures (RFC 9580, sections 5.2 and 10.4) by one pinned key.
//!
//! There is no web of trust here and no key ring: the caller names the one key by
//! its full fingerprint and passes its bytes. Expiry and revocation of the key
//! itself are not looked at, because they stand in packets that are not passed;
//! the pin is replaced when the vendor replaces the key.

use std::io::{Cursor, Read};
use std::time::{SystemTime, UNIX_EPOCH};

use pgp::armor::{BlockType, Dearmor};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    Packet, PacketParser, PublicKey, Signature, SignatureType, SignatureVersion, SubpacketData,
};
use pgp::ser::Serialize as _;
use pgp::types::{KeyDetails, PublicParams, VerifyingKey};

/// More signatures than this in one file are not looked at. Ubuntu's lists carry two.
const MOST_SIGNATURES: usize = 16;

/// RSA keys below this many bits are refused (NIST SP 800-131A).
const LEAST_RSA_BITS: usize = 2048;

/// The key that must have signed: its fingerprint and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The version 4 fingerprint (RFC 9580, section 5.5.4.2).
    pub fingerprint: [u8; 20],
    /// An OpenPGP transferable public key, or just its first packet; binary or
    /// armored. [`verify_detached`] uses the first packet alone, the primary key;
    /// [`repository`](crate::repository) reads subkeys, expiry and revocation too.
    pub packet: Vec<u8>,
}

/// Who signed, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The fingerprint of the key, as 40 upper-case hexadecimal digits.
    pub fingerprint: String,
    /// When the signature says it was made, in seconds since 1970.
    pub created: u64,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key's bytes are no public key.
    #[error("its bytes are no OpenPGP public key: {0}")]
    NotAKey(String),
    /// The key's bytes are another key.
    #[error("its bytes are the key {found}, expected {expected}")]
    OtherKey {
        /// The fingerprint of the key that the bytes are.
        found: String,
        /// The fingerprint that was asked for.
        expected: String,
    },
    /// The key is too weak to vouch for anything.
    #[error("the key {fingerprint} is too weak: {why}")]
    WeakKey {
        /// The key.
        fingerprint: String,
        /// What makes it weak.
        why: String,
    },
    /// The file is no signature file.
    #[error("it is no OpenPGP signature file: {0}")]
    NotASignature(String),
    /// There are signatures, and none is a good one by the pinned key.
    #[error("none of its signatures is a good one by {expected}: {}", found.join("; "))]
    NoneGood {
        /// The fingerprint that was asked for.
        expected: String,
        /// For each signature, who says to have made it and why it does not count.
        found: Vec<String>,
    },
}

/// Checks that one of the detached signatures in `signatures` (binary or armored)
/// is a good one over `data` by `key`, at the time `now`.
///
/// # Errors
///
/// Signatures by other keys are passed over. A signature counts only if it is a
/// version 4 signature over binary data, with SHA-256 or better, that is not expired.
pub fn verify_detached(
    key: &SigningKey,
    data: &[u8],
    signatures: &[u8],
    now: SystemTime,
) -> Result<SignedBy, SignatureError> {
    let fingerprint = shown(&key.fingerprint);
    let key = pinned_key(key)?;
    let mut found = Vec::new();
    for signature in signatures_in(signatures)? {
        match verify_one(&key, data, &signature, &[SignatureType::Binary], now) {
            Ok(created) => {
                return Ok(SignedBy {
                    fingerprint,
                    created,
                });
            }
            Err(why) => found.push(format!("{} {why}", claimed_issuer(&signature))),
        }
    }
    Err(SignatureError::NoneGood {
        expected: fingerprint,
        found,
    })
}

/// Checks that the key is the one that its fingerprint names, and strong enough.
pub(crate) fn check_key(key: &SigningKey) -> Result<(), SignatureError> {
    pinned_key(key).map(|_| ())
}

/// Reads the primary key and holds it against its fingerprint.
fn pinned_key(key: &SigningKey) -> Result<PublicKey, SignatureError> {
    let bytes = dearmored(&key.packet, |block| matches!(block, BlockType::PublicKey))
        .map_err(SignatureError::NotAKey)?;
    let first = PacketParser::new(Cursor::new(&bytes)).next();
    let found = match first {
        Some(Ok(Packet::PublicKey(found))) => found,
        Some(Ok(_)) => {
            return Err(SignatureError::NotAKey(
                "another packet stands first".into(),
            ));
        }
        Some(Err(error)) => return Err(SignatureError::NotAKey(error.to_string())),
        None => return Err(SignatureError::NotAKey("there is no packet in them".into())),
    };
    if found.fingerprint().as_bytes() != key.fingerprint {
        return Err(SignatureError::OtherKey {
            found: shown(found.fingerprint().as_bytes()),
            expected: shown(&key.fingerprint),
        });
    }
    strong_enough(&found)?;
    Ok(found)
}

pub(crate) fn strong_enough(key: &impl KeyDetails) -> Result<(), SignatureError> {
    let why = match key.public_params() {
        PublicParams::RSA(_) => {
            let bits = rsa_bits(key);
            if bits >= LEAST_RSA_BITS {
                return Ok(());
            }
            format!("RSA with {bits} bits, at least {LEAST_RSA_BITS} are needed")
        }
        PublicParams::EdDSALegacy(_)
        | PublicParams::Ed25519(_)
        | PublicParams::Ed448(_)
        | PublicParams::ECDSA(_) => return Ok(()),
        other => format!("its algorithm is not accepted ({other:?})")
            .chars()
            .take(80)
            .collect(),
    };
    Err(SignatureError::WeakKey {
        fingerprint: shown(key.fingerprint().as_bytes()),
        why,
    })
}

/// The length of the modulus. It is the first multiprecision integer of the key's
/// material (RFC 9580, section 5.5.5.1), and such a number opens with its length in
/// bits (section 3.2).
fn rsa_bits(key: &impl KeyDetails) -> usize {
    let material = key.public_params().to_bytes().unwrap_or_default();
    material
        .first_chunk()
        .map_or(0, |length| usize::from(u16::from_be_bytes(*length)))
}

/// All signature packets of the file. Anything else in it is an error: a
/// detached signature file holds nothing else.
pub(crate) fn signatures_in(bytes: &[u8]) -> Result<Vec<Signature>, SignatureError> {
    let not = |why: String| SignatureError::NotASignature(why);
    let bytes = dearmored(bytes, |block| matches!(block, BlockType::Signature)).map_err(not)?;
    let mut signatures = Vec::new();
    for packet in PacketParser::new(Cursor::new(&bytes)) {
        match packet {
            Ok(Packet::Signature(signature)) => signatures.push(signature),
            Ok(Packet::Marker(_) | Packet::Padding(_)) => {}
            Ok(_) => return Err(not("a packet in it is no signature".into())),
            Err(error) => return Err(not(format!("{error}{}", looks_like(&bytes)))),
        }
        if signatures.len() > MOST_SIGNATURES {
            return Err(not(format!(
                "it holds more than {MOST_SIGNATURES} signatures"
            )));
        }
    }
    if signatures.is_empty() {
        return Err(not(format!(
            "there is no signature in it{}",
            looks_like(&bytes)
        )));
    }
    Ok(signatures)
}

/// Names the usual impostor, the page of a proxy or a login portal.
fn looks_like(bytes: &[u8]) -> &'static str {
    match bytes.trim_ascii_start().first() {
        Some(b'<') => " (it looks like a web page: a proxy or login portal may have answered)",
        _ => "",
    }
}

pub(crate) fn dearmored(bytes: &[u8], fits: fn(&BlockType) -> bool) -> Result<Vec<u8>, String> {
    if !bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Ok(bytes.to_vec());
    }
    let mut reader = Dearmor::new(Cursor::new(bytes.trim_ascii_start()));
    let mut binary = Vec::new();
    // Base64 shrinks: the armor cannot hold more bytes than it has characters.
    let limit = bytes.len() as u64;
    reader
        .by_ref()
        .take(limit)
        .read_to_end(&mut binary)
        .map_err(|error| error.to_string())?;
    match &reader.typ {
        Some(block) if fits(block) => Ok(binary),
        other => Err(format!("its armor is of another kind ({other:?})")),
    }
}

/// Checks one signature of one of `types` and returns when it was made.
pub(crate) fn verify_one(
    key: &impl VerifyingKey,
    data: &[u8],
    signature: &Signature,
    types: &[SignatureType],
    now: SystemTime,
) -> Result<u64, String> {
    if signature.version() != SignatureVersion::V4 {
        return Err(format!(
            "is of version {:?}, only 4 is accepted",
            signature.version()
        ));
    }
    if !signature.typ().is_some_and(|typ| types.contains(&typ)) {
        return Err(format!("is of type {:?}, not {types:?}", signature.typ()));
    }
    if !signature.hash_alg().is_some_and(strong_hash) {
        let hash = signature
            .hash_alg()
            .map_or_else(|| "unknown".to_owned(), |hash| hash.to_string());
        return Err(format!("uses the hash {hash}, which is too weak"));
    }
    if critical_and_unknown(signature) {
        return Err("has a critical part that is not understood here".to_owned());
    }
    signature
        .verify(key, data)
        .map_err(|error| format!("does not verify ({error})"))?;
    let created = hashed_created(signature).ok_or("does not say when it was made")?;
    not_expired(signature, created, now)?;
    Ok(created)
}

pub(crate) fn strong_hash(hash: HashAlgorithm) -> bool {
    matches!(
        hash,
        HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512
    )
}

/// RFC 9580, section 5.2.3.18: seconds after creation, zero for never.
pub(crate) fn not_expired(
    signature: &Signature,
    created: u64,
    now: SystemTime,
) -> Result<(), String> {
    let lifetime = hashed(signature, |data| match data {
        SubpacketData::SignatureExpirationTime(time) => Some(u64::from(time.as_secs())),
        _ => None,
    });
    let now = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    match lifetime {
        Some(seconds) if seconds > 0 && created + seconds <= now => {
            Err(format!("expired {} s ago", now - created - seconds))
        }
        _ => Ok(()),
    }
}

/// RFC 9580, section 5.2.3.7: such a signature is to be taken for one in error.
fn critical_and_unknown(signature: &Signature) -> bool {
    let unknown = |data: &SubpacketData| {
        matches!(
            data,
            SubpacketData::Experimental(..) | SubpacketData::Other(..)
        )
    };
    signature.config().is_some_and(|config| {
        config
            .hashed_subpackets()
            .any(|one| one.is_critical && unknown(&one.data))
    })
}

/// When the signature was made, in seconds since 1970, as far as that is signed.
pub(crate) fn hashed_created(signature: &Signature) -> Option<u64> {
    hashed(signature, |data| match data {
        SubpacketData::SignatureCreationTime(time) => Some(u64::from(time.as_secs())),
        _ => None,
    })
}

/// The first hashed subpacket that `pick` takes. What is not hashed is not
/// signed, so anyone could have added it.
fn hashed<T>(signature: &Signature, pick: impl Fn(&SubpacketData) -> Option<T>) -> Option<T> {
    signature
        .config()?
        .hashed_subpackets()
        .find_map(|subpacket| pick(&subpacket.data))
}

pub(crate) fn claimed_issuer(signature: &Signature) -> String {
    if let Some(fingerprint) = signature.issuer_fingerprint().first() {
        return format!("one that names the key {}", shown(fingerprint.as_bytes()));
    }
    match signature.issuer_key_id().first() {
        Some(id) => format!("one that names the key id {}", shown(id.as_ref())),
        None => "one that names no key".to_owned(),
    }
}

pub(crate) fn shown(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}
