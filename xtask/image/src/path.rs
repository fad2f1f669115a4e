//! A file's place on the image: relative, `/`-separated, nothing clever.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// The longest name of one file or directory, in bytes: what Linux allows
/// (NAME_MAX) and what one Rock Ridge `NM` entry of 255 bytes nearly holds.
const MAX_NAME: usize = 248;
/// The longest whole path, in bytes.
const MAX_PATH: usize = 1024;
/// The most directories above a file. ECMA-119 6.8.2.1 says 8; Rock Ridge
/// writers relax it, and every reader that matters follows.
const MAX_DEPTH: usize = 32;

/// A path below the image's root, such as `boot/grub/grub.cfg`.
///
/// Never empty, never absolute; no component is empty, `.` or `..`, and none
/// holds a NUL or a control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImagePath(String);

/// Why a text is no [`ImagePath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` cannot be a path on the image: {why}")]
pub struct ImagePathError {
    path: String,
    why: String,
}

impl ImagePath {
    /// The path as text, `/`-separated, without a leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names from the root down; at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl FromStr for ImagePath {
    type Err = ImagePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match fault(text) {
            None => Ok(Self(text.to_owned())),
            Some(why) => Err(ImagePathError {
                path: text.escape_debug().to_string(),
                why,
            }),
        }
    }
}

impl TryFrom<&str> for ImagePath {
    type Error = ImagePathError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ImagePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ImagePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".into());
    }
    if text.starts_with('/') {
        return Some("it must be relative to the image's root, without a leading `/`".into());
    }
    if text.len() > MAX_PATH {
        return Some(format!(
            "it is {} bytes long, at most {MAX_PATH} fit",
            text.len()
        ));
    }
    if text.split('/').count() > MAX_DEPTH {
        return Some(format!("it is deeper than {MAX_DEPTH} levels"));
    }
    text.split('/').find_map(component_fault)
}

fn component_fault(name: &str) -> Option<String> {
    match name {
        "" => Some("it has an empty component (`//` or a trailing `/`)".into()),
        "." | ".." => Some(format!("it has the component `{name}`")),
        _ if name.len() > MAX_NAME => Some(format!(
            "the name `{name}` is {} bytes long, at most {MAX_NAME} fit",
            name.len()
        )),
        _ if name.chars().any(char::is_control) => Some("it holds a control character".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_pass() {
        for text in ["a", "boot/grub/grub.cfg", ".disk/info", "a b/ü", "..a/b.."] {
            assert_eq!(text.parse::<ImagePath>().unwrap().as_str(), text);
        }
        let path: ImagePath = "boot/grub/grub.cfg".parse().unwrap();
        assert_eq!(path.name(), "grub.cfg");
        assert_eq!(path.components().count(), 3);
    }

    #[test]
    fn what_could_escape_or_confuse_is_refused() {
        let long = "x".repeat(MAX_NAME + 1);
        let deep = "d/".repeat(MAX_DEPTH) + "f";
        for text in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b", "a\nb", &long, &deep,
        ] {
            assert!(text.parse::<ImagePath>().is_err(), "{text:?}");
        }
    }
}
