//! `storage`: the one disk, and how it is laid out.

use std::fmt;

use anyhow::Result;

use crate::value::{Node, Value};

/// The disk and its layout.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The layout's name.
    pub layout: LayoutName,
    /// How much of the volume group the system gets; only `lvm` has it.
    pub sizing: Sizing,
    /// Which disk.
    pub disk: DiskMatch,
    /// The passphrase, where the volume group is encrypted.
    pub passphrase: Option<Passphrase>,
    /// The swap file's size in bytes; 0 for none.
    pub swap: u64,
}

/// The layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayoutName {
    /// A volume group, and /boot outside of it.
    Lvm,
    /// One partition.
    Direct,
}

/// How much of the volume group the system gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizing {
    /// All of it.
    All,
    /// A part, by the installer's own rule.
    Scaled,
}

/// Which disk, as udev knows it. The texts are patterns of fnmatch(3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskMatch {
    /// Of ID_SERIAL.
    pub serial: Option<String>,
    /// Of ID_MODEL.
    pub model: Option<String>,
    /// Of ID_VENDOR.
    pub vendor: Option<String>,
    /// Of the kernel's name, `/dev/…`.
    pub path: Option<String>,
    /// Of ID_PATH.
    pub id_path: Option<String>,
    /// Of DEVPATH.
    pub devpath: Option<String>,
    /// Whether it does not rotate.
    pub ssd: Option<bool>,
    /// The largest or the smallest of what fits.
    pub size: Option<Size>,
}

/// Which of several disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// The largest.
    Largest,
    /// The smallest.
    Smallest,
}

/// The passphrase of an encrypted disk; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

impl Passphrase {
    /// The passphrase itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// One for tests.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl Storage {
    pub(super) fn read(node: &Node<'_>) -> Result<Self> {
        let mut keys = node.keys()?;
        keys.refuse_unplayed(&["config", "grub", "version", "ptable"])?;
        let layout = keys.need("layout")?;
        let swap = keys.need("swap")?;
        keys.done()?;
        Self::read_layout(&layout, read_swap(&swap)?)
    }

    fn read_layout(node: &Node<'_>, swap: u64) -> Result<Self> {
        let mut keys = node.keys()?;
        keys.refuse_unplayed(&[
            "mode",
            "ptable",
            "recovery-key",
            "reset-partition",
            "encrypted",
        ])?;
        let name = keys.need("name")?.one_of(&["lvm", "direct"])?;
        let layout = if name == "lvm" {
            LayoutName::Lvm
        } else {
            LayoutName::Direct
        };
        let mut only_lvm = |key| match keys.take(key) {
            // The real one ignores both in silence, and the disk is not encrypted.
            Some(node) if layout == LayoutName::Direct => {
                node.refused("a key of `lvm`", "none of it with `direct`")
            }
            found => Ok(found),
        };
        let sizing = only_lvm("sizing-policy")?;
        let passphrase = only_lvm("password")?;
        let sizing = sizing
            .map(|node| node.one_of(&["all", "scaled"]))
            .transpose()?;
        let disk = keys.take("match");
        keys.done()?;
        Ok(Self {
            layout,
            sizing: match sizing.as_deref() {
                Some("all") => Sizing::All,
                _ => Sizing::Scaled,
            },
            disk: disk
                .as_ref()
                .map_or(Ok(DiskMatch::largest()), DiskMatch::read)?,
            passphrase: passphrase.map(|node| read_passphrase(&node)).transpose()?,
            swap,
        })
    }
}

fn read_passphrase(node: &Node<'_>) -> Result<Passphrase> {
    match node.line()? {
        empty if empty.is_empty() => node.refused("an empty text", "a passphrase"),
        text => Ok(Passphrase(text)),
    }
}

/// Bytes, or a number with a unit of 1024 behind it.
fn read_swap(node: &Node<'_>) -> Result<u64> {
    let mut keys = node.keys()?;
    keys.refuse_unplayed(&["filename", "maxsize", "force"])?;
    let size = keys.need("size")?;
    keys.done()?;
    let Value::Text(text) = size.value else {
        return size.whole();
    };
    let text = text.trim_end_matches(['B', 'b']);
    let unit = text.chars().last().unwrap_or('0').to_ascii_uppercase();
    let shift = match unit {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        _ => 0,
    };
    let digits = if shift == 0 {
        text
    } else {
        text.get(..text.len() - 1).unwrap_or(text)
    };
    match digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_shl(shift))
    {
        Some(bytes) => Ok(bytes),
        None => size.refused("a text", "bytes, or such as `8G`"),
    }
}

impl DiskMatch {
    /// What stands for a match that is missing.
    fn largest() -> Self {
        Self {
            size: Some(Size::Largest),
            ..Self::default()
        }
    }

    fn read(node: &Node<'_>) -> Result<Self> {
        if matches!(node.value, Value::List(_)) {
            return node.refused("a list", "one match: this stand-in plays no list of them");
        }
        let mut keys = node.keys()?;
        let mut pattern = |key| keys.take(key).map(|node| node.line()).transpose();
        let mut read = Self {
            serial: pattern("serial")?,
            model: pattern("model")?,
            vendor: pattern("vendor")?,
            path: pattern("path")?,
            id_path: pattern("id_path")?,
            devpath: pattern("devpath")?,
            ssd: None,
            size: None,
        };
        read.ssd = keys.take("ssd").map(|node| node.truth()).transpose()?;
        let size = keys
            .take("size")
            .map(|node| node.one_of(&["largest", "smallest"]))
            .transpose()?;
        read.size = size.map(|word| {
            if word == "largest" {
                Size::Largest
            } else {
                Size::Smallest
            }
        });
        keys.refuse_unplayed(&["install-media"])?;
        keys.done()?;
        Ok(read)
    }
}
