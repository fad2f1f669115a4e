//! A test before a long write: does the medium hold what it claims? Sticks are sold that say
//! 32 GB and keep 8, either by wrapping around or by losing what is written beyond.
//!
//! Unlike patterns are written at 1 MiB, 2 MiB, 4 MiB and so on and at the very end, and all
//! are read back when all are written. A medium that wraps at a power of two returns another
//! place's pattern, or has lost the note at its beginning; one that loses writes returns
//! nothing. A capacity between two powers of two shows at the end, and what no such test sees
//! shows when the image is read back. The method is that of f3probe
//! (<https://fight-flash-fraud.readthedocs.io>).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use sha2::{Digest as _, Sha256};

use super::Session;
use crate::buffer::Buffer;
use crate::fault::Fault;

/// The first place that is tried, in bytes.
const FIRST: u64 = 1 << 20;
/// A pattern's length in bytes: no sector is longer.
const PATTERN: usize = 4096;

impl Session<'_> {
    /// Tries the medium at places over all of the size that it claims. What lies behind the
    /// image is put back; the rest is about to be written over.
    pub(super) fn probe(&mut self) -> Result<(), Fault> {
        // What an earlier test left must not be taken for this one's.
        let salt = RandomState::new().build_hasher().finish();
        let places = places(self.medium.size());
        // The note that stands there is a pattern too: the first power of two beyond the true
        // capacity may be the only one, and wraps to the beginning.
        let start = self.read(PATTERN.min(self.areas.head.end as usize), 0)?;
        let mut before = Vec::new();
        for at in &places {
            before.push(self.read(PATTERN, *at)?);
        }
        for at in &places {
            self.put(pattern(salt, *at).bytes(), *at)?;
        }
        self.flush()?;
        for at in &places {
            self.find_pattern(salt, *at)?;
        }
        let again = self.read(start.bytes().len(), 0)?;
        if start.bytes() != again.bytes() {
            return Err(self.lies(self.medium.size() - PATTERN as u64));
        }
        for (at, bytes) in places.iter().zip(&before) {
            if *at >= self.areas.end() {
                self.put(bytes.bytes(), *at)?;
            }
        }
        Ok(())
    }

    fn find_pattern(&self, salt: u64, at: u64) -> Result<(), Fault> {
        let found = self.read(PATTERN, at)?;
        match found.bytes() == pattern(salt, at).bytes() {
            true => Ok(()),
            false => Err(self.lies(at)),
        }
    }

    fn lies(&self, at: u64) -> Fault {
        Fault::Lies {
            name: self.medium.name().to_owned(),
            claimed: self.medium.size(),
            at,
        }
    }
}

/// Powers of two and the end, none of them in the head.
fn places(size: u64) -> Vec<u64> {
    let powers = std::iter::successors(Some(FIRST), |at| at.checked_mul(2));
    let room = size.saturating_sub(PATTERN as u64);
    let mut places: Vec<u64> = powers.take_while(|at| *at < room).collect();
    places.extend((room >= FIRST).then_some(room));
    // A size that is no multiple of the pattern: its last place may touch the one before.
    places.dedup_by(|one, other| one.abs_diff(*other) < PATTERN as u64);
    places
}

fn pattern(salt: u64, at: u64) -> Buffer {
    let mut buffer = Buffer::zeroed(PATTERN);
    let seed = Sha256::new()
        .chain_update(salt.to_le_bytes())
        .chain_update(at.to_le_bytes())
        .finalize();
    for piece in buffer.bytes_mut().chunks_mut(seed.len()) {
        piece.copy_from_slice(seed.get(..piece.len()).unwrap_or_default());
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_reach_over_the_whole_medium() {
        assert!(places(64 << 10).is_empty());
        assert_eq!(places(4 << 20), [1 << 20, 2 << 20, (4 << 20) - 4096]);
        let large = places(32_000_000_000);
        assert_eq!(large.last(), Some(&(32_000_000_000 - 4096)));
        assert!(large.contains(&(8 << 30)));
        assert_ne!(pattern(1, 4096).bytes(), pattern(1, 8192).bytes());
    }
}
