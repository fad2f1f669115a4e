//! Writing a directory tree anew: directories (ECMA-119 6.8) and path tables
//! (ECMA-119 6.9, 9.4).

use std::cmp::Ordering;

use anyhow::{Context, Result, bail};
use hadris_iso_raw::{PathTableHeader, PrimaryVolumeDescriptor};

use super::graft::tree_lba;
use crate::SECTOR;
use crate::base::{Child, Dir, Hierarchy, Node, VolumeKind, set_record_extent};

/// A tree whose directories have their places.
///
/// It comes in two pieces: the directories but for the root, and the
/// *anchors*, which the volume descriptor names: both path tables and the root.
/// The anchors go to the tail's end, so that the descriptor stays the same as
/// long as no directory comes or goes.
pub(crate) struct Laid {
    start: u64,
    order: Vec<usize>,
    /// By the directory's index: its sector as the tree counts, its bytes.
    places: Vec<(u32, u32)>,
    table_len: usize,
    directory_sectors: u64,
    little: u32,
    big: u32,
}

impl Laid {
    /// Gives the tree's directories their places from the sector `lba` on, but
    /// for the root. `start` is the sector that its extents count from.
    pub(crate) fn out(
        tree: &mut Hierarchy,
        kind: VolumeKind,
        start: u64,
        lba: u64,
    ) -> Result<Self> {
        for dir in &mut tree.dirs {
            dir.children
                .sort_by(|a, b| compare_ids(kind, a.id(), b.id()));
        }
        let order = path_table_order(tree)?;
        let mut laid = Self {
            start,
            places: vec![(0, 0); tree.dirs.len()],
            table_len: order.iter().map(|&dir| table_record_len(tree, dir)).sum(),
            order,
            directory_sectors: 0,
            little: 0,
            big: 0,
        };
        laid.place_directories(tree, lba)?;
        Ok(laid)
    }

    fn place_directories(&mut self, tree: &Hierarchy, lba: u64) -> Result<()> {
        for &index in &self.order {
            let (Some(dir), Some(place)) = (tree.dirs.get(index), self.places.get_mut(index))
            else {
                continue;
            };
            let len = directory_len(dir);
            place.1 = u32::try_from(len).context("a directory is larger than 4 GiB")?;
            if index != 0 {
                place.0 = tree_lba(lba + self.directory_sectors, self.start)?;
                self.directory_sectors += len / SECTOR;
            }
        }
        Ok(())
    }

    /// The length of the directories but for the root, in bytes.
    pub(crate) fn directories_len(&self) -> u64 {
        self.directory_sectors * SECTOR
    }

    fn table_sectors(&self) -> u64 {
        (self.table_len as u64).div_ceil(SECTOR)
    }

    /// The length of the anchors in bytes.
    pub(crate) fn anchors_len(&self) -> u64 {
        let root = self.places.first().map_or(0, |place| u64::from(place.1));
        2 * self.table_sectors() * SECTOR + root
    }

    /// Gives the anchors their place.
    pub(crate) fn anchor(&mut self, lba: u64) -> Result<()> {
        let sectors = self.table_sectors();
        self.little = tree_lba(lba, self.start)?;
        self.big = tree_lba(lba + sectors, self.start)?;
        if let Some(root) = self.places.first_mut() {
            root.0 = tree_lba(lba + 2 * sectors, self.start)?;
        }
        Ok(())
    }

    /// Puts the new places into the volume's descriptor.
    pub(crate) fn describe(&self, descriptor: &mut PrimaryVolumeDescriptor) -> Result<()> {
        let len = u32::try_from(self.table_len).context("a path table is larger than 4 GiB")?;
        let root = self.places.first().copied().unwrap_or_default();
        descriptor.path_table_size.set(len);
        descriptor.type_l_path_table.set(self.little);
        descriptor.type_m_path_table.set(self.big);
        // The optional second copies would lie in the base, with old places.
        descriptor.opt_type_l_path_table.set(0);
        descriptor.opt_type_m_path_table.set(0);
        descriptor.root.header.extent.set(root.0);
        descriptor.root.header.data_len.set(root.1);
        Ok(())
    }

    /// The bytes of all directories but the root.
    pub(crate) fn directories(&self, tree: &Hierarchy) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for &dir in self.order.iter().filter(|&&dir| dir != 0) {
            write_directory(&mut out, tree, dir, &self.places)?;
        }
        Ok(out)
    }

    /// The bytes of path tables and root.
    pub(crate) fn anchors(&self, tree: &Hierarchy) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for big in [false, true] {
            write_path_table(&mut out, tree, &self.order, &self.places, big)?;
            pad(&mut out);
        }
        write_directory(&mut out, tree, 0, &self.places)?;
        Ok(out)
    }
}

/// The order of two names in a directory (ECMA-119 9.3): by name, then by
/// extension, each filled up with spaces, then by version from the highest.
fn compare_ids(kind: VolumeKind, a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (Id::split(kind, a), Id::split(kind, b));
    padded(&a.name, &b.name)
        .then_with(|| padded(&a.extension, &b.extension))
        .then_with(|| b.version.cmp(&a.version))
}

struct Id {
    name: Vec<u16>,
    extension: Vec<u16>,
    version: Vec<u16>,
}

impl Id {
    fn split(kind: VolumeKind, id: &[u8]) -> Self {
        let units: Vec<u16> = match kind {
            VolumeKind::Primary => id.iter().map(|&byte| u16::from(byte)).collect(),
            VolumeKind::Joliet => id
                .chunks(2)
                .map(|pair| {
                    pair.iter()
                        .fold(0, |unit, &byte| unit << 8 | u16::from(byte))
                })
                .collect(),
        };
        let (rest, version) = cut(&units, b';');
        let (name, extension) = cut(&rest, b'.');
        Self {
            name,
            extension,
            version,
        }
    }
}

fn cut(units: &[u16], at: u8) -> (Vec<u16>, Vec<u16>) {
    match units.iter().position(|&unit| unit == u16::from(at)) {
        Some(place) => (
            units.get(..place).unwrap_or_default().to_vec(),
            units.get(place + 1..).unwrap_or_default().to_vec(),
        ),
        None => (units.to_vec(), Vec::new()),
    }
}

fn padded(a: &[u16], b: &[u16]) -> Ordering {
    let len = a.len().max(b.len());
    let space = u16::from(b' ');
    let fill = std::iter::repeat(&space);
    let a = a.iter().chain(fill.clone()).take(len);
    a.cmp(b.iter().chain(fill).take(len))
}

/// Directories by level, by their parent's place, by name (ECMA-119 6.9.1).
fn path_table_order(tree: &Hierarchy) -> Result<Vec<usize>> {
    let mut order = vec![0];
    let mut next = 0;
    while let Some(&dir) = order.get(next) {
        next += 1;
        let children = tree.dirs.get(dir).map(|dir| dir.children.as_slice());
        for child in children.unwrap_or_default() {
            if let Node::Dir(index) = child.node {
                order.push(index);
            }
        }
    }
    if order.len() > usize::from(u16::MAX) {
        bail!(
            "{} directories are more than a path table can number (ECMA-119 9.4.4: {})",
            order.len(),
            u16::MAX
        );
    }
    Ok(order)
}

fn table_record_len(tree: &Hierarchy, dir: usize) -> usize {
    let id = tree.dirs.get(dir).map_or(1, |dir| dir.id.len());
    (8 + id).next_multiple_of(2)
}

fn directory_len(dir: &Dir) -> u64 {
    let mut len = 0;
    let children = dir.children.iter().flat_map(|child| &child.records);
    for record in [&dir.dot, &dir.dotdot].into_iter().chain(children) {
        len += gap(len, record.len() as u64) + record.len() as u64;
    }
    len.next_multiple_of(SECTOR)
}

/// The filling before a record: none may cross a sector's end (ECMA-119
/// 6.8.1.1).
fn gap(used: u64, record: u64) -> u64 {
    let left = SECTOR - used % SECTOR;
    if record > left { left } else { 0 }
}

fn write_path_table(
    out: &mut Vec<u8>,
    tree: &Hierarchy,
    order: &[usize],
    places: &[(u32, u32)],
    big: bool,
) -> Result<()> {
    let mut numbers = vec![1_u16; tree.dirs.len()];
    for (position, &index) in order.iter().enumerate() {
        if let Some(number) = numbers.get_mut(index) {
            *number = u16::try_from(position + 1).context("numbering the directories")?;
        }
    }
    for &index in order {
        let Some(dir) = tree.dirs.get(index) else {
            continue;
        };
        let parent = numbers.get(dir.parent).copied().unwrap_or(1);
        let extent = places.get(index).map_or(0, |place| place.0);
        let len = u8::try_from(dir.id.len()).context("a directory's name")?;
        let header = if big {
            PathTableHeader::big(len, extent, parent)
        } else {
            PathTableHeader::little(len, extent, parent)
        };
        out.extend_from_slice(bytemuck::bytes_of(&header));
        out.extend_from_slice(&dir.id);
        if dir.id.len() % 2 == 1 {
            out.push(0);
        }
    }
    Ok(())
}

fn write_directory(
    out: &mut Vec<u8>,
    tree: &Hierarchy,
    index: usize,
    places: &[(u32, u32)],
) -> Result<()> {
    let Some(dir) = tree.dirs.get(index) else {
        return Ok(());
    };
    let own = places.get(index).copied().unwrap_or_default();
    let parent = places.get(dir.parent).copied().unwrap_or_default();
    put(out, &moved(&dir.dot, own));
    put(out, &moved(&dir.dotdot, parent));
    for child in &dir.children {
        match child.node {
            Node::Dir(below) => {
                let place = places.get(below).copied().unwrap_or_default();
                put_child_dir(out, child, place)?;
            }
            _ => child.records.iter().for_each(|record| put(out, record)),
        }
    }
    pad(out);
    Ok(())
}

fn put_child_dir(out: &mut Vec<u8>, child: &Child, place: (u32, u32)) -> Result<()> {
    match child.records.as_slice() {
        [record] => put(out, &moved(record, place)),
        _ => bail!("the directory {:?} has several records", child.name),
    }
    Ok(())
}

fn moved(record: &[u8], (lba, len): (u32, u32)) -> Vec<u8> {
    let mut record = record.to_vec();
    set_record_extent(&mut record, lba, len);
    record
}

fn put(out: &mut Vec<u8>, record: &[u8]) {
    let fill = gap(out.len() as u64, record.len() as u64);
    out.resize(out.len() + fill as usize, 0);
    out.extend_from_slice(record);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(SECTOR as usize), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_name_then_extension() {
        let sorted = |ids: &[&[u8]]| {
            ids.is_sorted_by(|a, b| compare_ids(VolumeKind::Primary, a, b) == Ordering::Less)
        };
        assert!(sorted(&[
            b"A.;1", b"A.B;1", b"AA.;1", b"B", b"B.A;2", b"B.A;1"
        ]));
        // The space that fills `A` up is lower than `-`, the dot is not.
        assert!(sorted(&[b"A.X;1", b"A-B.X;1"]));
    }

    #[test]
    fn records_never_cross_a_sector() {
        assert_eq!(gap(0, 2048), 0);
        assert_eq!(gap(2000, 48), 0);
        assert_eq!(gap(2000, 50), 48);
        assert_eq!(gap(2048, 50), 0);
    }
}
