//! Mirrors by configuration: what is asked instead of a URL.
//!
//! ```toml
//! only = true
//! objects = ["http://mirror.example.org/objects"]
//! [mirrors]
//! "https://archive.ubuntu.com/ubuntu" = "http://mirror.example.org/ubuntu"
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::url::{Source, redact};
use crate::{Digest, FetchError};

/// Prefixes of URLs, and what stands in their place at a mirror.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// The longest prefix first.
    pairs: Vec<(String, String)>,
    /// Where others serve a store's objects under their digests.
    objects: Vec<String>,
    only: bool,
}

/// A mirror's URL may hold a password.
impl fmt::Debug for Mirrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self
            .pairs
            .iter()
            .map(|(from, to)| (redact(from), redact(to)));
        let objects = self.objects.iter().map(|url| redact(url));
        f.debug_struct("Mirrors")
            .field("pairs", &pairs.collect::<Vec<_>>())
            .field("objects", &objects.collect::<Vec<_>>())
            .field("only", &self.only)
            .finish()
    }
}

/// Why a text is no list of mirrors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the list of mirrors: {why}\n  expected `only = true` or `false`, `objects = [\"URL\"]`, and in [mirrors] lines of \"URL\" = \"URL\""
)]
pub struct BadMirrors {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, without passwords.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    only: bool,
    #[serde(default)]
    objects: Vec<toml::Spanned<String>>,
    #[serde(default)]
    mirrors: BTreeMap<toml::Spanned<String>, toml::Spanned<String>>,
}

/// What is asked for one URL.
pub(super) struct Mirrored {
    /// Its mirrors.
    pub(super) urls: Vec<String>,
    /// Whether the URL itself is asked after them.
    pub(super) itself: bool,
}

impl Mirrors {
    /// Reads a list from the text of a TOML file.
    ///
    /// # Errors
    ///
    /// [`BadMirrors`] for what is no such list, has other keys, or names what is no
    /// `http://` or `https://` URL.
    pub fn parse(text: &str) -> Result<Self, BadMirrors> {
        // The error's own text would show the line, and with it a password.
        let read: Text = toml::from_str(text).map_err(|error| BadMirrors {
            line: line_at(text, error.span().map_or(0, |span| span.start)),
            why: redact(error.message()),
        })?;
        let pairs = read.mirrors.iter().flat_map(|(from, to)| [from, to]);
        for url in read.objects.iter().chain(pairs) {
            Source::parse(url.as_ref()).map_err(|error| BadMirrors {
                line: line_at(text, url.span().start),
                // The text itself may be a password.
                why: match error {
                    FetchError::BadUrl { why, .. } => format!("no URL to fetch from: {why}"),
                    other => other.to_string(),
                },
            })?;
        }
        let plain =
            |(from, to): (toml::Spanned<_>, toml::Spanned<_>)| (from.into_inner(), to.into_inner());
        let pairs = read.mirrors.into_iter().map(plain).collect();
        let objects = read.objects.into_iter().map(toml::Spanned::into_inner);
        Ok(Self::new(pairs, read.only).with_objects(objects.collect()))
    }

    /// Each of `urls` is the directory `objects` of another store, served: an object is
    /// asked for there under its digest before anything else.
    #[must_use]
    pub fn with_objects(self, urls: Vec<String>) -> Self {
        Self {
            objects: urls,
            ..self
        }
    }

    /// Where an object may be under its digest.
    pub(super) fn of_object(&self, digest: Digest) -> impl Iterator<Item = String> {
        let name = digest.to_string();
        self.objects.iter().map(move |url| {
            let start = name.get(..2).unwrap_or("00");
            format!("{}/sha256/{start}/{name}", url.trim_end_matches('/'))
        })
    }

    /// Each pair is a prefix and what replaces it. With `only`, a URL that has a mirror
    /// is not asked itself.
    pub fn new(mut pairs: Vec<(String, String)>, only: bool) -> Self {
        pairs.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        Self {
            pairs,
            objects: Vec::new(),
            only,
        }
    }

    /// All that is asked for a URL, in order: its mirrors, and itself unless they are all.
    pub fn places(&self, url: &str) -> Vec<String> {
        let Mirrored { mut urls, itself } = self.of(url);
        urls.extend(itself.then(|| url.to_owned()));
        urls
    }

    pub(super) fn of(&self, url: &str) -> Mirrored {
        let urls: Vec<String> = self
            .pairs
            .iter()
            .filter_map(|(from, to)| replaced(url, from, to))
            .collect();
        let mirrored = !urls.is_empty() || !self.objects.is_empty();
        let itself = !(mirrored && self.only);
        Mirrored { urls, itself }
    }
}

/// A prefix ends where a part of the path ends: `https://a/b` is none of `https://a/bc`,
/// and `https://a` none of `https://a.example.org`.
fn replaced(url: &str, from: &str, to: &str) -> Option<String> {
    let rest = url.strip_prefix(from.trim_end_matches('/'))?;
    let ends = rest.is_empty() || rest.starts_with(['/', '?']);
    ends.then(|| format!("{}{rest}", to.trim_end_matches('/')))
}

fn line_at(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(mirrors: &Mirrors, url: &str) -> Vec<String> {
        let mirrored = mirrors.of(url);
        let itself = mirrored.itself.then(|| url.to_owned());
        mirrored.urls.into_iter().chain(itself).collect()
    }

    const LIST: &str = "[mirrors]\n\"https://a/b\" = \"http://m/ab\"\n\"https://a/b/c/\" = \"http://m/abc/\"\n\"https://a\" = \"http://m/a\"\n";

    #[test]
    fn the_longest_prefix_comes_first_and_the_url_itself_last() {
        let mirrors = Mirrors::parse(LIST).unwrap();
        let cases: [(&str, &[&str]); 5] = [
            (
                "https://a/b/c/d",
                &[
                    "http://m/abc/d",
                    "http://m/ab/c/d",
                    "http://m/a/b/c/d",
                    "https://a/b/c/d",
                ],
            ),
            ("https://a/bc", &["http://m/a/bc", "https://a/bc"]),
            ("https://a", &["http://m/a", "https://a"]),
            ("https://a.evil/b", &["https://a.evil/b"]),
            ("https://ab", &["https://ab"]),
        ];
        for (url, want) in cases {
            assert_eq!(asked(&mirrors, url), want, "{url}");
        }
    }

    #[test]
    fn with_only_what_has_a_mirror_is_not_asked_itself() {
        let mirrors = Mirrors::parse(&format!("only = true\n{LIST}")).unwrap();
        assert_eq!(asked(&mirrors, "https://a/x"), ["http://m/a/x"]);
        assert_eq!(asked(&mirrors, "https://other/x"), ["https://other/x"]);
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_line_and_no_password() {
        let cases = [
            ("[mirrors]\n\"https://a\" = \"ftp://u:s3cret@m\"", 2),
            ("[mirrors]\n\"https://a\" = \"http://u:s3cret@m", 2),
            ("[mirrors]\n\n\"https://a\" = 3", 3),
            ("[mirrors]\n\"a\" = \"http://u:s3cret@m/\"", 2),
            ("onyl = true", 1),
            ("objects = [\"u:s3cret@m\"]", 1),
            ("only = \"http://u:s3cret@m\"", 1),
            (
                "[mirrors]\n\"https://a\" = \"http://u:s3cret@m\"\n\"https://a\" = \"http://n\"",
                3,
            ),
        ];
        for (text, line) in cases {
            let error = Mirrors::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        let shown = format!(
            "{:?}",
            Mirrors::parse("[mirrors]\n\"https://a\" = \"http://u:s3cret@m\"").unwrap()
        );
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn no_text_ends_it_otherwise_than_by_an_answer() {
        let good = format!("only = true\n{LIST}").into_bytes();
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..4000 {
            let mut text = good.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = usize::try_from(seed >> 33).unwrap() % text.len();
                text[at] = seed.to_le_bytes()[2];
            }
            if let Ok(mirrors) = Mirrors::parse(&String::from_utf8_lossy(&text)) {
                let _ = mirrors.of("https://a/b/c");
            }
        }
    }
}
