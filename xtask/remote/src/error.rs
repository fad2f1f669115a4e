//! What can go wrong, typed where a caller branches.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

use crate::key::PublicKey;

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The machine did not answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The machine's host key is not the one that was expected.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// The machine takes none of the keys.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// What answers does not speak SSH as it should, or something here is in the way.
    #[error("connecting to {endpoint}: {problem}")]
    Protocol {
        /// The machine.
        endpoint: String,
        /// What happened and what to do.
        problem: String,
    },
}

/// How a machine did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreachableReason {
    /// Its name is not known.
    Name,
    /// It refused the connection: it runs, and nothing listens on the port.
    Refused,
    /// Nothing came back in time.
    TimedOut,
    /// The network has no way to it.
    Network,
}

/// The machine did not answer.
#[derive(Debug)]
pub struct Unreachable {
    /// The machine.
    pub endpoint: String,
    /// In which way.
    pub reason: UnreachableReason,
    /// Each address that was tried, and what came of it.
    pub tried: Vec<(SocketAddr, String)>,
    /// What was said where no address was tried.
    pub detail: String,
}

impl std::error::Error for Unreachable {}

impl fmt::Display for Unreachable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "connecting to {}: ", self.endpoint)?;
        out.write_str(match self.reason {
            UnreachableReason::Name => "the name is not known",
            UnreachableReason::Refused => "the connection was refused",
            UnreachableReason::TimedOut => "no answer in time",
            UnreachableReason::Network => "the network has no way there",
        })?;
        for (address, what) in &self.tried {
            write!(out, "\n  {address}: {what}")?;
        }
        if !self.detail.is_empty() {
            write!(out, " ({})", self.detail)?;
        }
        out.write_str("\n  ")?;
        out.write_str(match self.reason {
            UnreachableReason::Name => "check the name, or give the address",
            UnreachableReason::Refused => "is sshd running there, and on this port?",
            UnreachableReason::TimedOut => {
                "is the machine switched on, and does a firewall let the port through?"
            }
            UnreachableReason::Network => "check the address and this side's network",
        })
    }
}

/// A key that was expected, and who says so.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The key.
    pub key: PublicKey,
    /// The file and line, or whatever the caller named.
    pub source: String,
}

/// Why a host key is not trusted.
#[derive(Debug, Error)]
pub enum HostKeyError {
    /// Another key is expected.
    #[error("{}", changed(.host, .presented, .expected))]
    Changed {
        /// The host, as known_hosts names it.
        host: String,
        /// The key that it showed.
        presented: PublicKey,
        /// The keys that were expected.
        expected: Vec<Expected>,
    },
    /// The key was taken back.
    #[error("the host key of {host} ({} {}) was revoked by {source_line}; do not connect to this machine until its owner made a new key", .presented.algorithm(), .presented.fingerprint())]
    Revoked {
        /// The host, as known_hosts names it.
        host: String,
        /// The key that it showed.
        presented: PublicKey,
        /// The file and line with `@revoked`.
        source_line: String,
    },
    /// No key is known, and there is nobody to ask, or the answer was no.
    #[error("{}", unknown(.host, .presented, *.asked, .note))]
    Unknown {
        /// The host, as known_hosts names it.
        host: String,
        /// The key that it showed.
        presented: PublicKey,
        /// Whether somebody was asked and said no.
        asked: bool,
        /// What else is worth knowing, or nothing.
        note: String,
    },
    /// A file with known keys cannot be read or written.
    #[error("judging the host key of {host}: {problem}")]
    File {
        /// The host, as known_hosts names it.
        host: String,
        /// What happened.
        problem: String,
    },
}

fn changed(host: &str, presented: &PublicKey, expected: &[Expected]) -> String {
    let mut text = format!(
        "the host key of {host} is not the expected one; nothing was sent\n  shown:    {} {}",
        presented.algorithm(),
        presented.fingerprint()
    );
    for Expected { key, source } in expected {
        text += &format!(
            "\n  expected: {} {} ({source})",
            key.algorithm(),
            key.fingerprint()
        );
    }
    text + "\n  Either the machine was installed anew, or another machine answers at this address. Compare the shown \
            fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` at the machine's own console. Only when they are \
            equal, remove the expected key from the place named above and connect again."
}

fn unknown(host: &str, presented: &PublicKey, asked: bool, note: &str) -> String {
    let why = match asked {
        true => "and was not accepted",
        false => "and nobody can be asked here",
    };
    let note = match note {
        "" => String::new(),
        note => format!(" ({note})"),
    };
    format!(
        "the host key of {host}, {} {}, is not known {why}{note}; pin the key beside the description, or compare the fingerprint and \
         add the key to ~/.ssh/known_hosts",
        presented.algorithm(),
        presented.fingerprint()
    )
}

/// No key was taken.
#[derive(Debug)]
pub struct AuthError {
    /// The machine.
    pub endpoint: String,
    /// The user.
    pub user: String,
    /// Each key that was tried or passed over, and what came of it.
    pub tried: Vec<String>,
    /// The ways of signing in that the server offers.
    pub offered: Vec<String>,
    /// What ended the attempts, when it was not the last key.
    pub ended: Option<String>,
}

impl std::error::Error for AuthError {}

impl fmt::Display for AuthError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "signing in to {} as {}: no key was accepted",
            self.endpoint, self.user
        )?;
        for tried in &self.tried {
            write!(out, "\n  {tried}")?;
        }
        if let Some(ended) = &self.ended {
            write!(out, "\n  {ended}")?;
        }
        write!(out, "\n  the server offers: {}", self.offered.join(", "))?;
        let by_key = self.offered.iter().any(|method| method == "publickey");
        out.write_str(match by_key {
            true => "\n  add the public key to ~/.ssh/authorized_keys of this user there, or name its file with --identity",
            false => "\n  no password is ever sent from here: allow public keys there (PubkeyAuthentication yes)",
        })
    }
}

/// Why a command gave no result.
#[derive(Debug, Error)]
pub enum RunError {
    /// The command was not begun: the shell, the account or sudo is in the way.
    #[error("{command}: the command was not begun (exit status {}); the machine said: {said}", status.map_or("unknown".to_owned(), |status| status.to_string()))]
    NotBegun {
        /// The command, shortened.
        command: String,
        /// The exit status that the server gave.
        status: Option<i32>,
        /// What was printed instead.
        said: String,
    },
    /// It took too long, and was ended.
    #[error("{command}: not done after {limit:?}, so it was ended; its last words: {said}")]
    TimedOut {
        /// The command, shortened.
        command: String,
        /// The limit.
        limit: Duration,
        /// The end of what it printed.
        said: String,
    },
    /// The line was cut. The command is ended on the other side as soon as that side sees it.
    #[error(
        "{command}: the line was cut: {problem}; connect again, and see whether the machine went down or restarts"
    )]
    Cut {
        /// The command, shortened.
        command: String,
        /// What the library said.
        problem: String,
    },
    /// It printed more than is taken.
    #[error(
        "{command}: more than {limit} bytes of output, so it was ended; print less, or raise the limit"
    )]
    TooMuchOutput {
        /// The command, shortened.
        command: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The command's text is too long.
    #[error(
        "{command}: the command has {length} bytes, and at most {limit} fit; send it as a script"
    )]
    TooLong {
        /// The command, shortened.
        command: String,
        /// Its length.
        length: usize,
        /// What fits.
        limit: usize,
    },
    /// Something about the request itself is wrong.
    #[error("{command}: {problem}")]
    Refused {
        /// The command, shortened.
        command: String,
        /// What is wrong and what to do.
        problem: String,
    },
}
