//! What a system has before anything of the lab is installed.

use anyhow::{Context as _, Result};
use lab_apt::Installed;
use lab_lock::Sha256;

/// A list of what is installed, in one of its two forms.
#[derive(Debug, Clone, Copy)]
pub enum InstalledList<'a> {
    /// `name<TAB>version`, as it stands in Ubuntu's images.
    Manifest(&'a [u8]),
    /// dpkg's status file.
    Status(&'a [u8]),
}

impl<'a> InstalledList<'a> {
    /// Tells the form by the content.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let first = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        match first.contains(&b'\t') && !first.contains(&b':') || first.starts_with(b"snap:") {
            true => Self::Manifest(bytes),
            false if first.split(|byte| *byte == b'\t').count() == 2 => Self::Manifest(bytes),
            false => Self::Status(bytes),
        }
    }

    pub(crate) fn read(&self) -> Result<Installed<'a>> {
        match self {
            Self::Manifest(bytes) => Installed::from_manifest(bytes, "amd64"),
            Self::Status(bytes) => Installed::from_status(bytes, "amd64"),
        }
        .context("reading the list of what the base system has")
    }

    /// Its digest.
    pub(crate) fn digest(&self) -> Sha256 {
        match self {
            Self::Manifest(bytes) | Self::Status(bytes) => Sha256::of(bytes),
        }
    }
}
