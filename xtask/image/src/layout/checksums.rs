//! `md5sum.txt`, the list that Ubuntu's casper-md5check holds the image
//! against at boot: a line a file, `<md5>  ./<path>`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use crate::{Entry, ImagePath};

/// Where the list lies.
pub(crate) const CHECKSUMS: &str = "md5sum.txt";
/// The list never names itself, nor what changes while an image is made.
const UNLISTED: [&str; 3] = [CHECKSUMS, "boot.catalog", "boot/grub/i386-pc/eltorito.img"];
/// The length of an MD5 in hexadecimal.
const HEX: usize = 32;

/// A list as it was read: its lines in order, by place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checksums {
    lines: Vec<Line>,
    /// Paths that are new, in order.
    added: BTreeMap<String, [u8; 16]>,
    sorted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    md5: [u8; 16],
    path: String,
}

impl Checksums {
    /// Reads a list.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).context("reading md5sum.txt: it is not UTF-8")?;
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let Some(line) = parse_line(line) else {
                bail!(
                    "reading md5sum.txt: line {} is not `<md5>  ./<path>`",
                    number + 1
                );
            };
            lines.push(line);
        }
        let sorted = lines.is_sorted_by(|a, b| a.path < b.path);
        Ok(Self {
            lines,
            added: BTreeMap::new(),
            sorted,
        })
    }

    /// Whether a file of this path belongs on the list.
    pub(crate) fn lists(path: &ImagePath) -> bool {
        !UNLISTED.contains(&path.as_str())
    }

    /// Whether a file of the tree gets a line: where it asks for one, or takes the place of a
    /// file that has one.
    pub(crate) fn takes(&self, path: &ImagePath, entry: &Entry) -> bool {
        let has = || self.lines.iter().any(|line| line.path == path.as_str());
        Self::lists(path) && (entry.listed || has())
    }

    /// The listed files: path and MD5.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, [u8; 16])> {
        self.lines.iter().map(|line| (line.path.as_str(), line.md5))
    }

    /// Puts the new MD5s in: in its line where the path is listed, else as a
    /// new line. Where the list was sorted it stays so; else new lines follow
    /// the old in the order of their paths.
    pub(crate) fn update(&mut self, new: impl IntoIterator<Item = (String, [u8; 16])>) {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (index, line) in self.lines.iter().enumerate() {
            places.insert(line.path.clone(), index);
        }
        for (path, md5) in new {
            match places
                .get(&path)
                .and_then(|&index| self.lines.get_mut(index))
            {
                Some(line) => line.md5 = md5,
                None => {
                    self.added.insert(path, md5);
                }
            }
        }
        let added = std::mem::take(&mut self.added);
        let added = added.into_iter().map(|(path, md5)| Line { md5, path });
        self.lines.extend(added);
        if self.sorted {
            self.lines.sort_by(|a, b| a.path.cmp(&b.path));
        }
    }

    /// Removes a path from the list: a link has no checksum.
    pub(crate) fn remove(&mut self, path: &str) {
        self.lines.retain(|line| line.path != path);
    }

    /// The list as text.
    pub(crate) fn render(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for line in &self.lines {
            out.extend_from_slice(hex::encode(line.md5).as_bytes());
            out.extend_from_slice(b"  ./");
            out.extend_from_slice(line.path.as_bytes());
            out.push(b'\n');
        }
        out
    }
}

fn parse_line(line: &str) -> Option<Line> {
    let (md5, rest) = line.split_at_checked(HEX)?;
    let mut sum = [0; 16];
    hex::decode_to_slice(md5, &mut sum).ok()?;
    let path = rest
        .strip_prefix("  ")
        .or_else(|| rest.strip_prefix(" *"))?;
    let path = path.strip_prefix("./").unwrap_or(path);
    (!path.is_empty()).then(|| Line {
        md5: sum,
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "d41d8cd98f00b204e9800998ecf8427e  ./b\n";
    const B: &str = "0cc175b9c0f1b6a831c399e269772661  ./casper/initrd\n";

    #[test]
    fn lines_are_replaced_and_added_in_order() {
        let mut list = Checksums::parse(format!("{A}{B}").as_bytes()).unwrap();
        list.update([
            ("b".into(), [0xAA; 16]),
            ("a".into(), [1; 16]),
            ("c".into(), [2; 16]),
        ]);
        let text = String::from_utf8(list.render()).unwrap();
        let paths: Vec<&str> = text.lines().map(|line| &line[34..]).collect();
        assert_eq!(paths, ["./a", "./b", "./c", "./casper/initrd"]);
        assert!(text.contains(&format!("{}  ./b", "aa".repeat(16))));
    }

    #[test]
    fn an_unsorted_list_keeps_its_order() {
        let mut list = Checksums::parse(format!("{B}{A}").as_bytes()).unwrap();
        list.update([("a".into(), [1; 16])]);
        let text = String::from_utf8(list.render()).unwrap();
        let paths: Vec<&str> = text.lines().map(|line| &line[34..]).collect();
        assert_eq!(paths, ["./casper/initrd", "./b", "./a"]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["x", "zz1d8cd98f00b204e9800998ecf8427e  ./b", "\u{ff}"] {
            assert!(Checksums::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Checksums::parse(&[0xFF]).is_err());
    }
}
