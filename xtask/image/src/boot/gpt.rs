//! The GUID partition table: UEFI 2.10 section 5.3.

use std::io::{Read, Seek};

use anyhow::{Context, Result, bail};

use super::{BLOCK, Insertion};
use crate::base::Source;

/// The most bytes taken for an entry array. 128 entries of 128 bytes are
/// usual, xorriso makes 248.
const MAX_ARRAY: u64 = 128 << 10;

/// A partition table that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpt {
    /// The disk's GUID in the usual notation.
    pub disk_guid: String,
    /// The first block (of 512 bytes) a partition may use.
    pub first_usable: u64,
    /// The last such block.
    pub last_usable: u64,
    /// The used partitions.
    pub partitions: Vec<GptPartition>,
}

/// A partition; places in blocks of 512 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GptPartition {
    /// Its number, from 1.
    pub number: usize,
    /// What it is for, as a GUID in the usual notation.
    pub type_guid: String,
    /// Its name.
    pub name: String,
    /// Its first block.
    pub first: u64,
    /// Its last block.
    pub last: u64,
}

impl GptPartition {
    /// The offset of its first byte.
    pub fn start_bytes(&self) -> u64 {
        self.first.saturating_mul(BLOCK)
    }

    /// The offset behind its last byte.
    pub fn end_bytes(&self) -> u64 {
        self.last.saturating_add(1).saturating_mul(BLOCK)
    }

    /// Whether it is an EFI system partition.
    pub fn is_esp(&self) -> bool {
        self.type_guid == "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
    }
}

/// The two copies of the table; each may be broken on its own.
#[derive(Debug)]
pub(crate) struct GptCopies {
    pub(crate) primary: Result<GptCopy>,
    pub(crate) backup: Result<GptCopy>,
}

/// One copy: the header and its array, as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GptCopy {
    pub(crate) block: u64,
    pub(crate) alternate: u64,
    pub(crate) array_block: u64,
    header: Vec<u8>,
    array: Vec<u8>,
    entry_size: usize,
}

/// Reads both copies; `None` where block 1 holds no header.
pub(crate) fn read_gpt<R: Read + Seek>(source: &mut Source<R>) -> Result<Option<GptCopies>> {
    if source.len() < 2 * BLOCK || source.read(BLOCK, 8, "the GPT header")? != *b"EFI PART" {
        return Ok(None);
    }
    let primary = GptCopy::read(source, 1);
    let last = (source.len() / BLOCK).saturating_sub(1);
    let at = primary.as_ref().map_or(last, |copy| copy.alternate);
    let backup = GptCopy::read(source, at);
    Ok(Some(GptCopies { primary, backup }))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..at + N)
        .and_then(|field| field.try_into().ok())
        .unwrap_or([0; N])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(field(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(field(bytes, at))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(field) = bytes.get_mut(at..at + value.len()) {
        field.copy_from_slice(value);
    }
}

impl GptCopy {
    fn read<R: Read + Seek>(source: &mut Source<R>, block: u64) -> Result<Self> {
        let what = format!("the GPT header at block {block}");
        let header = source.read(block.saturating_mul(BLOCK), BLOCK, &what)?;
        let size = u32_at(&header, 12) as usize;
        if header.get(..8) != Some(b"EFI PART") || !(92..=BLOCK as usize).contains(&size) {
            bail!("{what} of {} is not one", source.name());
        }
        let mut blank = header.get(..size).unwrap_or_default().to_vec();
        put(&mut blank, 16, &[0; 4]);
        let (told, counted) = (u32_at(&header, 16), crc32fast::hash(&blank));
        if told != counted {
            bail!(
                "{what} of {} has the checksum {told:08x}, its bytes have {counted:08x}",
                source.name()
            );
        }
        if u64_at(&header, 24) != block {
            bail!(
                "{what} of {} says that it is at block {}",
                source.name(),
                u64_at(&header, 24)
            );
        }
        Self::with_array(source, block, header, &what)
    }

    fn with_array<R: Read + Seek>(
        source: &mut Source<R>,
        block: u64,
        header: Vec<u8>,
        what: &str,
    ) -> Result<Self> {
        let (count, entry_size) = (u32_at(&header, 80), u32_at(&header, 84));
        let len = u64::from(count) * u64::from(entry_size);
        if entry_size < 128 || len == 0 || len > MAX_ARRAY {
            bail!(
                "{what} of {} names {count} entries of {entry_size} bytes",
                source.name()
            );
        }
        let array_block = u64_at(&header, 72);
        let array = source.read(
            array_block.saturating_mul(BLOCK),
            len,
            &format!("the partition array of {what}"),
        )?;
        let (told, counted) = (u32_at(&header, 88), crc32fast::hash(&array));
        if told != counted {
            bail!(
                "the partition array at block {array_block} of {} has the checksum {counted:08x}, \
                 {what} says {told:08x}",
                source.name()
            );
        }
        Ok(Self {
            block,
            alternate: u64_at(&header, 32),
            array_block,
            header,
            array,
            entry_size: entry_size as usize,
        })
    }

    /// The table in plain terms.
    pub(crate) fn table(&self) -> Gpt {
        Gpt {
            disk_guid: guid(&field(&self.header, 56)),
            first_usable: u64_at(&self.header, 40),
            last_usable: u64_at(&self.header, 48),
            partitions: self.partitions(),
        }
    }

    /// The used partitions (UEFI 2.10 table 5.6).
    pub(crate) fn partitions(&self) -> Vec<GptPartition> {
        let entries = self.array.chunks_exact(self.entry_size).enumerate();
        entries
            .filter(|(_, entry)| field::<16>(entry, 0) != [0; 16])
            .map(|(index, entry)| GptPartition {
                number: index + 1,
                type_guid: guid(&field(entry, 0)),
                name: name(&field::<72>(entry, 56)),
                first: u64_at(entry, 32),
                last: u64_at(entry, 40),
            })
            .collect()
    }

    /// Whether both copies hold the same partitions.
    pub(crate) fn same_array(&self, other: &Self) -> bool {
        self.array == other.array
    }

    /// The copy as it reads after the insertion, as `(offset, bytes)` of its
    /// header and its array.
    pub(crate) fn shifted(&self, insertion: &Insertion) -> Result<[(u64, Vec<u8>); 2]> {
        let array = self.shifted_array(insertion)?;
        let mut header = self.header.clone();
        let moved = |block: u64| {
            let offset = block.saturating_mul(BLOCK);
            let by = if offset >= insertion.at {
                insertion.len
            } else {
                0
            };
            (offset + by) / BLOCK
        };
        for at in [24, 32, 48, 72] {
            let value = moved(u64_at(&header, at));
            put(&mut header, at, &value.to_le_bytes());
        }
        put(&mut header, 88, &crc32fast::hash(&array).to_le_bytes());
        put(&mut header, 16, &[0; 4]);
        let size = u32_at(&header, 12) as usize;
        let sum = crc32fast::hash(header.get(..size).unwrap_or(&header));
        put(&mut header, 16, &sum.to_le_bytes());
        Ok([
            (moved(self.block) * BLOCK, header),
            (moved(self.array_block) * BLOCK, array),
        ])
    }

    fn shifted_array(&self, insertion: &Insertion) -> Result<Vec<u8>> {
        let mut array = self.array.clone();
        for part in self.partitions() {
            if part.last < part.first {
                bail!("GPT partition {} ends before it begins", part.number);
            }
            let what = format!("GPT partition {}", part.number);
            let (start, end) = insertion
                .moved(part.start_bytes(), part.end_bytes(), &what)
                .context("moving the partitions")?;
            let at = (part.number - 1) * self.entry_size;
            put(&mut array, at + 32, &(start / BLOCK).to_le_bytes());
            put(&mut array, at + 40, &(end / BLOCK - 1).to_le_bytes());
        }
        Ok(array)
    }
}

/// A GUID's usual notation (UEFI 2.10 appendix A): the first three fields are
/// little-endian.
fn guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes;
    let head = [d, c, b, a, f, e, h, g].map(|byte| format!("{byte:02X}"));
    let tail: Vec<String> = rest.iter().map(|byte| format!("{byte:02X}")).collect();
    let (mut text, mut all) = (String::new(), head.iter().chain(&tail));
    for len in [4, 2, 2, 2, 6] {
        if !text.is_empty() {
            text.push('-');
        }
        text.extend(all.by_ref().take(len).map(String::as_str));
    }
    text
}

fn name(bytes: &[u8; 72]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes(field(pair, 0)))
        .take_while(|&unit| unit != 0);
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_read_as_usual() {
        let esp = *b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b";
        assert_eq!(guid(&esp), "C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
    }
}
