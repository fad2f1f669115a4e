//! The whole of a new image, decided before a byte is written.

use std::io::{Read, Seek};

use anyhow::{Context, Result, bail};

use super::checksums::{CHECKSUMS, Checksums};
use super::emit::Laid;
use super::graft::{Graft, Placed, PlacedData, Replaced};
use super::point::insertion_point;
use super::record::{Stamp, creation_time};
use crate::base::{Extent, VolumeKind};
use crate::boot::Insertion;
use crate::image::ParsedTree;
use crate::{Content, Entry, Image, ImagePath, Layout, SECTOR, Tree};

/// The tail's length is a multiple of this: then an edit of small files
/// leaves every byte before the tail as it was, and with it the state of the
/// digest there. A whole number of cylinders in the usual geometry of hybrid
/// images, too (64 heads of 32 sectors).
const STEP: u64 = 4 << 20;
/// What stays empty behind the root directories. Where nothing follows the tail
/// they would lie in the image's last sectors, and GRUB under a BIOS, which reads
/// a CD ahead, then cannot read them (seen 2026-11 with GRUB's rescue image in
/// SeaBIOS). 150 sectors, as xorriso and mkisofs leave.
const PADDING: u64 = 150 * SECTOR;

/// Files from this size on stand first in the tail, each with a state of the
/// digest behind it: a rebuild then need not read them again.
pub(crate) const LARGE: u64 = 1 << 20;
/// The length of the system area (ECMA-119 6.2.1), which holds MBR and GPT.
const SYSTEM_AREA: u64 = 16 * SECTOR;
/// The longest checksum list taken, in bytes.
const MAX_CHECKSUMS: u64 = 16 << 20;

/// A new image: the base's bytes before the tail with some of them replaced,
/// the tail, and the base's rest.
pub(crate) struct Plan<'t> {
    pub(crate) layout: Layout,
    /// The base's length.
    pub(crate) base_len: u64,
    /// Bytes to put over the base's, by their place in the new image; sorted,
    /// without overlaps, none in the tail.
    pub(crate) patches: Vec<(u64, Vec<u8>)>,
    /// The tail's contents in order; what lies between is zero.
    pub(crate) parts: Vec<Part<'t>>,
    /// The checksum list, where the base has one, still with the base's MD5s.
    pub(crate) checksums: Option<Checksums>,
}

/// A run of bytes of the tail.
pub(crate) struct Part<'t> {
    /// Its place on the image, a multiple of the sector's length.
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) piece: Piece<'t>,
}

/// What a part holds.
pub(crate) enum Piece<'t> {
    /// A file of the tree.
    File {
        path: &'t ImagePath,
        content: &'t Content,
        /// Whether the checksum list names it.
        listed: bool,
    },
    /// The checksum list, whose contents follow from the files before it.
    Checksums,
    /// Directories and path tables.
    Trees(Vec<u8>),
}

impl Part<'_> {
    /// The offset behind its last sector.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.len.next_multiple_of(SECTOR)
    }
}

impl<'t> Plan<'t> {
    /// Plans `tree` onto the base.
    pub(crate) fn new<R: Read + Seek>(image: &mut Image<R>, tree: &'t Tree) -> Result<Self> {
        if let Some(overlap) = image.overlap() {
            bail!("{}: {overlap}: the image is damaged", image.name());
        }
        let point = insertion_point(image)?;
        let mut plan = Self {
            layout: Layout {
                tail_start: point.at,
                tail_len: 0,
                tail_used: 0,
                size: 0,
            },
            base_len: image.len(),
            patches: Vec::new(),
            parts: Vec::new(),
            checksums: read_checksums(image)?,
        };
        let placed = plan.place_files(tree)?;
        let trees = plan.place_trees(image, &placed)?;
        plan.settle(image, point, trees)?;
        Ok(plan)
    }

    /// The insertion that the plan makes.
    fn end(&self) -> u64 {
        let last = self.parts.last().map_or(0, Part::end);
        last.max(self.layout.tail_start)
    }

    /// Gives every file its place: large ones first, each in the order of the
    /// paths, the checksum list last.
    fn place_files(&mut self, tree: &'t Tree) -> Result<Vec<Placed<'t>>> {
        let mut placed = Vec::new();
        for large in [true, false] {
            for (path, entry) in tree.entries() {
                let is_large = entry.content.len() >= LARGE;
                if large == is_large {
                    let data = self.place_file(path, entry)?;
                    placed.push(Placed {
                        path,
                        mode: entry.mode,
                        data,
                    });
                }
            }
        }
        self.place_checksums(tree);
        // The graft numbers names that collide in the order it meets them.
        placed.sort_by_key(|file| file.path);
        Ok(placed)
    }

    fn place_file(&mut self, path: &'t ImagePath, entry: &'t Entry) -> Result<PlacedData<'t>> {
        let content = &entry.content;
        if path.as_str() == CHECKSUMS && self.checksums.is_some() {
            bail!("{CHECKSUMS} cannot be put onto the image: it is made from the files there");
        }
        if let Content::Symlink(target) = content {
            return Ok(PlacedData::Link(target));
        }
        let len = content.len();
        if len == 0 {
            // Nothing to point at: a sector of the volume that stays the same.
            let lba = self.layout.tail_start / SECTOR;
            return Ok(PlacedData::File(Extent { lba, len }));
        }
        let offset = self.end();
        let list = self.checksums.as_ref();
        let listed = list.is_some_and(|list| list.takes(path, entry));
        self.parts.push(Part {
            offset,
            len,
            piece: Piece::File {
                path,
                content,
                listed,
            },
        });
        Ok(PlacedData::File(Extent {
            lba: offset / SECTOR,
            len,
        }))
    }

    /// Makes room for the list. Its length follows from the paths alone.
    fn place_checksums(&mut self, tree: &Tree) {
        let Some(list) = &mut self.checksums else {
            return;
        };
        let empty = md5_of_nothing();
        for (path, entry) in tree.entries() {
            if !list.takes(path, entry) {
                continue;
            }
            match entry.content {
                Content::Symlink(_) => list.remove(path.as_str()),
                _ => list.update([(path.to_string(), empty)]),
            }
        }
        let len = list.render().len() as u64;
        let offset = self.end();
        self.parts.push(Part {
            offset,
            len,
            piece: Piece::Checksums,
        });
    }

    fn checksum_extent(&self) -> Option<Extent> {
        let part = self.parts.iter().rev();
        let mut lists = part.filter(|part| matches!(part.piece, Piece::Checksums));
        lists.next().map(|part| Extent {
            lba: part.offset / SECTOR,
            len: part.len,
        })
    }

    /// Puts the files into all trees, gives the tail its length and the trees
    /// their places: directories behind the files, anchors and padding at the tail's end.
    fn place_trees<R: Read + Seek>(
        &mut self,
        image: &Image<R>,
        placed: &[Placed<'t>],
    ) -> Result<Vec<Rewritten>> {
        let own: ImagePath = CHECKSUMS.parse()?;
        let list = self.checksum_extent().map(|extent| Placed {
            path: &own,
            mode: 0o444,
            data: PlacedData::File(extent),
        });
        let offset = self.end();
        let (mut at, mut trees) = (offset, Vec::new());
        let mut replaced = Replaced::new();
        for parsed in &image.trees {
            if parsed.volume.kind == VolumeKind::Primary {
                replaced.clear();
            }
            let files = placed.iter().chain(&list);
            let tree = Rewritten::new(parsed.clone(), files, at / SECTOR, &mut replaced)?;
            at += tree.area.len() as u64 + tree.laid.directories_len();
            trees.push(tree);
        }
        let anchors: u64 = trees.iter().map(|tree| tree.laid.anchors_len()).sum();
        let layout = &mut self.layout;
        layout.tail_used = at + anchors - layout.tail_start;
        layout.tail_len = (layout.tail_used + PADDING).next_multiple_of(STEP);
        let anchor = layout.tail_start + layout.tail_len - PADDING - anchors;
        self.write_trees(offset, anchor, &mut trees)?;
        Ok(trees)
    }

    fn write_trees(&mut self, offset: u64, anchor: u64, trees: &mut [Rewritten]) -> Result<()> {
        let mut at = anchor;
        let (mut directories, mut anchors) = (Vec::new(), Vec::new());
        for tree in trees {
            tree.laid.anchor(at / SECTOR)?;
            at += tree.laid.anchors_len();
            directories.append(&mut tree.area);
            directories.extend(tree.laid.directories(&tree.parsed.hierarchy)?);
            anchors.extend(tree.laid.anchors(&tree.parsed.hierarchy)?);
            tree.laid.describe(&mut tree.parsed.volume.descriptor)?;
        }
        for (offset, bytes) in [(offset, directories), (anchor, anchors)] {
            self.parts.push(Part {
                offset,
                len: bytes.len() as u64,
                piece: Piece::Trees(bytes),
            });
        }
        Ok(())
    }

    /// Fixes everything outside of the tail, now that its length is known.
    fn settle<R: Read + Seek>(
        &mut self,
        image: &mut Image<R>,
        mut point: Insertion,
        trees: Vec<Rewritten>,
    ) -> Result<()> {
        point.len = self.layout.tail_len;
        self.layout.size = self.base_len.max(point.at) + point.len;
        self.patch_system_area(image, &point)?;
        for mut volume in trees.into_iter().map(|tree| tree.parsed.volume) {
            let end = volume.end().max(point.at);
            let sectors = (end + point.len) / SECTOR - volume.start;
            let sectors = u32::try_from(sectors).context("the image would be larger than 8 TiB")?;
            volume.descriptor.volume_space_size.set(sectors);
            let bytes = bytemuck::bytes_of(&volume.descriptor).to_vec();
            self.patches.push((volume.lba * SECTOR, bytes));
        }
        if let Some(catalog) = &image.catalog {
            let mut sector = image.source.sector(catalog.lba, "the boot catalog")?;
            catalog.shift(&mut sector, point.at, point.len)?;
            self.patches.push((catalog.lba * SECTOR, sector.to_vec()));
        }
        self.patches.sort_by_key(|(offset, _)| *offset);
        self.check_patches(image.name())
    }

    /// MBR, GPT and Apple's map.
    fn patch_system_area<R: Read + Seek>(
        &mut self,
        image: &mut Image<R>,
        point: &Insertion,
    ) -> Result<()> {
        let len = SYSTEM_AREA.min(self.base_len);
        let mut area = image.source.read(0, len, "the system area")?;
        if let Some(mbr) = &image.mbr {
            mbr.shift(&mut area, point)?;
        }
        if let Some(apm) = &image.apm {
            apm.shift(&mut area, point)?;
        }
        if let Some(gpt) = image.sound_gpt()? {
            if gpt.backup.block * crate::boot::BLOCK < point.at {
                bail!(
                    "{}: the backup GPT at block {} stands among the files: such a base is not \
                     supported",
                    image.name(),
                    gpt.backup.block
                );
            }
            for (offset, bytes) in gpt.primary.shifted(point)? {
                let place = offset as usize..offset as usize + bytes.len();
                match area.get_mut(place) {
                    Some(field) => field.copy_from_slice(&bytes),
                    None => bail!(
                        "{}: the partition array lies outside of the first 32 KiB, at byte {offset}: \
                         such a base is not supported",
                        image.name()
                    ),
                }
            }
            self.patches.extend(gpt.backup.shifted(point)?);
        }
        self.patches.push((0, area));
        Ok(())
    }

    /// No patch may touch another, the tail, or what is not there.
    fn check_patches(&self, name: &str) -> Result<()> {
        let layout = &self.layout;
        let tail = layout.tail_start..layout.tail_start + layout.tail_len;
        let mut last = 0;
        for (offset, bytes) in &self.patches {
            let end = offset + bytes.len() as u64;
            let in_tail = *offset < tail.end && end > tail.start;
            if *offset < last || in_tail || end > layout.size {
                bail!(
                    "{name}: partition tables, volume descriptors and boot catalog overlap each \
                     other or the files at byte {offset}: such a base is not supported"
                );
            }
            last = end;
        }
        Ok(())
    }
}

fn read_checksums<R: Read + Seek>(image: &mut Image<R>) -> Result<Option<Checksums>> {
    match image.read(CHECKSUMS, MAX_CHECKSUMS)? {
        Some(bytes) => {
            let place = format!("in {}", image.name());
            Ok(Some(Checksums::parse(&bytes).context(place)?))
        }
        None => Ok(None),
    }
}

/// A tree with the files in it.
struct Rewritten {
    parsed: ParsedTree,
    /// Its continuation areas, whole sectors.
    area: Vec<u8>,
    laid: Laid,
}

impl Rewritten {
    /// Puts the files into one tree and lays it out from `lba` on:
    /// continuation areas, then directories.
    fn new<'a, 't: 'a>(
        mut parsed: ParsedTree,
        files: impl Iterator<Item = &'a Placed<'t>>,
        lba: u64,
        replaced: &mut Replaced,
    ) -> Result<Self> {
        let (kind, start) = (parsed.volume.kind, parsed.volume.start);
        let descriptor = &parsed.volume.descriptor;
        let root_time = descriptor.root.header.date_time;
        let stamp = Stamp {
            time: creation_time(&descriptor.creation_date, root_time),
            rock_ridge: parsed.hierarchy.rock_ridge,
        };
        let mut graft = Graft::new(&mut parsed.hierarchy, kind, start, stamp, lba)?;
        for file in files {
            graft.put(file, replaced)?;
        }
        let mut area = std::mem::take(&mut graft.area.bytes);
        area.resize(area.len().next_multiple_of(SECTOR as usize), 0);
        let behind = lba + area.len() as u64 / SECTOR;
        let laid = Laid::out(&mut parsed.hierarchy, kind, start, behind)?;
        Ok(Self { parsed, area, laid })
    }
}

/// The MD5 of an empty file.
pub(crate) fn md5_of_nothing() -> [u8; 16] {
    use md5::Digest as _;
    md5::Md5::digest([]).into()
}
