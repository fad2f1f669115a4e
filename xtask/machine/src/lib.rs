//! One `machine.toml`, read strictly and resolved against the catalog.
//!
//! The way through this crate: [`Sources`] holds the texts (a description and
//! what it extends), [`read`] turns them into a [`Description`] and from there,
//! with the catalog, into a [`Machine`], and collects everything that is wrong
//! as [`Diagnostic`]s on the way. It touches no disk, no network and no clock:
//! the caller brings the texts and today's date.

mod description;
mod diagnostic;
mod layers;
mod machine;
mod read;
pub mod reference;
pub mod rules;
pub mod section;
mod source;
pub mod types;

pub use description::Description;
pub use diagnostic::{Diagnostic, Severity};
pub use machine::{Card, Machine};
pub use read::{Outcome, read};
pub use source::{LoadError, Source, Sources, Span};
