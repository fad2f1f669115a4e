//! The key that signs a payload's repository: Ed25519 in an OpenPGP certificate of version 4
//! (RFC 9580, 5.5.2, 5.5.5.5), made from 32 bytes.

use std::fmt;

use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, SignedKeyDetails, SignedPublicKey, SignedSecretKey,
};
use pgp::crypto::ed25519::{self, Mode};
use pgp::crypto::eddsa_legacy;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{
    KeyFlags, PubKeyInner, PublicKey, SecretKey, SignatureConfig, SignatureType, Subpacket,
    SubpacketData, UserId,
};
use pgp::types::{
    KeyDetails as _, KeyVersion, PacketHeaderVersion, Password, PlainSecretParams, PublicParams,
    SecretParams, SignedUser, Tag, Timestamp,
};
use thiserror::Error;

/// When everything says that it was made: 2000-01-01, in seconds since 1970. It must lie in the
/// past of every machine, and the clock of one whose battery is empty begins years ago, while
/// an image that is made twice must be the same.
const MADE: u32 = 946_684_800;

/// Why there is no key or no signature.
#[derive(Debug, Error)]
#[error("{doing}: {why}")]
pub struct KeyError {
    doing: &'static str,
    why: String,
}

fn failed<E: fmt::Display>(doing: &'static str) -> impl Fn(E) -> KeyError {
    move |why| KeyError {
        doing,
        why: why.to_string(),
    }
}

/// A key for the repository of one machine's payloads.
pub struct RepositoryKey(SignedSecretKey);

/// The secret stays unseen.
impl fmt::Debug for RepositoryKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RepositoryKey({})", self.fingerprint())
    }
}

impl RepositoryKey {
    /// The key of this seed, which is all of its secret, for the machine of this name.
    ///
    /// # Errors
    ///
    /// When the name cannot be a user id.
    pub fn of_seed(seed: [u8; 32], machine: &str) -> Result<Self, KeyError> {
        let doing = failed::<pgp::errors::Error>("making the key of the offline repository");
        let primary = primary(seed).map_err(&doing)?;
        let id = format!("Offline packages of {machine}");
        let id = UserId::from_str(PacketHeaderVersion::New, id).map_err(&doing)?;
        let mut flags = KeyFlags::default();
        flags.set_certify(true);
        flags.set_sign(true);
        let mut own = config(&primary, SignatureType::CertPositive).map_err(&doing)?;
        own.hashed_subpackets
            .push(part(SubpacketData::KeyFlags(flags)).map_err(&doing)?);
        let public = primary.public_key().clone();
        let own = own
            .sign_certification(&primary, &public, &Password::empty(), Tag::UserId, &id)
            .map_err(&doing)?;
        let user = SignedUser::new(id, vec![own]);
        let details = SignedKeyDetails::new(Vec::new(), Vec::new(), vec![user], Vec::new());
        Ok(Self(SignedSecretKey::new(
            primary,
            details,
            Vec::new(),
            Vec::new(),
        )))
    }

    /// Its fingerprint in upper-case hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode_upper(self.0.fingerprint().as_bytes())
    }

    /// The public key in armor, as `Signed-By` takes it.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn public(&self) -> Result<String, KeyError> {
        SignedPublicKey::from(self.0.clone())
            .to_armored_string(ArmorOptions::default())
            .map_err(failed("writing the key of the offline repository"))
    }

    /// The text with a signature around it (RFC 9580, 7).
    ///
    /// # Errors
    ///
    /// When it cannot be signed.
    pub fn sign(&self, text: &str) -> Result<String, KeyError> {
        let doing = failed::<pgp::errors::Error>("signing the offline repository");
        let config = config(&self.0.primary_key, SignatureType::Text).map_err(&doing)?;
        let signed =
            CleartextSignedMessage::new(text, config, &self.0.primary_key, &Password::empty());
        signed
            .and_then(|message| message.to_armored_string(ArmorOptions::default()))
            .map_err(doing)
    }
}

fn primary(seed: [u8; 32]) -> pgp::errors::Result<SecretKey> {
    let secret = ed25519::SecretKey::try_from_bytes(seed, Mode::EdDSALegacy)?;
    let public = PublicParams::EdDSALegacy((&secret).into());
    let made = Timestamp::from_secs(MADE);
    let inner = PubKeyInner::new(
        KeyVersion::V4,
        PublicKeyAlgorithm::EdDSALegacy,
        made,
        None,
        public,
    )?;
    let plain = PlainSecretParams::EdDSALegacy(eddsa_legacy::SecretKey::Ed25519(secret));
    SecretKey::new(PublicKey::from_inner(inner)?, SecretParams::Plain(plain))
}

fn config(key: &SecretKey, kind: SignatureType) -> pgp::errors::Result<SignatureConfig> {
    let mut config = SignatureConfig::v4(kind, key.algorithm(), HashAlgorithm::Sha512);
    config.hashed_subpackets = vec![
        part(SubpacketData::SignatureCreationTime(Timestamp::from_secs(
            MADE,
        )))?,
        part(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    config.unhashed_subpackets = vec![part(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
    Ok(config)
}

fn part(data: SubpacketData) -> pgp::errors::Result<Subpacket> {
    Subpacket::regular(data)
}
