//! The Apple partition map, as GRUB's and xorriso's hybrid images carry one
//! (Inside Macintosh: Devices, chapter 3). It has no checksums.

use anyhow::{Context, Result, bail};

use super::Insertion;

/// No writer makes more entries on an image.
const MAX_ENTRIES: usize = 63;

/// A partition map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Apm {
    block: usize,
    entries: Vec<(usize, u64, u64)>,
}

impl Apm {
    /// Reads the map from the system area (the first 32 KiB).
    pub(crate) fn parse(area: &[u8]) -> Result<Option<Self>> {
        if area.get(..2) != Some(b"ER") {
            return Ok(None);
        }
        let block = usize::from(u16::from_be_bytes([byte(area, 2), byte(area, 3)]));
        if ![512, 1024, 2048].contains(&block) {
            return Ok(None);
        }
        let mut map = Self {
            block,
            entries: Vec::new(),
        };
        let Some(count) = count(area, block) else {
            return Ok(None);
        };
        for index in 1..=count {
            let at = index * block;
            if area.get(at..at + 2) != Some(b"PM") {
                bail!("the Apple partition map has {count} entries, but entry {index} is none");
            }
            let (start, len) = (be32(area, at + 8), be32(area, at + 12));
            map.entries.push((at, start, len));
        }
        Ok(Some(map))
    }

    /// Moves the entries in the system area's bytes and grows the disk.
    pub(crate) fn shift(&self, area: &mut [u8], insertion: &Insertion) -> Result<()> {
        let block = self.block as u64;
        for &(at, start, len) in &self.entries {
            let what = format!("entry {} of the Apple partition map", at / self.block);
            let (from, to) = insertion
                .moved(start * block, (start + len) * block, &what)
                .context("moving the partitions")?;
            let (from, len_now) = (from / block, (to - from) / block);
            put_be32(area, at + 8, from);
            put_be32(area, at + 12, len_now);
            // The data area (offset 80, length 84) follows where it is whole.
            if be32(area, at + 84) == len {
                put_be32(area, at + 84, len_now);
            }
        }
        let disk = be32(area, 4) + insertion.len / block;
        put_be32(area, 4, disk);
        Ok(())
    }
}

fn count(area: &[u8], block: usize) -> Option<usize> {
    if area.get(block..block + 2)? != b"PM" {
        return None;
    }
    let count = usize::try_from(be32(area, block + 4)).ok()?;
    (1..=MAX_ENTRIES).contains(&count).then_some(count)
}

fn byte(area: &[u8], at: usize) -> u8 {
    area.get(at).copied().unwrap_or(0)
}

fn be32(area: &[u8], at: usize) -> u64 {
    (0..4).fold(0, |value, index| {
        value << 8 | u64::from(byte(area, at + index))
    })
}

fn put_be32(area: &mut [u8], at: usize, value: u64) {
    let bytes = u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(field) = area.get_mut(at..at + 4) {
        field.copy_from_slice(&bytes);
    }
}
