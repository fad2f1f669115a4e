//! A question about the payload: which files there are, by the list that they are copied
//! by and by the manifest. Their bytes are gigabytes; `lay-down` holds each against its digest.

use std::collections::BTreeMap;

use super::{Answer, answer, image::Image};
use crate::manifest::Carried;
use crate::payload::{MODE, is_plain};
use crate::place;

pub(super) fn list(image: &Image<'_>) -> Answer {
    let carried = match &image.manifest {
        Ok(manifest) => manifest.payload.as_ref(),
        Err(why) => return Answer::NotRun(why.clone()),
    };
    let list = image.files.get(place::OFFLINE_LIST);
    match (list, carried) {
        (None, None) => answer(&unlisted(image, &BTreeMap::new()), "there is none"),
        (Some(_), None) => Answer::Fail("the manifest says nothing of the payload".to_owned()),
        (None, Some(_)) => Answer::Fail(format!("/{} is not on the image", place::OFFLINE_LIST)),
        (Some(list), Some(carried)) => compare(image, &String::from_utf8_lossy(list), carried),
    }
}

fn compare(image: &Image<'_>, list: &str, carried: &Carried) -> Answer {
    let mut wrong = Vec::new();
    let mut listed = BTreeMap::new();
    for line in list.lines() {
        match words(line) {
            Some((digest, path)) if listed.insert(path, digest).is_none() => {}
            Some((_, path)) => wrong.push(format!("{path} is in the list twice")),
            None => wrong.push(format!(
                "the line `{}` is none of the list's",
                line.escape_debug()
            )),
        }
    }
    wrong.extend(unlisted(image, &listed));
    wrong.extend(listed.iter().filter_map(|(path, digest)| {
        fault(image, path, digest, carried).map(|fault| format!("{path} {fault}"))
    }));
    if !listed.contains_key(place::OFFLINE_DIGEST) {
        wrong.push("nothing says which lock the payload is of".to_owned());
    }
    let bytes = carried.files.values().map(|one| one.size);
    let sums = (
        carried.files.len() as u64,
        bytes.fold(0, u64::saturating_add),
    );
    if sums != (carried.count, carried.bytes) || carried.files.len() != listed.len() {
        wrong.push("the manifest counts other files than the list".to_owned());
    }
    answer(&wrong, format!("{} files, {} bytes", sums.0, sums.1))
}

/// The digest and the path of a line.
fn words(line: &str) -> Option<(&str, &str)> {
    let (what, path) = line.strip_prefix("file ")?.split_once(' ')?;
    let (mode, digest) = what.split_once(':')?;
    (mode == format!("{MODE:04o}") && is_plain(path)).then_some((digest, path))
}

fn fault(image: &Image<'_>, path: &str, digest: &str, carried: &Carried) -> Option<&'static str> {
    if !image.has(&format!("{}{path}", place::OFFLINE)) {
        return Some("is in the list and not on the image");
    }
    match carried.files.get(path) {
        Some(entry) if entry.sha256 == digest => None,
        Some(_) => Some("has another digest in the manifest"),
        None => Some("is not in the manifest"),
    }
}

/// What would never reach the machine.
fn unlisted(image: &Image<'_>, listed: &BTreeMap<&str, &str>) -> Vec<String> {
    let paths = image.modes.keys();
    paths
        .filter_map(|path| path.strip_prefix(place::OFFLINE))
        .filter(|path| !listed.contains_key(path))
        .map(|path| format!("{path} is on the image and not in the list"))
        .collect()
}
