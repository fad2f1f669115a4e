//! Writing an image to a medium and reading it back.
//!
//! The order is what makes a cut-off write harmless. First everything that makes a disk start
//! is taken away: the first 128 KiB (MBR and GPT, UEFI 2.10 section 5; the volume descriptors
//! of ISO 9660 at sector 16, and the second set at sector 32) and the last ones of the image,
//! where its backup GPT is. Then the body is written, flushed and read back. Only then come
//! the ends. A medium with a half image, or one that did not stand the comparison, starts
//! nothing.

mod areas;
mod body;
mod ends;
mod probe;
mod verify;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::buffer::Buffer;
use crate::fault::{Access, Fault};
use crate::medium::Medium;
use crate::source::Source;

use areas::Areas;
pub(crate) use ends::UNFINISHED;

/// One image to write.
pub struct Job<'a> {
    /// The image.
    pub image: &'a Path,
    /// What to write of it.
    pub mode: Mode,
    /// A line that stands on the medium as long as the write is not done.
    pub note: &'a str,
    /// Called now and then, from the calling thread; `Break` stops the write.
    pub progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything, after a test whether the medium holds what it claims.
    Whole,
    /// What the medium does not hold already: it is read first, and nothing that stands on it
    /// is believed. For a medium with an earlier build, or one that was not finished.
    Changes,
}

/// How far a write is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How far it is, in bytes of the image.
    pub done: u64,
    /// How far it has to go.
    pub total: u64,
    /// Bytes written to the medium so far.
    pub written: u64,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Writing all of it.
    Write,
    /// Comparing, and writing what differs.
    Compare,
    /// Reading it back.
    Verify,
}

/// What came of a write. All of the image was read back from the medium and is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The image's size in bytes.
    pub size: u64,
    /// Bytes written to the medium, notes and tests among them.
    pub written: u64,
    /// Whether a backup GPT of something earlier stood at the medium's end and was wiped.
    pub stale_gpt: bool,
}

/// A write on its way.
struct Session<'a> {
    medium: &'a dyn Medium,
    source: Arc<Source>,
    areas: Areas,
    stage: Stage,
    job: Job<'a>,
    written: u64,
    /// Where the last write ended.
    place: u64,
    retracted: bool,
    stale_gpt: bool,
}

/// Writes an image and reads it back.
///
/// # Errors
///
/// [`Fault`]; the medium then does not start, unless nothing had been written yet.
pub fn write<'a>(medium: &'a dyn Medium, job: Job<'a>) -> Result<Written, Fault> {
    let source = Source::open(job.image)?;
    let need = source.size().next_multiple_of(medium.sector());
    if need > medium.size() {
        let name = medium.name().to_owned();
        return Err(Fault::TooSmall {
            name,
            size: medium.size(),
            need,
        });
    }
    let stage = match job.mode {
        Mode::Whole => Stage::Write,
        Mode::Changes => Stage::Compare,
    };
    let mut session = Session {
        areas: Areas::of(need),
        medium,
        source: Arc::new(source),
        stage,
        job,
        written: 0,
        place: 0,
        retracted: false,
        stale_gpt: false,
    };
    session.run()?;
    Ok(Written {
        size: session.source.size(),
        written: session.written,
        stale_gpt: session.stale_gpt,
    })
}

impl Session<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        if self.job.mode == Mode::Whole {
            self.retract()?;
            self.probe()?;
        }
        self.write_body()?;
        if !self.retracted && self.has_ends()? {
            return self.source.check();
        }
        self.retract()?;
        self.flush()?;
        self.verify_body()?;
        self.write_ends()
    }

    fn report(&mut self, done: u64) -> Result<(), Fault> {
        let total = self.areas.end();
        let progress = Progress {
            stage: self.stage,
            done,
            total,
            written: self.written,
        };
        match (self.job.progress)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Fault::Stopped {
                name: self.medium.name().to_owned(),
                at: done,
                total,
            }),
        }
    }

    fn put(&mut self, bytes: &[u8], at: u64) -> Result<(), Fault> {
        if let Err(error) = self.medium.write_at(bytes, at) {
            return Err(self.pinpoint(bytes, at, error));
        }
        self.written += bytes.len() as u64;
        self.place = at + bytes.len() as u64;
        Ok(())
    }

    fn read(&self, len: usize, at: u64) -> Result<Buffer, Fault> {
        let mut buffer = Buffer::zeroed(len);
        let read = self.medium.read_at(buffer.bytes_mut(), at);
        read.map_err(|error| pinpoint_read(self.medium, len, at, error))?;
        Ok(buffer)
    }

    fn flush(&self) -> Result<(), Fault> {
        let flushed = self.medium.flush();
        flushed.map_err(|error| Fault::of(self.medium, Access::Flush, self.place, error))
    }

    /// Tries again, a small piece after the other: the first that fails is where the fault is.
    fn pinpoint(&self, bytes: &[u8], at: u64, error: std::io::Error) -> Fault {
        let fault = Fault::of(self.medium, Access::Write, at, error);
        let Fault::BadBlock {
            name,
            access,
            error,
            ..
        } = fault
        else {
            return fault;
        };
        let mut place = at;
        for piece in bytes.chunks(PIECE) {
            let mut aligned = Buffer::zeroed(piece.len());
            aligned.bytes_mut().copy_from_slice(piece);
            if let Err(error) = self.medium.write_at(aligned.bytes(), place) {
                return Fault::of(self.medium, Access::Write, place, error);
            }
            place += piece.len() as u64;
        }
        Fault::Unsteady {
            name,
            at,
            end: place,
            access,
            error,
        }
    }
}

/// What a fault is narrowed down to, in bytes: no sector is longer.
const PIECE: usize = 4096;

/// As [`Session::pinpoint`], for reading.
fn pinpoint_read(medium: &dyn Medium, len: usize, at: u64, error: std::io::Error) -> Fault {
    let fault = Fault::of(medium, Access::Read, at, error);
    let Fault::BadBlock {
        name,
        access,
        error,
        ..
    } = fault
    else {
        return fault;
    };
    let end = at + len as u64;
    let mut place = at;
    while place < end {
        let step = (end - place).min(PIECE as u64);
        let mut piece = Buffer::zeroed(step as usize);
        if let Err(error) = medium.read_at(piece.bytes_mut(), place) {
            return Fault::of(medium, Access::Read, place, error);
        }
        place += step;
    }
    Fault::Unsteady {
        name,
        at,
        end,
        access,
        error,
    }
}
