//! The NVIDIA container toolkit: its releases and what was wrong with them
//! (`data/toolkit.toml`).

use crate::{Catalog, Date, DottedVersion, Meta};
use serde::{Deserialize, Serialize};

/// A release of the toolkit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolkitRelease {
    /// Its version.
    pub version: DottedVersion,
    /// The day it came out; where only the month is known, that month's first day.
    pub released: Option<Date>,
}

/// A published hole in the toolkit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vulnerability {
    /// Its number, like `CVE-2025-23266`.
    pub id: String,
    /// The first version without it.
    pub fixed_in: DottedVersion,
    /// Its CVSS base score, as published: 0.0 to 10.0.
    pub score: Option<String>,
    /// What it lets an attacker do, in words.
    pub summary: Option<String>,
}

/// `data/toolkit.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolkitFile {
    pub(crate) meta: Meta,
    packages: Vec<String>,
    release: Vec<ToolkitRelease>,
    vulnerability: Vec<Vulnerability>,
}

impl Catalog {
    /// The toolkit's releases that are known, oldest first.
    #[must_use]
    pub fn toolkit_releases(&self) -> &[ToolkitRelease] {
        &self.toolkit_file().release
    }

    /// The toolkit's packages, all of which carry the same version.
    #[must_use]
    pub fn toolkit_packages(&self) -> &[String] {
        &self.toolkit_file().packages
    }

    /// All holes that are known, by the version that closed them.
    #[must_use]
    pub fn toolkit_vulnerabilities(&self) -> &[Vulnerability] {
        &self.toolkit_file().vulnerability
    }

    /// The known holes that a version of the toolkit still has.
    pub fn toolkit_vulnerabilities_of(
        &self,
        version: DottedVersion,
    ) -> impl Iterator<Item = &Vulnerability> {
        let all = self.toolkit_vulnerabilities().iter();
        all.filter(move |hole| version < hole.fixed_in)
    }

    /// The oldest version without a known hole.
    #[must_use]
    pub fn toolkit_least_safe_version(&self) -> Option<DottedVersion> {
        let holes = self.toolkit_vulnerabilities().iter();
        holes.map(|hole| hole.fixed_in).max()
    }

    /// Where the facts about the toolkit are from, and when they were looked up.
    #[must_use]
    pub fn toolkit_source(&self) -> (&str, Date) {
        let meta = &self.toolkit_file().meta;
        (&meta.source, meta.date)
    }
}
