//! Transferable public keys (RFC 9580, section 10.1) of the vendors that sign
//! repositories: which of their keys may sign, at a given time.
//!
//! The primary key is known by its full fingerprint and by nothing else. It may sign
//! itself, or name a subkey that may; expiry and revocation count for both. What only
//! narrows (an expiry, a revocation) counts under any hash, what widens (a subkey)
//! under a strong one only, because a binding made with SHA-1 can be forged.

use std::io::Cursor;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgp::armor::BlockType;
use pgp::packet::{
    Packet, PacketParser, PublicKey, PublicSubkey, Signature, SignatureType, UserId,
};
use pgp::types::{KeyDetails, Tag, VerifyingKey};

use crate::refusal::Refusal;
use crate::signature::{
    claimed_issuer, dearmored, hashed_created, not_expired, shown, signatures_in, strong_enough,
    strong_hash, verify_one,
};
use crate::{SignatureError, SignedBy, SigningKey};

/// A key with more packets than this is none. Ubuntu's has some hundred, with all
/// that strangers signed on to it.
const MOST_PACKETS: usize = 20_000;

/// How far a signature's time may lie ahead of the clock, in seconds.
const LEEWAY: u64 = 24 * 3600;

/// A pinned key with what belongs to it.
pub(super) struct Certificate {
    primary: PublicKey,
    /// Signatures over the primary key alone.
    own: Vec<Signature>,
    users: Vec<(UserId, Vec<Signature>)>,
    subkeys: Vec<(PublicSubkey, Vec<Signature>)>,
}

/// Where a signature packet belongs: to the packet before it that is none.
enum Last {
    Primary,
    User,
    Subkey,
    /// A user attribute: a picture, which says nothing about validity.
    Passed,
}

impl Certificate {
    /// Reads `key`, which must be exactly the one primary key that its fingerprint names.
    pub(super) fn read(key: &SigningKey) -> Result<Self, SignatureError> {
        if armored_blocks(&key.packet) > 1 {
            let why = "there is more than one armored block in them".to_owned();
            return Err(SignatureError::NotAKey(why));
        }
        let bytes = dearmored(&key.packet, |block| matches!(block, BlockType::PublicKey))
            .map_err(SignatureError::NotAKey)?;
        let read = Self::parse(&bytes).map_err(SignatureError::NotAKey)?;
        if read.primary.fingerprint().as_bytes() != key.fingerprint {
            return Err(SignatureError::OtherKey {
                found: read.fingerprint(),
                expected: shown(&key.fingerprint),
            });
        }
        strong_enough(&read.primary)?;
        Ok(read)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut packets = PacketParser::new(Cursor::new(bytes)).take(MOST_PACKETS + 1);
        let mut read = match packets.next() {
            Some(Ok(Packet::PublicKey(primary))) => Self {
                primary,
                own: Vec::new(),
                users: Vec::new(),
                subkeys: Vec::new(),
            },
            Some(Ok(_)) => return Err("another packet stands first".to_owned()),
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("there is no packet in them".to_owned()),
        };
        let (mut last, mut count) = (Last::Primary, 1);
        for packet in packets {
            read.add(packet.map_err(|error| error.to_string())?, &mut last)?;
            count += 1;
        }
        match count > MOST_PACKETS {
            true => Err(format!(
                "there are more than {MOST_PACKETS} packets in them"
            )),
            false => Ok(read),
        }
    }

    fn add(&mut self, packet: Packet, last: &mut Last) -> Result<(), String> {
        match packet {
            Packet::UserId(user) => {
                self.users.push((user, Vec::new()));
                *last = Last::User;
            }
            Packet::UserAttribute(_) => *last = Last::Passed,
            Packet::PublicSubkey(subkey) => {
                self.subkeys.push((subkey, Vec::new()));
                *last = Last::Subkey;
            }
            Packet::Signature(signature) => self.attach(signature, last),
            Packet::Marker(_) | Packet::Trust(_) | Packet::Padding(_) => {}
            Packet::PublicKey(_) => return Err("there is more than one key in them".to_owned()),
            _ => return Err("there is a packet in them that belongs to no public key".to_owned()),
        }
        Ok(())
    }

    fn attach(&mut self, signature: Signature, last: &Last) {
        let to = match last {
            Last::Primary => Some(&mut self.own),
            Last::User => self.users.last_mut().map(|(_, to)| to),
            Last::Subkey => self.subkeys.last_mut().map(|(_, to)| to),
            Last::Passed => None,
        };
        if let Some(to) = to {
            to.push(signature);
        }
    }

    pub(super) fn fingerprint(&self) -> String {
        shown(self.primary.fingerprint().as_bytes())
    }

    /// Why nothing that this key signs counts at `now`.
    fn unusable(&self, now: u64) -> Option<String> {
        let revoked = |signature: &Signature| {
            signature.typ() == Some(SignatureType::KeyRevocation)
                && signature.verify_key(&self.primary).is_ok()
        };
        if self.own.iter().any(revoked) {
            return Some("was revoked by its owner".to_owned());
        }
        expired(&self.primary, &self.self_signatures(), now)
    }

    /// The verified signatures by which the primary key speaks about itself.
    fn self_signatures(&self) -> Vec<&Signature> {
        let direct = self.own.iter().filter(|signature| {
            signature.typ() == Some(SignatureType::Key)
                && signature.verify_key(&self.primary).is_ok()
        });
        let certified = self.users.iter().flat_map(|(user, signatures)| {
            signatures.iter().filter(move |signature| {
                signature.typ() != Some(SignatureType::CertRevocation)
                    && signature
                        .verify_certification(&self.primary, Tag::UserId, user)
                        .is_ok()
            })
        });
        direct.chain(certified).collect()
    }

    /// Why `subkey` may not sign at `now`.
    fn subkey_unusable(
        &self,
        subkey: &PublicSubkey,
        signatures: &[Signature],
        now: u64,
    ) -> Option<String> {
        let holds = |signature: &&Signature| {
            signature
                .verify_subkey_binding(&self.primary, subkey)
                .is_ok()
        };
        let of = |typ| {
            signatures
                .iter()
                .filter(move |one: &&Signature| one.typ() == Some(typ))
        };
        if of(SignatureType::SubkeyRevocation).any(|signature| holds(&signature)) {
            return Some("is by a subkey that was revoked".to_owned());
        }
        let bindings: Vec<_> = of(SignatureType::SubkeyBinding)
            .filter(holds)
            .filter(strong)
            .collect();
        let Some(binding) = latest(&bindings) else {
            return Some("is by a subkey that the pinned key does not vouch for".to_owned());
        };
        let back = binding.embedded_signature().filter(|back| {
            strong(back)
                && back
                    .verify_primary_key_binding(subkey, &self.primary)
                    .is_ok()
        });
        if !binding.key_flags().sign() || back.is_none() {
            return Some("is by a subkey that is not one for signing".to_owned());
        }
        let created = hashed_created(binding).unwrap_or_default();
        if let Err(why) = not_expired(binding, created, at(now)) {
            return Some(format!("is by a subkey whose binding {why}"));
        }
        if let Err(why) = strong_enough(subkey) {
            return Some(format!("is by a subkey that does not do: {why}"));
        }
        expired(subkey, &bindings, now).map(|why| format!("is by a subkey that {why}"))
    }

    /// Checks `signature` over `data` with the primary key and each subkey it may be by.
    fn verify(&self, data: &[u8], signature: &Signature, now: u64) -> Result<u64, String> {
        let created = match self
            .subkeys
            .iter()
            .find(|(subkey, _)| claims(signature, subkey))
        {
            Some((subkey, signatures)) => {
                let created = check(subkey, data, signature, now)?;
                match self.subkey_unusable(subkey, signatures, now) {
                    Some(why) => return Err(why),
                    None => created,
                }
            }
            None => check(&self.primary, data, signature, now)?,
        };
        match created > now.saturating_add(LEEWAY) {
            true => Err(format!(
                "is dated {} s after this computer's clock",
                created - now
            )),
            false => Ok(created),
        }
    }
}

/// Of several blocks only the first would be read, and GnuPG reads all.
fn armored_blocks(bytes: &[u8]) -> usize {
    const BEGIN: &[u8] = b"-----BEGIN PGP";
    match bytes.trim_ascii_start().starts_with(BEGIN) {
        true => bytes
            .windows(BEGIN.len())
            .filter(|window| *window == BEGIN)
            .count(),
        false => 0,
    }
}

fn check(
    key: &impl VerifyingKey,
    data: &[u8],
    signature: &Signature,
    now: u64,
) -> Result<u64, String> {
    let types = [SignatureType::Text, SignatureType::Binary];
    verify_one(key, data, signature, &types, at(now))
}

/// Whether the signature says to be by this key. A lie here costs the liar the
/// verification: the full key is what verifies.
fn claims(signature: &Signature, key: &impl KeyDetails) -> bool {
    match signature.issuer_fingerprint().first() {
        Some(fingerprint) => **fingerprint == key.fingerprint(),
        None => signature
            .issuer_key_id()
            .iter()
            .any(|id| **id == key.legacy_key_id()),
    }
}

fn strong(signature: &&Signature) -> bool {
    signature.hash_alg().is_some_and(strong_hash)
}

fn latest<'a>(signatures: &[&'a Signature]) -> Option<&'a Signature> {
    signatures
        .iter()
        .copied()
        .max_by_key(|signature| hashed_created(signature))
}

/// When a key ends, by the latest of the signatures over it (RFC 9580, section
/// 5.2.3.13): seconds after its creation, zero for never.
fn expired(key: &impl KeyDetails, signatures: &[&Signature], now: u64) -> Option<String> {
    let firm: Vec<_> = signatures.iter().copied().filter(strong).collect();
    let deciding = latest(if firm.is_empty() { signatures } else { &firm })?;
    let lifetime = u64::from(deciding.key_expiration_time()?.as_secs());
    let end = u64::from(key.created_at().as_secs()) + lifetime;
    (lifetime > 0 && end <= now).then(|| format!("expired {} s ago", now - end))
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.min(u64::from(u32::MAX)))
}

/// Checks that one of `signatures` over `data` is a good one by one of `keys` at `now`.
///
/// # Errors
///
/// [`Refusal::Key`] where the only keys that could have signed are no longer valid,
/// [`Refusal::Signature`] otherwise.
pub(super) fn verify(
    keys: &[Certificate],
    data: &[u8],
    signatures: &[u8],
    now: u64,
) -> Result<SignedBy, Refusal> {
    let (mut found, mut ended) = (Vec::new(), None);
    for signature in signatures_in(signatures)? {
        for key in keys {
            let why = match (key.verify(data, &signature, now), key.unusable(now)) {
                (Ok(created), None) => {
                    return Ok(SignedBy {
                        fingerprint: key.fingerprint(),
                        created,
                    });
                }
                (Ok(_), Some(why)) => {
                    let fingerprint = key.fingerprint();
                    ended = Some(Refusal::Key { fingerprint, why });
                    continue;
                }
                (Err(why), _) => why,
            };
            found.push(format!("{} {why}", claimed_issuer(&signature)));
        }
    }
    let expected = keys
        .iter()
        .map(Certificate::fingerprint)
        .collect::<Vec<_>>();
    Err(ended.unwrap_or_else(|| {
        let expected = expected.join(" or ");
        SignatureError::NoneGood { expected, found }.into()
    }))
}
