//! Rock Ridge: SUSP 1.12 and RRIP 1.12 entries of a directory record.

use std::io::{Read, Seek};

use anyhow::{Result, bail};
use hadris_iso_raw::{
    ContinuationArea, DirectoryRecord, NmFlags, SlComponentFlags, SuspEntries, SuspEntry, U32Both,
};

use super::{SECTOR, Source};

/// The most continuation areas that one record may chain.
const MAX_CONTINUATIONS: usize = 8;

/// How a tree uses Rock Ridge, from its root's `SP` entry (SUSP 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RockRidge {
    /// Bytes to skip at the start of every system use area but the root's.
    pub(crate) skip: usize,
    /// Whether `PX` entries carry a file serial number (RRIP 1.12).
    pub(crate) serials: bool,
}

/// What a record's system use area says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) name: Option<String>,
    pub(crate) mode: Option<u32>,
    pub(crate) link: Option<String>,
    /// A record moved for ECMA-119's depth limit (CL, PL or RE).
    pub(crate) relocated: bool,
    /// The end of the last continuation area in bytes, zero when none.
    pub(crate) continuation_end: u64,
}

impl RockRidge {
    /// Looks for `SP` in the root's own record.
    pub(crate) fn detect(root: &DirectoryRecord) -> Option<Self> {
        let sp = SuspEntries::new(root.system_use(), 0).next()?;
        let [0xBE, 0xEF, skip, ..] = sp.data else {
            return None;
        };
        if sp.signature != *b"SP" {
            return None;
        }
        let px = SuspEntries::new(root.system_use(), 0).find(|entry| entry.signature == *b"PX")?;
        Some(Self {
            skip: usize::from(*skip),
            serials: px.data.len() >= 40,
        })
    }

    /// Reads a record's entries, following its continuation areas. `start` is
    /// the sector that the tree's extents count from.
    pub(crate) fn attributes<R: Read + Seek>(
        self,
        source: &mut Source<R>,
        record: &DirectoryRecord,
        start: u64,
    ) -> Result<Attributes> {
        let mut collected = Collected::default();
        let mut next = collected.take(SuspEntries::new(record.system_use(), self.skip));
        let mut hops = 0;
        while let Some(area) = next {
            hops += 1;
            if hops > MAX_CONTINUATIONS {
                bail!(
                    "{}: the continuation areas of a directory record run in a circle near sector \
                     {}",
                    source.name(),
                    start + u64::from(area.block.get())
                );
            }
            let bytes = read_area(source, &area, start, &mut collected.end)?;
            next = collected.take(SuspEntries::new(&bytes, 0));
        }
        collected.finish(source.name())
    }
}

fn read_area<R: Read + Seek>(
    source: &mut Source<R>,
    area: &ContinuationArea,
    start: u64,
    end: &mut u64,
) -> Result<Vec<u8>> {
    let lba = start + u64::from(area.block.get());
    let (offset, len) = (u64::from(area.offset.get()), u64::from(area.length.get()));
    if offset >= SECTOR || len > 16 * SECTOR {
        bail!(
            "{}: a continuation area at sector {lba} has the offset {offset} and the length {len}",
            source.name()
        );
    }
    let at = lba * SECTOR + offset;
    *end = (*end).max(at + len);
    source.read(at, len, "a continuation area")
}

#[derive(Default)]
struct Collected {
    name: Vec<u8>,
    named: bool,
    mode: Option<u32>,
    link: LinkText,
    relocated: bool,
    end: u64,
}

impl Collected {
    fn take(&mut self, entries: SuspEntries<'_>) -> Option<ContinuationArea> {
        let mut next = None;
        for entry in entries {
            match &entry.signature {
                b"NM" => self.take_name(&entry),
                b"PX" => self.mode = entry.data.get(..4).map(le_u32),
                b"SL" => self.link.take(entry.data.get(1..).unwrap_or(&[])),
                b"CL" | b"PL" | b"RE" => self.relocated = true,
                b"CE" => next = continuation(&entry),
                _ => {}
            }
        }
        next
    }

    fn take_name(&mut self, entry: &SuspEntry<'_>) {
        let Some((&flags, name)) = entry.data.split_first() else {
            return;
        };
        let flags = NmFlags::from_bits_retain(flags);
        if !flags.intersects(NmFlags::CURRENT | NmFlags::PARENT | NmFlags::HOST) {
            self.name.extend_from_slice(name);
            self.named = true;
        }
    }

    fn finish(self, image: &str) -> Result<Attributes> {
        let name = self
            .named
            .then(|| String::from_utf8_lossy(&self.name).into_owned());
        if let Some(name) = &name
            && (name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']))
        {
            bail!("{image}: a Rock Ridge name reads {name:?}, which no file can have");
        }
        Ok(Attributes {
            name,
            mode: self.mode,
            link: self.link.finish(),
            relocated: self.relocated,
            continuation_end: self.end,
        })
    }
}

fn continuation(entry: &SuspEntry<'_>) -> Option<ContinuationArea> {
    bytemuck::try_pod_read_unaligned(entry.data.get(..24)?).ok()
}

fn le_u32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | u32::from(byte))
}

/// The target of a link, put together from `SL` components (RRIP 4.1.3).
#[derive(Default)]
struct LinkText {
    text: Vec<u8>,
    seen: bool,
    /// Whether the last component goes on in the next.
    open: bool,
}

impl LinkText {
    fn take(&mut self, mut rest: &[u8]) {
        self.seen = true;
        while let [flags, len, tail @ ..] = rest {
            let (body, after) = tail.split_at(usize::from(*len).min(tail.len()));
            self.component(SlComponentFlags::from_bits_retain(*flags), body);
            rest = after;
        }
    }

    fn component(&mut self, flags: SlComponentFlags, body: &[u8]) {
        if !self.text.is_empty() && !self.open && !self.text.ends_with(b"/") {
            self.text.push(b'/');
        }
        let text: &[u8] = if flags.contains(SlComponentFlags::ROOT) {
            b"/"
        } else if flags.contains(SlComponentFlags::PARENT) {
            b".."
        } else if flags.contains(SlComponentFlags::CURRENT) {
            b"."
        } else {
            body
        };
        self.text.extend_from_slice(text);
        self.open = flags.contains(SlComponentFlags::CONTINUE);
    }

    fn finish(self) -> Option<String> {
        self.seen
            .then(|| String::from_utf8_lossy(&self.text).into_owned())
    }
}

/// Puts an extent into the bytes of a directory record, leaving all else.
/// `lba` counts from the tree's start.
pub(crate) fn set_record_extent(record: &mut [u8], lba: u32, len: u32) {
    for (at, value) in [(2, lba), (10, len)] {
        if let Some(field) = record.get_mut(at..at + 8) {
            field.copy_from_slice(bytemuck::bytes_of(&U32Both::new(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(components: &[u8]) -> Option<String> {
        let mut text = LinkText::default();
        text.take(components);
        text.finish()
    }

    #[test]
    fn link_targets_are_put_together() {
        assert_eq!(
            link(b"\x08\x00\x00\x03etc\x00\x01a").as_deref(),
            Some("/etc/a")
        );
        assert_eq!(link(b"\x04\x00\x00\x02ab").as_deref(), Some("../ab"));
        assert_eq!(link(b"\x02\x00").as_deref(), Some("."));
        assert_eq!(
            link(b"\x01\x01a\x00\x01b\x00\x01c").as_deref(),
            Some("ab/c")
        );
        assert_eq!(link(b"\x00\xffab").as_deref(), Some("ab"));
    }
}
