//! Finding the place where new data goes in: behind all that a directory tree
//! needs, before what only partition tables and the boot catalog know.

use std::io::{Read, Seek};

use anyhow::{Result, bail};

use crate::boot::Insertion;
use crate::{Image, SECTOR};

/// The place, with no length yet.
pub(crate) fn insertion_point<R: Read + Seek>(image: &Image<R>) -> Result<Insertion> {
    let end = data_end(image);
    let at = things_behind(image, end)?
        .into_iter()
        .min()
        .unwrap_or_else(|| image.len().next_multiple_of(SECTOR));
    let hosts = image.sets.iter().map(|set| set.start * SECTOR).collect();
    Ok(Insertion { at, len: 0, hosts })
}

/// The byte behind all that the trees and their descriptors name.
fn data_end<R: Read + Seek>(image: &Image<R>) -> u64 {
    let trees = image.trees.iter().map(|tree| tree.hierarchy.data_end);
    let tables = image.trees.iter().map(|tree| {
        let descriptor = &tree.volume.descriptor;
        let sectors = u64::from(descriptor.path_table_size.get()).div_ceil(SECTOR);
        let starts = [
            descriptor.type_l_path_table.get(),
            descriptor.type_m_path_table.get(),
        ];
        let last = starts.into_iter().max().map_or(0, u64::from);
        (tree.volume.start + last + sectors) * SECTOR
    });
    let sets = image.sets.iter().map(|set| set.end * SECTOR);
    let catalog = image
        .catalog
        .iter()
        .map(|catalog| (catalog.lba + 1) * SECTOR);
    let ends = trees.chain(tables).chain(sets).chain(catalog);
    ends.max().unwrap_or(0)
}

/// Where things begin that lie behind the trees' data: appended partitions,
/// hidden boot images, the backup GPT.
fn things_behind<R: Read + Seek>(image: &Image<R>, end: u64) -> Result<Vec<u64>> {
    let mut starts = Vec::new();
    let entries = image.mbr.iter().flat_map(|mbr| &mbr.entries);
    starts.extend(entries.map(|entry| ("an MBR partition", entry.start_bytes())));
    if let Some(gpt) = image.sound_gpt()? {
        let parts = gpt.primary.partitions();
        starts.extend(
            parts
                .iter()
                .map(|part| ("a GPT partition", part.start_bytes())),
        );
        let table = gpt.backup.array_block.min(gpt.backup.block) * crate::boot::BLOCK;
        // The backup needs no alignment; the sector it begins in moves whole.
        starts.push(("the backup GPT", table / SECTOR * SECTOR));
    }
    let boot = image.catalog.iter().flat_map(|catalog| &catalog.entries);
    starts.extend(boot.map(|entry| ("a boot image", entry.lba * SECTOR)));
    starts.retain(|&(_, start)| start >= end && start < image.len());
    for (what, start) in &starts {
        if start % SECTOR != 0 {
            bail!(
                "{}: {what} begins at byte {start}, not at a sector of {SECTOR} bytes: such a base \
                 is not supported",
                image.name()
            );
        }
    }
    Ok(starts.into_iter().map(|(_, start)| start).collect())
}
