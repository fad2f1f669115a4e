//! The files of the image, before it is one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::fill;

/// The listing that casper's check reads; made while the tree is staged.
pub(crate) const MD5SUMS: &str = "md5sum.txt";

/// Files that the listing leaves out: it cannot hold itself, and the boot image is
/// patched when the image is written.
const UNLISTED: &[&str] = &[MD5SUMS, "boot.catalog", "boot/grub/i386-pc/eltorito.img"];

/// Where the bytes of a file come from.
pub(crate) enum Source {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A file on this machine.
    File(PathBuf),
    /// Pseudo-random bytes: the seed and how many.
    Fill(u64, u64),
    /// Zeros, with 4 KiB of pseudo-random bytes at every whole GiB and at the end.
    Sparse(u64, u64),
    /// A symbolic link to this target.
    Link(&'static str),
}

/// Files by their path on the image, without a leading slash.
#[derive(Default)]
pub(crate) struct Tree(BTreeMap<String, Source>);

impl Tree {
    /// Puts a file into the tree.
    pub(crate) fn add(&mut self, path: impl Into<String>, source: Source) {
        self.0.insert(path.into(), source);
    }

    /// Puts a file with these bytes into the tree.
    pub(crate) fn text(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.add(path, Source::Bytes(text.into().into_bytes()));
    }

    /// The paths of all regular files, and of the listing, by name.
    pub(crate) fn files(&self) -> Vec<&str> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .filter(|(_, source)| !matches!(source, Source::Link(_)))
            .map(|(path, _)| path.as_str())
            .chain([MD5SUMS])
            .collect();
        all.sort_unstable();
        all
    }

    /// Takes every path and what stands for its bytes into a digest.
    pub(crate) fn digest(&self, into: &mut Sha256) -> Result<()> {
        for (path, source) in &self.0 {
            let said = match source {
                Source::Bytes(bytes) => format!("bytes {}", hex::encode(Sha256::digest(bytes))),
                Source::File(file) => format!("bytes {}", file_sha256(file)?),
                Source::Fill(seed, length) => format!("fill {seed} {length}"),
                Source::Sparse(seed, length) => format!("sparse {seed} {length}"),
                Source::Link(target) => format!("link {target}"),
            };
            into.update(format!("{path}\0{said}\n"));
        }
        Ok(())
    }

    /// Writes the tree into `root`, and the listing of its MD5 sums with it.
    pub(crate) fn stage(&self, root: &Path) -> Result<()> {
        let mut listing = String::new();
        for (path, source) in &self.0 {
            let target = root.join(path);
            let sum = stage_one(source, &target).with_context(|| {
                format!("writing {path} of the stand-in to {}", target.display())
            })?;
            if let Some(sum) = sum.filter(|_| !UNLISTED.contains(&path.as_str())) {
                listing.push_str(&format!("{sum}  ./{path}\n"));
            }
        }
        fs::write(root.join(MD5SUMS), listing).context("writing the listing of MD5 sums")
    }
}

/// Writes one file and returns its MD5 sum, or a link, which has none.
fn stage_one(source: &Source, target: &Path) -> Result<Option<String>> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    if let Source::Link(to) = source {
        symlink(to, target)?;
        return Ok(None);
    }
    let mut to = Summed {
        to: BufWriter::new(File::create(target)?),
        sum: Md5::new(),
    };
    match source {
        Source::Bytes(bytes) => to.write_all(bytes)?,
        Source::File(path) => {
            let mut from =
                File::open(path).with_context(|| format!("opening {}", path.display()))?;
            io::copy(&mut from, &mut to)?;
        }
        Source::Fill(seed, length) => fill::write(&mut to, *seed, *length)?,
        Source::Sparse(seed, length) => sparse(&mut to, *seed, *length)?,
        Source::Link(_) => {}
    }
    to.to.flush()?;
    Ok(Some(hex::encode(to.sum.finalize())))
}

/// A file of `length` bytes, with holes where it is zero.
fn sparse(to: &mut Summed, seed: u64, length: u64) -> Result<()> {
    const GIB: u64 = 1 << 30;
    const MARK: u64 = 4096;
    let mut at = 0;
    while at < length {
        let mark = MARK.min(length - at);
        fill::write(&mut *to, seed ^ at, mark)?;
        let end = length.saturating_sub(MARK);
        let next = ((at / GIB + 1) * GIB).min(if at < end { end } else { length });
        to.hole(next.saturating_sub(at + mark))?;
        at = next.max(at + mark);
    }
    Ok(())
}

/// A file whose MD5 sum is made while it is written.
struct Summed {
    to: BufWriter<File>,
    sum: Md5,
}

impl Summed {
    /// Leaves `length` zeros unwritten.
    fn hole(&mut self, length: u64) -> io::Result<()> {
        let zeros = vec![0_u8; 1 << 16];
        let mut left = length;
        while left > 0 {
            let now = usize::try_from(left)
                .unwrap_or(zeros.len())
                .min(zeros.len());
            self.sum.update(zeros.get(..now).unwrap_or(&zeros));
            left -= now as u64;
        }
        let end = self.to.seek(SeekFrom::Current(
            i64::try_from(length).map_err(io::Error::other)?,
        ))?;
        let file = self.to.get_ref();
        file.set_len(end.max(file.metadata()?.len()))
    }
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sum.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn file_sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut sum = Sha256::new();
    let mut chunk = vec![0_u8; 1 << 18];
    loop {
        let got = file
            .read(&mut chunk)
            .with_context(|| format!("reading {}", path.display()))?;
        match chunk.get(..got) {
            Some(bytes) if got > 0 => sum.update(bytes),
            _ => return Ok(hex::encode(sum.finalize())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(source: &Source) -> (Vec<u8>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let sum = stage_one(source, &path).unwrap().unwrap();
        (fs::read(path).unwrap(), sum)
    }

    #[test]
    fn a_sparse_file_has_the_length_the_marks_and_the_sum_it_says() {
        for length in [0, 1, 4096, 4097, 9000, 3 << 20] {
            let (bytes, sum) = staged(&Source::Sparse(7, length));
            assert_eq!(bytes.len() as u64, length);
            assert_eq!(sum, hex::encode(Md5::digest(&bytes)), "length {length}");
            if length > 9000 {
                let tail = bytes.get(bytes.len() - 4096..).unwrap();
                assert!(tail.iter().any(|byte| *byte != 0), "the end is marked");
                assert!(bytes.get(4096..8192).unwrap().iter().all(|byte| *byte == 0));
            }
        }
    }

    #[test]
    fn the_listing_names_all_but_itself_and_what_is_patched() {
        let mut tree = Tree::default();
        tree.text("b", "bee\n");
        tree.text("a/c", "see\n");
        tree.text("boot/grub/i386-pc/eltorito.img", "patched later");
        tree.add("link", Source::Link("b"));
        let folder = tempfile::tempdir().unwrap();
        tree.stage(folder.path()).unwrap();
        let listing = fs::read_to_string(folder.path().join(MD5SUMS)).unwrap();
        let see = hex::encode(Md5::digest(b"see\n"));
        let bee = hex::encode(Md5::digest(b"bee\n"));
        assert_eq!(listing, format!("{see}  ./a/c\n{bee}  ./b\n"));
        assert_eq!(
            fs::read_link(folder.path().join("link")).unwrap(),
            Path::new("b")
        );
        assert_eq!(
            tree.files(),
            ["a/c", "b", "boot/grub/i386-pc/eltorito.img", MD5SUMS]
        );
    }

    #[test]
    fn the_digest_follows_paths_and_contents() {
        let digest = |path: &str, text: &str| {
            let mut tree = Tree::default();
            tree.text(path, text);
            let mut sum = Sha256::new();
            tree.digest(&mut sum).unwrap();
            sum.finalize()
        };
        assert_eq!(digest("a", "b"), digest("a", "b"));
        assert_ne!(digest("a", "b"), digest("a", "c"));
        assert_ne!(digest("a", "b"), digest("b", "b"));
    }
}
