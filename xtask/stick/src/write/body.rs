//! The body: the image is read on one thread while the other compares and writes.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::areas::{CHUNK, GRANULE};
use super::{Mode, Session};
use crate::buffer::Buffer;
use crate::fault::Fault;
use crate::source::Source;

/// Chunks that are read ahead.
pub(super) const AHEAD: usize = 2;

/// A chunk of the image.
struct Chunk {
    range: Range<u64>,
    buffer: Buffer,
}

impl Session<'_> {
    /// Writes the body, as much of it as the mode wants.
    pub(super) fn write_body(&mut self) -> Result<(), Fault> {
        let source = Arc::clone(&self.source);
        let chunks = self.areas.chunks();
        thread::scope(|scope| {
            let (full, filled) = sync_channel(AHEAD);
            let (empty, emptied) = sync_channel(AHEAD + 2);
            scope.spawn(move || read_ahead(&source, chunks, &emptied, &full));
            for chunk in filled {
                let chunk: Chunk = chunk?;
                self.write_chunk(&chunk)?;
                self.report(chunk.range.end)?;
                // The reader may have ended already.
                let _ = empty.send(chunk.buffer);
            }
            Ok(())
        })
    }

    fn write_chunk(&mut self, chunk: &Chunk) -> Result<(), Fault> {
        let (bytes, at) = (chunk.buffer.bytes(), chunk.range.start);
        if self.job.mode == Mode::Whole {
            return self.put(bytes, at);
        }
        let found = self.read(bytes.len(), at)?;
        for run in differing(bytes, found.bytes()) {
            self.retract()?;
            let start = run.start as u64;
            self.put(bytes.get(run).unwrap_or_default(), at + start)?;
        }
        Ok(())
    }
}

/// Reads the chunks in order until there is no more, one fails, or nobody wants them.
fn read_ahead(
    source: &Source,
    chunks: impl Iterator<Item = Range<u64>>,
    emptied: &Receiver<Buffer>,
    full: &SyncSender<Result<Chunk, Fault>>,
) {
    for range in chunks {
        let len = (range.end - range.start) as usize;
        let spare = emptied
            .try_recv()
            .unwrap_or_else(|_| Buffer::zeroed(CHUNK as usize));
        let mut buffer = spare.resized(len);
        let chunk = source
            .read_at(buffer.bytes_mut(), range.start)
            .map(|()| Chunk { range, buffer });
        let failed = chunk.is_err();
        if full.send(chunk).is_err() || failed {
            return;
        }
    }
}

/// The runs of granules in which two pieces of the same length differ.
fn differing(wanted: &[u8], found: &[u8]) -> Vec<Range<usize>> {
    let granule = GRANULE as usize;
    let mut runs: Vec<Range<usize>> = Vec::new();
    let pairs = wanted.chunks(granule).zip(found.chunks(granule));
    for (index, (wanted, found)) in pairs.enumerate() {
        let start = index * granule;
        let end = start + wanted.len();
        match runs.last_mut() {
            _ if wanted == found => {}
            Some(last) if last.end == start => last.end = end,
            _ => runs.push(start..end),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn granules_side_by_side_are_one_run() {
        let granule = GRANULE as usize;
        let wanted = vec![0; 5 * granule + 100];
        let mut found = wanted.clone();
        assert!(differing(&wanted, &found).is_empty());
        for at in [granule, 3 * granule - 1, 5 * granule + 99] {
            found[at] = 1;
        }
        assert_eq!(
            differing(&wanted, &found),
            [granule..3 * granule, 5 * granule..wanted.len()]
        );
    }
}
