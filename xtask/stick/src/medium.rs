//! What is written to, as the writing sees it: a real disk is [`crate::Stick`], and a test may
//! bring one that lies or breaks.

use std::io;

/// Something with sectors. Places and lengths are multiples of its sector, and memory is
/// aligned to 4096 bytes.
pub trait Medium: Sync {
    /// What messages call it.
    fn name(&self) -> &str;
    /// The size that it claims, in bytes.
    fn size(&self) -> u64;
    /// The least that is read or written at once, in bytes.
    fn sector(&self) -> u64;
    /// Fills the buffer from the medium itself and not from a cache of the system.
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;
    /// Writes all of the buffer.
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn write_at(&self, buffer: &[u8], at: u64) -> io::Result<()>;
    /// Returns when everything written has left the caches, the medium's own too.
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn flush(&self) -> io::Result<()>;
    /// Asked after an error: what became of it.
    fn condition(&self) -> Condition;
}

/// What became of a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It is there.
    Present,
    /// It is there, and can no longer be written to.
    ReadOnly,
    /// It was pulled, or fell off its bus.
    Gone,
}
