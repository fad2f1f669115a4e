//! Reading an image: its sectors, descriptors and directory trees.

mod descriptors;
mod hierarchy;
mod source;
mod susp;

pub(crate) use descriptors::{DescriptorSet, Volume, VolumeKind, read_sets};
pub(crate) use hierarchy::{Child, Dir, Hierarchy, Node, read_hierarchy};
pub(crate) use source::Source;
pub(crate) use susp::{RockRidge, set_record_extent};

/// The length of a logical sector in bytes (ECMA-119 6.1.2).
pub const SECTOR: u64 = 2048;

/// A run of bytes on the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent {
    /// The first sector, counted from the image's start, whatever the tree
    /// that names it counts from.
    pub lba: u64,
    /// The length in bytes.
    pub len: u64,
}

impl Extent {
    /// The offset of the first byte.
    pub fn start(&self) -> u64 {
        self.lba.saturating_mul(SECTOR)
    }

    /// The offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.start().saturating_add(self.len)
    }

    /// The offset behind the last sector it touches.
    pub(crate) fn sector_end(&self) -> u64 {
        self.end().div_ceil(SECTOR).saturating_mul(SECTOR)
    }
}
