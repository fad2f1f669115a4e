//! The image while it is read: it must stay the file that it was when the writing began.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// An image that is being written to a stick.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    state: State,
}

/// What changes when a file is written to, cut off or replaced.
#[derive(Debug, PartialEq, Eq)]
struct State {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl State {
    fn of(found: &Metadata) -> Self {
        Self {
            file: (found.dev(), found.ino()),
            size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            // Cannot be set back, as the time of modification can.
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl Source {
    /// Opens an image.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let opened = File::open(path).and_then(|file| Ok((State::of(&file.metadata()?), file)));
        let (state, file) = opened.map_err(|error| image(path, 0, error))?;
        if state.size == 0 || !file.metadata().is_ok_and(|found| found.is_file()) {
            return Err(image(path, 0, io::Error::other("it is empty, or no file")));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            state,
        })
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.state.size
    }

    /// Fills a buffer; what lies behind the image's end reads as zeros, for the rest of a
    /// sector that is longer than the image's.
    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Fault> {
        let left = usize::try_from(self.size().saturating_sub(at)).unwrap_or(usize::MAX);
        let (inside, behind) = buffer.split_at_mut(left.min(buffer.len()));
        behind.fill(0);
        self.file
            .read_exact_at(inside, at)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Fault::ImageChanged {
                    path: self.path.clone(),
                },
                _ => image(&self.path, at, error),
            })
    }

    /// That it is still the same, both the open file and what the path leads to.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let open = self.file.metadata().map(|found| State::of(&found));
        let named = std::fs::metadata(&self.path).map(|found| State::of(&found));
        let same = |found: io::Result<State>| found.is_ok_and(|found| found == self.state);
        match same(open) && same(named) {
            true => Ok(()),
            false => Err(Fault::ImageChanged {
                path: self.path.clone(),
            }),
        }
    }
}

fn image(path: &Path, at: u64, error: io::Error) -> Fault {
    Fault::Image {
        path: path.to_owned(),
        at,
        error,
    }
}
