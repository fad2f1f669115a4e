//! The parts that an image is written in: its head and tail, which make a disk start, and the
//! body between them.

use std::ops::Range;

/// What is compared and written as one, in bytes.
pub(super) const GRANULE: u64 = 64 << 10;
/// What is read and written at once, in bytes.
pub(super) const CHUNK: u64 = 4 << 20;
/// MBR and GPT end at 24 KiB at the latest (sectors of 4096 bytes), the volume descriptors of
/// the second set a few sectors after 64 KiB.
const HEAD: u64 = 2 * GRANULE;

/// Where the parts lie, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Areas {
    /// The partition tables and volume descriptors.
    pub(super) head: Range<u64>,
    /// Everything else.
    pub(super) body: Range<u64>,
    /// The backup GPT.
    pub(super) tail: Range<u64>,
}

impl Areas {
    /// The parts of an image of this size.
    pub(super) fn of(size: u64) -> Self {
        let head = HEAD.min(size);
        // At least a granule: a backup GPT takes 33 sectors of 512 bytes, or 5 of 4096.
        let tail = (size.saturating_sub(GRANULE) / GRANULE * GRANULE).max(head);
        Self {
            head: 0..head,
            body: head..tail,
            tail: tail..size,
        }
    }

    /// The size of it all.
    pub(super) fn end(&self) -> u64 {
        self.tail.end
    }

    /// The body in pieces that begin and end at multiples of a chunk, as flash likes them.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let Range { mut start, end } = self.body;
        std::iter::from_fn(move || {
            let next = ((start / CHUNK + 1) * CHUNK).min(end);
            let piece = (start < end).then_some(start..next);
            start = next;
            piece
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_join_and_the_tail_holds_a_backup_gpt() {
        for size in [
            512,
            2048,
            HEAD,
            HEAD + 512,
            HEAD + GRANULE,
            3 * GRANULE + 2048,
            CHUNK,
            5 * CHUNK + 1024,
            4_000_000_000,
        ] {
            let areas = Areas::of(size);
            assert_eq!((areas.head.start, areas.head.end), (0, areas.body.start));
            assert_eq!((areas.body.end, areas.end()), (areas.tail.start, size));
            assert!(areas.body.is_empty() || areas.tail.end - areas.tail.start >= GRANULE);
            let mut at = areas.body.start;
            for chunk in areas.chunks() {
                assert_eq!(chunk.start, at);
                assert!(chunk.end - chunk.start <= CHUNK);
                at = chunk.end;
            }
            assert_eq!(at, areas.body.end);
        }
    }
}
