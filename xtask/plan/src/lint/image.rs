//! What the questions are asked of: the lab's files on an image, read once.

use std::collections::BTreeMap;

use super::menu::Menu;
use crate::autoinstall::{self, Autoinstall};
use crate::manifest::Manifest;
use crate::place;

/// The largest file of the lab's that is looked at, in bytes. The menus, scripts
/// and settings that it puts on an image have a few KB each.
const MAX_FILE: usize = 64 << 20;

pub(super) struct Image<'a> {
    /// Every file's permission bits by path.
    pub(super) modes: BTreeMap<&'a str, u32>,
    /// The lab's own files.
    pub(super) files: BTreeMap<&'a str, Vec<u8>>,
    pub(super) menus: BTreeMap<&'static str, Menu>,
    pub(super) autoinstall: Result<Autoinstall, String>,
    pub(super) manifest: Result<Manifest, String>,
    pub(super) guard: Result<BTreeMap<String, String>, String>,
}

/// Whether the lab puts such a file on an image, of those that are looked into. A payload
/// is gigabytes: which files it has is looked at, and the machine looks at their digests.
pub(super) fn is_ours(path: &str) -> bool {
    path.starts_with("lab/") && !path.starts_with(place::OFFLINE)
        || path == place::AUTOINSTALL
        || path == place::GRUB_CFG
        || path == place::LOOPBACK_CFG
}

impl<'a> Image<'a> {
    pub(super) fn open(
        get: &dyn Fn(&str) -> Option<Vec<u8>>,
        listing: &'a [(String, u32)],
    ) -> Self {
        let modes: BTreeMap<&str, u32> = listing
            .iter()
            .map(|(path, mode)| (path.trim_start_matches('/'), *mode))
            .collect();
        let ours = modes.keys().filter(|path| is_ours(path));
        let files: BTreeMap<&str, Vec<u8>> = ours
            .filter_map(|path| Some((*path, get(path).filter(|bytes| bytes.len() <= MAX_FILE)?)))
            .collect();
        let menus = [place::GRUB_CFG, place::LOOPBACK_CFG];
        let menus = menus.into_iter().filter_map(|path| {
            Some((path, Menu::read(&String::from_utf8_lossy(files.get(path)?))))
        });
        Self {
            menus: menus.collect(),
            autoinstall: read(&files, place::AUTOINSTALL, |bytes| {
                autoinstall::read(bytes).map_err(|why| format!("{why:#}"))
            }),
            manifest: read(&files, place::MANIFEST, |bytes| {
                serde_json::from_slice(bytes).map_err(|why| why.to_string())
            }),
            guard: read(&files, place::GUARD_CONF, assignments),
            modes,
            files,
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.modes.contains_key(path.trim_start_matches('/'))
    }

    pub(super) fn guard_value(&self, name: &str) -> Option<&str> {
        self.guard.as_ref().ok()?.get(name).map(String::as_str)
    }
}

fn read<T>(
    files: &BTreeMap<&str, Vec<u8>>,
    path: &str,
    parse: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<T, String> {
    let bytes = files
        .get(path)
        .ok_or_else(|| format!("/{path} is not on the image, or too large"))?;
    parse(bytes).map_err(|why| format!("reading /{path}: {why}"))
}

/// Reads `NAME='value'` lines as the shell would. Anything else in the file would
/// be run by the guard, so it is an error.
fn assignments(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut values = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let pair = line.split_once('=').filter(|(name, _)| {
            name.starts_with("LAB_") && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        });
        let pair = pair.and_then(|(name, value)| Some((name, plain_value(value)?)));
        let Some((name, value)) = pair else {
            return Err(format!(
                "the line `{}` is no assignment of the lab's",
                line.escape_debug()
            ));
        };
        if values.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} is set twice"));
        }
    }
    Ok(values)
}

/// A number, or a text in single quotes without any in it. No value of the lab's
/// has one: its types refuse them.
fn plain_value(value: &str) -> Option<String> {
    if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) {
        return Some(value.to_owned());
    }
    let inner = value.strip_prefix('\'')?.strip_suffix('\'')?;
    (!inner.contains('\'')).then(|| inner.to_owned())
}
