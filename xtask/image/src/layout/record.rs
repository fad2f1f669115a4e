//! New directory records with their Rock Ridge entries: ECMA-119 9.1,
//! SUSP 1.12 and RRIP 1.12.

use anyhow::{Context, Result, bail};
use bytemuck::bytes_of;
use hadris_iso_raw::{
    ContinuationArea, DecDateTime, DirDateTime, DirectoryRecord, FileFlags, NmFlags, PxEntry,
    SlComponentFlags, TfFlags, U32Both,
};

use crate::SECTOR;
use crate::base::RockRidge;

/// The longest body of one SUSP entry.
const MAX_BODY: usize = 251;
/// The bytes of a `CE` entry.
const CE_LEN: usize = 28;

/// What new records have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    /// The time of every new file: that of the base's making.
    pub(crate) time: DirDateTime,
    pub(crate) rock_ridge: Option<RockRidge>,
}

/// Rock Ridge attributes of one record.
pub(crate) struct Posix<'a> {
    pub(crate) mode: u32,
    pub(crate) links: u32,
    pub(crate) name: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    pub(crate) serial: u32,
}

/// Areas for entries that do not fit their records: blocks of one sector, from
/// a given one on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Continuations {
    /// The first block, counted from the tree's start.
    pub(crate) first: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Continuations {
    /// Stores entries, never across a sector's end: readers want it so.
    fn store(&mut self, entries: &[u8]) -> Result<ContinuationArea> {
        let sector = SECTOR as usize;
        if entries.len() > sector {
            bail!(
                "its Rock Ridge entries need {} bytes, {sector} fit",
                entries.len()
            );
        }
        let used = self.bytes.len() % sector;
        if used + entries.len() > sector {
            self.bytes
                .resize(self.bytes.len().next_multiple_of(sector), 0);
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(entries);
        let block = u32::try_from(at / sector).context("too many continuation areas")?;
        Ok(ContinuationArea {
            block: U32Both::new(self.first + block),
            offset: U32Both::new((at % sector) as u32),
            length: U32Both::new(entries.len() as u32),
        })
    }
}

impl Stamp {
    /// The bytes of a record for `id` without extent.
    pub(crate) fn record(
        &self,
        id: &[u8],
        dir: bool,
        posix: &Posix<'_>,
        area: &mut Continuations,
    ) -> Result<Vec<u8>> {
        let system_use = match self.rock_ridge {
            None => Vec::new(),
            Some(rock_ridge) => {
                let mut system_use = vec![0; rock_ridge.skip];
                let room = 254 - (DirectoryRecord::HEADER_LEN + id.len()).next_multiple_of(2);
                system_use.extend(self.entries(rock_ridge, posix));
                spill(system_use, room, rock_ridge.skip, area)?
            }
        };
        let mut record = DirectoryRecord::new(id, &system_use)
            .with_context(|| format!("its record would be longer than 255 bytes ({id:?})"))?;
        let header = record.header_mut();
        header.date_time = self.time;
        header.flags = if dir { FileFlags::DIRECTORY.bits() } else { 0 };
        header.volume_sequence_number.set(1);
        Ok(record.as_bytes().to_vec())
    }

    fn entries(&self, rock_ridge: RockRidge, posix: &Posix<'_>) -> Vec<u8> {
        let px = PxEntry {
            mode: U32Both::new(posix.mode),
            links: U32Both::new(posix.links),
            uid: U32Both::new(0),
            gid: U32Both::new(0),
            serial: U32Both::new(posix.serial),
        };
        let px = bytes_of(&px);
        // RRIP 1.10 has no serial number; readers tell by the length.
        let shown = if rock_ridge.serials {
            px.len()
        } else {
            px.len() - 8
        };
        let mut out = entry(*b"PX", &[px.get(..shown).unwrap_or(px)]);
        let flags = TfFlags::MODIFY | TfFlags::ACCESS | TfFlags::ATTRIBUTES;
        let time = self.time.to_bytes();
        out.extend(entry(*b"TF", &[&[flags.bits()], &time, &time, &time]));
        if let Some(target) = posix.target {
            out.extend(link_entries(target));
        }
        if let Some(name) = posix.name {
            out.extend(name_entries(name));
        }
        out
    }
}

/// Moves whole entries from the end into a continuation area until the rest
/// fits `room`.
fn spill(
    system_use: Vec<u8>,
    room: usize,
    skip: usize,
    area: &mut Continuations,
) -> Result<Vec<u8>> {
    if system_use.len() <= room {
        return Ok(system_use);
    }
    let mut keep = skip;
    while let Some(&len) = system_use.get(keep + 2) {
        let next = keep + usize::from(len.max(4));
        if next + CE_LEN > room {
            break;
        }
        keep = next;
    }
    let (stay, go) = system_use
        .split_at_checked(keep)
        .context("no room for a record")?;
    let continuation = area.store(go)?;
    let mut out = stay.to_vec();
    out.extend(entry(*b"CE", &[bytes_of(&continuation)]));
    Ok(out)
}

fn entry(signature: [u8; 2], body: &[&[u8]]) -> Vec<u8> {
    let len = 4 + body.iter().map(|part| part.len()).sum::<usize>();
    let mut out = vec![
        signature[0],
        signature[1],
        u8::try_from(len).unwrap_or(u8::MAX),
        1,
    ];
    for part in body {
        out.extend_from_slice(part);
    }
    out
}

fn name_entries(name: &str) -> Vec<u8> {
    let chunks: Vec<&[u8]> = name.as_bytes().chunks(MAX_BODY - 1).collect();
    let last = chunks.len().saturating_sub(1);
    let each = chunks.iter().enumerate().map(|(index, chunk)| {
        let flags = if index < last {
            NmFlags::CONTINUE
        } else {
            NmFlags::empty()
        };
        entry(*b"NM", &[&[flags.bits()], chunk])
    });
    each.flatten().collect()
}

/// A link's target as `SL` entries (RRIP 1.12, 4.1.3).
fn link_entries(target: &str) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    if target.starts_with('/') {
        parts.push(vec![SlComponentFlags::ROOT.bits(), 0]);
    }
    for name in target.split('/').filter(|name| !name.is_empty()) {
        match name {
            "." => parts.push(vec![SlComponentFlags::CURRENT.bits(), 0]),
            ".." => parts.push(vec![SlComponentFlags::PARENT.bits(), 0]),
            _ => parts.extend(component(name.as_bytes())),
        }
    }
    let mut entries: Vec<Vec<u8>> = vec![Vec::new()];
    for part in parts {
        match entries.last_mut() {
            Some(body) if body.len() + part.len() < MAX_BODY => body.extend(part),
            _ => entries.push(part),
        }
    }
    let last = entries.len() - 1;
    let each = entries.iter().enumerate();
    each.flat_map(|(index, body)| entry(*b"SL", &[&[u8::from(index < last)], body]))
        .collect()
}

/// One name of a target, in pieces that each fit an entry.
fn component(name: &[u8]) -> Vec<Vec<u8>> {
    let chunks: Vec<&[u8]> = name.chunks(MAX_BODY - 3).collect();
    let last = chunks.len().saturating_sub(1);
    let each = chunks.iter().enumerate().map(|(index, chunk)| {
        let flags = if index < last {
            SlComponentFlags::CONTINUE
        } else {
            SlComponentFlags::empty()
        };
        let len = u8::try_from(chunk.len()).unwrap_or(u8::MAX);
        [&[flags.bits(), len], *chunk].concat()
    });
    each.collect()
}

/// The time of the base's making in the form of directory records
/// (ECMA-119 8.4.26.1 to 9.1.5), the root's own time where it is not told.
pub(crate) fn creation_time(told: &DecDateTime, root: DirDateTime) -> DirDateTime {
    let number = |digits: &[u8]| {
        let text = std::str::from_utf8(digits).ok()?;
        text.parse::<u16>().ok()
    };
    let convert = || {
        Some(DirDateTime {
            year: u8::try_from(number(&told.year)?.checked_sub(1900)?).ok()?,
            month: u8::try_from(number(&told.month)?).ok()?,
            day: u8::try_from(number(&told.day)?).ok()?,
            hour: u8::try_from(number(&told.hour)?).ok()?,
            minute: u8::try_from(number(&told.minute)?).ok()?,
            second: u8::try_from(number(&told.second)?).ok()?,
            offset: told.offset,
        })
    };
    match convert() {
        Some(time) if time.to_datetime().is_some() => time,
        _ => root,
    }
}

/// Adds to the link count of a directory's record, where it counts (RRIP
/// 4.1.1): a count below two says that the writer did not.
pub(crate) fn add_links(record: &mut [u8], rock_ridge: RockRidge, dot: bool, more: u32) {
    let id = usize::from(record.get(32).copied().unwrap_or(0));
    let start = (33 + id).next_multiple_of(2) + if dot { 0 } else { rock_ridge.skip };
    let mut at = start;
    while let Some(&[first, second, len]) = record.get(at..at + 3) {
        if len < 4 {
            return;
        }
        if [first, second] == *b"PX" {
            if let Some(field) = record.get_mut(at + 12..at + 20) {
                let links: U32Both = bytemuck::pod_read_unaligned(field);
                if links.get() >= 2 {
                    let links = U32Both::new(links.get().saturating_add(more));
                    field.copy_from_slice(bytes_of(&links));
                }
            }
            return;
        }
        at += usize::from(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            time: DirDateTime::default(),
            rock_ridge: Some(RockRidge {
                skip: 0,
                serials: false,
            }),
        }
    }

    #[test]
    fn long_names_spill_into_a_continuation_area() {
        let name = "n".repeat(248);
        let posix = Posix {
            mode: 0o100_444,
            links: 1,
            name: Some(&name),
            target: Some(&"t/".repeat(400)),
            serial: 0,
        };
        let mut area = Continuations {
            first: 77,
            bytes: vec![0; 2000],
        };
        let record = stamp().record(b"N.;1", false, &posix, &mut area).unwrap();
        let parsed = DirectoryRecord::parse(&record).unwrap().unwrap();
        assert_eq!(parsed.name(), b"N.;1");
        // It did not fit behind the 2000 bytes, so it begins a sector.
        let at = record.windows(2).position(|pair| pair == b"CE").unwrap();
        assert_eq!(record[at + 4..at + 8], 78_u32.to_le_bytes());
        assert!(area.bytes.len() > 2048 && area.bytes.len() <= 4096);
    }

    #[test]
    fn a_creation_date_keeps_its_offset() {
        let mut told = DecDateTime::UNSPECIFIED;
        assert_eq!(
            creation_time(&told, DirDateTime::default()),
            DirDateTime::default()
        );
        told.year = *b"2026";
        told.month = *b"02";
        told.day = *b"10";
        told.offset = 4;
        let time = creation_time(&told, DirDateTime::default());
        assert_eq!(
            (time.year, time.month, time.day, time.offset),
            (126, 2, 10, 4)
        );
        told.month = *b"13";
        assert_eq!(
            creation_time(&told, DirDateTime::default()),
            DirDateTime::default()
        );
    }

    #[test]
    fn link_counts_grow_only_where_they_count() {
        let posix = Posix {
            mode: 0o040_555,
            links: 3,
            name: None,
            target: None,
            serial: 0,
        };
        let rock_ridge = stamp().rock_ridge.unwrap();
        let mut area = Continuations::default();
        let mut record = stamp().record(&[0], true, &posix, &mut area).unwrap();
        add_links(&mut record, rock_ridge, true, 2);
        assert_eq!(record[46..50], 5_u32.to_le_bytes());
        assert_eq!(record[50..54], 5_u32.to_be_bytes());
    }
}
