//! Secrets that others than root may read, by the modes of their files alone: a folder
//! above that keeps others out may be opened by the next change.

use std::os::unix::fs::MetadataExt as _;

use crate::root::Root;

const FOLDER: &str = "/etc/lab/secrets";
const SSH: &str = "/etc/ssh";

/// Reading by the group or by everybody.
const OTHERS_READ: u32 = 0o044;

/// How deep and how many files are looked at.
const DEPTH: u32 = 4;
const MOST: usize = 10_000;

/// The files that others may read; `owner` is the number of root.
pub(crate) fn open(root: &Root, owner: u32) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    below(root, FOLDER, 0, &mut files)?;
    let names = match root.names(SSH) {
        Err(error) if error.missing() => Vec::new(),
        names => names?,
    };
    let host_key = |name: &&String| name.starts_with("ssh_host_") && name.ends_with("_key");
    files.extend(
        names
            .iter()
            .filter(host_key)
            .map(|name| format!("{SSH}/{name}")),
    );
    files.retain(|file| is_open(root, file, owner));
    files.sort();
    Ok(files)
}

fn below(root: &Root, folder: &str, depth: u32, files: &mut Vec<String>) -> Result<(), String> {
    let names = match root.names(folder) {
        Err(error) if error.missing() => return Ok(()),
        names => names?,
    };
    for name in names {
        let path = format!("{folder}/{name}");
        let is_folder = root
            .path(&path)
            .symlink_metadata()
            .is_ok_and(|one| one.is_dir());
        if is_folder && depth < DEPTH {
            below(root, &path, depth + 1, files)?;
        } else if !is_folder && files.len() < MOST {
            files.push(path);
        }
    }
    Ok(())
}

fn is_open(root: &Root, file: &str, owner: u32) -> bool {
    // A link that leads nowhere tells nothing.
    root.path(file).metadata().is_ok_and(|data| {
        data.mode() & OTHERS_READ != 0 || data.uid() != owner && data.mode() & 0o400 != 0
    })
}
