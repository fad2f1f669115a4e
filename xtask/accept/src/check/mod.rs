//! The checks, a module a group: what each proves of a machine, and from which facts.
//!
//! A check makes one claim for each thing that it is about, and takes what it expects
//! from the description, from what follows from that ([`crate::Expected`]) and from the
//! catalog. A part that is switched off in the description is not claimed. A fact that is
//! not known makes the claims that need it not run, with the reason; where a fact is
//! unknown *because* the thing failed, and another fact shows that, the claim fails.

mod access;
mod asked;
mod dcgan;
mod docker;
mod find;
mod gpu;
mod jupyter;
mod lab;
mod machine;
mod monitoring;
mod ollama;
mod package;
mod reference;
mod service;
mod toolkit;
mod tools;
mod updates;

use crate::Check;

pub(crate) use machine::MANIFEST;

pub use asked::{asked, outside_ports};
pub use reference::reference;

/// Checks that are about one part of a machine.
#[derive(Debug)]
pub struct Group {
    /// The part of their ids before the point.
    pub name: &'static str,
    /// What they are about, in a sentence.
    pub about: &'static str,
    /// The checks, in the order of the report.
    pub checks: &'static [&'static [Check]],
}

/// The groups, in the order of the report: from the iron up.
static GROUPS: &[&Group] = &[
    &machine::GROUP,
    &gpu::GROUP,
    &docker::GROUP,
    &toolkit::GROUP,
    &ollama::GROUP,
    &jupyter::GROUP,
    &dcgan::GROUP,
    &access::GROUP,
    &updates::GROUP,
    &tools::GROUP,
    &monitoring::GROUP,
    &lab::GROUP,
];

/// The groups, in the order of the report.
pub fn groups() -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().copied()
}

/// Every check there is, in the order of the report.
pub fn all() -> impl Iterator<Item = &'static Check> {
    groups().flat_map(|group| group.checks.iter().copied().flatten())
}

/// The check of that id.
pub fn by_id(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}
