//! A `Release` file, or the clear text of an `InRelease`: what an archive vouches for
//! (Debian's wiki, DebianRepository/Format, "Release" files; deb822(5)). That its signature is
//! good is for the caller to see before.

use std::collections::BTreeMap;

use crate::control::{ControlError, Field, Stanzas, find};
use crate::filename::{BadFilename, check_filename};

/// What an archive says about one of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// In bytes.
    pub size: u64,
}

/// A `Release` file. Times are as they were written (RFC 5322, always UTC): whoever has a
/// clock compares them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Release {
    /// Who made the archive.
    pub origin: Option<String>,
    /// `stable`, `noble-updates`.
    pub suite: Option<String>,
    /// `bookworm`, `noble`.
    pub codename: Option<String>,
    /// When it was made.
    pub date: Option<String>,
    /// When it is no longer to be trusted.
    pub valid_until: Option<String>,
    /// Whether indexes also lie under `by-hash/SHA256/`, where they stay while a mirror changes.
    pub acquire_by_hash: bool,
    /// Components; none in a flat repository.
    pub components: Vec<String>,
    /// Architectures that have indexes.
    pub architectures: Vec<String>,
    /// The files, by their paths relative to the `Release` file.
    pub files: BTreeMap<String, Listed>,
}

/// A `Release` file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Its text is no control data.
    #[error("{0}")]
    Control(#[from] ControlError),
    /// It is not one stanza.
    #[error("{found} stanzas, where a Release file has one")]
    Stanzas {
        /// How many there are; more than one is not counted further.
        found: usize,
    },
    /// It has no `SHA256` field.
    #[error("it lists no SHA256 digests; an archive with weaker ones only is not used")]
    NoDigests,
    /// A line of the list is not `digest size path`.
    #[error(
        "its list of SHA256 digests has {found:?}, where a digest, a size and a path were expected"
    )]
    Line {
        /// The line.
        found: String,
    },
    /// A path leads out of the archive.
    #[error("its list of SHA256 digests: {0}")]
    Path(#[from] BadFilename),
    /// A path stands there twice, with different digests.
    #[error("its list of SHA256 digests has two digests for {path}")]
    Twice {
        /// The path.
        path: String,
    },
}

impl Release {
    /// Reads the clear text.
    ///
    /// # Errors
    ///
    /// See [`ReleaseError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ReleaseError> {
        let fields = only_stanza(bytes)?;
        let text = |name| find(&fields, name).map(str::to_owned);
        let words = |name| {
            let value = find(&fields, name).unwrap_or_default();
            value.split_ascii_whitespace().map(str::to_owned).collect()
        };
        Ok(Self {
            origin: text("Origin"),
            suite: text("Suite"),
            codename: text("Codename"),
            date: text("Date"),
            valid_until: text("Valid-Until"),
            acquire_by_hash: find(&fields, "Acquire-By-Hash") == Some("yes"),
            components: words("Components"),
            architectures: words("Architectures"),
            files: files(find(&fields, "SHA256").ok_or(ReleaseError::NoDigests)?)?,
        })
    }
}

fn only_stanza(bytes: &[u8]) -> Result<Vec<Field<'_>>, ReleaseError> {
    let mut stanzas = Stanzas::new(bytes)?;
    let (mut fields, mut more) = (Vec::new(), Vec::new());
    if !stanzas.read(&mut fields)? {
        return Err(ReleaseError::Stanzas { found: 0 });
    }
    match stanzas.read(&mut more)? {
        false => Ok(fields),
        true => Err(ReleaseError::Stanzas { found: 2 }),
    }
}

fn files(value: &str) -> Result<BTreeMap<String, Listed>, ReleaseError> {
    let mut files = BTreeMap::new();
    for line in value.lines().filter(|line| !line.trim().is_empty()) {
        let (path, listed) = file(line).ok_or_else(|| ReleaseError::Line {
            found: line.chars().take(120).collect(),
        })?;
        check_filename(path)?;
        let before = files.insert(path.to_owned(), listed);
        if before.is_some_and(|before| before != listed) {
            let path = path.to_owned();
            return Err(ReleaseError::Twice { path });
        }
    }
    Ok(files)
}

fn file(line: &str) -> Option<(&str, Listed)> {
    let mut words = line.split_ascii_whitespace();
    let (digest, size, path) = (words.next()?, words.next()?, words.next()?);
    let mut sha256 = [0; 32];
    hex::decode_to_slice(digest, &mut sha256).ok()?;
    let digits = size.bytes().all(|byte| byte.is_ascii_digit());
    let size = size.parse().ok().filter(|_| digits)?;
    words
        .next()
        .is_none()
        .then_some((path, Listed { sha256, size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONES: &str = "1111111111111111111111111111111111111111111111111111111111111111";

    fn release(list: &str) -> Result<Release, ReleaseError> {
        let text = format!(
            "Origin: Debian\nSuite: stable\nCodename: bookworm\nDate: Sat, 11 Jan 2025 10:39:58 UTC\n\
             Acquire-By-Hash: yes\nComponents: main contrib\nMD5Sum:\n x 1 main\nSHA256:\n{list}"
        );
        Release::parse(text.as_bytes())
    }

    #[test]
    fn a_release_is_read() {
        let read = release(&format!(
            " {ONES}  7 main/binary-amd64/Packages.xz\n {ONES} 0 ./a\n"
        ))
        .unwrap();
        assert_eq!(read.codename.as_deref(), Some("bookworm"));
        assert_eq!(read.components, ["main", "contrib"]);
        assert!(read.acquire_by_hash);
        let listed = Listed {
            sha256: [0x11; 32],
            size: 7,
        };
        assert_eq!(
            read.files.get("main/binary-amd64/Packages.xz"),
            Some(&listed)
        );
        assert_eq!(read.files.len(), 2);
    }

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        for list in [
            format!(" {ONES} 7 ../Packages\n"),
            format!(" {ONES} 7 /Packages\n"),
            format!(" {ONES} +7 Packages\n"),
            format!(" {ONES} 7\n"),
            format!(" {ONES} 7 a b\n"),
            format!(" {ONES}1 7 a\n"),
            format!(" {ONES} 7 a\n {ONES} 8 a\n"),
            format!(" {ONES} 7 a\n\nOrigin: other\n"),
        ] {
            assert!(release(&list).is_err(), "{list}");
        }
        assert_eq!(Release::parse(b""), Err(ReleaseError::Stanzas { found: 0 }));
        assert_eq!(Release::parse(b"Origin: a\n"), Err(ReleaseError::NoDigests));
    }
}
