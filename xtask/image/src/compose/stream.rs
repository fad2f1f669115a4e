//! The plain way to make an image: from any reader into any writer, one byte
//! after the other. The ground truth for the faster ways.

use std::io::{Read, Seek, Write};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

use super::payload::Reader;
use super::span::{Span, overlay, spans};
use crate::layout::{Checksums, Piece, Plan};
use crate::{Image, Layout, Tree};

const CHUNK: u64 = 256 << 10;

/// Composes `tree` onto `image` and writes the result; returns its layout and
/// its SHA-256.
///
/// # Errors
///
/// When the tree does not fit the base, the base is not supported, or bytes
/// cannot be read or written.
pub fn compose_stream<R: Read + Seek, W: Write>(
    image: &mut Image<R>,
    tree: &Tree,
    out: &mut W,
) -> Result<(Layout, [u8; 32])> {
    let plan = Plan::new(image, tree)?;
    let mut sink = Sink {
        out,
        hash: Sha256::new(),
    };
    let mut sums = Vec::new();
    for span in spans(&plan) {
        match span {
            Span::Zero { len, .. } => sink.zeros(len)?,
            Span::Base { from, at, len } => base(image, &plan, &mut sink, (from, at, len))?,
            Span::Part { index, len, .. } => {
                if let Some(part) = plan.parts.get(index) {
                    let list = matches!(part.piece, Piece::Checksums)
                        .then(|| final_list(plan.checksums.clone(), &sums));
                    let md5 = sink.part(Reader::open(part, list)?, part.len)?;
                    if let Piece::File {
                        path, listed: true, ..
                    } = part.piece
                    {
                        sums.push((path.to_string(), md5));
                    }
                    sink.zeros(len - part.len)?;
                }
            }
        }
    }
    Ok((plan.layout, sink.hash.finalize().into()))
}

/// The checksum list with the new files' MD5s.
pub(super) fn final_list(list: Option<Checksums>, sums: &[(String, [u8; 16])]) -> Vec<u8> {
    let mut list = list.unwrap_or_default();
    list.update(sums.iter().cloned());
    list.render()
}

struct Sink<'w, W> {
    out: &'w mut W,
    hash: Sha256,
}

impl<W: Write> Sink<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes).context("writing the image")
    }

    fn zeros(&mut self, mut len: u64) -> Result<()> {
        let zeros = [0; 4096];
        while len > 0 {
            let now = len.min(zeros.len() as u64);
            self.write(zeros.get(..now as usize).unwrap_or(&zeros))?;
            len -= now;
        }
        Ok(())
    }

    fn part(&mut self, mut reader: Reader<'_>, len: u64) -> Result<[u8; 16]> {
        use md5::Digest as _;
        let mut md5 = md5::Md5::new();
        let mut left = len;
        let mut buffer = Vec::new();
        while left > 0 {
            buffer.resize(CHUNK.min(left) as usize, 0);
            reader.fill(&mut buffer)?;
            md5.update(&buffer);
            self.write(&buffer)?;
            left -= buffer.len() as u64;
        }
        reader.finish()?;
        Ok(md5.finalize().into())
    }
}

fn base<R: Read + Seek, W: Write>(
    image: &mut Image<R>,
    plan: &Plan<'_>,
    sink: &mut Sink<'_, W>,
    (from, at, len): (u64, u64, u64),
) -> Result<()> {
    let mut buffer = Vec::new();
    let mut done = 0;
    while done < len {
        buffer.resize(CHUNK.min(len - done) as usize, 0);
        image
            .source
            .read_into(from + done, &mut buffer, "the base")?;
        overlay(&plan.patches, at + done, &mut buffer);
        sink.write(&buffer)?;
        done += buffer.len() as u64;
    }
    Ok(())
}
