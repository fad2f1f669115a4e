//! One SSH connection to a machine: trust, authentication, commands, files, forwarded ports.
//!
//! This crate knows no machine description and prints nothing. It speaks SSH by
//! libssh2, so that it behaves the same whatever `ssh` is installed, and one
//! connection serves all commands.
//!
//! Invariants:
//! - nothing is sent, not even a user's name, before the host key was judged;
//! - a changed or revoked host key ends the connection, whatever the caller says;
//! - every wait has an end;
//! - a command does not outlive its channel (see `wrapper.sh` for how, and for its limits);
//! - what a login shell prints never mixes with what a command prints;
//! - no password is used to sign in, and a password for sudo travels through standard input only.

mod agent;
mod auth;
mod command;
mod config;
mod connection;
mod error;
mod forward;
mod frame;
mod identity;
mod key;
mod known_hosts;
mod pattern;
mod privilege;
mod secret;
mod target;
mod trust;
mod upload;
mod wire;

pub use auth::{AskPassphrase, Auth};
pub use command::{Output, Signal};
pub use config::{ConfigError, SshConfig};
pub use connection::{Connection, Timeouts};
pub use error::{
    AuthError, ConnectError, Expected, HostKeyError, RunError, Unreachable, UnreachableReason,
};
pub use forward::{Forwarding, Tunnel};
pub use key::{PublicKey, PublicKeyError};
pub use privilege::{Privilege, Sudo};
pub use secret::Secret;
pub use target::{Endpoint, Target, TargetError};
pub use trust::{Answer, Pin, Trust, UnknownKey};
