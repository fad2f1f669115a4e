//! A vendor's public key, by URL and full fingerprint.

use crate::network::{Ask, Network};
use crate::refusal::ResolveError;
use crate::{SignatureError, SigningKey};

use super::certificate::Certificate;

/// The longest key that is taken, in bytes. Ubuntu's archive key has some 10 KiB.
const LONGEST_KEY: u64 = 4 << 20;

/// Fetches a vendor's key. The file must be exactly one transferable public key,
/// armored or binary, whose primary key has this fingerprint; its bytes are given as
/// they came. The fingerprint vouches for the primary key only, so what else is in
/// the file (user ids, expiry, revocation) counts by the primary key's signatures.
///
/// # Errors
///
/// [`ResolveError::Refused`] for another key, several keys, and what is no key.
pub fn fetch_key(
    network: &Network<'_>,
    url: &str,
    fingerprint: [u8; 20],
) -> Result<Vec<u8>, ResolveError> {
    let what = format!("the key {}", hex::encode_upper(fingerprint));
    network.at_places(&what, url, |place| {
        let ask = Ask::new(&what, place, LONGEST_KEY);
        let packet = network.get(&ask)?.bytes;
        let key = SigningKey {
            fingerprint,
            packet,
        };
        match Certificate::read(&key) {
            Ok(_) => Ok(key.packet),
            Err(error) => Err(ask.refused(described(error).into())),
        }
    })
}

fn described(error: SignatureError) -> SignatureError {
    match error {
        SignatureError::NotAKey(why) => SignatureError::NotAKey(format!(
            "{why}; expected one public key, as the vendor publishes it"
        )),
        other => other,
    }
}
