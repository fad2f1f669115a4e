//! Why something could not be resolved: what a server said, and why it does not count.

use std::fmt::Write as _;

use crate::{Cause, Digest, SignatureError};

/// Why a resolving over the network came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// What was asked for cannot be asked for.
    #[error("{what} cannot be resolved: {why}")]
    Input {
        /// What was asked for.
        what: String,
        /// What is wrong with it, and what was expected.
        why: String,
    },
    /// No usable answer came.
    #[error("{what}: {url}: {cause}")]
    NoAnswer {
        /// What was asked for.
        what: String,
        /// Where, without credentials.
        url: String,
        /// Why nothing came.
        cause: Box<Cause>,
    },
    /// An answer came, and it does not count.
    #[error("{what}: {url} is refused: {refusal}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Where, without credentials.
        url: String,
        /// Why it does not count.
        refusal: Box<Refusal>,
    },
    /// Each of several places failed.
    #[error("{what} is at none of its places{}", listed(errors))]
    Nowhere {
        /// What was asked for.
        what: String,
        /// What went wrong at each place, in the order in which they were tried.
        errors: Vec<ResolveError>,
    },
}

impl ResolveError {
    /// Whether a change to what was asked for cures it, rather than another try or
    /// another place. Of several places, all must say so.
    pub fn input_at_fault(&self) -> bool {
        match self {
            Self::Input { .. } => true,
            Self::NoAnswer { cause, .. } => matches!(**cause, Cause::Absent(_)),
            Self::Refused { refusal, .. } => !matches!(**refusal, Refusal::Changed { .. }),
            Self::Nowhere { errors, .. } => errors.iter().all(Self::input_at_fault),
        }
    }

    /// Why nothing came, where no answer came and no other place was tried.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::NoAnswer { cause, .. } => Some(cause),
            _ => None,
        }
    }

    /// The refusal, where one answer was refused and no other place was tried.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}

fn listed(errors: &[ResolveError]) -> String {
    errors.iter().fold(String::new(), |mut text, error| {
        let _ = write!(text, "\n  {error}");
        text
    })
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signature does not hold.
    #[error("{0}")]
    Signature(#[from] SignatureError),
    /// A pinned key has expired or was revoked.
    #[error("the key {fingerprint} {why}; ask the vendor for its present key and pin that")]
    Key {
        /// The primary key's fingerprint, as 40 upper-case hexadecimal digits.
        fingerprint: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is not what its format allows.
    #[error("it is malformed: {0}")]
    Malformed(String),
    /// It is valid, and this program does not take it.
    #[error("{0}")]
    Unsupported(String),
    /// Its validity has ended.
    #[error(
        "it was valid until {valid_until} (seconds since 1970) and it is {now}: the place is no longer \
         updated, or something between keeps old files; use another mirror, or a snapshot"
    )]
    Stale {
        /// The end of its validity, in seconds since 1970.
        valid_until: u64,
        /// The time that the caller gave, in seconds since 1970.
        now: u64,
    },
    /// It comes from the future.
    #[error(
        "it is dated {ahead} s after this computer's clock: set the clock (is NTP running?), then run again"
    )]
    Clock {
        /// How far it is ahead, in seconds.
        ahead: u64,
    },
    /// It is older than what was seen before.
    #[error(
        "it is of {found} (seconds since 1970), and an earlier run saw one of {seen}: an old list is played \
         back, or the mirror is behind; use another mirror, or wait"
    )]
    Rollback {
        /// Its date, in seconds since 1970.
        found: u64,
        /// The date that was seen before, in seconds since 1970.
        seen: u64,
    },
    /// It names a path that leads elsewhere.
    #[error("it names the path {0:?}, which is not one below it")]
    Path(String),
    /// It is not the bytes that were announced.
    #[error("sha256 {found} ({bytes} bytes), expected {expected}")]
    Digest {
        /// The digest of what came.
        found: Digest,
        /// The digest that was announced.
        expected: Digest,
        /// How many bytes came.
        bytes: u64,
    },
    /// It is longer or shorter than announced.
    #[error("it has {found} bytes, expected {expected}")]
    Size {
        /// How many bytes came, or one more than were looked at.
        found: u64,
        /// How many bytes were announced, or are taken at most.
        expected: u64,
    },
    /// It cannot be decompressed within its limits.
    #[error("it does not decompress to {expected} bytes: {why}")]
    Decompression {
        /// The announced size.
        expected: u64,
        /// What went wrong.
        why: String,
    },
    /// The place changed while it was read, each time.
    #[error(
        "its files did not fit together in {reads} reads (last: {last}): it is being updated, or a cache \
         between keeps some of the files longer than others; try again in some minutes, or use another mirror"
    )]
    Changed {
        /// How often it was read.
        reads: u32,
        /// What did not fit in the last read.
        last: String,
    },
    /// There is no variant for the machine.
    #[error("it has nothing for {wanted}; it has {found}")]
    Platform {
        /// What is wanted, `linux/amd64`.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// The server wants somebody that it knows.
    #[error("{0}")]
    Denied(String),
    /// Only the connection vouches for it, and it is not encrypted.
    #[error(
        "it came over plain http, and nothing else vouches for it: use https, or name what is wanted by its digest"
    )]
    PlainHttp,
}
