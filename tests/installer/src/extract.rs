//! The system is copied from the medium.
//!
//! `casper/install-sources.yaml` names the systems of an image. The path of one,
//! `a.b.squashfs`, stands for the layers `a.squashfs` and `a.b.squashfs`, the first one
//! lowest (canonical/subiquity, subiquity/models/source.py; casper(7)).

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::live::Live;
use crate::partition::WORK;
use crate::value::{Node, Value};
use crate::yaml;

/// Where the systems of an image are listed.
pub const SOURCES: &str = "/cdrom/casper/install-sources.yaml";

/// The layers of a system, the lowest first, as files of `/cdrom/casper`.
pub fn layers(path: &str) -> Result<Vec<String>> {
    let Some(stem) = path
        .strip_suffix(".squashfs")
        .filter(|stem| !stem.contains('/'))
    else {
        bail!("{SOURCES}: found the path `{path}`, expected a .squashfs beside it");
    };
    let ends = stem
        .match_indices('.')
        .map(|(at, _)| at)
        .chain([stem.len()]);
    Ok(ends
        .filter_map(|end| stem.get(..end))
        .map(|part| format!("{part}.squashfs"))
        .collect())
}

/// The path of a system by its id, or of the default one.
///
/// # Errors
///
/// When the list is not there or does not have it.
pub fn find(live: &Live, id: Option<&str>) -> Result<String> {
    let Some(text) = live.read(SOURCES) else {
        bail!("{SOURCES} is not there: the image names no system to install");
    };
    let list = yaml::read(&text).with_context(|| format!("reading {SOURCES}"))?;
    let list = list.get("sources").unwrap_or(&list);
    let entries = Node::top("sources", list).list()?;
    let named = |entry: &&Node<'_>| match id {
        Some(id) => entry.value.get("id") == Some(&Value::Text(id.to_owned())),
        None => entry.value.get("default") == Some(&Value::Bool(true)),
    };
    let Some(entry) = entries
        .iter()
        .find(named)
        .or(entries.first().filter(|_| id.is_none()))
    else {
        let ids: Vec<String> = entries
            .iter()
            .filter_map(|entry| entry.value.get("id").map(|id| id.to_json().to_string()))
            .collect();
        bail!(
            "autoinstall.source.id: found `{}`, expected one of {}",
            id.unwrap_or_default(),
            ids.join(", ")
        );
    };
    entry.keys()?.need("path")?.line()
}

/// Copies the layers, one over the other, into the target.
pub(crate) fn copy(live: &Live, path: &str) -> Result<()> {
    let mut folders = Vec::new();
    for (at, layer) in layers(path)?.iter().enumerate() {
        let file = live.path("/cdrom/casper").join(layer);
        if !file.is_file() {
            bail!("{} is not there: `{path}` needs it", file.display());
        }
        let folder = live.path(WORK).join(format!("layer{at}"));
        make(&folder)?;
        let folder = folder.display().to_string();
        live.run(&[
            "mount",
            "-t",
            "squashfs",
            "-o",
            "loop,ro",
            &file.display().to_string(),
            &folder,
        ])?;
        folders.push(folder);
    }
    let source = overlay(live, &folders)?;
    live.run(&[
        "cp",
        "--archive",
        "--no-target-directory",
        &source,
        &live.word(crate::live::TARGET),
    ])?;
    if source != folders.first().map(String::as_str).unwrap_or_default() {
        live.run(&["umount", &source])?;
    }
    for folder in &folders {
        live.run(&["umount", folder])?;
    }
    Ok(())
}

fn overlay(live: &Live, folders: &[String]) -> Result<String> {
    if let [only] = folders {
        return Ok(only.clone());
    }
    let merged = live.path(WORK).join("source");
    make(&merged)?;
    let merged = merged.display().to_string();
    let lower: Vec<&str> = folders.iter().rev().map(String::as_str).collect();
    let option = format!("ro,lowerdir={}", lower.join(":"));
    live.run(&["mount", "-t", "overlay", "-o", &option, "overlay", &merged])?;
    Ok(merged)
}

fn make(folder: &std::path::Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_all_its_layers() {
        let path = "ubuntu-server-minimal.ubuntu-server.squashfs";
        assert_eq!(
            layers(path).unwrap(),
            [
                "ubuntu-server-minimal.squashfs",
                "ubuntu-server-minimal.ubuntu-server.squashfs"
            ]
        );
        assert_eq!(layers("one.squashfs").unwrap(), ["one.squashfs"]);
        assert!(layers("../one.squashfs").is_err());
        assert!(layers("one.img").is_err());
    }
}
