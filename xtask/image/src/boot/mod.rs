//! What firmware reads to boot the image: partition tables and boot catalog.

mod apm;
mod eltorito;
mod gpt;
mod info_table;
mod insertion;
mod mbr;

pub(crate) use apm::Apm;
pub use eltorito::BootEntry;
pub(crate) use eltorito::Catalog;
pub use gpt::{Gpt, GptPartition};
pub(crate) use gpt::{GptCopies, GptCopy, read_gpt};
pub(crate) use info_table::{InfoTable, check_info_table};
pub(crate) use insertion::Insertion;
pub(crate) use mbr::{Mbr, MbrEntry};

/// The length of a block in MBR, GPT and El Torito sizes, in bytes.
pub(crate) const BLOCK: u64 = 512;
