//! What is in a machine, as lists: every package, archive, model and image that its
//! description and its lock name, with version, licence, digest and where it came from.
//!
//! [`Inventory`] is the one list. [`cyclonedx`], [`spdx`] and [`text`] write it down,
//! [`compare`] holds a machine against it, and [`why`] says what pulled something in.
//! [`licence_of_copyright`] and [`licence_of_model`] read licences out of what packages and
//! models carry.
//!
//! Invariants:
//! - no disk, no network, no clock: equal arguments give equal bytes;
//! - the three forms hold the same components in the same order;
//! - a licence is an SPDX expression of known identifiers and `LicenseRef-`s, or it is not
//!   there. What could not be read is not guessed.

mod address;
mod compare;
mod copyright;
mod cyclonedx;
mod expression;
mod freeform;
mod identifiers;
mod inventory;
mod licence;
mod model_terms;
mod moment;
mod short_names;
mod spdx;
mod text;
mod uuid;
mod why;

pub use compare::{Difference, Installed, compare};
pub use copyright::licence_of_copyright;
pub use cyclonedx::cyclonedx;
pub use inventory::{Component, Inventory, Kind, Source};
pub use licence::{Licence, LicenceError};
pub use model_terms::licence_of_model;
pub use moment::Moment;
pub use spdx::spdx;
pub use text::text;
pub use why::{Unknown, why};
