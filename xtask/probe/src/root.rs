//! Where files are read: below a folder, `/` on a machine and a tree of a test.
//!
//! What stands there may be missing, broken, huge or no file at all, so every read is
//! bounded in size, and a pipe or a device in place of a file is refused and not waited for.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

/// The most that is read of a small file, in bytes.
pub(crate) const SMALL: u64 = 64 << 10;

/// A folder that stands for `/`.
#[derive(Debug, Clone)]
pub(crate) struct Root(Arc<Path>);

/// A file that could not be read.
#[derive(Debug)]
pub(crate) struct Unread {
    path: String,
    error: io::Error,
}

impl Unread {
    /// Whether nothing stands there.
    pub(crate) fn missing(&self) -> bool {
        self.error.kind() == io::ErrorKind::NotFound
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, error } = self;
        match error.kind() {
            io::ErrorKind::NotFound => write!(out, "{path} is not there"),
            io::ErrorKind::PermissionDenied => write!(out, "{path} may not be read by this user"),
            _ => write!(out, "reading {path}: {error}"),
        }
    }
}

impl From<Unread> for String {
    fn from(unread: Unread) -> Self {
        unread.to_string()
    }
}

impl Root {
    /// Files below this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.into())
    }

    /// Where an absolute path stands.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Whether something stands there.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Opens a file, and nothing but a file.
    pub(crate) fn open(&self, path: &str) -> Result<File, Unread> {
        self.open_regular(path).map_err(|error| Unread {
            path: path.to_owned(),
            error,
        })
    }

    fn open_regular(&self, path: &str) -> io::Result<File> {
        let no_waiting = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::options()
            .read(true)
            .custom_flags(no_waiting.bits().cast_signed())
            .open(self.path(path))?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is not a regular file")),
        }
    }

    /// A file of at most `most` bytes.
    pub(crate) fn bytes(&self, path: &str, most: u64) -> Result<Vec<u8>, Unread> {
        let unread = |error| Unread {
            path: path.to_owned(),
            error,
        };
        let mut bytes = Vec::new();
        self.open(path)?
            .take(most.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(unread)?;
        if bytes.len() as u64 > most {
            let larger = format!("it is larger than the {most} bytes that are expected at most");
            return Err(unread(io::Error::other(larger)));
        }
        Ok(bytes)
    }

    /// The text of a file of at most `most` bytes; what is not UTF-8 in it shows as U+FFFD.
    pub(crate) fn text(&self, path: &str, most: u64) -> Result<String, Unread> {
        let bytes = self.bytes(path, most)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A small file's text without the white space around it, as sysfs has them.
    pub(crate) fn line(&self, path: &str) -> Result<String, Unread> {
        let text = self.text(path, SMALL)?;
        Ok(text
            .trim_matches(|c: char| c.is_whitespace() || c == '\0')
            .to_owned())
    }

    /// A small file's number.
    pub(crate) fn number(&self, path: &str) -> Result<u64, String> {
        let line = self.line(path)?;
        line.parse()
            .map_err(|_| format!("{path} is `{}` and not a number", short(&line)))
    }

    /// The names in a folder, sorted; at most 20,000 of them.
    pub(crate) fn names(&self, path: &str) -> Result<Vec<String>, Unread> {
        let entries = std::fs::read_dir(self.path(path)).map_err(|error| Unread {
            path: path.to_owned(),
            error,
        })?;
        let mut names: Vec<String> = entries
            .take(20_000)
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// What a symbolic link says, if one stands there.
    pub(crate) fn link(&self, path: &str) -> Option<PathBuf> {
        std::fs::read_link(self.path(path)).ok()
    }

    /// The last part of what a symbolic link says.
    pub(crate) fn link_name(&self, path: &str) -> Option<String> {
        let link = self.link(path)?;
        Some(link.file_name()?.to_str()?.to_owned())
    }
}

/// A text from outside, cut so that a message stays a line.
pub(crate) fn short(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let mut cut: String = line
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(200)
        .collect();
    if line.chars().count() > 200 {
        cut.push('…');
    }
    cut
}
