//! Names on disc: ISO 9660 file identifiers (ECMA-119 7.5, 7.6) and Joliet's
//! (Joliet 1.0, UCS-2), made unique in their directory.

use std::collections::HashSet;

use crate::base::{Hierarchy, VolumeKind};

/// The longest Joliet name in UCS-2 units (Joliet 1.0, "Allowed length").
const JOLIET_MAX: usize = 64;
/// The longest ISO 9660 name of interchange levels 2 and 3, without version,
/// dot included (ECMA-119 10.2).
const LONG_MAX: usize = 31;

/// How a tree writes its names; taken from what the base does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameStyle {
    pub(crate) kind: VolumeKind,
    /// Names longer than 8.3.
    long: bool,
    /// Files end in `;1`.
    version: bool,
}

impl NameStyle {
    /// The style of a tree.
    pub(crate) fn of(kind: VolumeKind, tree: &Hierarchy) -> Self {
        let (mut long, mut version, mut any) = (false, false, false);
        for child in tree.dirs.iter().flat_map(|dir| &dir.children) {
            let id = child.id();
            let versioned = id.ends_with(b";1") || id.ends_with(b"\x00;\x001");
            long |= id.len() > if versioned { 14 } else { 12 };
            if !matches!(child.node, crate::base::Node::Dir(_)) {
                version |= versioned;
                any = true;
            }
        }
        Self {
            kind,
            long,
            version: version || !any,
        }
    }

    /// The name on disc for a file or directory, unlike all in `taken`.
    pub(crate) fn id(self, name: &str, dir: bool, taken: &HashSet<Vec<u8>>) -> Option<Vec<u8>> {
        let (stem, extension) = self.split(name, dir);
        // Enough numbers for a directory as large as a tree may be.
        (0..10_000_000_u32)
            .map(|number| self.numbered(&stem, &extension, number, dir))
            .find(|id| !taken.contains(id))
    }

    /// The Joliet form of a name, without version: how the base would hold it.
    pub(crate) fn joliet_form(name: &str) -> String {
        let units: Vec<u16> = joliet_units(name).into_iter().take(JOLIET_MAX).collect();
        String::from_utf16_lossy(&units)
    }

    fn split(self, name: &str, dir: bool) -> (Vec<u16>, Vec<u16>) {
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) if !dir => (stem, extension),
            _ => (name, ""),
        };
        match self.kind {
            VolumeKind::Joliet => {
                let mut extension = joliet_units(extension);
                // An extension of that length is no extension.
                extension.truncate(JOLIET_MAX / 2);
                (joliet_units(stem), extension)
            }
            VolumeKind::Primary => {
                let mut extension = d_characters(extension);
                extension.truncate(if self.long { 8 } else { 3 });
                (d_characters(stem), extension)
            }
        }
    }

    fn numbered(self, stem: &[u16], extension: &[u16], number: u32, dir: bool) -> Vec<u8> {
        let suffix: Vec<u16> = match number {
            0 => Vec::new(),
            _ => format!("{number:03}").encode_utf16().collect(),
        };
        let dotted = match self.kind {
            // ECMA-119 7.5.1: the dot is there even without an extension.
            VolumeKind::Primary => !dir,
            VolumeKind::Joliet => !extension.is_empty(),
        };
        let room = self
            .room(extension.len(), dotted)
            .saturating_sub(suffix.len());
        let mut units: Vec<u16> = stem.iter().copied().take(room).collect();
        units.extend(suffix);
        if dotted {
            units.push(u16::from(b'.'));
            units.extend(extension);
        }
        if self.version && !dir {
            units.extend(";1".encode_utf16());
        }
        self.encode(&units)
    }

    /// The units a stem may have.
    fn room(self, extension: usize, dotted: bool) -> usize {
        match (self.kind, self.long) {
            (VolumeKind::Joliet, _) => JOLIET_MAX - extension - usize::from(dotted),
            (VolumeKind::Primary, true) => LONG_MAX - extension - usize::from(dotted),
            (VolumeKind::Primary, false) => 8,
        }
    }

    fn encode(self, units: &[u16]) -> Vec<u8> {
        match self.kind {
            VolumeKind::Joliet => units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            VolumeKind::Primary => units.iter().map(|unit| unit.to_be_bytes()[1]).collect(),
        }
    }
}

/// ECMA-119 7.4.1: capital letters, digits, underscore.
fn d_characters(text: &str) -> Vec<u16> {
    text.chars()
        .map(|c| match c.to_ascii_uppercase() {
            c @ ('A'..='Z' | '0'..='9') => c as u16,
            _ => u16::from(b'_'),
        })
        .collect()
}

/// UCS-2 without what Joliet forbids: control characters and `*/:;?\`.
fn joliet_units(text: &str) -> Vec<u16> {
    text.chars()
        .map(|c| match c {
            '*' | '/' | ':' | ';' | '?' | '\\' => '_',
            c if c.is_control() || c as u32 > 0xFFFF => '_',
            c => c,
        })
        .map(|c| u16::try_from(c as u32).unwrap_or(u16::from(b'_')))
        .collect()
}

/// The name that an ISO 9660 identifier shows without Rock Ridge: no version,
/// no empty extension.
pub(crate) fn plain_name(id: &[u8]) -> String {
    let text = String::from_utf8_lossy(id);
    let name = text.split(';').next().unwrap_or_default();
    name.strip_suffix('.').unwrap_or(name).to_owned()
}

/// The name that a Joliet identifier shows.
pub(crate) fn joliet_text(id: &[u8]) -> String {
    let units = id.chunks(2).map(|pair| match *pair {
        [high, low] => u16::from_be_bytes([high, low]),
        _ => 0xFFFD,
    });
    let text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    match text.split_once(';') {
        Some((name, _)) => name.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(kind: VolumeKind, long: bool) -> NameStyle {
        NameStyle {
            kind,
            long,
            version: true,
        }
    }

    fn id(style: NameStyle, name: &str, dir: bool, taken: &[&[u8]]) -> Vec<u8> {
        let taken = taken.iter().map(|id| id.to_vec()).collect();
        style.id(name, dir, &taken).unwrap()
    }

    #[test]
    fn iso_names_fit_their_level() {
        let short = style(VolumeKind::Primary, false);
        let long = style(VolumeKind::Primary, true);
        assert_eq!(id(short, "autoinstall.yaml", false, &[]), b"AUTOINST.YAM;1");
        assert_eq!(
            id(long, "autoinstall.yaml", false, &[]),
            b"AUTOINSTALL.YAML;1"
        );
        assert_eq!(id(long, "README", false, &[]), b"README.;1");
        assert_eq!(id(long, "lab.d", true, &[]), b"LAB_D");
        assert_eq!(id(short, ".disk", true, &[]), b"_DISK");
        let very = "x".repeat(60) + ".conf";
        assert_eq!(id(long, &very, false, &[]).len(), LONG_MAX + 2);
    }

    #[test]
    fn collisions_get_numbers() {
        let short = style(VolumeKind::Primary, false);
        let taken: [&[u8]; 2] = [b"AUTOINST.YAM;1", b"AUTOI001.YAM;1"];
        assert_eq!(
            id(short, "autoinstaller.yaml", false, &taken),
            b"AUTOI002.YAM;1"
        );
    }

    #[test]
    fn joliet_names_are_cut_and_cleaned() {
        let joliet = style(VolumeKind::Joliet, true);
        let made = id(joliet, "a:b\u{1F600}.txt", false, &[]);
        assert_eq!(joliet_text(&made), "a_b_.txt");
        let long = "n".repeat(100) + ".txt";
        let made = id(joliet, &long, false, &[]);
        assert_eq!(joliet_text(&made).chars().count(), JOLIET_MAX);
        assert!(joliet_text(&made).ends_with(".txt"));
    }

    #[test]
    fn odd_identifiers_still_show() {
        assert_eq!(plain_name(b"README.;1"), "README");
        assert_eq!(plain_name(b""), "");
        assert_eq!(joliet_text(&[0, b'a', 0]), "a\u{FFFD}");
        assert_eq!(joliet_text(&[0xD8, 0]), "\u{FFFD}");
    }
}
