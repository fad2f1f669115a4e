//! One directory tree, read whole: ECMA-119 6.8, 9.1.
//!
//! Records are kept as they stand, byte for byte; what is decoded serves to
//! find them by name and to check where they point.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};

use anyhow::{Context, Result, bail};
use hadris_iso_raw::{DirectoryRecord, FileFlags};

use super::susp::Attributes;
use super::{Extent, RockRidge, SECTOR, Source, Volume, VolumeKind};

/// The most directory data taken from one tree, in bytes. The largest known
/// image (a whole Debian on one disc) has a tenth of it.
const MAX_DIRECTORY_BYTES: u64 = 96 << 20;
/// The deepest directory.
const MAX_DEPTH: usize = 64;

/// A tree: its directories in the order of their depth, the root first.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchy {
    pub(crate) dirs: Vec<Dir>,
    pub(crate) rock_ridge: Option<RockRidge>,
    /// The byte behind the last one that the tree needs.
    pub(crate) data_end: u64,
}

/// A directory.
#[derive(Debug, Clone)]
pub(crate) struct Dir {
    /// The directory above in [`Hierarchy::dirs`]; the root's is itself.
    pub(crate) parent: usize,
    pub(crate) depth: usize,
    /// Where it stands in the base; `None` for one that is made.
    pub(crate) extent: Option<Extent>,
    /// The bytes of its `.` record.
    pub(crate) dot: Vec<u8>,
    /// The bytes of its `..` record.
    pub(crate) dotdot: Vec<u8>,
    pub(crate) children: Vec<Child>,
    /// The children by name.
    pub(crate) index: HashMap<String, usize>,
    /// The name on disc (the file identifier) of this directory.
    pub(crate) id: Vec<u8>,
}

/// A name in a directory.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    /// The name as a reader shows it.
    pub(crate) name: String,
    /// Its records, whole: more than one for a file of several extents.
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) node: Node,
    pub(crate) mode: Option<u32>,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A directory, by its place in [`Hierarchy::dirs`].
    Dir(usize),
    /// A file.
    File(Vec<Extent>),
    /// A symbolic link.
    Symlink(String),
    /// A device, socket or pipe.
    Special,
}

impl Child {
    /// The name on disc.
    pub(crate) fn id(&self) -> &[u8] {
        self.records.first().map_or(&[], |record| record_id(record))
    }
}

/// The file identifier in a record's bytes (ECMA-119 9.1.11).
pub(crate) fn record_id(record: &[u8]) -> &[u8] {
    let len = usize::from(record.get(32).copied().unwrap_or(0));
    record.get(33..33 + len).unwrap_or(&[])
}

impl Dir {
    /// Finds a child by name.
    pub(crate) fn child(&self, name: &str) -> Option<&Child> {
        self.children.get(*self.index.get(name)?)
    }

    /// Adds a child.
    pub(crate) fn push(&mut self, child: Child) {
        self.index
            .entry(child.name.clone())
            .or_insert(self.children.len());
        self.children.push(child);
    }
}

/// Reads a volume's whole tree.
///
/// # Errors
///
/// When a record is malformed, a directory lies outside of the image, is
/// reached twice (so that loops end) or overlaps another, or the whole is
/// larger than any real tree.
pub(crate) fn read_hierarchy<R: Read + Seek>(
    source: &mut Source<R>,
    volume: &Volume,
) -> Result<Hierarchy> {
    Reader::new(source, volume)
        .read()
        .with_context(|| format!("reading {}", volume.label()))
}

struct Reader<'a, R> {
    source: &'a mut Source<R>,
    volume: &'a Volume,
    tree: Hierarchy,
    seen: HashSet<u64>,
    bytes: u64,
}

impl<'a, R: Read + Seek> Reader<'a, R> {
    fn new(source: &'a mut Source<R>, volume: &'a Volume) -> Self {
        Self {
            source,
            volume,
            tree: Hierarchy {
                dirs: Vec::new(),
                rock_ridge: None,
                data_end: 0,
            },
            seen: HashSet::new(),
            bytes: 0,
        }
    }

    fn read(mut self) -> Result<Hierarchy> {
        let root = self.volume.descriptor.root.header;
        let extent = self.extent(root.extent.get(), root.data_len.get());
        self.enter(0, 0, extent, &[0])?;
        let mut next = 0;
        while next < self.tree.dirs.len() {
            self.fill(next)?;
            next += 1;
        }
        Ok(self.tree)
    }

    fn extent(&self, lba: u32, len: u32) -> Extent {
        Extent {
            lba: self.volume.start + u64::from(lba),
            len: u64::from(len),
        }
    }

    /// Notes a directory to be read, once.
    fn enter(&mut self, parent: usize, depth: usize, extent: Extent, id: &[u8]) -> Result<usize> {
        if depth > MAX_DEPTH {
            bail!("directories are nested deeper than {MAX_DEPTH} levels");
        }
        if extent.len == 0 || !extent.len.is_multiple_of(SECTOR) {
            bail!(
                "the directory at sector {} is {} bytes long, not whole sectors",
                extent.lba,
                extent.len
            );
        }
        self.source
            .hold(extent, &format_args!("a directory at depth {depth}"))?;
        self.bytes += extent.len;
        if self.bytes > MAX_DIRECTORY_BYTES {
            bail!("there are more than {MAX_DIRECTORY_BYTES} bytes of directories");
        }
        for lba in extent.lba..extent.sector_end() / SECTOR {
            if !self.seen.insert(lba) {
                bail!("two directories share sector {lba}: the tree has a loop or is damaged");
            }
        }
        self.note_end(extent.sector_end());
        self.tree.dirs.push(Dir {
            parent,
            depth,
            extent: Some(extent),
            dot: Vec::new(),
            dotdot: Vec::new(),
            children: Vec::new(),
            index: HashMap::new(),
            id: id.to_vec(),
        });
        Ok(self.tree.dirs.len() - 1)
    }

    fn note_end(&mut self, end: u64) {
        self.tree.data_end = self.tree.data_end.max(end);
    }

    fn fill(&mut self, index: usize) -> Result<()> {
        let Some(extent) = self.tree.dirs.get(index).and_then(|dir| dir.extent) else {
            return Ok(());
        };
        let bytes = self
            .source
            .read(extent.start(), extent.len, "a directory")?;
        let mut open: Option<Child> = None;
        for (number, sector) in bytes.chunks(SECTOR as usize).enumerate() {
            let lba = extent.lba + number as u64;
            self.fill_sector(index, sector, &mut open)
                .with_context(|| format!("in the directory at sector {lba}"))?;
        }
        if let Some(child) = open {
            bail!(
                "in the directory at sector {}: the last extent of {:?} is missing",
                extent.lba,
                child.name
            );
        }
        match self.tree.dirs.get(index) {
            Some(dir) if dir.dot.is_empty() || dir.dotdot.is_empty() => bail!(
                "the directory at sector {} has no `.` or no `..` record",
                extent.lba
            ),
            _ => Ok(()),
        }
    }

    fn fill_sector(&mut self, index: usize, sector: &[u8], open: &mut Option<Child>) -> Result<()> {
        let mut rest = sector;
        while !rest.is_empty() {
            let record = match DirectoryRecord::parse(rest) {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(()),
                Err(()) => bail!(
                    "the directory record at byte {} is malformed",
                    sector.len() - rest.len()
                ),
            };
            rest = rest.get(record.len()..).unwrap_or(&[]);
            self.take(index, &record, open)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        index: usize,
        record: &DirectoryRecord,
        open: &mut Option<Child>,
    ) -> Result<()> {
        if record.is_dot() {
            return self.take_dot(index, record);
        }
        let attributes = self.attributes(record)?;
        if attributes.relocated {
            bail!(
                "the tree has directories moved for ECMA-119's depth limit (Rock Ridge CL, PL or \
                 RE), which is not supported: make the base with relaxed depth, as xorriso does"
            );
        }
        let name = self.shown_name(record, &attributes);
        match open.take() {
            Some(child) if child.id() == record.name() => self.extend(index, child, record, open),
            Some(child) => bail!("the last extent of {:?} is missing", child.name),
            None => self.begin(index, name, record, attributes, open),
        }
    }

    fn take_dot(&mut self, index: usize, record: &DirectoryRecord) -> Result<()> {
        if index == 0 && record.name() == [0] && self.volume.kind == VolumeKind::Primary {
            self.tree.rock_ridge = RockRidge::detect(record);
        }
        self.attributes(record)?;
        let Some(dir) = self.tree.dirs.get_mut(index) else {
            return Ok(());
        };
        let slot = match record.name() {
            [0] => &mut dir.dot,
            _ => &mut dir.dotdot,
        };
        if !slot.is_empty() {
            bail!("it has a second `.` or `..` record");
        }
        *slot = record.as_bytes().to_vec();
        Ok(())
    }

    fn attributes(&mut self, record: &DirectoryRecord) -> Result<Attributes> {
        let Some(rock_ridge) = self.tree.rock_ridge else {
            return Ok(Attributes::default());
        };
        let attributes = rock_ridge.attributes(self.source, record, self.volume.start)?;
        self.note_end(attributes.continuation_end.div_ceil(SECTOR) * SECTOR);
        Ok(attributes)
    }

    fn shown_name(&self, record: &DirectoryRecord, attributes: &Attributes) -> String {
        match (&attributes.name, self.volume.kind) {
            (Some(name), _) => name.clone(),
            (None, VolumeKind::Primary) => crate::layout::plain_name(record.name()),
            (None, VolumeKind::Joliet) => crate::layout::joliet_text(record.name()),
        }
    }

    fn begin(
        &mut self,
        index: usize,
        name: String,
        record: &DirectoryRecord,
        attributes: Attributes,
        open: &mut Option<Child>,
    ) -> Result<()> {
        let header = *record.header();
        let extent = self.extent(header.extent.get(), header.data_len.get());
        let node = if header.is_directory() {
            let depth = self.tree.dirs.get(index).map_or(0, |dir| dir.depth) + 1;
            Node::Dir(
                self.enter(index, depth, extent, record.name())
                    .with_context(|| format!("entering {name:?}"))?,
            )
        } else if let Some(target) = attributes.link {
            Node::Symlink(target)
        } else if attributes.mode.is_some_and(|mode| !is_plain(mode)) {
            Node::Special
        } else {
            self.file_extent(extent, &header, &name)?;
            Node::File(vec![extent])
        };
        let child = Child {
            name,
            records: vec![record.as_bytes().to_vec()],
            node,
            mode: attributes.mode,
        };
        self.close(index, child, header.file_flags(), open)
    }

    fn extend(
        &mut self,
        index: usize,
        mut child: Child,
        record: &DirectoryRecord,
        open: &mut Option<Child>,
    ) -> Result<()> {
        let header = *record.header();
        let extent = self.extent(header.extent.get(), header.data_len.get());
        self.file_extent(extent, &header, &child.name)?;
        if let Node::File(extents) = &mut child.node {
            extents.push(extent);
        }
        child.records.push(record.as_bytes().to_vec());
        self.close(index, child, header.file_flags(), open)
    }

    fn close(
        &mut self,
        index: usize,
        child: Child,
        flags: FileFlags,
        open: &mut Option<Child>,
    ) -> Result<()> {
        if flags.contains(FileFlags::NOT_FINAL) {
            if !matches!(child.node, Node::File(_)) {
                bail!("{:?} is not a file, but has several extents", child.name);
            }
            *open = Some(child);
        } else if let Some(dir) = self.tree.dirs.get_mut(index) {
            dir.push(child);
        }
        Ok(())
    }

    fn file_extent(
        &mut self,
        extent: Extent,
        header: &hadris_iso_raw::DirectoryRecordHeader,
        name: &str,
    ) -> Result<()> {
        if header.file_unit_size != 0
            || header.interleave_gap_size != 0
            || header.extended_attr_record != 0
        {
            bail!("{name:?} is interleaved or has an extended attribute record: not supported");
        }
        if extent.len > 0 {
            self.source.hold(extent, &format_args!("{name:?}"))?;
            self.note_end(extent.sector_end());
        }
        Ok(())
    }
}

/// Whether a mode is a regular file's (or says no type).
fn is_plain(mode: u32) -> bool {
    matches!(mode & 0o170_000, 0o100_000 | 0)
}
