//! What there is to be had, by name.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result};
use lab_image::{FileKind, Image as Disc};
use serde::Deserialize;

use crate::boot::Boot;
use crate::image::Image;
use crate::range::Span;

/// Where an image says what it is.
const MANIFEST: &str = "lab/manifest.json";
/// No manifest is longer, in bytes.
const MAX_MANIFEST: u64 = 16 << 20;
/// The menu, and how long it may be.
const MENU: &str = "boot/grub/grub.cfg";
const MAX_MENU: u64 = 1 << 20;
/// The files of the image that a network boot can start from.
const STARTED_FROM: [&str; 4] = [
    "casper/vmlinuz",
    "casper/initrd",
    "casper/hwe-vmlinuz",
    "casper/hwe-initrd",
];
/// The script's name.
pub(crate) const SCRIPT: &str = "/boot.ipxe";
/// What UEFI takes for a disc (UEFI specification, "HTTP Boot").
const ISO: &str = "application/vnd.efi-iso";
const BYTES: &str = "application/octet-stream";

/// The image, and the names under which it and its parts are served.
#[derive(Debug)]
pub struct Site {
    pub(crate) image: Image,
    name: String,
    things: BTreeMap<String, Thing>,
    boot: Result<Boot, String>,
}

/// Some bytes of the image.
#[derive(Debug, Clone)]
pub(crate) struct Thing {
    /// Where they lie in the image, one after the other.
    pub(crate) pieces: Vec<Span>,
    /// Their media type.
    pub(crate) kind: &'static str,
    /// Their entity tag, with its quotes.
    pub(crate) tag: String,
}

impl Thing {
    /// How many they are.
    pub(crate) fn len(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len).sum()
    }
}

/// What an image of this lab says of itself.
#[derive(Deserialize)]
struct Manifest {
    machine: String,
}

impl Site {
    /// Opens an image. One that is no image of this lab has no script, but is served.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is no ISO 9660 image.
    pub fn open(path: &Path) -> Result<Self> {
        let image = Image::open(path)?;
        let own = image
            .file()
            .try_clone()
            .context("opening the image again")?;
        let mut disc = Disc::open(BufReader::new(own), &path.display().to_string())?;
        let machine = machine(&mut disc);
        let boot = match &machine {
            Some(machine) => boot(machine, &mut disc).map_err(|why| format!("{why:#}")),
            None => Err("it is no image that `cargo xtask iso` made".to_owned()),
        };
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let name = format!("{}.iso", machine.as_deref().unwrap_or(&plain(stem)));
        let things = things(&image, &name, &disc);
        image.fresh()?;
        Ok(Self {
            image,
            name,
            things,
            boot,
        })
    }

    /// The name of the whole image, as in `gpu-server.iso`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The image's length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.image.len()
    }

    /// Whether the image has no byte; an open one always has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.image.is_empty()
    }

    /// What a network boot can start; else why there is no script.
    ///
    /// # Errors
    ///
    /// The reason, in words.
    pub fn boot(&self) -> Result<&Boot, &str> {
        self.boot.as_ref().map_err(String::as_str)
    }

    /// The script for a server that is reached under `base`; `None` where there is none.
    #[must_use]
    pub fn script(&self, base: &str) -> Option<String> {
        Some(self.boot.as_ref().ok()?.script(base, &self.name))
    }

    /// The paths of everything that is served.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let script = self.boot.is_ok().then_some(SCRIPT);
        script
            .into_iter()
            .chain(self.things.keys().map(String::as_str))
            .collect()
    }

    /// What a path names: it is looked up as it is, and never taken apart.
    pub(crate) fn thing(&self, path: &str) -> Option<&Thing> {
        self.things.get(path)
    }
}

/// The machine that the image installs, where it says so in a name that can stand in a URL.
fn machine(disc: &mut Disc<BufReader<std::fs::File>>) -> Option<String> {
    let bytes = disc.read(MANIFEST, MAX_MANIFEST).ok()??;
    let found: Manifest = serde_json::from_slice(&bytes).ok()?;
    (plain(&found.machine) == found.machine).then_some(found.machine)
}

fn boot(machine: &str, disc: &mut Disc<BufReader<std::fs::File>>) -> Result<Boot> {
    let bytes = disc.read(MENU, MAX_MENU)?;
    let bytes = bytes.with_context(|| format!("the image has no /{MENU}"))?;
    let text = String::from_utf8(bytes).with_context(|| format!("/{MENU} is no text"))?;
    let boot = Boot::read(machine, &text)?;
    for start in [Some(&boot.install), boot.show.as_ref()]
        .into_iter()
        .flatten()
    {
        for path in [&start.kernel, &start.initrd] {
            let known = STARTED_FROM
                .iter()
                .any(|file| path.strip_prefix('/') == Some(file));
            anyhow::ensure!(
                known,
                "the menu starts from {path}: expected one of {STARTED_FROM:?}"
            );
        }
    }
    Ok(boot)
}

fn things(
    image: &Image,
    name: &str,
    disc: &Disc<BufReader<std::fs::File>>,
) -> BTreeMap<String, Thing> {
    let whole = Thing {
        pieces: vec![Span {
            start: 0,
            len: image.len(),
        }],
        kind: ISO,
        tag: format!("\"{}\"", image.tag()),
    };
    let files = disc
        .files(0)
        .into_iter()
        .filter(|file| file.kind == FileKind::File && STARTED_FROM.contains(&file.path.as_str()));
    let parts = files.map(|file| {
        let pieces = file.extents.iter().map(|extent| Span {
            start: extent.start(),
            len: extent.len,
        });
        let thing = Thing {
            pieces: pieces.collect(),
            kind: BYTES,
            tag: format!("\"{}-{}\"", image.tag(), file.path.replace('/', "-")),
        };
        (format!("/{}", file.path), thing)
    });
    parts.chain([(format!("/{name}"), whole)]).collect()
}

/// A name that stands in a URL as it is.
fn plain(name: &str) -> String {
    let letter = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => letter,
        _ => '-',
    };
    let name: String = name.chars().take(64).map(letter).collect();
    match name.trim_start_matches('.') {
        "" => "image".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit_for_urls() {
        assert_eq!(plain("gpu-server"), "gpu-server");
        assert_eq!(plain("my image (2)"), "my-image--2-");
        assert_eq!(plain("../../etc"), "-..-etc");
        assert_eq!(plain(".."), "image");
        assert_eq!(plain(""), "image");
    }
}
