//! An image opened for reading: everything that says where its files lie and
//! how it boots, parsed and held within bounds.

mod overlap;

use std::io::{Read, Seek};

use anyhow::{Context, Result, bail};

use crate::base::{
    Child, DescriptorSet, Extent, Hierarchy, Node, SECTOR, Source, Volume, VolumeKind,
    read_hierarchy, read_sets,
};
use crate::boot::{Apm, BootEntry, Catalog, Gpt, GptCopies, GptCopy, Mbr, MbrEntry, read_gpt};

/// The bytes read at once when a file is streamed.
const CHUNK: u64 = 256 << 10;

/// An ISO 9660 image.
///
/// Opening reads all directories but no file. Nothing that the image claims
/// is believed: every place lies in the image, loops end, and what is held is
/// bounded by the image's own size.
#[derive(Debug)]
pub struct Image<R> {
    pub(crate) source: Source<R>,
    pub(crate) sets: Vec<DescriptorSet>,
    pub(crate) trees: Vec<ParsedTree>,
    pub(crate) mbr: Option<Mbr>,
    pub(crate) apm: Option<Apm>,
    pub(crate) gpt: Option<GptCopies>,
    pub(crate) catalog: Option<Catalog>,
}

/// A volume and its tree.
#[derive(Debug, Clone)]
pub(crate) struct ParsedTree {
    pub(crate) volume: Volume,
    pub(crate) hierarchy: Hierarchy,
}

/// Both copies of a GPT that is sound.
pub(crate) struct SoundGpt<'a> {
    pub(crate) primary: &'a GptCopy,
    pub(crate) backup: &'a GptCopy,
}

/// A directory tree of an image. Images written with a partition offset have
/// the same files in more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeInfo {
    /// The sector that its places count from: 0, or a partition's start.
    pub start: u64,
    /// The sector of its volume descriptor.
    pub descriptor: u64,
    /// Whether its names are Joliet's.
    pub joliet: bool,
    /// Whether it has Rock Ridge names and modes.
    pub rock_ridge: bool,
    /// The volume's name.
    pub volume_id: String,
    /// The volume's length in sectors, from `start` on.
    pub sectors: u64,
}

/// A file, directory or link of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// The path from the root, without leading slash.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// The length in bytes.
    pub size: u64,
    /// The mode with its type bits, where the tree has Rock Ridge.
    pub mode: Option<u32>,
    /// Where the data lies.
    pub extents: Vec<Extent>,
}

/// What a [`FileInfo`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Symlink(String),
    /// A device, socket or pipe.
    Special,
}

impl<R: Read + Seek> Image<R> {
    /// Opens an image; `name` is what messages call it.
    ///
    /// # Errors
    ///
    /// When it is no ISO 9660 image, is truncated or damaged, or has what is
    /// not supported (UDF, blocks other than 2048 bytes, relocated directories).
    /// A partition table that is broken does not hinder opening.
    pub fn open(reader: R, name: &str) -> Result<Self> {
        let mut source = Source::new(reader, name)?;
        let area_len = (16 * SECTOR).min(source.len());
        let area = source.read(0, area_len, "the system area")?;
        let mbr = Mbr::parse(&area);
        let gpt = read_gpt(&mut source)?;
        let sets = read_sets(&mut source, &partition_starts(mbr.as_ref(), gpt.as_ref()))?;
        let catalog = read_catalog(&mut source, &sets)?;
        let mut trees = Vec::new();
        for volume in sets.iter().flat_map(|set| &set.volumes) {
            let hierarchy =
                read_hierarchy(&mut source, volume).with_context(|| format!("opening {name}"))?;
            trees.push(ParsedTree {
                volume: volume.clone(),
                hierarchy,
            });
        }
        let apm = Apm::parse(&area).with_context(|| format!("opening {name}"))?;
        Ok(Self {
            source,
            sets,
            trees,
            mbr,
            apm,
            gpt,
            catalog,
        })
    }

    /// What messages call the image.
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// The image's size in bytes.
    pub fn len(&self) -> u64 {
        self.source.len()
    }

    /// Whether the image has no byte; an open one always has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The volume's name, as the primary descriptor has it.
    pub fn volume_id(&self) -> String {
        self.trees()
            .first()
            .map_or_else(String::new, |tree| tree.volume_id.clone())
    }

    /// All directory trees: first the one every reader knows.
    pub fn trees(&self) -> Vec<TreeInfo> {
        self.trees.iter().map(ParsedTree::info).collect()
    }

    /// All names in a tree (by its place in [`Image::trees`]), each directory
    /// before what is in it.
    pub fn files(&self, tree: usize) -> Vec<FileInfo> {
        self.trees
            .get(tree)
            .map_or_else(Vec::new, ParsedTree::files)
    }

    /// Reads a file of the first tree; `None` where there is none. Links are
    /// not followed.
    ///
    /// # Errors
    ///
    /// When the path is no file, when it is longer than `cap` bytes, or when
    /// it cannot be read.
    pub fn read(&mut self, path: &str, cap: u64) -> Result<Option<Vec<u8>>> {
        self.read_in(0, path, cap)
    }

    /// Reads a file of a given tree; else as [`Image::read`].
    ///
    /// # Errors
    ///
    /// As [`Image::read`].
    pub fn read_in(&mut self, tree: usize, path: &str, cap: u64) -> Result<Option<Vec<u8>>> {
        let Some(extents) = self.extents(tree, path)? else {
            return Ok(None);
        };
        let len: u64 = extents.iter().map(|extent| extent.len).sum();
        if len > cap {
            bail!(
                "reading {path} of {}: {len} bytes, at most {cap} were expected",
                self.name()
            );
        }
        let mut bytes = Vec::new();
        self.stream(&extents, &mut |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(Some(bytes))
    }

    /// Reads runs of bytes piece by piece, whatever their length.
    ///
    /// # Errors
    ///
    /// When they cannot be read, and those of `sink`.
    pub fn stream(
        &mut self,
        extents: &[Extent],
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut buffer = Vec::new();
        for extent in extents {
            let mut done = 0;
            while done < extent.len {
                let len = CHUNK.min(extent.len - done);
                buffer.resize(len as usize, 0);
                self.source
                    .read_into(extent.start() + done, &mut buffer, "a file")?;
                sink(&buffer)?;
                done += len;
            }
        }
        Ok(())
    }

    fn extents(&self, tree: usize, path: &str) -> Result<Option<Vec<Extent>>> {
        let Some(parsed) = self.trees.get(tree) else {
            return Ok(None);
        };
        match parsed.find(path).map(|child| &child.node) {
            None => Ok(None),
            Some(Node::File(extents)) => Ok(Some(extents.clone())),
            Some(_) => bail!("reading {path} of {}: it is not a file", self.name()),
        }
    }

    /// How the image boots as a CD.
    pub fn boot_entries(&self) -> &[BootEntry] {
        self.catalog
            .as_ref()
            .map_or(&[], |catalog| &catalog.entries)
    }

    /// The partition table, from its primary copy, else from its backup;
    /// `None` where there is none.
    ///
    /// # Errors
    ///
    /// When both copies are broken.
    pub fn gpt(&self) -> Result<Option<Gpt>> {
        match &self.gpt {
            None => Ok(None),
            Some(copies) => match (&copies.primary, &copies.backup) {
                (Ok(copy), _) | (_, Ok(copy)) => Ok(Some(copy.table())),
                (Err(error), _) => bail!("{}: {error:#}", self.name()),
            },
        }
    }

    /// Both copies of the GPT, which must be whole.
    pub(crate) fn sound_gpt(&self) -> Result<Option<SoundGpt<'_>>> {
        let Some(copies) = &self.gpt else {
            return Ok(None);
        };
        match (&copies.primary, &copies.backup) {
            (Ok(primary), Ok(backup)) if primary.same_array(backup) => {
                Ok(Some(SoundGpt { primary, backup }))
            }
            (Ok(_), Ok(_)) => bail!(
                "{}: the two copies of the GPT differ: the image is damaged",
                self.name()
            ),
            (Err(error), _) | (_, Err(error)) => bail!(
                "{}: {error:#}: the image is damaged or truncated",
                self.name()
            ),
        }
    }

    /// What overlaps in the image that never should.
    pub(crate) fn overlap(&self) -> Option<String> {
        overlap::find(self)
    }
}

/// Where partitions begin that may hold a second set of descriptors, in
/// sectors.
fn partition_starts(mbr: Option<&Mbr>, gpt: Option<&GptCopies>) -> Vec<u64> {
    let copies = gpt.into_iter().flat_map(|gpt| [&gpt.primary, &gpt.backup]);
    let parts = copies.flatten().flat_map(GptCopy::partitions);
    let entries = mbr.into_iter().flat_map(|mbr| &mbr.entries);
    let mut starts: Vec<u64> = parts
        .map(|part| part.start_bytes())
        .chain(entries.map(MbrEntry::start_bytes))
        .filter(|start| *start > 0 && start % SECTOR == 0)
        .map(|start| start / SECTOR)
        .collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

fn read_catalog<R: Read + Seek>(
    source: &mut Source<R>,
    sets: &[DescriptorSet],
) -> Result<Option<Catalog>> {
    let mut places: Vec<u64> = sets.iter().filter_map(|set| set.boot_catalog).collect();
    places.dedup();
    match places.as_slice() {
        [] => Ok(None),
        [lba] => Catalog::read(source, *lba).map(Some),
        _ => bail!(
            "{}: its boot records name several boot catalogs, at the sectors {places:?}",
            source.name()
        ),
    }
}

impl ParsedTree {
    fn info(&self) -> TreeInfo {
        let descriptor = &self.volume.descriptor;
        let id = descriptor.volume_identifier;
        TreeInfo {
            start: self.volume.start,
            descriptor: self.volume.lba,
            joliet: self.volume.kind == VolumeKind::Joliet,
            rock_ridge: self.hierarchy.rock_ridge.is_some(),
            volume_id: match self.volume.kind {
                VolumeKind::Primary => String::from_utf8_lossy(id.trimmed()).into_owned(),
                VolumeKind::Joliet => {
                    let text = crate::layout::joliet_text(id.as_bytes());
                    text.trim_end_matches([' ', '\0']).to_owned()
                }
            },
            sectors: u64::from(descriptor.volume_space_size.get()),
        }
    }

    /// Finds a name by its path.
    pub(crate) fn find(&self, path: &str) -> Option<&Child> {
        let (mut dir, mut found) = (0, None);
        for name in path.split('/') {
            let child = self.hierarchy.dirs.get(dir)?.child(name)?;
            dir = match child.node {
                Node::Dir(index) => index,
                _ => usize::MAX,
            };
            found = Some(child);
        }
        found
    }

    /// All names, directories before their contents.
    pub(crate) fn files(&self) -> Vec<FileInfo> {
        let mut paths: Vec<String> = vec![String::new(); self.hierarchy.dirs.len()];
        let mut files = Vec::new();
        for (index, dir) in self.hierarchy.dirs.iter().enumerate() {
            let prefix = paths.get(index).cloned().unwrap_or_default();
            for child in &dir.children {
                let path = match prefix.as_str() {
                    "" => child.name.clone(),
                    _ => format!("{prefix}/{}", child.name),
                };
                if let Node::Dir(below) = child.node
                    && let Some(slot) = paths.get_mut(below)
                {
                    slot.clone_from(&path);
                }
                files.push(file_info(path, child));
            }
        }
        files
    }
}

fn file_info(path: String, child: &Child) -> FileInfo {
    let (kind, extents) = match &child.node {
        Node::Dir(_) => (FileKind::Directory, Vec::new()),
        Node::File(extents) => (FileKind::File, extents.clone()),
        Node::Symlink(target) => (FileKind::Symlink(target.clone()), Vec::new()),
        Node::Special => (FileKind::Special, Vec::new()),
    };
    FileInfo {
        path,
        kind,
        size: extents.iter().map(|extent| extent.len).sum(),
        mode: child.mode,
        extents,
    }
}
