//! The file that is served, and whether it is still the same.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Why bytes of the image do not go out.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Reading failed.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no longer the file that was opened.
    #[error("{path} was changed, cut or replaced since it was opened: start `serve` again")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// It is no file with bytes in it.
    #[error("{path} is no file, or is empty: expected an image that `cargo xtask iso` made")]
    NoImage {
        /// The file.
        path: PathBuf,
    },
}

/// An image that is open, and known by its length and times.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: File,
    seen: Seen,
}

/// What tells a file from the one it becomes. A write sets the time of modification before
/// the bytes change, and a rename over it the time of its last change (inode(7)). Times move by
/// the kernel's tick, some milliseconds: a write in the one in which the image was finished and
/// opened is not told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    place: (u64, u64),
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seen {
    fn of(found: &Metadata) -> Self {
        Self {
            place: (found.dev(), found.ino()),
            len: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl Image {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is no file with bytes in it.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let read = |source| ImageError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(read)?;
        let found = file.metadata().map_err(read)?;
        match found.is_file() && found.len() > 0 {
            true => Ok(Self {
                path: path.to_owned(),
                file,
                seen: Seen::of(&found),
            }),
            false => Err(ImageError::NoImage {
                path: path.to_owned(),
            }),
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.seen.len
    }

    /// Whether it has no byte; an open one always has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When it was modified, in seconds since 1970.
    #[must_use]
    pub fn modified(&self) -> u64 {
        u64::try_from(self.seen.modified.0).unwrap_or(0)
    }

    /// A strong entity tag: the length and the time of modification to the nanosecond, so
    /// that a download goes on after `serve` was started again.
    #[must_use]
    pub fn tag(&self) -> String {
        let (seconds, nanoseconds) = self.seen.modified;
        format!("{:x}-{seconds:x}-{nanoseconds:x}", self.seen.len)
    }

    /// The open file, whose place nobody here moves.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Fills `buffer` with the bytes from `start` on, and looks at the file afterwards: what
    /// is returned was there before anybody changed it.
    ///
    /// # Errors
    ///
    /// When reading fails, and when the file is not what it was.
    pub fn read_at(&self, buffer: &mut [u8], start: u64) -> Result<(), ImageError> {
        let read = self.file.read_exact_at(buffer, start);
        self.unchanged()?;
        read.map_err(|source| self.failed(source))
    }

    /// Whether the open file, and the one under its name, are what was opened.
    ///
    /// # Errors
    ///
    /// When they are not.
    pub fn fresh(&self) -> Result<(), ImageError> {
        self.unchanged()?;
        match std::fs::metadata(&self.path) {
            Ok(found) if Seen::of(&found) == self.seen => Ok(()),
            _ => Err(self.changed()),
        }
    }

    fn unchanged(&self) -> Result<(), ImageError> {
        let found = self.file.metadata().map_err(|source| self.failed(source))?;
        match Seen::of(&found) == self.seen {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    fn changed(&self) -> ImageError {
        ImageError::Changed {
            path: self.path.clone(),
        }
    }

    fn failed(&self, source: io::Error) -> ImageError {
        ImageError::Read {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn changed_by(change: impl FnOnce(&Path)) -> (Result<(), ImageError>, Result<(), ImageError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.iso");
        fs::write(&path, [7; 4096]).unwrap();
        let image = Image::open(&path).unwrap();
        image.read_at(&mut [0; 16], 0).unwrap();
        // Times on some file systems move by the tick of the clock only.
        std::thread::sleep(std::time::Duration::from_millis(20));
        change(&path);
        (image.read_at(&mut [0; 16], 0), image.fresh())
    }

    #[test]
    fn whatever_happens_to_the_file_is_seen() {
        let write: fn(&Path) = |path| {
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .write_all_at(b"x", 9)
                .unwrap();
        };
        let cut: fn(&Path) = |path| {
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(9)
                .unwrap();
        };
        let replace: fn(&Path) = |path| {
            fs::write(path.with_extension("new"), [7; 4096]).unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        };
        let remove: fn(&Path) = |path| fs::remove_file(path).unwrap();
        for change in [write, cut, replace, remove] {
            let (read, fresh) = changed_by(change);
            assert!(matches!(read, Err(ImageError::Changed { .. })), "{read:?}");
            assert!(
                matches!(fresh, Err(ImageError::Changed { .. })),
                "{fresh:?}"
            );
        }
        let (read, fresh) = changed_by(|_| {});
        assert!(read.is_ok() && fresh.is_ok());
    }

    #[test]
    fn only_files_with_bytes_are_images() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty");
        fs::write(&empty, "").unwrap();
        for path in [&empty, &folder.path().to_owned()] {
            assert!(matches!(Image::open(path), Err(ImageError::NoImage { .. })));
        }
        let none = Image::open(&folder.path().join("none"));
        assert!(matches!(none, Err(ImageError::Read { .. })));
    }
}
