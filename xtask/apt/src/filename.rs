//! Paths that an archive's metadata names, relative to the archive: they are put behind its
//! address and into names of files, so that nothing in them may lead elsewhere.

/// The longest path that is accepted, in bytes.
const LONGEST: usize = 1024;

/// A path that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {found:?} is refused: {why}")]
pub struct BadFilename {
    found: String,
    why: &'static str,
}

/// Accepts a relative path without `..`, backslashes and control characters. A leading `./`, as
/// flat repositories write it, is fine.
///
/// # Errors
///
/// Says which rule the path breaks.
pub fn check_filename(path: &str) -> Result<(), BadFilename> {
    match complaint(path) {
        None => Ok(()),
        Some(why) => Err(BadFilename {
            found: path.chars().take(80).collect(),
            why,
        }),
    }
}

fn complaint(path: &str) -> Option<&'static str> {
    let bytes = path.as_bytes();
    if bytes.is_empty() {
        return Some("it is empty");
    }
    if bytes.len() > LONGEST {
        return Some("it is longer than 1024 bytes");
    }
    if bytes.first() == Some(&b'/') {
        return Some("it is absolute");
    }
    if path.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    if memchr::memchr3(b'\\', b'?', b'#', bytes).is_some() {
        return Some("it has one of \\ ? #");
    }
    if path.split('/').any(|part| part == "..") {
        return Some("it leads out of the archive by `..`");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_the_archive_are_accepted() {
        for good in [
            "pool/main/a/a_1%3a2~b+c_all.deb",
            "./a.deb",
            "Packages",
            "a/./b",
            "a..b/c",
        ] {
            assert!(check_filename(good).is_ok(), "{good}");
        }
        let long = "a".repeat(LONGEST + 1);
        for bad in [
            "", "/a", "..", "../a", "a/../b", "a/..", "a\nb", "a\0b", "a\\b", "a?b", "a#b", &long,
        ] {
            assert!(check_filename(bad).is_err(), "{bad}");
        }
    }
}
