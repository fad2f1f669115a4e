//! Checking an image: that all ways to boot it lead somewhere and all its
//! trees tell the same story. Reads only; holds the image against itself.

mod boot;
mod checksums;
mod trees;

use std::io::{Read, Seek};

use crate::Image;

/// How much of an image to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it: every file is read and held against the checksum list.
    Everything,
    /// Boot records and trees, no file's contents.
    Structure,
    /// Boot records and trees, and the contents of files that lie at or behind
    /// this sector (of 2048 bytes): those that were added to a verified base.
    Since(u64),
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it stands.
    pub outcome: Outcome,
    /// A short name that stays the same from release to release.
    pub id: &'static str,
    /// What was looked at, as a statement that holds where it passed.
    pub what: String,
    /// What was seen, or why it was not looked at.
    pub evidence: String,
}

/// How a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is right.
    Pass,
    /// It is wrong.
    Fail,
    /// It was not looked at.
    NotRun,
}

/// Checks an image. The findings come in a fixed order.
pub fn verify<R: Read + Seek>(image: &mut Image<R>, scope: Scope) -> Vec<Finding> {
    let mut findings = Vec::new();
    boot::check(image, &mut findings);
    trees::check(image, &mut findings);
    checksums::check(image, scope, &mut findings);
    findings
}

impl Finding {
    fn not_run(id: &'static str, what: &str, why: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::NotRun,
            id,
            what: what.into(),
            evidence: why.into(),
        }
    }

    /// A finding from what was seen or what is wrong.
    fn of(id: &'static str, what: &str, seen: Result<String, String>) -> Self {
        let outcome = match seen {
            Ok(_) => Outcome::Pass,
            Err(_) => Outcome::Fail,
        };
        Self {
            outcome,
            id,
            what: what.into(),
            evidence: seen.unwrap_or_else(|wrong| wrong),
        }
    }
}
