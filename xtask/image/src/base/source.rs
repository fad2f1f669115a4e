//! Bounded reads from an image: no read goes beyond its end, no buffer is
//! larger than what is there, and every error names the image and the place.

use std::io::{Read, Seek, SeekFrom};

use anyhow::{Context, Result, bail};

use super::{Extent, SECTOR};

/// An image that can be read at any place.
#[derive(Debug)]
pub(crate) struct Source<R> {
    inner: R,
    name: String,
    len: u64,
}

impl<R: Read + Seek> Source<R> {
    pub(crate) fn new(mut inner: R, name: &str) -> Result<Self> {
        let len = inner
            .seek(SeekFrom::End(0))
            .with_context(|| format!("finding the size of {name}"))?;
        Ok(Self {
            inner,
            name: name.to_owned(),
            len,
        })
    }

    /// What to call the image in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The image's size in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` from `offset` on. `what` names the bytes in errors.
    pub(crate) fn read_into(&mut self, offset: u64, buffer: &mut [u8], what: &str) -> Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        if end > self.len {
            bail!(
                "reading {what} of {} at sector {}: {} bytes from offset {offset} go beyond the \
                 image's end at {}: the file is truncated or damaged",
                self.name,
                offset / SECTOR,
                buffer.len(),
                self.len
            );
        }
        self.inner
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.inner.read_exact(buffer))
            .with_context(|| {
                format!(
                    "reading {what} of {} at sector {}",
                    self.name,
                    offset / SECTOR
                )
            })
    }

    /// Reads `len` bytes from `offset` on.
    pub(crate) fn read(&mut self, offset: u64, len: u64, what: &str) -> Result<Vec<u8>> {
        if offset.saturating_add(len) > self.len {
            // Before the buffer is made: the length is the image's own claim.
            bail!(
                "reading {what} of {} at sector {}: its {len} bytes go beyond the image's end at \
                 {}: the file is truncated or damaged",
                self.name,
                offset / SECTOR,
                self.len
            );
        }
        let mut buffer = vec![0; usize::try_from(len).context("a buffer beyond memory")?];
        self.read_into(offset, &mut buffer, what)?;
        Ok(buffer)
    }

    /// Reads one sector.
    pub(crate) fn sector(&mut self, lba: u64, what: &str) -> Result<[u8; SECTOR as usize]> {
        let mut sector = [0; SECTOR as usize];
        self.read_into(lba.saturating_mul(SECTOR), &mut sector, what)?;
        Ok(sector)
    }

    /// Refuses an extent that does not lie in the image.
    pub(crate) fn hold(&self, extent: Extent, what: &dyn std::fmt::Display) -> Result<()> {
        if extent.end() > self.len {
            bail!(
                "{}: {what} claims {} bytes from sector {} on, but the image ends in sector {}: \
                 the file is truncated or damaged",
                self.name,
                extent.len,
                extent.lba,
                self.len / SECTOR
            );
        }
        Ok(())
    }
}
