//! A card's memory: words of the host's, found by addresses that are no pointers, so that
//! a wrong one is an error and nothing worse.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::status::Status;

/// Where the addresses begin. They are never followed.
const FIRST: u64 = 0x7F00_0000_0000;
/// What lies between two allocations, so that one past the end is nobody's.
const GAP: u64 = 1 << 20;

/// The memory of one card.
#[derive(Debug)]
pub(crate) struct Memory {
    next: u64,
    room: u64,
    blocks: BTreeMap<u64, Vec<u32>>,
}

impl Memory {
    /// Memory of so many bytes.
    pub(crate) const fn new(room: u64) -> Self {
        Memory {
            next: FIRST,
            room,
            blocks: BTreeMap::new(),
        }
    }

    /// Bytes that nobody holds.
    pub(crate) fn free(&self) -> u64 {
        let held = self.blocks.values().map(|block| 4 * block.len() as u64);
        self.room.saturating_sub(held.sum())
    }

    /// Takes memory, rounded up to words. Its address.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<u64, Status> {
        if bytes == 0 {
            return Err(Status::InvalidValue);
        }
        if bytes as u64 > self.free() {
            return Err(Status::OutOfMemory);
        }
        let address = self.next;
        self.next += (bytes as u64).next_multiple_of(GAP) + GAP;
        self.blocks.insert(address, vec![0; bytes.div_ceil(4)]);
        Ok(address)
    }

    /// Gives memory back.
    pub(crate) fn give_back(&mut self, address: u64) -> Result<(), Status> {
        let block = self.blocks.remove(&address);
        block.map(drop).ok_or(Status::InvalidValue)
    }

    /// The block that a range of bytes lies in, and the range in words. Ranges that do not
    /// begin and end with a word are not here.
    fn range(&self, address: u64, bytes: usize) -> Result<(u64, Range<usize>), Status> {
        let (first, block) = self
            .blocks
            .range(..=address)
            .next_back()
            .ok_or(Status::InvalidValue)?;
        let offset = usize::try_from(address - first).map_err(|_| Status::InvalidValue)?;
        let end = offset.checked_add(bytes).ok_or(Status::InvalidValue)?;
        if !offset.is_multiple_of(4) || !bytes.is_multiple_of(4) || end > 4 * block.len() {
            return Err(Status::InvalidValue);
        }
        Ok((*first, offset / 4..end / 4))
    }

    /// The words of a range of bytes.
    pub(crate) fn words(&self, address: u64, bytes: usize) -> Result<&[u32], Status> {
        let (block, range) = self.range(address, bytes)?;
        Ok(&self.blocks[&block][range])
    }

    /// The words of a range of bytes, to write.
    pub(crate) fn words_mut(&mut self, address: u64, bytes: usize) -> Result<&mut [u32], Status> {
        let (block, range) = self.range(address, bytes)?;
        let block = self.blocks.get_mut(&block).ok_or(Status::InvalidValue)?;
        Ok(&mut block[range])
    }

    /// Copies from one place to another one of another allocation.
    pub(crate) fn copy(&mut self, to: u64, from: u64, bytes: usize) -> Result<(), Status> {
        let (from, read) = self.range(from, bytes)?;
        let (to, write) = self.range(to, bytes)?;
        if from == to {
            return Err(Status::InvalidValue);
        }
        // Taken out for the copy, since a map lends one of its values at a time.
        let source = self.blocks.remove(&from).ok_or(Status::InvalidValue)?;
        if let Some(target) = self.blocks.get_mut(&to) {
            target[write].copy_from_slice(&source[read]);
        }
        self.blocks.insert(from, source);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_counted_and_has_ends() {
        let mut memory = Memory::new(100);
        let one = memory.take(40).unwrap();
        let two = memory.take(40).unwrap();
        assert_eq!(memory.free(), 20);
        assert_eq!(memory.take(24), Err(Status::OutOfMemory));
        memory.words_mut(one, 40).unwrap().fill(7);
        memory.copy(two + 4, one, 8).unwrap();
        assert_eq!(memory.words(two, 16).unwrap(), [0, 7, 7, 0]);
        assert_eq!(memory.words(two, 44).unwrap_err(), Status::InvalidValue);
        assert_eq!(memory.words(one - 4, 4).unwrap_err(), Status::InvalidValue);
        memory.give_back(one).unwrap();
        assert_eq!(memory.free(), 60);
        assert_eq!(memory.give_back(one), Err(Status::InvalidValue));
    }
}
