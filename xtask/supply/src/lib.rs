//! Downloads, the cache, digests and signatures.
//!
//! This crate brings bytes from outside onto this machine and says what they
//! are. It knows no machine description: the caller passes what to get. It
//! prints nothing: progress goes to a callback, and errors are typed so that the
//! caller chooses the exit code.
//!
//! Invariants:
//! - bytes never count until their digest fits, whatever a server says about them;
//! - nothing stands under its final name in the cache before that;
//! - a transfer that was interrupted, by a signal too, goes on where it stopped;
//! - every wait has an end;
//! - credentials in a URL are sent to its host and never printed or stored.

mod authority;
mod base;
mod cache;
mod digest;
mod download;
mod error;
mod http;
mod network;
pub mod oci;
pub mod ollama;
mod partial;
pub mod pinned;
mod progress;
mod refusal;
pub mod repository;
mod signature;
mod space;
mod stamp;
pub mod store;
mod sums;
mod url;

pub use authority::{Authority, Authorization, Credentials};
pub use base::{BaseImage, FetchOptions, Fetched, Origin, SignatureState, fetch_base};
pub use cache::Cache;
pub use digest::Digest;
pub use error::{Cause, FetchError, Tried};
pub use http::Limits;
pub use network::Network;
pub use progress::{Phase, Progress};
pub use refusal::{Refusal, ResolveError};
pub use signature::{SignatureError, SignedBy, SigningKey, verify_detached};
pub use stamp::{Identity, Watch, identify, recall};
pub use url::redact;
