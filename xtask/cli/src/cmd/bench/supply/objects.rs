//! Objects to hash, compose and download: bytes that do not compress, the same in each run.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use lab_supply::Digest;

/// The file that lists them.
const LIST: &str = "objects";

/// An object that a measurement is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub(super) sha256: Digest,
    /// In bytes.
    pub(super) len: u64,
}

impl Listed {
    /// Those of a folder.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let text = fs::read_to_string(folder.join(LIST)).context("reading the list of objects")?;
        let parsed = text.lines().map(|line| {
            let (sha256, len) = line.split_once(' ').context("a line is DIGEST LENGTH")?;
            let (sha256, len) = (sha256.parse()?, len.parse()?);
            Ok(Self { sha256, len })
        });
        parsed.collect()
    }

    /// Lists these for the processes that are measured.
    pub(super) fn write(folder: &Path, all: &[Self]) -> anyhow::Result<()> {
        let line = |one: &Self| format!("{} {}\n", one.sha256, one.len);
        let text: String = all.iter().map(line).collect();
        fs::write(folder.join(LIST), text).context("writing the list of objects")
    }
}

/// `len` bytes that are a number's own: Marsaglia's xorshift64, "Xorshift RNGs" (2003).
pub(super) fn bytes(number: u64, len: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::new();
    for _ in 0..len.div_ceil(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
    bytes
}
