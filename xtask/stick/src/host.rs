//! Where the kernel tells of block devices: sysfs (Documentation/ABI/stable/sysfs-block),
//! proc(5) and udev's database, all below one root so that a test can bring its own.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// No attribute and no record of udev's is longer, in bytes.
const MAX_RECORD: u64 = 64 << 10;
/// A table of mounts with tens of thousands of lines, in bytes.
const MAX_TABLE: u64 = 16 << 20;

/// A computer, as its kernel shows it.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
}

impl Host {
    /// The computer that this runs on.
    pub fn this() -> Self {
        Self::at("/")
    }

    /// A tree that looks like one: `sys`, `proc`, `run/udev/data` and `dev` below `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A file below the root.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below.trim_start_matches('/'))
    }

    /// The device node of a disk or partition.
    pub fn node(&self, name: &str) -> PathBuf {
        self.path("dev").join(name)
    }

    /// The folder that sysfs has for a block device: `None` where it has none.
    pub(crate) fn folder(&self, number: DevNumber) -> Option<PathBuf> {
        let link = self.path("sys/dev/block").join(number.to_string());
        std::fs::canonicalize(link).ok()
    }

    /// A table below `proc`, whole.
    pub(crate) fn table(&self, below: &str) -> io::Result<String> {
        let bytes = bounded(&self.path(below), MAX_TABLE)?;
        if bytes.len() as u64 == MAX_TABLE {
            return Err(io::Error::other("it is longer than any such table"));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A property from udev's database; empty where there is none.
    pub(crate) fn udev(&self, number: DevNumber, key: &str) -> String {
        let record = self.path("run/udev/data").join(format!("b{number}"));
        let bytes = bounded(&record, MAX_RECORD).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let found = text
            .lines()
            .filter_map(|line| line.strip_prefix("E:")?.split_once('='))
            .find(|(name, _)| *name == key);
        found.map_or_else(String::new, |(_, value)| printable(value))
    }
}

/// An attribute of sysfs without the blanks around it; `None` where there is none.
pub(crate) fn attribute(folder: &Path, name: &str) -> Option<String> {
    let bytes = bounded(&folder.join(name), MAX_RECORD).ok()?;
    Some(printable(&String::from_utf8_lossy(&bytes)))
}

/// An attribute that is a number.
pub(crate) fn number(folder: &Path, name: &str) -> Option<u64> {
    attribute(folder, name)?.parse().ok()
}

/// An attribute that is 0 or 1.
pub(crate) fn flag(folder: &Path, name: &str) -> Option<bool> {
    number(folder, name).map(|value| value != 0)
}

/// The names in a folder, in order; none where there is no folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// What a device says of itself goes to a terminal: control characters do not.
pub(crate) fn printable(text: &str) -> String {
    let clean: String = text
        .trim_matches(|c: char| c.is_whitespace() || c == '\0')
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    clean
}

fn bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The number of a block device, as `8:16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevNumber {
    /// The driver's.
    pub major: u32,
    /// The device's within it.
    pub minor: u32,
}

impl DevNumber {
    /// Whether it belongs to no device: file systems over none, or over several, have such.
    pub(crate) fn is_anonymous(self) -> bool {
        self.major == 0
    }
}

impl From<rustix::fs::Dev> for DevNumber {
    fn from(dev: rustix::fs::Dev) -> Self {
        Self {
            major: rustix::fs::major(dev),
            minor: rustix::fs::minor(dev),
        }
    }
}

impl fmt::Display for DevNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl FromStr for DevNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.trim().split_once(':').and_then(|(major, minor)| {
            Some(Self {
                major: major.parse().ok()?,
                minor: minor.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| format!("{text:?} is no device number: expected one like 8:16"))
    }
}
