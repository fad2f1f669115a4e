//! How places move when one run of bytes is put into an image.

use anyhow::{Result, bail};

use crate::SECTOR;

/// New bytes at one place; all behind them moves back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Insertion {
    /// Where, in bytes.
    pub(crate) at: u64,
    /// How many bytes.
    pub(crate) len: u64,
    /// Where the file systems begin that shall hold the new bytes, in bytes.
    pub(crate) hosts: Vec<u64>,
}

impl Insertion {
    /// Where a thing lies afterwards that now fills `start..end`.
    ///
    /// What ends before the new bytes stays, what begins behind them moves. A
    /// partition that holds the file system grows over them.
    ///
    /// # Errors
    ///
    /// When the new bytes would fall into something else.
    pub(crate) fn moved(&self, start: u64, end: u64, what: &str) -> Result<(u64, u64)> {
        if start >= self.at {
            return Ok((start + self.len, end + self.len));
        }
        if end < self.at {
            return Ok((start, end));
        }
        if self.hosts(start) {
            return Ok((start, end + self.len));
        }
        if end == self.at {
            return Ok((start, end));
        }
        bail!(
            "{what} reaches from byte {start} to {end}, across byte {} where new data would have to \
             go: such a base is not supported",
            self.at
        )
    }

    /// Whether a partition that begins here holds one of the file systems.
    fn hosts(&self, start: u64) -> bool {
        // A whole-disk entry begins at block 0, 1 or behind the GPT, always
        // before the first descriptor.
        start <= 16 * SECTOR || self.hosts.contains(&start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_grow_or_move() {
        let insertion = Insertion {
            at: 1 << 20,
            len: 4096,
            hosts: vec![0, 65536],
        };
        let moved = |start, end| insertion.moved(start, end, "a partition").ok();
        assert_eq!(moved(512, 1 << 20), Some((512, (1 << 20) + 4096)));
        assert_eq!(moved(65536, 2 << 20), Some((65536, (2 << 20) + 4096)));
        assert_eq!(
            moved(1 << 20, 2 << 20),
            Some(((1 << 20) + 4096, (2 << 20) + 4096))
        );
        assert_eq!(moved(70_000, 80_000), Some((70_000, 80_000)));
        assert_eq!(moved(70_000, 1 << 20), Some((70_000, 1 << 20)));
        assert_eq!(moved(70_000, (1 << 20) + 1), None);
    }
}
