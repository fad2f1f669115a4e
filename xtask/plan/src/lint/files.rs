//! Questions about files: digests, modes, and secrets that lie open.

use std::collections::BTreeSet;

use super::{Answer, answer, image::Image};
use crate::autoinstall::Password;
use crate::manifest::{self, FORMAT, sha256_hex};
use crate::place;
use crate::template::verbatim;

pub(super) fn scripts(image: &Image<'_>) -> Answer {
    if let Ok(manifest) = &image.manifest
        && manifest.tool != env!("CARGO_PKG_VERSION")
    {
        return Answer::NotRun(format!(
            "the image was made by version {}, this is {}",
            manifest.tool,
            env!("CARGO_PKG_VERSION")
        ));
    }
    let mut wrong = Vec::new();
    for path in [place::GUARD, place::GUARD_FACTS, place::LAY_DOWN] {
        let own = verbatim(path).unwrap_or_default();
        match image.files.get(path) {
            None => wrong.push(format!("/{path} is not on the image")),
            Some(bytes) if bytes.as_slice() != own.as_bytes() => {
                wrong.push(format!("/{path} differs"));
            }
            Some(_) => {}
        }
    }
    answer(&wrong, "three scripts")
}

pub(super) fn overlay(image: &Image<'_>) -> Answer {
    let Some(list) = image.files.get(place::OVERLAY_LIST) else {
        return Answer::Fail(format!("/{} is not on the image", place::OVERLAY_LIST));
    };
    let list = String::from_utf8_lossy(list);
    let mut wrong = Vec::new();
    let mut listed = BTreeSet::new();
    for line in list.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["link", _, path] if is_below(path) => {}
            ["file", what, path] if is_below(path) => {
                listed.insert(format!("{}{path}", place::OVERLAY));
                wrong.extend(file_fault(image, what, path));
            }
            _ => wrong.push(format!(
                "the line `{}` is none of the list's",
                line.escape_debug()
            )),
        }
    }
    let unlisted = image
        .modes
        .keys()
        .filter(|path| path.starts_with(place::OVERLAY) && !listed.contains(**path));
    wrong.extend(
        unlisted.map(|path| format!("/{path} is not in the list and would not be laid down")),
    );
    answer(&wrong, format!("{} files", listed.len()))
}

fn is_below(path: &str) -> bool {
    !path.is_empty()
        && path
            .split('/')
            .all(|name| !name.is_empty() && name != "." && name != "..")
}

fn file_fault(image: &Image<'_>, what: &str, path: &str) -> Option<String> {
    let found = image
        .files
        .get(format!("{}{path}", place::OVERLAY).as_str());
    let Some(bytes) = found else {
        return Some(format!("{path} is in the list and not on the image"));
    };
    let (mode, digest) = what.split_once(':')?;
    if u32::from_str_radix(mode, 8).is_ok_and(|mode| mode <= 0o777) && digest == sha256_hex(bytes) {
        return None;
    }
    Some(format!("{path} is not what the list says"))
}

pub(super) fn manifest(image: &Image<'_>) -> Answer {
    let manifest = match &image.manifest {
        Ok(manifest) => manifest,
        Err(why) => return Answer::Fail(why.clone()),
    };
    let mut wrong = Vec::new();
    if manifest.format != FORMAT {
        wrong.push(format!(
            "the manifest has the format {}, this program reads {FORMAT}",
            manifest.format
        ));
    }
    for (path, entry) in &manifest.files {
        wrong.extend(entry_fault(image, path, entry).map(|fault| format!("/{path} {fault}")));
    }
    let unknown = image
        .files
        .keys()
        .filter(|path| **path != place::MANIFEST)
        .filter(|path| !manifest.files.contains_key(**path));
    wrong.extend(unknown.map(|path| format!("/{path} is not in the manifest")));
    answer(&wrong, format!("{} files", manifest.files.len()))
}

fn entry_fault(image: &Image<'_>, path: &str, entry: &manifest::Entry) -> Option<&'static str> {
    let Some(bytes) = image.files.get(path) else {
        return Some("is not on the image");
    };
    match (&entry.sha256, entry.size) {
        (Some(digest), Some(size))
            if *digest != sha256_hex(bytes) || size != bytes.len() as u64 =>
        {
            return Some("is not what it was");
        }
        (Some(_), Some(_)) => {}
        (None, None) if path == place::AUTOINSTALL => {}
        _ => return Some("has no digest in the manifest"),
    }
    let mode = image
        .modes
        .get(path)
        .map(|mode| format!("{:04o}", mode & 0o7777));
    (mode.as_ref() != Some(&entry.mode)).then_some("has another mode than the manifest says")
}

/// Where secrets may lie.
fn secret_places() -> [String; 2] {
    [
        place::AUTOINSTALL.to_owned(),
        format!("{}{}", place::OVERLAY, place::HOST_KEY),
    ]
}

pub(super) fn modes(image: &Image<'_>) -> Answer {
    let mut wrong = Vec::new();
    for path in secret_places() {
        match image.modes.get(path.as_str()) {
            None => wrong.push(format!("/{path} is not on the image")),
            Some(mode) if mode & 0o077 != 0 => {
                wrong.push(format!("/{path} has the mode {:04o}", mode & 0o7777));
            }
            Some(_) => {}
        }
    }
    let laid_down = image
        .files
        .get(place::OVERLAY_LIST)
        .map(|list| String::from_utf8_lossy(list).into_owned())
        .unwrap_or_default();
    let key = laid_down
        .lines()
        .find(|line| line.ends_with(&format!(" {}", place::HOST_KEY)));
    if key.is_some_and(|line| !line.starts_with("file 0600:")) {
        wrong.push("the host key would be laid down with another mode than 0600".to_owned());
    }
    answer(&wrong, secret_places().join(", "))
}

pub(super) fn elsewhere(image: &Image<'_>) -> Answer {
    let mut secrets = vec!["PRIVATE KEY-----".to_owned()];
    if let Ok(autoinstall) = &image.autoinstall {
        secrets.extend(
            autoinstall
                .storage
                .layout
                .password
                .as_ref()
                .map(|one| one.reveal().to_owned()),
        );
        let wifis = autoinstall
            .network
            .wifis
            .values()
            .flat_map(|wifi| wifi.access_points.values());
        secrets.extend(wifis.map(|point| point.password.reveal().to_owned()));
        if let Password::Hash(hash) = &autoinstall.identity.password {
            secrets.push(hash.clone());
        }
    }
    let allowed = secret_places();
    let open = image
        .files
        .iter()
        .filter(|(path, _)| !allowed.iter().any(|one| one == *path));
    let open =
        open.filter(|(_, bytes)| secrets.iter().any(|secret| holds(bytes, secret.as_bytes())));
    let wrong: Vec<String> = open
        .map(|(path, _)| format!("/{path} holds a secret"))
        .collect();
    answer(
        &wrong,
        format!("{} files looked through", image.files.len()),
    )
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    !secret.is_empty() && bytes.windows(secret.len()).any(|window| window == secret)
}
