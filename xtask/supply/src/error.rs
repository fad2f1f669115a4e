//! What can go wrong, typed by what the caller does about it.
//!
//! The caller chooses the exit code: [`FetchError::input_at_fault`] tells which
//! errors a change to the input cures.

use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Digest, SignatureError};

/// Why the transfer from one URL came to nothing.
#[derive(Debug)]
pub enum Cause {
    /// No server answered: name resolution, connection, TLS or the first byte failed.
    NoAnswer(String),
    /// The server has no such file (404, 410).
    Absent(u16),
    /// The server answered with another status that is no success.
    Status(u16),
    /// The transfer broke off or stood still, also after every retry.
    Broken(String),
    /// The server contradicts itself or HTTP (RFC 9110): what it said and what came.
    Lied(String),
    /// The server wants a login (401, 403), and there is none that it takes.
    Unauthorized(String),
    /// It is no URL to fetch from.
    Unusable(String),
    /// All bytes came, and they are not the file.
    WrongContent {
        /// The digest of what came.
        found: Digest,
        /// The digest of the file that was asked for.
        expected: Digest,
        /// How many bytes came.
        bytes: u64,
    },
    /// The cache holds another file of that name.
    CachedOther {
        /// The digest of the file there.
        found: Digest,
        /// The digest of the file that was asked for, where one is known.
        expected: Option<Digest>,
    },
}

impl Cause {
    /// Whether the same request may well succeed a little later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::NoAnswer(_) | Self::Broken(_) | Self::Lied(_) => true,
            Self::Absent(_)
            | Self::Unauthorized(_)
            | Self::Unusable(_)
            | Self::WrongContent { .. }
            | Self::CachedOther { .. } => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(why) => write!(f, "no answer: {why}"),
            Self::Absent(status) => write!(f, "the server has no such file (HTTP status {status})"),
            Self::Status(status) => write!(f, "the server refused with HTTP status {status}"),
            Self::Broken(why) => write!(f, "the transfer broke off: {why}"),
            Self::Lied(why) => write!(f, "the server's answer does not hold: {why}"),
            Self::Unauthorized(why) => write!(f, "the server wants a login: {why}"),
            Self::Unusable(why) => write!(f, "it is no URL to fetch from: {why}"),
            Self::WrongContent {
                found,
                expected,
                bytes,
            } => write!(
                f,
                "the {bytes} bytes that came are another file: sha256 {found}, expected {expected}; \
                 they were deleted"
            ),
            Self::CachedOther {
                found,
                expected: Some(expected),
            } => write!(
                f,
                "is in the cache, but is another or a damaged file: sha256 {found}, expected {expected}"
            ),
            Self::CachedOther {
                found,
                expected: None,
            } => write!(
                f,
                "is in the cache (sha256 {found}), but has no pin, and no signed list there vouches for it"
            ),
        }
    }
}

/// One URL that was tried, and why it came to nothing.
#[derive(Debug)]
pub struct Tried {
    /// The URL, without credentials.
    pub url: String,
    /// Why it came to nothing.
    pub cause: Cause,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.cause)
    }
}

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No URL could be reached at all.
    #[error(
        "{file} cannot be fetched: no server could be reached\n{}{}",
        listed(tried),
        by_hand(file, place)
    )]
    Unreachable {
        /// The name of the file that was asked for.
        file: String,
        /// Where in the cache it belongs.
        place: PathBuf,
        /// Every URL that was tried.
        tried: Vec<Tried>,
    },
    /// Every URL was answered, and none has the file.
    #[error(
        "{file} is at none of the places it should be at\n{}  check the release asked for, or give a mirror that has it\n{}",
        listed(tried),
        by_hand(file, place)
    )]
    NotFound {
        /// The name of the file that was asked for.
        file: String,
        /// Where in the cache it belongs.
        place: PathBuf,
        /// Every URL that was tried.
        tried: Vec<Tried>,
    },
    /// At least one server answered, and no transfer led to the file.
    #[error(
        "{file} could not be fetched\n{}  what came in right so far is kept: run again to go on, or give another mirror\n{}",
        listed(tried),
        by_hand(file, place)
    )]
    Failed {
        /// The name of the file that was asked for.
        file: String,
        /// Where in the cache it belongs.
        place: PathBuf,
        /// Every URL that was tried.
        tried: Vec<Tried>,
    },
    /// Nothing may be fetched, and the cache does not have it.
    #[error(
        "{file} is not in the cache and nothing may be fetched (frozen): {found}\n{}",
        by_hand(file, place)
    )]
    Frozen {
        /// The name of the file that was asked for.
        file: String,
        /// Where in the cache it belongs.
        place: PathBuf,
        /// What stands there instead.
        found: String,
    },
    /// The vendor's signed list and the pin name different bytes.
    #[error(
        "{file}: the pinned sha256 and the vendor's signed list disagree\n  pinned: {pinned}\n  signed: {signed} \
         (in {url})\n  one of them is wrong or the vendor replaced the file: nothing was accepted; \
         correct the pin only after asking a second source"
    )]
    PinDisagrees {
        /// The name of the file.
        file: String,
        /// The list's URL or path.
        url: String,
        /// What the pin says.
        pinned: Digest,
        /// What the signed list says.
        signed: Digest,
    },
    /// The checksum list's signature does not hold.
    #[error(
        "the signature of {url} does not hold: {reason}\n  the list was not believed and the image not accepted; \
         try again later or give another mirror"
    )]
    BadSignature {
        /// The signature's URL or path.
        url: String,
        /// Why it does not hold.
        reason: SignatureError,
    },
    /// There is no pin, and no signed list names the file.
    #[error(
        "{file} has no pinned sha256, so only the vendor's signed list can vouch for it, and there is none\n{reason}\n  \
         give a release with a pin, or put the list and its signature into the cache as {list} and {list}.gpg"
    )]
    Unverifiable {
        /// The name of the file.
        file: String,
        /// What was tried, one a line.
        reason: String,
        /// The path of the list in the cache.
        list: String,
    },
    /// The signing key that the caller passed is not the key its fingerprint names.
    #[error("the built-in signing key cannot be used: {0}")]
    BadKey(SignatureError),
    /// A URL or mirror that cannot be one.
    #[error(
        "{url:?} is no URL to fetch from: {why}; expected http://HOST/PATH or https://HOST/PATH"
    )]
    BadUrl {
        /// The text, without credentials.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The cache's file system has no room.
    #[error(
        "no room in {} for {what}: {needed} bytes are needed, {free} are free\n  free some, or name another \
         directory with LAB_CACHE_DIR; what came in so far is kept", dir.display()
    )]
    DiskFull {
        /// The directory that is full.
        dir: PathBuf,
        /// What was to be written.
        what: String,
        /// Bytes still to be written.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// Another process works on the same file, and did not finish in time.
    #[error(
        "another process has held {} for {} s\n  wait for it to end or end it, then run again",
        lock.display(), waited.as_secs()
    )]
    Busy {
        /// The lock file.
        lock: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The operating system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, to which path.
        doing: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl FetchError {
    /// Whether the error is cured by changing what was asked for (exit code 1),
    /// rather than by another try, place or network (exit code 2).
    pub fn input_at_fault(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. }
                | Self::PinDisagrees { .. }
                | Self::BadSignature { .. }
                | Self::Unverifiable { .. }
                | Self::BadUrl { .. }
        )
    }

    /// An [`FetchError::Io`] for `doing` something to `path`.
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            doing: format!("{doing} {}", path.display()),
            source,
        }
    }

    /// Classes what was tried at every place.
    pub(crate) fn from_tried(file: &str, place: &Path, tried: Vec<Tried>) -> Self {
        let (file, place) = (file.to_owned(), place.to_owned());
        let asked = || {
            tried
                .iter()
                .filter(|one| !matches!(one.cause, Cause::CachedOther { .. }))
        };
        let all = |test: fn(&Cause) -> bool| asked().all(|one| test(&one.cause));
        if all(|cause| matches!(cause, Cause::NoAnswer(_))) {
            Self::Unreachable { file, place, tried }
        } else if all(|cause| matches!(cause, Cause::Absent(_))) {
            Self::NotFound { file, place, tried }
        } else {
            Self::Failed { file, place, tried }
        }
    }
}

fn listed(tried: &[Tried]) -> String {
    tried.iter().fold(String::new(), |mut text, one| {
        let _ = writeln!(text, "  {one}");
        text
    })
}

fn by_hand(file: &str, place: &Path) -> String {
    format!(
        "  to bring the file by hand: `iso --base FILE`, or copy {file} to {} (it is verified there and adopted)",
        place.display()
    )
}
