//! Public keys as one line of text, and their fingerprints (RFC 4253, section 6.6).

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A public key: `ssh-ed25519 AAAA… comment`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    blob: Vec<u8>,
    algorithm: String,
}

/// Why a line is no public key.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("this is no public key: {0}; expected a line such as `ssh-ed25519 AAAA… comment`")]
pub struct PublicKeyError(&'static str);

impl PublicKey {
    /// A key from its bytes on the wire.
    ///
    /// # Errors
    ///
    /// When the bytes do not begin with the name of an algorithm.
    pub fn from_blob(blob: &[u8]) -> Result<Self, PublicKeyError> {
        let broken = PublicKeyError("its bytes do not begin with an algorithm");
        let Some((length, rest)) = blob.split_first_chunk::<4>() else {
            return Err(broken);
        };
        let name = rest.get(..u32::from_be_bytes(*length) as usize);
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Err(broken);
        };
        Ok(Self {
            blob: blob.to_owned(),
            algorithm: name.to_owned(),
        })
    }

    /// The algorithm of the key, such as `ssh-ed25519`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The fingerprint as ssh prints it: `SHA256:` and base64 without padding.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!(
            "SHA256:{}",
            STANDARD_NO_PAD.encode(Sha256::digest(&self.blob))
        )
    }

    /// The key as a line, without a comment.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.algorithm, STANDARD.encode(&self.blob))
    }

    /// A key from its two words.
    pub(crate) fn from_words(algorithm: &str, base64: &str) -> Result<Self, PublicKeyError> {
        let blob = STANDARD
            .decode(base64)
            .map_err(|_| PublicKeyError("the second word is not base64"))?;
        let key = Self::from_blob(&blob)?;
        if key.algorithm != algorithm {
            return Err(PublicKeyError("its two words name different algorithms"));
        }
        Ok(key)
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(line: &str) -> Result<Self, PublicKeyError> {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some(algorithm), Some(base64)) => Self::from_words(algorithm, base64),
            _ => Err(PublicKeyError("it has fewer than two words")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PublicKey;

    const LINE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_known_fingerprint() {
        // GitHub's host key, whose fingerprint GitHub publishes.
        let key: PublicKey = format!("{LINE} github.com").parse().unwrap();
        assert_eq!(key.algorithm(), "ssh-ed25519");
        assert_eq!(
            key.fingerprint(),
            "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
        );
        assert_eq!(key.line(), LINE);
    }

    #[test]
    fn what_is_no_key() {
        for line in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 !!!!",
            "ssh-rsa AAAA",
            &LINE.replace("ssh-ed25519 ", "ssh-rsa "),
        ] {
            assert!(line.parse::<PublicKey>().is_err(), "{line}");
        }
    }
}
