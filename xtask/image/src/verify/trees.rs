//! The directory trees, held against each other.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::Finding;
use crate::base::{Extent, VolumeKind};
use crate::image::ParsedTree;
use crate::{FileInfo, FileKind, Image, SECTOR};

/// The most differences that are told.
const TOLD: usize = 5;

pub(super) fn check<R: Read + Seek>(image: &mut Image<R>, findings: &mut Vec<Finding>) {
    findings.push(volumes(image));
    findings.push(overlap(image));
    findings.push(path_tables(image));
    findings.push(second_set(image));
    findings.push(joliet(image));
}

fn volumes<R: Read + Seek>(image: &Image<R>) -> Finding {
    const ID: &str = "volume-size";
    const WHAT: &str = "every volume ends within the image and holds its files";
    let mut told = Vec::new();
    for tree in &image.trees {
        let (end, label) = (tree.volume.end(), tree.volume.label());
        let needed = tree.hierarchy.data_end;
        if end > image.len().next_multiple_of(SECTOR) {
            let wrong = format!("{label} ends at byte {end}, the image at {}", image.len());
            return Finding::of(ID, WHAT, Err(wrong));
        }
        if end < needed {
            let wrong = format!("{label} ends at byte {end}, but has data up to {needed}");
            return Finding::of(ID, WHAT, Err(wrong));
        }
        told.push(format!(
            "{label}: {} sectors from {}",
            (end / SECTOR) - tree.volume.start,
            tree.volume.start
        ));
    }
    Finding::of(ID, WHAT, Ok(told.join("; ")))
}

fn overlap<R: Read + Seek>(image: &Image<R>) -> Finding {
    const WHAT: &str = "no directory and no file lies over another";
    let seen = match image.overlap() {
        Some(wrong) => Err(wrong),
        None => Ok("all extents are apart".into()),
    };
    Finding::of("extents", WHAT, seen)
}

/// Path tables serve old readers; all they name must be a tree's directory.
fn path_tables<R: Read + Seek>(image: &mut Image<R>) -> Finding {
    const ID: &str = "path-tables";
    const WHAT: &str = "the path tables name the directories of their trees";
    let mut count = 0;
    for index in 0..image.trees.len() {
        match path_table(image, index) {
            Ok(dirs) => count += dirs,
            Err(wrong) => return Finding::of(ID, WHAT, Err(wrong)),
        }
    }
    Finding::of(
        ID,
        WHAT,
        Ok(format!("{count} directories, in both byte orders")),
    )
}

fn path_table<R: Read + Seek>(image: &mut Image<R>, index: usize) -> Result<usize, String> {
    let Some(tree) = image.trees.get(index) else {
        return Ok(0);
    };
    let descriptor = &tree.volume.descriptor;
    let len = u64::from(descriptor.path_table_size.get());
    let (label, start) = (tree.volume.label(), tree.volume.start);
    let mut expected = directories(tree);
    expected.sort_unstable();
    let places = [
        (descriptor.type_l_path_table.get(), false),
        (descriptor.type_m_path_table.get(), true),
    ];
    for (lba, big) in places {
        let at = (start + u64::from(lba)) * SECTOR;
        let bytes = image.source.read(at, len, "a path table");
        let bytes = bytes.map_err(|error| format!("{error:#}"))?;
        let mut found = table_extents(&bytes, big, start);
        found.sort_unstable();
        if found != expected {
            return Err(format!(
                "the {} path table of {label} names {} directories, the tree has {} or they lie \
                 elsewhere",
                if big { "big-endian" } else { "little-endian" },
                found.len(),
                expected.len()
            ));
        }
    }
    Ok(expected.len())
}

fn directories(tree: &ParsedTree) -> Vec<u64> {
    let dirs = tree.hierarchy.dirs.iter();
    dirs.filter_map(|dir| dir.extent.map(|extent| extent.lba))
        .collect()
}

fn table_extents(bytes: &[u8], big: bool, start: u64) -> Vec<u64> {
    let (mut rest, mut extents) = (bytes, Vec::new());
    while let [len, _, a, b, c, d, _, _, ..] = *rest {
        let extent = [a, b, c, d];
        let lba = match big {
            true => u32::from_be_bytes(extent),
            false => u32::from_le_bytes(extent),
        };
        extents.push(start + u64::from(lba));
        let record = (8 + usize::from(len)).next_multiple_of(2);
        rest = rest.get(record..).unwrap_or(&[]);
    }
    extents
}

/// Files by path: where their data lies, or where a link leads.
fn by_path(tree: &ParsedTree) -> BTreeMap<String, (FileKind, Vec<Extent>)> {
    let files = tree.files().into_iter();
    files
        .map(|file| (file.path.clone(), essence(file)))
        .collect()
}

fn essence(file: FileInfo) -> (FileKind, Vec<Extent>) {
    // An empty file may point anywhere.
    let extents = file.extents.into_iter().filter(|extent| extent.len > 0);
    (file.kind, extents.collect())
}

fn second_set<R: Read + Seek>(image: &Image<R>) -> Finding {
    const ID: &str = "both-trees";
    const WHAT: &str = "the tree of the partition lists the same files, in the same places";
    let mut primaries = image
        .trees
        .iter()
        .filter(|tree| tree.volume.kind == VolumeKind::Primary);
    let Some(first) = primaries.next() else {
        return Finding::not_run(ID, WHAT, "there is no primary tree");
    };
    let first = by_path(first);
    let mut seen = 0;
    for tree in primaries {
        seen += 1;
        let second = by_path(tree);
        let differing = first
            .keys()
            .chain(second.keys())
            .filter(|path| first.get(*path) != second.get(*path));
        let mut differing: Vec<&str> = differing.map(String::as_str).collect();
        differing.sort_unstable();
        differing.dedup();
        if !differing.is_empty() {
            let wrong = told("differ between the two", &differing);
            return Finding::of(ID, WHAT, Err(wrong));
        }
    }
    match seen {
        0 => Finding::not_run(ID, WHAT, "the image has only one set of descriptors"),
        _ => Finding::of(ID, WHAT, Ok(format!("{} names", first.len()))),
    }
}

fn told(what: &str, paths: &[&str]) -> String {
    let shown: Vec<&str> = paths.iter().take(TOLD).copied().collect();
    format!("{} names {what}: {}", paths.len(), shown.join(", "))
}

/// Joliet shortens names and knows no links, so files are matched by where
/// they lie.
fn joliet<R: Read + Seek>(image: &Image<R>) -> Finding {
    const ID: &str = "joliet";
    const WHAT: &str = "the Joliet trees list the same files";
    let mut count = 0;
    for set in &image.sets {
        let of_set = |kind| {
            image
                .trees
                .iter()
                .find(|tree| tree.volume.start == set.start && tree.volume.kind == kind)
        };
        let (Some(primary), Some(joliet)) =
            (of_set(VolumeKind::Primary), of_set(VolumeKind::Joliet))
        else {
            continue;
        };
        let (a, b) = (data_places(primary), data_places(joliet));
        count += b.len();
        if a != b {
            let wrong = format!(
                "{} has {} files, {} has {}, or they lie elsewhere",
                primary.volume.label(),
                a.len(),
                joliet.volume.label(),
                b.len()
            );
            return Finding::of(ID, WHAT, Err(wrong));
        }
    }
    match count {
        0 => Finding::not_run(ID, WHAT, "the image has no Joliet tree"),
        _ => Finding::of(ID, WHAT, Ok(format!("{count} files"))),
    }
}

/// The places of all files, sorted; empty files count, wherever they point.
fn data_places(tree: &ParsedTree) -> Vec<Vec<Extent>> {
    let files = tree
        .files()
        .into_iter()
        .filter(|file| file.kind == FileKind::File);
    let mut places: Vec<Vec<Extent>> = files.map(|file| essence(file).1).collect();
    places.sort_unstable();
    places
}
