//! Which host keys are trusted.

use std::path::PathBuf;

use crate::error::{Expected, HostKeyError};
use crate::key::PublicKey;
use crate::known_hosts::{self, Entry, Mark};

/// The algorithms that are asked for, the best first. SHA-1 signatures are not among them.
const ALGORITHMS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// A host key that is known beforehand, and who says so.
#[derive(Debug, Clone)]
pub struct Pin {
    /// The key.
    pub key: PublicKey,
    /// Where it comes from, for messages: a file and line.
    pub source: String,
}

/// A host key that nothing is known of.
#[derive(Debug)]
pub struct UnknownKey<'a> {
    /// The host, as known_hosts names it.
    pub host: &'a str,
    /// The key; its fingerprint is what a person compares.
    pub key: &'a PublicKey,
}

/// What a person says to an unknown key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Do not connect.
    Refuse,
    /// Connect, and ask again next time.
    ThisTime,
    /// Connect, and add the key to the first known_hosts file.
    Remember,
}

/// Where trust comes from: pinned keys, else known_hosts, else a person.
///
/// Where keys are pinned, nothing else makes a key good. A line with `@revoked` is
/// heeded always. Without `ask`, an unknown key is refused.
#[derive(Default)]
pub struct Trust<'a> {
    /// The keys of this machine, as they were made with its image.
    pub pinned: Vec<Pin>,
    /// Asks a person.
    pub ask: Option<&'a dyn Fn(&UnknownKey<'_>) -> Answer>,
}

/// Trust in one host, before its key was seen.
pub(crate) struct Judge<'a> {
    trust: &'a Trust<'a>,
    host: String,
    known_hosts: Vec<PathBuf>,
    entries: Vec<Entry>,
    expected: Vec<Expected>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(
        trust: &'a Trust<'a>,
        host: String,
        known_hosts: Vec<PathBuf>,
    ) -> Result<Self, HostKeyError> {
        let entries =
            known_hosts::lookup(&known_hosts, &host).map_err(|error| HostKeyError::File {
                host: host.clone(),
                problem: error.to_string(),
            })?;
        let expected = match trust.pinned.is_empty() {
            true => entries
                .iter()
                .filter(|entry| entry.mark == Mark::Known)
                .map(expected)
                .collect(),
            false => trust.pinned.iter().map(pinned).collect(),
        };
        Ok(Self {
            trust,
            host,
            known_hosts,
            entries,
            expected,
        })
    }

    /// The host key algorithms in the order to ask for them: those of the expected
    /// keys first, so that a server with several keys shows the one that is known.
    pub(crate) fn algorithms(&self) -> String {
        let expected = |algorithm: &&&str| {
            let of_key = if algorithm.starts_with("rsa-") {
                "ssh-rsa"
            } else {
                algorithm
            };
            self.expected
                .iter()
                .any(|expected| expected.key.algorithm() == of_key)
        };
        let first = ALGORITHMS.iter().filter(expected);
        let rest = ALGORITHMS.iter().filter(|algorithm| !expected(algorithm));
        first.chain(rest).copied().collect::<Vec<_>>().join(",")
    }

    /// Says whether `presented` is good.
    pub(crate) fn judge(&self, presented: &PublicKey) -> Result<(), HostKeyError> {
        let revoked = |entry: &&Entry| entry.mark == Mark::Revoked && entry.key == *presented;
        if let Some(entry) = self.entries.iter().find(revoked) {
            return Err(HostKeyError::Revoked {
                host: self.host.clone(),
                presented: presented.clone(),
                source_line: source_line(entry),
            });
        }
        if self
            .expected
            .iter()
            .any(|expected| expected.key == *presented)
        {
            return Ok(());
        }
        if !self.expected.is_empty() {
            return Err(HostKeyError::Changed {
                host: self.host.clone(),
                presented: presented.clone(),
                expected: self.expected.clone(),
            });
        }
        self.ask(presented)
    }

    fn ask(&self, presented: &PublicKey) -> Result<(), HostKeyError> {
        let key = UnknownKey {
            host: &self.host,
            key: presented,
        };
        match self.trust.ask.map(|ask| ask(&key)) {
            Some(Answer::ThisTime) => Ok(()),
            Some(Answer::Remember) => self.remember(presented),
            answer => Err(HostKeyError::Unknown {
                host: self.host.clone(),
                presented: presented.clone(),
                asked: answer.is_some(),
                note: self.note(),
            }),
        }
    }

    fn note(&self) -> String {
        let authority = self
            .entries
            .iter()
            .find(|entry| entry.mark == Mark::CertAuthority);
        authority.map_or_else(String::new, |entry| {
            format!(
                "{} names a certificate authority, and host certificates are not followed here",
                source_line(entry)
            )
        })
    }

    fn remember(&self, key: &PublicKey) -> Result<(), HostKeyError> {
        let problem = |problem: String| HostKeyError::File {
            host: self.host.clone(),
            problem,
        };
        let Some(file) = self.known_hosts.first() else {
            return Err(problem("no known_hosts file to remember the key in".into()));
        };
        known_hosts::remember(file, &self.host, key)
            .map_err(|error| problem(format!("adding the key to {}: {error}", file.display())))
    }
}

fn expected(entry: &Entry) -> Expected {
    Expected {
        key: entry.key.clone(),
        source: source_line(entry),
    }
}

fn pinned(pin: &Pin) -> Expected {
    Expected {
        key: pin.key.clone(),
        source: pin.source.clone(),
    }
}

fn source_line(entry: &Entry) -> String {
    format!("{}:{}", entry.file.display(), entry.line)
}
