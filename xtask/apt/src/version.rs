//! Versions of Debian packages and their order: deb-version(7), Debian Policy 5.6.12.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version: `[epoch:]upstream[-revision]`, shown as it was written.
///
/// Two versions are equal where the order says so: `1.0`, `0:1.0` and `1.0-0` are.
#[derive(Clone)]
pub struct Version(String);

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no Debian version: {why}")]
pub struct BadVersion {
    found: String,
    why: &'static str,
}

impl Version {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        match check(text) {
            Ok(()) => Ok(Self(text.to_owned())),
            Err(why) => Err(BadVersion {
                found: text.chars().take(80).collect(),
                why,
            }),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({})", self.0)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

/// Epoch, upstream version and revision of a text.
fn parts(text: &str) -> (&str, &str, &str) {
    let (epoch, rest) = text.split_once(':').unwrap_or(("", text));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// What makes `text` no version, by dpkg's `parseversion`.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    let (epoch, upstream, revision) = parts(text);
    if text.contains(':') && !is_epoch(epoch) {
        return Err("its epoch is no number from 0 to 2147483647");
    }
    if !upstream.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("its upstream part does not start with a digit");
    }
    if !upstream
        .bytes()
        .all(|b| is_plain(b) || b == b'-' || b == b':')
    {
        return Err("letters, digits and . + - ~ : are all that its upstream part may hold");
    }
    let has_revision = text.len() > upstream.len() + epoch.len() + usize::from(text.contains(':'));
    if has_revision && revision.is_empty() {
        return Err("nothing stands behind its last hyphen");
    }
    if !revision.bytes().all(is_plain) {
        return Err("letters, digits and . + ~ are all that its revision may hold");
    }
    Ok(())
}

/// Rust reads a sign in front of a number, a version has none.
fn is_epoch(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i32>().is_ok()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'~')
}

/// The order of two versions; any two texts have one.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (a_epoch, a_upstream, a_revision) = parts(a);
    let (b_epoch, b_upstream, b_revision) = parts(b);
    compare_part(a_epoch.as_bytes(), b_epoch.as_bytes())
        .then_with(|| compare_part(a_upstream.as_bytes(), b_upstream.as_bytes()))
        .then_with(|| compare_part(a_revision.as_bytes(), b_revision.as_bytes()))
}

/// deb-version(7), "Sorting algorithm": by turns a run of non-digits, in which `~` is before
/// the end and letters before all else, and a run of digits, as a number.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = split_while(a, |byte| !byte.is_ascii_digit());
        let (b_text, b_rest) = split_while(b, |byte| !byte.is_ascii_digit());
        let (a_digits, a_rest) = split_while(a_rest, u8::is_ascii_digit);
        let (b_digits, b_rest) = split_while(b_rest, u8::is_ascii_digit);
        let order = compare_text(a_text, b_text).then_with(|| compare_digits(a_digits, b_digits));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    Ordering::Equal
}

fn split_while(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !belongs(byte));
    bytes.split_at(end.unwrap_or(bytes.len()))
}

fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    let weigh = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    let longest = a.len().max(b.len());
    (0..longest)
        .map(|at| weigh(a.get(at)).cmp(&weigh(b.get(at))))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

fn compare_digits(a: &[u8], b: &[u8]) -> Ordering {
    let (_, a) = split_while(a, |byte| *byte == b'0');
    let (_, b) = split_while(b, |byte| *byte == b'0');
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each before the next.
    const ASCENDING: &[&str] = &[
        "0~~",
        "0~",
        "0",
        "1.0~rc1-1",
        "1.0",
        "1.0-1~bpo1",
        "1.0-1",
        "1.0-1+b1",
        "1.0a",
        "1.0+x",
        "1.0.1",
        "1.2",
        "1.10",
        "1:0.1",
        "2:0",
    ];

    #[test]
    fn versions_have_an_order() {
        for (at, a) in ASCENDING.iter().enumerate() {
            for (other, b) in ASCENDING.iter().enumerate() {
                assert_eq!(compare(a, b), at.cmp(&other), "{a} against {b}");
            }
        }
    }

    #[test]
    fn what_is_written_differently_can_be_equal() {
        for (a, b) in [
            ("1.0", "0:1.0"),
            ("1.0", "1.0-0"),
            ("1.0", "1.00"),
            ("1", "1-"),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} against {b}");
        }
        let version: Version = "0:1.0".parse().unwrap();
        assert_eq!(version.to_string(), "0:1.0");
        assert_eq!(version, "1.0-0".parse().unwrap());
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "a",
            "1.0-",
            ":1",
            "a:1",
            "-1:1",
            "+1:1",
            "1:",
            "1:-1",
            "1 0",
            "1_0",
            "1.0-1_2",
            "é",
            "2147483648:1",
            "~1",
            "-1",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
        for text in [
            "1",
            "0",
            "1-2-3",
            "1:2:3-4",
            "2147483647:1",
            "1.0~rc1+dfsg-1~deb12u1",
        ] {
            assert!(text.parse::<Version>().is_ok(), "{text:?}");
        }
    }
}
