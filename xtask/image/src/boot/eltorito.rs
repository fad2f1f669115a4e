//! The boot catalog: El Torito 1.0 section 2, with UEFI 2.10 section 13.3.2.1.

use std::io::{Read, Seek};

use anyhow::{Result, bail};
use hadris_iso_raw::{
    BOOTABLE, BootCatalogHeader, BootSectionEntry, BootValidationEntry, HEADER_FINAL, HEADER_MORE,
};

use super::BLOCK;
use crate::SECTOR;
use crate::base::Source;

const ENTRY: usize = 32;
/// A section entry's extension.
const EXTENSION: u8 = 0x44;
/// The platform id of UEFI.
const UEFI: u8 = 0xEF;

/// The boot catalog, one sector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Catalog {
    pub(crate) lba: u64,
    pub(crate) entries: Vec<BootEntry>,
}

/// One way to boot from the image as a CD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootEntry {
    /// 0 for a BIOS, 0xEF for UEFI.
    pub platform: u8,
    /// Whether it is marked bootable.
    pub bootable: bool,
    /// The emulation: 0 none, 1 to 3 a floppy disk, 4 a hard disk.
    pub emulation: u8,
    /// The boot image's first sector (of 2048 bytes).
    pub lba: u64,
    /// How much to load, in blocks of 512 bytes.
    pub blocks: u64,
    /// The entry's offset in the catalog.
    pub(crate) offset: usize,
}

impl BootEntry {
    /// Whether it is for UEFI.
    pub fn is_uefi(&self) -> bool {
        self.platform == UEFI
    }

    /// How many bytes the firmware takes. A floppy image is whole whatever
    /// the entry's count says.
    pub fn len(&self) -> u64 {
        match self.emulation {
            1 => 1_228_800,
            2 => 1_474_560,
            3 => 2_949_120,
            _ => self.blocks * BLOCK,
        }
    }

    /// Whether nothing is loaded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Catalog {
    /// Reads the catalog at a sector.
    pub(crate) fn read<R: Read + Seek>(source: &mut Source<R>, lba: u64) -> Result<Self> {
        let sector = source.sector(lba, "the boot catalog")?;
        let place = format!("the boot catalog of {} at sector {lba}", source.name());
        let mut rest = sector.chunks_exact(ENTRY).enumerate();
        let validation: BootValidationEntry = match rest.next() {
            Some((_, bytes)) => bytemuck::pod_read_unaligned(bytes),
            None => bail!("{place} is empty"),
        };
        if !validation.is_valid() {
            bail!("{place} does not begin with a valid validation entry: it is damaged");
        }
        let mut catalog = Self {
            lba,
            entries: Vec::new(),
        };
        if let Some((index, bytes)) = rest.next() {
            catalog.push(index, validation.platform_id, bytes);
        }
        catalog.sections(&mut rest, &place)?;
        Ok(catalog)
    }

    fn sections<'a>(
        &mut self,
        rest: &mut impl Iterator<Item = (usize, &'a [u8])>,
        place: &str,
    ) -> Result<()> {
        while let Some((_, bytes)) = rest.next() {
            let header: BootCatalogHeader = bytemuck::pod_read_unaligned(bytes);
            if ![HEADER_MORE, HEADER_FINAL].contains(&header.header_type) {
                return Ok(());
            }
            let mut left = header.section_count.get();
            while left > 0 {
                let Some((index, bytes)) = rest.next() else {
                    bail!("{place} names more entries than fit its sector");
                };
                if bytes.first() != Some(&EXTENSION) {
                    self.push(index, header.platform_id, bytes);
                    left -= 1;
                }
            }
            if header.header_type == HEADER_FINAL {
                return Ok(());
            }
        }
        Ok(())
    }

    fn push(&mut self, index: usize, platform: u8, bytes: &[u8]) {
        let entry: BootSectionEntry = bytemuck::pod_read_unaligned(bytes);
        self.entries.push(BootEntry {
            platform,
            bootable: entry.boot_indicator == BOOTABLE,
            emulation: entry.boot_media_type & 0x0F,
            lba: u64::from(entry.load_rba.get()),
            blocks: u64::from(entry.sector_count.get()),
            offset: index * ENTRY,
        });
    }

    /// Moves the entries whose image lies at or behind `at` by `by` bytes, in
    /// the catalog's bytes.
    pub(crate) fn shift(&self, sector: &mut [u8], at: u64, by: u64) -> Result<()> {
        for entry in &self.entries {
            if entry.lba * SECTOR < at {
                continue;
            }
            let Ok(lba) = u32::try_from(entry.lba + by / SECTOR) else {
                bail!("the boot image would move beyond 8 TiB");
            };
            if let Some(field) = sector.get_mut(entry.offset + 8..entry.offset + 12) {
                field.copy_from_slice(&lba.to_le_bytes());
            }
        }
        Ok(())
    }
}
