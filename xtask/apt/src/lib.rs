//! Debian's package metadata, and the choice of a closure of packages.
//!
//! Bytes in, decisions out: this crate reads what an archive publishes (`Release`,
//! `Packages`) and what a system has (dpkg's status file, the manifest of a live image),
//! and chooses what would have to be fetched and installed for a list of requests. It
//! touches no disk, no network and no clock, and it knows no machine description. That the
//! bytes are the archive's, by signature and digest, is for the caller to know.
//!
//! ```
//! use lab_apt::{Pin, Request, Universe};
//!
//! let index = "Package: hello\nVersion: 2.10-3\nArchitecture: amd64\n\
//!              Filename: pool/hello.deb\nSize: 1\nSHA256: \
//!              0000000000000000000000000000000000000000000000000000000000000000\n";
//! let mut universe = Universe::new("amd64");
//! universe.add_index("debian", &Pin::default(), index.as_bytes())?;
//! let solution = universe.solve(&[Request::newest("hello")])?;
//! assert_eq!(solution.chosen[0].filename, "pool/hello.deb");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariants:
//! - the same inputs give the same answer, whatever the order of the indexes;
//! - an answer satisfies every `Depends`, `Pre-Depends`, `Conflicts` and `Breaks` of what it
//!   brings, and breaks none of what is installed;
//! - what is installed stays: never removed, never older unless a request names the version.

mod control;
mod explain;
mod filename;
mod index;
mod installed;
mod marks;
mod pin;
mod provider;
mod relation;
mod release;
mod search;
mod solution;
mod universe;
mod version;
mod walk;

pub use control::{ControlError, Field, Stanzas};
pub use filename::{BadFilename, check_filename};
pub use index::{IndexError, MultiArch, Package, Packages, Priority};
pub use installed::{Installed, InstalledPackage};
pub use pin::Pin;
pub use relation::{Atom, Operator, Qualifier, RelationError, Relations};
pub use release::{Listed, Release, ReleaseError};
pub use search::{Request, Unsolvable};
pub use solution::{Chosen, Solution};
pub use universe::Universe;
pub use version::{BadVersion, Version};
