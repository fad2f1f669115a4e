//! Lengths and digests of files.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Instant;

use lab_facts::{Fact, Object};
use sha2::{Digest as _, Sha256};

use crate::part::{Part, part};
use crate::root::{Root, short};

/// The most that is hashed of one file, in bytes.
const MOST: u64 = 64 << 20;

/// The sha256 of each file, each found out by itself: one may lie where nothing answers.
pub(crate) fn digests(root: &Root, paths: &[String]) -> Vec<(String, Part<String>)> {
    let digest_of = |path: &String| {
        let (root, file) = (root.clone(), path.clone());
        (
            path.clone(),
            part(path.clone(), move || digest(&root, &file)),
        )
    };
    paths.iter().map(digest_of).collect()
}

/// What came of each by then.
pub(crate) fn by_path<T>(
    parts: Vec<(String, Part<T>)>,
    deadline: Instant,
) -> BTreeMap<String, Fact<T>> {
    let parts = parts.into_iter();
    parts
        .map(|(path, part)| (path, part.by(deadline)))
        .collect()
}

/// The length of each file, and its sha256 where it is not too large for that.
pub(crate) fn objects(root: &Root, paths: &[String]) -> Vec<(String, Part<Option<Object>>)> {
    let object_of = |path: &String| {
        let (root, file) = (root.clone(), path.clone());
        (
            path.clone(),
            part(path.clone(), move || object(&root, &file)),
        )
    };
    paths.iter().map(object_of).collect()
}

fn object(root: &Root, path: &str) -> Result<Option<Object>, String> {
    if !path.starts_with('/') {
        return Err(format!("`{}` is not an absolute path", short(path)));
    }
    let data = match root.open(path) {
        Err(error) if error.missing() => return Ok(None),
        file => file?.metadata(),
    };
    let bytes = data
        .map_err(|error| format!("reading {path}: {error}"))?
        .len();
    let sha256 = match bytes > MOST {
        true => None,
        false => Some(digest(root, path)?),
    };
    Ok(Some(Object { bytes, sha256 }))
}

fn digest(root: &Root, path: &str) -> Result<String, String> {
    if !path.starts_with('/') {
        return Err(format!("`{}` is not an absolute path", short(path)));
    }
    let mut file = root.open(path)?.take(MOST + 1);
    let mut hasher = Sha256::new();
    let mut part = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let count = file
            .read(&mut part)
            .map_err(|error| format!("reading {path}: {error}"))?;
        length += count as u64;
        match count {
            0 => return Ok(hex::encode(hasher.finalize())),
            _ if length > MOST => return Err(format!("{path} is larger than {MOST} bytes")),
            count => hasher.update(&part[..count]),
        }
    }
}
