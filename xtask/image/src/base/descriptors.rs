//! Volume descriptor sets: ECMA-119 8.4 and 8.5, Joliet 1.0, El Torito 2.0.
//!
//! An image written with a partition offset has two sets: one at sector 16,
//! whose extents count from the image's start, and one 16 sectors into its
//! first partition, whose extents count from that partition's start.

use std::io::{Read, Seek};

use anyhow::{Result, bail};
use hadris_iso_raw::{
    PrimaryVolumeDescriptor, SupplementaryVolumeDescriptor, VolumeDescriptor,
    VolumeDescriptorHeader,
};

use super::{SECTOR, Source};

/// Where the first descriptor of a set lies, from the start its extents count
/// from (ECMA-119 6.2.1: the system area is 16 sectors).
const DESCRIPTOR_START: u64 = 16;
/// No writer makes more descriptors in one set.
const MAX_DESCRIPTORS: u64 = 16;

/// One set of volume descriptors.
#[derive(Debug, Clone)]
pub(crate) struct DescriptorSet {
    /// The sector that the set's extents count from.
    pub(crate) start: u64,
    /// The volumes: the primary one first.
    pub(crate) volumes: Vec<Volume>,
    /// The boot catalog's sector, counted from the image's start.
    pub(crate) boot_catalog: Option<u64>,
    /// The sector behind the set's terminator.
    pub(crate) end: u64,
}

/// One descriptor that leads to a directory tree.
#[derive(Debug, Clone)]
pub(crate) struct Volume {
    pub(crate) kind: VolumeKind,
    /// The sector that extents count from.
    pub(crate) start: u64,
    /// The descriptor's own sector.
    pub(crate) lba: u64,
    /// The descriptor. A supplementary one has the same layout but for the
    /// fields that a rewrite leaves alone.
    pub(crate) descriptor: PrimaryVolumeDescriptor,
}

/// Which names a tree uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum VolumeKind {
    /// ISO 9660, with Rock Ridge or without.
    Primary,
    /// Joliet.
    Joliet,
}

impl Volume {
    /// The place in words, for messages.
    pub(crate) fn label(&self) -> String {
        let names = match self.kind {
            VolumeKind::Primary => "ISO 9660",
            VolumeKind::Joliet => "Joliet",
        };
        format!("the {names} tree of the descriptor at sector {}", self.lba)
    }

    /// The volume's end in bytes, counted from the image's start.
    pub(crate) fn end(&self) -> u64 {
        (self.start + u64::from(self.descriptor.volume_space_size.get())) * SECTOR
    }
}

/// Reads the set at sector 16 and those at the start of the given partitions
/// (sectors of 2048 bytes).
pub(crate) fn read_sets<R: Read + Seek>(
    source: &mut Source<R>,
    partition_starts: &[u64],
) -> Result<Vec<DescriptorSet>> {
    let mut sets = vec![read_set(source, 0)?];
    for &start in partition_starts {
        let first = start.saturating_add(DESCRIPTOR_START);
        if start == 0 || first.saturating_mul(SECTOR) + SECTOR > source.len() {
            continue;
        }
        let sector = source.sector(first, "a volume descriptor")?;
        // A partition may hold anything; only a primary descriptor is a claim.
        if sector.starts_with(b"\x01CD001\x01") && !sets.iter().any(|set| set.start == start) {
            sets.push(read_set(source, start)?);
        }
    }
    Ok(sets)
}

fn read_set<R: Read + Seek>(source: &mut Source<R>, start: u64) -> Result<DescriptorSet> {
    let mut set = DescriptorSet {
        start,
        volumes: Vec::new(),
        boot_catalog: None,
        end: 0,
    };
    for lba in (start + DESCRIPTOR_START..).take(MAX_DESCRIPTORS as usize) {
        let bytes = source.sector(lba, "a volume descriptor")?;
        let descriptor = VolumeDescriptor::from_bytes(bytes);
        if !descriptor.header().is_valid() {
            bail!(
                "reading the volume descriptors of {}: sector {lba} does not begin with CD001: \
                 this is no ISO 9660 image, or it is damaged",
                source.name()
            );
        }
        if take_descriptor(&mut set, lba, descriptor, source.name())? {
            set.end = lba + 1;
            refuse_udf(source, set.end)?;
            return checked(set, source.name());
        }
    }
    bail!(
        "reading the volume descriptors of {}: no terminator within {MAX_DESCRIPTORS} sectors from \
         sector {}",
        source.name(),
        start + DESCRIPTOR_START
    )
}

/// Notes a descriptor; true at the set's terminator.
fn take_descriptor(
    set: &mut DescriptorSet,
    lba: u64,
    descriptor: VolumeDescriptor,
    name: &str,
) -> Result<bool> {
    match descriptor {
        VolumeDescriptor::Primary(primary) => push(set, lba, VolumeKind::Primary, primary, name)?,
        VolumeDescriptor::Supplementary(second) => {
            if second.joliet_level().is_none() {
                bail!(
                    "{name} has a supplementary volume descriptor at sector {lba} that is not \
                     Joliet: its tree would keep the old files, so such a base is not supported"
                );
            }
            let same_layout = as_primary(&second);
            push(set, lba, VolumeKind::Joliet, same_layout, name)?;
        }
        VolumeDescriptor::BootRecord(record) if record.is_el_torito() => {
            set.boot_catalog = Some(set.start + u64::from(record.catalog_ptr.get()));
        }
        VolumeDescriptor::BootRecord(_) | VolumeDescriptor::Other(_) => bail!(
            "{name} has a volume descriptor of an unknown kind at sector {lba}: it may name places \
             that move, so such a base is not supported"
        ),
        VolumeDescriptor::Terminator(_) => return Ok(true),
    }
    Ok(false)
}

fn as_primary(second: &SupplementaryVolumeDescriptor) -> PrimaryVolumeDescriptor {
    bytemuck::cast(*second)
}

fn push(
    set: &mut DescriptorSet,
    lba: u64,
    kind: VolumeKind,
    descriptor: PrimaryVolumeDescriptor,
    name: &str,
) -> Result<()> {
    let block = descriptor.logical_block_size.get();
    if u64::from(block) != SECTOR {
        bail!(
            "{name}: the volume descriptor at sector {lba} has blocks of {block} bytes; only \
             {SECTOR} is supported"
        );
    }
    if set.volumes.iter().any(|volume| volume.kind == kind) {
        bail!("{name}: the volume descriptor at sector {lba} is the second of its kind");
    }
    set.volumes.push(Volume {
        kind,
        start: set.start,
        lba,
        descriptor,
    });
    Ok(())
}

fn checked(set: DescriptorSet, name: &str) -> Result<DescriptorSet> {
    match set.volumes.first() {
        Some(first) if first.kind == VolumeKind::Primary => Ok(set),
        _ => bail!(
            "{name}: the volume descriptors at sector {} do not begin with a primary one",
            set.start + DESCRIPTOR_START
        ),
    }
}

/// A UDF bridge has a second file system that would go on showing the old
/// files (ECMA-167 2/9.1: its recognition sequence follows the terminator).
fn refuse_udf<R: Read + Seek>(source: &mut Source<R>, after: u64) -> Result<()> {
    if after.saturating_mul(SECTOR) + SECTOR > source.len() {
        return Ok(());
    }
    let sector = source.sector(after, "the sector behind the volume descriptors")?;
    if sector.get(1..6) == Some(b"BEA01") {
        bail!(
            "{} is a UDF bridge (sector {after}): its UDF tree would go on showing the old files, \
             so such a base is not supported",
            source.name()
        );
    }
    Ok(())
}

const _: () = assert!(size_of::<VolumeDescriptorHeader>() == 7);
