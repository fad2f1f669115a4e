//! The files, held against the image's own checksum list.

use std::io::{Read, Seek};

use super::{Finding, Scope};
use crate::base::Node;
use crate::layout::{CHECKSUMS, Checksums};
use crate::{Extent, Image};

/// The longest list that is read, in bytes.
const MAX_LIST: u64 = 16 << 20;
const ID: &str = "md5sum";
const WHAT: &str = "the files have the checksums that md5sum.txt lists";

pub(super) fn check<R: Read + Seek>(
    image: &mut Image<R>,
    scope: Scope,
    findings: &mut Vec<Finding>,
) {
    findings.push(finding(image, scope));
}

fn finding<R: Read + Seek>(image: &mut Image<R>, scope: Scope) -> Finding {
    let since = match scope {
        Scope::Everything => 0,
        Scope::Since(lba) => lba,
        Scope::Structure => {
            return Finding::not_run(ID, WHAT, "only the structure was asked for");
        }
    };
    let list = match image.read(CHECKSUMS, MAX_LIST) {
        Ok(None) => return Finding::not_run(ID, WHAT, "the image has no md5sum.txt"),
        Ok(Some(bytes)) => Checksums::parse(&bytes),
        Err(error) => Err(error),
    };
    let seen = list
        .and_then(|list| hold_against(image, &list, since))
        .unwrap_or_else(|error| Err(format!("{error:#}")));
    Finding::of(ID, WHAT, seen)
}

/// Checks all listed files that lie at or behind a sector.
fn hold_against<R: Read + Seek>(
    image: &mut Image<R>,
    list: &Checksums,
    since: u64,
) -> anyhow::Result<Result<String, String>> {
    let (mut read, mut skipped) = (0, 0);
    for (path, md5) in list.entries() {
        let Some(extents) = file(image, path) else {
            return Ok(Err(format!(
                "{path} is listed, but is no file of the image"
            )));
        };
        if extents
            .iter()
            .any(|extent| extent.lba < since && extent.len > 0)
        {
            skipped += 1;
            continue;
        }
        read += 1;
        if md5_of(image, &extents)? != md5 {
            let place = extents.first().map_or(0, |extent| extent.lba);
            return Ok(Err(format!(
                "{path} at sector {place} does not have the checksum {}",
                hex::encode(md5)
            )));
        }
    }
    Ok(Ok(match skipped {
        0 => format!("{read} files"),
        _ => format!("{read} files that were added; {skipped} of the base were not read"),
    }))
}

fn file<R>(image: &Image<R>, path: &str) -> Option<Vec<Extent>> {
    match &image.trees.first()?.find(path)?.node {
        Node::File(extents) => Some(extents.clone()),
        _ => None,
    }
}

fn md5_of<R: Read + Seek>(image: &mut Image<R>, extents: &[Extent]) -> anyhow::Result<[u8; 16]> {
    use md5::Digest as _;
    let mut md5 = md5::Md5::new();
    image.stream(extents, &mut |chunk| {
        md5.update(chunk);
        Ok(())
    })?;
    Ok(md5.finalize().into())
}
