//! Where the installer's file is looked for; the first that is there wins.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::live::Live;
use crate::value::Value;
use crate::yaml;

/// The place from which it is read in the end, wherever it was found.
pub const ROOT_FILE: &str = "/autoinstall.yaml";

/// On the installation medium.
pub const MEDIUM_FILE: &str = "/cdrom/autoinstall.yaml";

/// What cloud-init made of all that it was given.
pub const CLOUD_CONFIG: &str = "/run/cloud-init/combined-cloud-config.json";

/// The kernel's command line.
pub const COMMAND_LINE: &str = "/proc/cmdline";

/// Where a file was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At the path that the kernel word `subiquity.autoinstallpath=` names.
    KernelWord(String),
    /// At the root of the live system.
    Root,
    /// In what cloud-init was given, such as the user-data of a stick labelled `cidata`.
    CloudConfig,
    /// On the installation medium.
    Medium,
}

/// The words of the kernel's command line.
pub fn kernel_words(live: &Live) -> Vec<String> {
    let line = live.read(COMMAND_LINE).unwrap_or_default();
    line.split_whitespace().map(str::to_owned).collect()
}

/// Whether the kernel word `autoinstall` is there: without it a person is asked before a
/// disk is touched.
pub fn is_confirmed(words: &[String]) -> bool {
    words
        .iter()
        .any(|word| word == "autoinstall" || word.starts_with("autoinstall="))
}

/// Looks for a file, and copies it to [`ROOT_FILE`], as the real one does.
///
/// # Errors
///
/// When the copy cannot be written, or cloud-init's words are no JSON.
pub fn find(live: &Live) -> Result<Option<Place>> {
    let words = kernel_words(live);
    let named = words
        .iter()
        .rev()
        .find_map(|word| word.strip_prefix("subiquity.autoinstallpath="));
    if let Some(path) = named.filter(|path| live.path(path).exists()) {
        copy(live, path)?;
        return Ok(Some(Place::KernelWord(path.to_owned())));
    }
    if live.path(ROOT_FILE).exists() {
        return Ok(Some(Place::Root));
    }
    if let Some(found) = in_cloud_config(live)? {
        live.write(&live.path(ROOT_FILE), &yaml::write(&found), 0o600)?;
        return Ok(Some(Place::CloudConfig));
    }
    if live.path(MEDIUM_FILE).exists() {
        copy(live, MEDIUM_FILE)?;
        return Ok(Some(Place::Medium));
    }
    Ok(None)
}

fn copy(live: &Live, from: &str) -> Result<()> {
    let path = live.path(from);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    if from == ROOT_FILE {
        return Ok(());
    }
    live.write(&live.path(ROOT_FILE), &text, 0o600)
}

fn in_cloud_config(live: &Live) -> Result<Option<Value>> {
    let Some(text) = live.read(CLOUD_CONFIG) else {
        return Ok(None);
    };
    let json: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("reading {CLOUD_CONFIG}"))?;
    Ok(match json.get("autoinstall") {
        None | Some(serde_json::Value::Null) => None,
        Some(found) => Some(Value::from_json(found)),
    })
}

/// Reads the file that [`find`] put in its place.
///
/// # Errors
///
/// When it cannot be read or is no YAML.
pub fn read(live: &Live) -> Result<Value> {
    let path = live.path(ROOT_FILE);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let value = yaml::read(&text).with_context(|| format!("reading {ROOT_FILE}"))?;
    match value {
        Value::Map(_) => Ok(value),
        _ => bail!("{ROOT_FILE}: found no table of keys, expected `autoinstall:`"),
    }
}
