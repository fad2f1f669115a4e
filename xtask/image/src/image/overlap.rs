//! Finding runs of bytes that share sectors and must not.

use crate::base::{Node, SECTOR};
use crate::{Extent, Image};

/// A run of sectors and what it is.
struct Run {
    start: u64,
    end: u64,
    /// Several names may lead to one file's data, in one tree and in several.
    shared: bool,
    what: String,
}

/// The first overlap: between two directories, a directory and a file, two
/// files that share only a part, or any of them and the descriptors.
pub(super) fn find<R>(image: &Image<R>) -> Option<String> {
    let mut runs = Vec::new();
    for set in &image.sets {
        let first = (set.start + 16) * SECTOR;
        runs.push(Run {
            start: first,
            end: set.end * SECTOR,
            shared: false,
            what: "the volume descriptors".into(),
        });
    }
    for tree in &image.trees {
        for dir in &tree.hierarchy.dirs {
            runs.extend(dir.extent.map(|extent| run(extent, false, "a directory")));
            for child in &dir.children {
                if let Node::File(extents) = &child.node {
                    let files = extents.iter().filter(|extent| extent.len > 0);
                    runs.extend(files.map(|extent| run(*extent, true, &child.name)));
                }
            }
        }
    }
    first_overlap(runs)
}

fn run(extent: Extent, shared: bool, what: &str) -> Run {
    Run {
        start: extent.start(),
        end: extent.sector_end(),
        shared,
        what: what.to_owned(),
    }
}

fn first_overlap(mut runs: Vec<Run>) -> Option<String> {
    runs.sort_by_key(|run| (run.start, run.end));
    let mut open: Option<Run> = None;
    for run in runs {
        if let Some(before) = &open {
            let same = before.start == run.start && before.end == run.end;
            let both_files = before.shared && run.shared;
            if run.start < before.end && !(same && both_files) {
                return Some(format!(
                    "{} at sector {} overlaps {} at sector {}",
                    run.what,
                    run.start / SECTOR,
                    before.what,
                    before.start / SECTOR
                ));
            }
        }
        open = Some(run);
    }
    None
}
