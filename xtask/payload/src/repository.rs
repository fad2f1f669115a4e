//! A flat repository of packages for apt (Debian's wiki, RepositoryFormat; apt-secure(8)):
//! `Packages`, and `InRelease` over it.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{DebError, KeyError, RepositoryKey, control};

/// A package for the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deb {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// The .deb on this computer.
    pub file: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest, known to be right.
    pub sha256: [u8; 32],
}

/// The files of the repository besides the packages themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `Packages`.
    pub packages: String,
    /// `InRelease`.
    pub in_release: String,
    /// The public key that signed it, in armor.
    pub key: String,
}

/// Why there is no repository.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// A .deb cannot be read.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// It cannot be signed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A .deb is another package than it should be.
    #[error("{file} should be {expected}, and its control file says {found}")]
    Other {
        /// The .deb.
        file: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
}

/// Where a package lies below the repository: by its name and digest, so that no version's
/// characters matter and two packages never meet.
#[must_use]
pub fn place(deb: &Deb) -> String {
    let digest = hex::encode(deb.sha256);
    format!(
        "pool/{}_{}.deb",
        deb.name,
        digest.get(..16).unwrap_or(&digest)
    )
}

/// The repository's own files over these packages.
///
/// # Errors
///
/// See [`PlaceError`].
pub fn repository(debs: &[Deb], key: &RepositoryKey) -> Result<Files, PlaceError> {
    let mut sorted: Vec<&Deb> = debs.iter().collect();
    sorted.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    let mut packages = String::new();
    for deb in sorted {
        packages.push_str(&stanza(deb)?);
    }
    let in_release = key.sign(&release(&packages))?;
    Ok(Files {
        in_release,
        key: key.public()?,
        packages,
    })
}

/// Fields that say where a package is: the .deb's own would be of somewhere else.
const OURS: [&str; 5] = ["filename", "size", "sha256", "sha1", "md5sum"];

fn stanza(deb: &Deb) -> Result<String, PlaceError> {
    let control = control(&deb.file)?;
    let found = ["Package", "Version", "Architecture"].map(|name| field(&control, name));
    let expected = [&deb.name, &deb.version, &deb.architecture].map(|text| Some(text.as_str()));
    if found != expected {
        return Err(PlaceError::Other {
            file: deb.file.display().to_string(),
            expected: format!("{} {} {}", deb.name, deb.version, deb.architecture),
            found: found.map(|text| text.unwrap_or("nothing")).join(" "),
        });
    }
    let mut text = String::new();
    let mut keep = true;
    for line in control.lines().filter(|line| !line.trim().is_empty()) {
        if !line.starts_with([' ', '\t']) {
            let name = line
                .split(':')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            keep = !OURS.contains(&name.as_str());
        }
        if keep {
            text.push_str(line);
            text.push('\n');
        }
    }
    let (place, size, digest) = (place(deb), deb.size, hex::encode(deb.sha256));
    text.push_str(&format!(
        "Filename: ./{place}\nSize: {size}\nSHA256: {digest}\n\n"
    ));
    Ok(text)
}

/// The first line of a field's value.
fn field<'c>(control: &'c str, name: &str) -> Option<&'c str> {
    let of = |line: &'c str| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    };
    control.lines().find_map(of)
}

/// The text over which the signature is. It has no day of its own making: the same packages
/// give the same bytes, and a machine without a battery must not find it in its future.
fn release(packages: &str) -> String {
    let digest = hex::encode(Sha256::digest(packages.as_bytes()));
    format!(
        "Origin: lab\nLabel: lab\nSuite: offline\nCodename: offline\nArchitectures: amd64 all\n\
         Date: Sat, 01 Jan 2000 00:00:00 UTC\nDescription: Everything that machine.lock names\n\
         SHA256:\n {digest} {} Packages\n",
        packages.len()
    )
}
