//! The master boot record: UEFI 2.10 section 5.2, and the hybrid forms that
//! make an image bootable from a disk.

use anyhow::{Context, Result};

use super::{BLOCK, Insertion};

/// The offset of the first partition entry.
const TABLE: usize = 446;
const ENTRY: usize = 16;
/// The type of a protective entry.
const PROTECTIVE: u8 = 0xEE;

/// The partition table of the image's first 512 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mbr {
    pub(crate) entries: Vec<MbrEntry>,
}

/// One used entry; sizes in blocks of 512 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MbrEntry {
    pub(crate) slot: usize,
    pub(crate) active: bool,
    pub(crate) kind: u8,
    pub(crate) start: u64,
    pub(crate) count: u64,
    /// The end in cylinders, heads and sectors, as stored.
    end_chs: [u8; 3],
}

impl MbrEntry {
    pub(crate) fn start_bytes(&self) -> u64 {
        self.start * BLOCK
    }

    pub(crate) fn end_bytes(&self) -> u64 {
        (self.start + self.count) * BLOCK
    }

    pub(crate) fn is_protective(&self) -> bool {
        self.kind == PROTECTIVE
    }
}

impl Mbr {
    /// Reads the table; `None` where the signature 55 AA is missing.
    pub(crate) fn parse(sector: &[u8]) -> Option<Self> {
        if sector.get(510..512)? != [0x55, 0xAA] {
            return None;
        }
        let table = sector.get(TABLE..510)?;
        let entries = table
            .chunks_exact(ENTRY)
            .enumerate()
            .filter_map(|(slot, bytes)| entry(slot, bytes))
            .collect();
        Some(Self { entries })
    }

    /// Moves the entries in the first sector's bytes.
    pub(crate) fn shift(&self, sector: &mut [u8], insertion: &Insertion) -> Result<()> {
        for entry in &self.entries {
            let what = format!("the MBR's partition {}", entry.slot + 1);
            let (start, end) = insertion
                .moved(entry.start_bytes(), entry.end_bytes(), &what)
                .context("moving the partitions")?;
            let (start, end) = (start / BLOCK, end / BLOCK);
            let moved = (start, end) != (entry.start, entry.start + entry.count);
            let at = TABLE + ENTRY * entry.slot;
            if let Some(bytes) = sector.get_mut(at..at + ENTRY)
                && moved
            {
                write_entry(bytes, entry, start, end);
            }
        }
        Ok(())
    }
}

fn entry(slot: usize, bytes: &[u8]) -> Option<MbrEntry> {
    let field = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let count = u64::from(field(12)?);
    (count > 0).then_some(MbrEntry {
        slot,
        active: bytes.first()? & 0x80 != 0,
        kind: *bytes.get(4)?,
        start: u64::from(field(8)?),
        count,
        end_chs: bytes.get(5..8)?.try_into().ok()?,
    })
}

fn write_entry(bytes: &mut [u8], entry: &MbrEntry, start: u64, end: u64) {
    let geometry = Geometry::of(entry);
    let clamp = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
    let fields: [(usize, &[u8]); 4] = [
        (8, &clamp(start)),
        (12, &clamp(end - start)),
        (1, &geometry.chs(start)),
        (5, &geometry.chs(end.saturating_sub(1))),
    ];
    for (at, value) in fields {
        // An entry that did not move at its start keeps the form it had.
        if (at == 1 || at == 8) && start == entry.start {
            continue;
        }
        if let Some(field) = bytes.get_mut(at..at + value.len()) {
            field.copy_from_slice(value);
        }
    }
}

/// The disk geometry that an entry was written with, so far as it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Geometry {
    heads: u64,
    sectors: u64,
}

impl Geometry {
    /// An entry that ends on a cylinder's end names heads and sectors; where
    /// it does not, what xorriso and most tools use for large disks.
    fn of(entry: &MbrEntry) -> Self {
        let [head, sector, cylinder] = entry.end_chs.map(u64::from);
        let cylinder = cylinder | (sector & 0xC0) << 2;
        let told = Self {
            heads: head + 1,
            sectors: sector & 0x3F,
        };
        let ends = (cylinder + 1) * told.heads * told.sectors;
        if told.sectors > 0 && ends == entry.start + entry.count {
            return told;
        }
        Self {
            heads: 255,
            sectors: 63,
        }
    }

    fn chs(self, block: u64) -> [u8; 3] {
        let (sector, rest) = (block % self.sectors + 1, block / self.sectors);
        let (head, cylinder) = (rest % self.heads, rest / self.heads);
        if cylinder > 1023 {
            // Too far for cylinders: UEFI 2.10 table 5.4 asks for all ones.
            return [0xFE, 0xFF, 0xFF];
        }
        let byte = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
        [
            byte(head),
            byte(sector | (cylinder >> 2 & 0xC0)),
            byte(cylinder & 0xFF),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(kind: u8, end_chs: [u8; 3], start: u32, count: u32) -> Vec<u8> {
        let mut sector = vec![0; 512];
        sector[446] = 0x80;
        sector[450] = kind;
        sector[451..454].copy_from_slice(&end_chs);
        sector[454..458].copy_from_slice(&start.to_le_bytes());
        sector[458..462].copy_from_slice(&count.to_le_bytes());
        sector[510..].copy_from_slice(&[0x55, 0xAA]);
        sector
    }

    #[test]
    fn an_isohybrid_entry_grows_in_its_own_geometry() {
        // 64 heads, 32 sectors, two cylinders, as the iPXE image has.
        let mut bytes = sector(0x17, [63, 32, 1], 0, 4096);
        let mbr = Mbr::parse(&bytes).unwrap();
        let insertion = Insertion {
            at: 4096 * 512,
            len: 4 << 20,
            hosts: vec![0],
        };
        mbr.shift(&mut bytes, &insertion).unwrap();
        let after = Mbr::parse(&bytes).unwrap().entries[0];
        assert_eq!((after.start, after.count), (0, 4096 + 8192));
        assert_eq!(after.end_chs, [63, 32, 5]);
    }

    #[test]
    fn no_signature_is_no_table() {
        assert_eq!(Mbr::parse(&[0; 512]), None);
        assert_eq!(Mbr::parse(&[]), None);
    }
}
