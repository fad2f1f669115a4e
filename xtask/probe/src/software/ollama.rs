//! Ollama's answers (its `docs/api.md`).

use lab_facts::{Loaded, Model, Ollama};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http;
use crate::root::short;

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
struct Models<T> {
    /// Ollama writes null for an empty list.
    models: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    size: u64,
}

#[derive(Deserialize)]
struct Process {
    name: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    size_vram: u64,
}

/// Its version, its models and those that are loaded.
pub(crate) fn look(address: &str) -> Result<Ollama, String> {
    let version: Version = ask(address, "/api/version")?;
    let tags: Models<Tag> = ask(address, "/api/tags")?;
    Ok(Ollama {
        version: version.version,
        models: tags
            .models
            .unwrap_or_default()
            .into_iter()
            .map(model)
            .collect(),
        loaded: loaded(address)?,
    })
}

fn model(tag: Tag) -> Model {
    let digest = tag.digest.strip_prefix("sha256:");
    Model {
        digest: digest.map_or(tag.digest.clone(), str::to_owned),
        name: tag.name,
        size: tag.size,
    }
}

/// The models that are loaded.
pub(crate) fn loaded(address: &str) -> Result<Vec<Loaded>, String> {
    let processes: Models<Process> = ask(address, "/api/ps")?;
    let loaded = |one: Process| Loaded {
        name: one.name,
        size: one.size,
        size_vram: one.size_vram,
    };
    Ok(processes
        .models
        .unwrap_or_default()
        .into_iter()
        .map(loaded)
        .collect())
}

fn ask<T: DeserializeOwned>(address: &str, path: &str) -> Result<T, String> {
    let text = http::get(address, path)?;
    serde_json::from_str(&text)
        .map_err(|error| format!("{address}{path} answers `{}`: {error}", short(&text)))
}
