//! What is mounted and what is swapped to: /proc/self/mountinfo and /proc/swaps, as proc(5)
//! has them. A line that is not understood is an error: what it says might be that a disk
//! is in use.

use std::path::{Path, PathBuf};

use crate::host::DevNumber;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The device; anonymous for file systems over none or several.
    pub(crate) number: DevNumber,
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// The file system's type.
    pub(crate) kind: String,
    /// What was mounted: a device node's path, or whatever the file system calls it.
    pub(crate) source: String,
    /// The options of the file system.
    pub(crate) options: String,
}

impl Mount {
    /// The values of an option, which may stand there more than once.
    pub(crate) fn option<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self
            .options
            .split(',')
            .filter_map(|one| one.split_once('='));
        pairs
            // `lowerdir+` adds one more layer (overlayfs since 6.8).
            .filter(move |(name, _)| name.trim_end_matches('+') == key)
            .map(|(_, value)| value)
    }
}

/// Reads a table of mounts.
///
/// # Errors
///
/// The first line that is not of the form that proc(5) has.
pub(crate) fn parse(table: &str) -> Result<Vec<Mount>, String> {
    table
        .lines()
        .map(|line| mount(line).ok_or_else(|| line.to_owned()))
        .collect()
}

fn mount(line: &str) -> Option<Mount> {
    // The optional fields have no fixed number and end with a lone hyphen.
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(2);
    let number = fields.next()?.parse().ok()?;
    let point = fields.nth(1)?;
    let mut rest = after.splitn(3, ' ');
    Some(Mount {
        number,
        point: unescaped(point).into(),
        kind: rest.next()?.to_owned(),
        source: unescaped(rest.next()?),
        options: unescaped(rest.next().unwrap_or_default()),
    })
}

/// A blank, tab, newline or backslash stands as `\` and three octal digits.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'\\').then(|| octal(after.get(..3)?)).flatten();
        bytes.push(code.unwrap_or(*first));
        let used = if code.is_some() { 3 } else { 0 };
        rest = after.get(used..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// The mount that a path lies in.
pub(crate) fn holding<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let fitting = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    // Of two on one place, the later one covers the earlier.
    fitting.max_by_key(|mount| mount.point.as_os_str().len())
}

/// The files and devices that are swapped to.
///
/// # Errors
///
/// The first line that is not of the form that proc(5) has.
pub(crate) fn swaps(table: &str) -> Result<Vec<PathBuf>, String> {
    let lines = table.lines().skip(1);
    lines
        .map(|line| {
            let path = line
                .split_whitespace()
                .next()
                .filter(|one| one.starts_with('/'));
            path.map(|path| PathBuf::from(unescaped(path)))
                .ok_or_else(|| line.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "42 27 254:0 /a /media/my\\040stick rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard";

    #[test]
    fn a_line_is_taken_apart() {
        let mount = &parse(LINE).unwrap()[0];
        assert_eq!(mount.point, Path::new("/media/my stick"));
        assert_eq!(mount.number.to_string(), "254:0");
        assert_eq!(
            (mount.kind.as_str(), mount.source.as_str()),
            ("ext4", "/dev/vda")
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for line in [
            "",
            "nonsense",
            "1 2 3 4 5 - ext4 /dev/sda rw",
            "1 2 8:1 / - ext4 /dev/sda rw",
        ] {
            assert!(parse(&format!("{line}\n")).is_err(), "{line:?}");
        }
        assert!(swaps("Filename\nsomething else\n").is_err());
    }

    #[test]
    fn the_deepest_mount_holds_a_path() {
        let table = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /home rw - ext4 /dev/sda2 rw\n";
        let mounts = parse(table).unwrap();
        assert_eq!(
            holding(&mounts, Path::new("/home/a")).unwrap().number.minor,
            2
        );
        assert_eq!(
            holding(&mounts, Path::new("/homely")).unwrap().number.minor,
            1
        );
    }

    #[test]
    fn swap_files_and_partitions() {
        let table = "Filename Type Size Used Priority\n/dev/sda3 partition 1 0 -2\n/swap\\040file file 1 0 -3\n";
        assert_eq!(
            swaps(table).unwrap(),
            [Path::new("/dev/sda3"), Path::new("/swap file")]
        );
    }

    /// Every cut and every byte flipped: an answer or an error, and no panic.
    #[test]
    fn hostile_lines_do_not_panic() {
        for at in 0..LINE.len() {
            let _ = parse(&LINE[..at]);
            for flip in [0x01, 0x20, 0x5c] {
                let mut bytes = LINE.as_bytes().to_vec();
                bytes[at] ^= flip;
                let _ = parse(&String::from_utf8_lossy(&bytes));
            }
        }
    }
}
