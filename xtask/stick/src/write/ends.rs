//! Head and tail: taken away before anything else is written, and written when all else is
//! there. As long as they are away, the first sector says in words what happened.

use std::ops::Range;

use super::Session;
use crate::buffer::Buffer;
use crate::fault::Fault;

/// How a medium begins whose write was not finished.
pub(crate) const UNFINISHED: &str = "LAB STICK, UNFINISHED\n";

/// How the header of a GPT begins (UEFI 2.10, section 5.3.2).
const GPT_SIGNATURE: &[u8] = b"EFI PART";

/// The note has to fit into a sector.
const MAX_NOTE: usize = 400;

impl Session<'_> {
    /// Takes away what makes the medium start, once, and before the first other write.
    pub(super) fn retract(&mut self) -> Result<(), Fault> {
        if self.retracted {
            return Ok(());
        }
        let mut head = Buffer::zeroed(length(&self.areas.head));
        let note = format!(
            "{UNFINISHED}An image was being written here, and it did not come to its end: write it again.\n{}\n",
            self.job.note
        );
        let text = note.bytes().take(MAX_NOTE);
        head.bytes_mut()
            .iter_mut()
            .zip(text)
            .for_each(|(slot, byte)| *slot = byte);
        // The head first: from then on nothing starts, whatever else is there.
        self.put(head.bytes(), 0)?;
        self.retracted = true;
        let tail = Buffer::zeroed(length(&self.areas.tail));
        self.put(tail.bytes(), self.areas.tail.start)?;
        self.wipe_stale_gpt()?;
        self.flush()
    }

    /// A backup GPT at the medium's end, behind the image, is of something earlier: firmware
    /// and partitioning programs would take it for the truth and offer to restore it.
    fn wipe_stale_gpt(&mut self) -> Result<(), Fault> {
        let sector = self.medium.sector();
        let last = self.medium.size() - sector;
        if last < self.areas.end() {
            return Ok(());
        }
        let found = self.read(sector as usize, last)?;
        if found.bytes().starts_with(GPT_SIGNATURE) {
            self.put(Buffer::zeroed(sector as usize).bytes(), last)?;
            self.stale_gpt = true;
        }
        Ok(())
    }

    /// Whether head and tail stand on the medium as they should.
    pub(super) fn has_ends(&mut self) -> Result<bool, Fault> {
        for range in [self.areas.head.clone(), self.areas.tail.clone()] {
            let wanted = self.wanted(&range)?;
            let found = self.read(length(&range), range.start)?;
            if wanted.bytes() != found.bytes() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes the tail, then the head, and reads both back; where that fails, they are taken
    /// away again as far as the medium lets them.
    pub(super) fn write_ends(&mut self) -> Result<(), Fault> {
        let ranges = [self.areas.tail.clone(), self.areas.head.clone()];
        let written = ranges.iter().try_for_each(|range| self.write_end(range));
        if written.is_err() {
            self.retracted = false;
            // The first fault is the one to be told.
            let _ = self.retract();
        }
        written.and_then(|()| self.report(self.areas.end()))
    }

    fn write_end(&mut self, range: &Range<u64>) -> Result<(), Fault> {
        let wanted = self.wanted(range)?;
        // What was read is of the same file as all that was written before.
        self.source.check()?;
        self.put(wanted.bytes(), range.start)?;
        self.flush()?;
        let found = self.read(length(range), range.start)?;
        self.compare(range.start, wanted.bytes(), found.bytes())
    }

    fn wanted(&self, range: &Range<u64>) -> Result<Buffer, Fault> {
        let mut buffer = Buffer::zeroed(length(range));
        self.source.read_at(buffer.bytes_mut(), range.start)?;
        Ok(buffer)
    }
}

fn length(range: &Range<u64>) -> usize {
    (range.end - range.start) as usize
}
