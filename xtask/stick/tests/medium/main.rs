//! The writing, on media in memory: the order of the writes, every place where it can be cut
//! off, and media that lie, fail and vanish.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod changes;
mod cut;
mod fake;
mod faults;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use fake::Fake;
use lab_stick::{Fault, Job, Mode, Progress, Written, write};

/// An image in a folder that goes away with it.
struct Image {
    _dir: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Image {
    /// Bytes that differ everywhere, with what makes a disk start where an image has it.
    fn new(size: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lab.iso");
        let mut bytes: Vec<u8> = (0..size as u64)
            .map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8)
            .collect();
        for (at, mark) in marks(size) {
            bytes[at..at + mark.len()].copy_from_slice(mark);
        }
        std::fs::write(&path, &bytes).unwrap();
        Self {
            _dir: dir,
            path,
            bytes,
        }
    }

    /// Changes it, as another build does: by a new file in its place.
    fn edit(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        let beside = self.path.with_extension("partial");
        std::fs::write(&beside, &self.bytes).unwrap();
        std::fs::rename(&beside, &self.path).unwrap();
    }
}

/// What firmware and boot loaders look for, and where: the MBR's mark, both copies of the GPT,
/// both sets of volume descriptors.
fn marks(size: usize) -> [(usize, &'static [u8]); 5] {
    [
        (510, b"\x55\xaa"),
        (512, b"EFI PART"),
        (16 * 2048, b"\x01CD001"),
        (32 * 2048, b"\x01CD001"),
        (size - 512, b"EFI PART"),
    ]
}

fn run(medium: &Fake, image: &Path, mode: Mode) -> Result<Written, Fault> {
    watched(medium, image, mode, &mut |_| ControlFlow::Continue(()))
}

fn watched(
    medium: &Fake,
    image: &Path,
    mode: Mode,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Written, Fault> {
    write(
        medium,
        Job {
            image,
            mode,
            note: "machine: test",
            progress,
        },
    )
}

/// That the image stands on the medium, byte for byte.
fn holds(medium: &Fake, image: &Image) {
    assert!(
        medium.bytes().starts_with(&image.bytes),
        "the image stands on the medium"
    );
}

/// That nothing on the medium starts.
fn starts_nothing(medium: &Fake, image: &Image) {
    let bytes = medium.bytes();
    for (at, mark) in marks(image.bytes.len()) {
        assert!(!bytes[at..].starts_with(mark), "{mark:?} at {at}");
    }
}
