//! What is on a disk before it is erased: the signatures that `blkid` finds, and whether it
//! carries an image of this lab, or the remains of one that was not written to its end.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::Command;

use lab_image::Image;
use serde::Deserialize;

use crate::device::Device;
use crate::host::{Host, printable};
use crate::write::UNFINISHED;

/// Where an image says what it is.
const MANIFEST: &str = "lab/manifest.json";
/// No manifest is longer, in bytes.
const MAX_MANIFEST: u64 = 16 << 20;

/// What is on a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// What `blkid` recognizes on the disk and its partitions; `None` where it could not be asked.
    pub signatures: Option<Vec<Signature>>,
    /// The image of this lab that is on it.
    pub image: Option<LabImage>,
    /// Whether an earlier write did not come to its end.
    pub unfinished: bool,
}

/// Something recognized on a disk or a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The disk or partition.
    pub on: String,
    /// `vfat`, `ext4`, a partition table as `gpt` or `dos`, and so on.
    pub what: String,
    /// Its label; empty where it has none.
    pub label: String,
}

/// An image of this lab.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LabImage {
    /// The machine that it installs.
    pub machine: String,
    /// The digest of the description that it was made from.
    pub description: String,
}

/// Looks at what is on a disk; `blkid` is that program.
pub fn contents(host: &Host, device: &Device, blkid: Option<&Path>) -> Contents {
    let parts = device.partitions.iter().map(|part| part.name.as_str());
    let names = std::iter::once(device.name.as_str()).chain(parts);
    let node = host.node(&device.name);
    Contents {
        signatures: blkid.and_then(|program| names.map(|name| ask(program, host, name)).collect()),
        image: lab_image(&node),
        unfinished: starts_with(&node, UNFINISHED.as_bytes()),
    }
}

/// The image of this lab that a file or a disk is; `None` where it is none, or is damaged.
pub fn lab_image(path: &Path) -> Option<LabImage> {
    let file = File::open(path).ok()?;
    let mut image = Image::open(BufReader::new(file), &path.display().to_string()).ok()?;
    let bytes = image.read(MANIFEST, MAX_MANIFEST).ok()??;
    let found: LabImage = serde_json::from_slice(&bytes).ok()?;
    Some(LabImage {
        machine: printable(&found.machine),
        description: printable(&found.description),
    })
}

fn starts_with(path: &Path, mark: &[u8]) -> bool {
    let mut found = vec![0; mark.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut found));
    read.is_ok() && found == mark
}

/// `blkid -p` reads the disk itself and not its cache; it exits with 2 where it finds nothing,
/// and with 8 where signatures contradict each other (blkid(8)).
fn ask(program: &Path, host: &Host, name: &str) -> Option<Signature> {
    let asked = Command::new(program)
        .args(["-p", "-o", "export", "--"])
        .arg(host.node(name))
        .output();
    let output = asked.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = |key: &str| {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| printable(&unescaped(value)))
            .next()
    };
    let what = match output.status.code()? {
        0 => match (value("TYPE"), value("PTTYPE")) {
            (Some(kind), _) => kind,
            (None, Some(table)) => format!("{table} partitions"),
            (None, None) => "something unknown".to_owned(),
        },
        2 => "nothing known".to_owned(),
        8 => "several signatures that contradict each other".to_owned(),
        _ => return None,
    };
    Some(Signature {
        on: name.to_owned(),
        what,
        label: value("LABEL").unwrap_or_default(),
    })
}

/// `blkid -o export` puts a backslash before what a shell would take apart.
fn unescaped(text: &str) -> String {
    let mut letters = text.chars();
    std::iter::from_fn(|| match letters.next()? {
        '\\' => letters.next(),
        letter => Some(letter),
    })
    .collect()
}
