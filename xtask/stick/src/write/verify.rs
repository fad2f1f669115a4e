//! Reading the body back, from the medium and not from a cache, while the other thread compares
//! it with the image. That the image is still the one that was written is checked before its
//! ends are.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::areas::CHUNK;
use super::body::AHEAD;
use super::{Session, Stage, pinpoint_read};
use crate::buffer::Buffer;
use crate::fault::Fault;
use crate::medium::Medium;

/// What was read of a chunk.
type ReadBack = (Range<u64>, Result<Buffer, Fault>);

impl Session<'_> {
    /// Compares the body on the medium with what was meant to be written.
    pub(super) fn verify_body(&mut self) -> Result<(), Fault> {
        self.stage = Stage::Verify;
        let (medium, chunks) = (self.medium, self.areas.chunks());
        thread::scope(|scope| {
            let (full, filled) = sync_channel(AHEAD);
            let (empty, emptied) = sync_channel(AHEAD + 2);
            scope.spawn(move || read_ahead(medium, chunks, &emptied, &full));
            let mut wanted = Buffer::zeroed(CHUNK as usize);
            for (range, buffer) in filled {
                let buffer = buffer?;
                wanted = wanted.resized(buffer.bytes().len());
                self.source.read_at(wanted.bytes_mut(), range.start)?;
                self.compare(range.start, wanted.bytes(), buffer.bytes())?;
                self.report(range.end)?;
                // The reader may have ended already.
                let _ = empty.send(buffer);
            }
            Ok(())
        })
    }

    /// That a piece that was read back is what it should be.
    pub(super) fn compare(&self, at: u64, wanted: &[u8], found: &[u8]) -> Result<(), Fault> {
        if wanted == found {
            return Ok(());
        }
        // An image that changed meanwhile is no fault of the medium.
        self.source.check()?;
        let pairs = wanted.iter().zip(found);
        let offset = pairs.take_while(|(one, other)| one == other).count();
        Err(Fault::Differs {
            name: self.medium.name().to_owned(),
            at: at + offset as u64,
        })
    }
}

fn read_ahead(
    medium: &dyn Medium,
    chunks: impl Iterator<Item = Range<u64>>,
    emptied: &Receiver<Buffer>,
    full: &SyncSender<ReadBack>,
) {
    for range in chunks {
        let len = (range.end - range.start) as usize;
        let spare = emptied
            .try_recv()
            .unwrap_or_else(|_| Buffer::zeroed(CHUNK as usize));
        let mut buffer = spare.resized(len);
        let read = medium.read_at(buffer.bytes_mut(), range.start);
        let read = read.map_err(|error| pinpoint_read(medium, len, range.start, error));
        let failed = read.is_err();
        if full.send((range, read.map(|()| buffer))).is_err() || failed {
            return;
        }
    }
}
