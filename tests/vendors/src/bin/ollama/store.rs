//! The store of models: manifests by name, blobs by digest.
//!
//! `manifests/HOST/NAMESPACE/MODEL/TAG` names the blobs of a model, `blobs/sha256-HEX`
//! holds them. A model's own digest is the hash of its manifest, byte for byte.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::slog;

const DEFAULT_HOST: &str = "registry.ollama.ai";
const DEFAULT_NAMESPACE: &str = "library";
const DEFAULT_TAG: &str = "latest";

/// The folder of `OLLAMA_MODELS`.
pub(crate) struct Store {
    root: PathBuf,
}

/// A model of the store.
pub(crate) struct Model {
    /// As it is shown: without what is the default.
    pub(crate) name: String,
    /// Hash of the manifest.
    pub(crate) digest: String,
    pub(crate) manifest: Manifest,
    pub(crate) modified: SystemTime,
}

/// A manifest, as far as it matters here.
#[derive(Deserialize)]
pub(crate) struct Manifest {
    config: Layer,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    digest: String,
    size: u64,
}

/// What the configuration blob says of a model.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) model_format: String,
    pub(crate) model_family: String,
    pub(crate) model_type: String,
    pub(crate) file_type: String,
}

impl Manifest {
    fn blobs(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().chain([&self.config])
    }

    /// The bytes of all blobs.
    pub(crate) fn size(&self) -> u64 {
        self.blobs().map(|layer| layer.size).sum()
    }
}

impl Store {
    /// Opens the store and makes its folders.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        for folder in ["blobs", "manifests"].map(|name| root.join(name)) {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("making the directory {}", folder.display()))?;
        }
        Ok(Store { root: root.into() })
    }

    /// All models, by name. A manifest that cannot be read is an error.
    pub(crate) fn models(&self) -> Result<Vec<Model>> {
        let root = self.root.join("manifests");
        let mut models = Vec::new();
        for path in files(&root)? {
            let inside = path.strip_prefix(&root).unwrap_or(&path);
            let parts: Vec<&str> = inside.iter().filter_map(|part| part.to_str()).collect();
            if let [host, namespace, model, tag] = parts.as_slice() {
                models.push(read(&path, shown(host, namespace, model, tag))?);
            }
        }
        models.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(models)
    }

    /// The model of this name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Model>> {
        let Some([host, namespace, model, tag]) = parts(name) else {
            return Ok(None);
        };
        let path = ["manifests", host, namespace, model, tag]
            .iter()
            .fold(self.root.clone(), |path, part| path.join(part));
        if !path.is_file() {
            return Ok(None);
        }
        read(&path, shown(host, namespace, model, tag)).map(Some)
    }

    /// Removes blobs that no manifest names.
    pub(crate) fn prune(&self) -> Result<()> {
        let models = match self.models() {
            Ok(models) => models,
            Err(error) => {
                // Without all manifests nobody knows which blobs are needed.
                let error = format!("{error:#}");
                let values = [("error", error.as_str())];
                slog::log("WARN", "images.go:490", "not pruning", &values);
                return Ok(());
            }
        };
        let named: BTreeSet<String> = models
            .iter()
            .flat_map(|model| model.manifest.blobs())
            .map(|layer| file_name(&layer.digest))
            .collect();
        let blobs = files(&self.root.join("blobs"))?;
        let (total, mut removed) = (blobs.len(), 0);
        for blob in blobs {
            let name = blob.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| named.contains(name)) {
                continue;
            }
            std::fs::remove_file(&blob).with_context(|| format!("removing {}", blob.display()))?;
            removed += 1;
        }
        let log = |text: &str| slog::log("INFO", "images.go:493", text, &[]);
        log(&format!("total blobs: {total}"));
        log(&format!("total unused blobs removed: {removed}"));
        Ok(())
    }

    /// Reads a model's blobs through and compares them with their names.
    pub(crate) fn verify(&self, model: &Model) -> Result<()> {
        for layer in model.manifest.blobs() {
            let path = self.blob(layer);
            let mut file =
                File::open(&path).with_context(|| format!("opening {}", path.display()))?;
            let mut hash = Sha256::new();
            std::io::copy(&mut file, &mut HashWriter(&mut hash))
                .with_context(|| format!("reading {}", path.display()))?;
            let found = format!("sha256:{}", hex::encode(hash.finalize()));
            if found != layer.digest {
                bail!("digest mismatch: {} is {found}", layer.digest);
            }
        }
        Ok(())
    }

    /// What the configuration blob says; nothing where it is not there.
    pub(crate) fn config(&self, model: &Model) -> Config {
        let text = std::fs::read_to_string(self.blob(&model.manifest.config));
        text.ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    fn blob(&self, layer: &Layer) -> PathBuf {
        self.root.join("blobs").join(file_name(&layer.digest))
    }
}

/// A hash that bytes are copied into.
struct HashWriter<'h>(&'h mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn file_name(digest: &str) -> String {
    // A digest is a name in a manifest from outside: it must not lead elsewhere.
    digest.replace(':', "-").replace('/', "_")
}

fn read(path: &Path, name: String) -> Result<Model> {
    let doing = || format!("reading the manifest {}", path.display());
    let bytes = std::fs::read(path).with_context(doing)?;
    let modified = std::fs::metadata(path).and_then(|data| data.modified());
    Ok(Model {
        name,
        digest: hex::encode(Sha256::digest(&bytes)),
        manifest: serde_json::from_slice(&bytes).with_context(doing)?,
        modified: modified.with_context(doing)?,
    })
}

/// The four parts of a name, with the defaults where it leaves some out.
fn parts(name: &str) -> Option<[&str; 4]> {
    let (rest, tag) = match name.rsplit_once(':') {
        Some((rest, tag)) if !tag.contains('/') => (rest, tag),
        _ => (name, DEFAULT_TAG),
    };
    let words: Vec<&str> = rest.split('/').collect();
    let all = match words.as_slice() {
        [model] => [DEFAULT_HOST, DEFAULT_NAMESPACE, model, tag],
        [namespace, model] => [DEFAULT_HOST, namespace, model, tag],
        [host, namespace, model] => [host, namespace, model, tag],
        _ => return None,
    };
    let sound = |part: &&str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
    all.iter().all(sound).then_some(all)
}

/// The name without what is the default.
fn shown(host: &str, namespace: &str, model: &str, tag: &str) -> String {
    if host != DEFAULT_HOST {
        return format!("{host}/{namespace}/{model}:{tag}");
    }
    if namespace != DEFAULT_NAMESPACE {
        return format!("{namespace}/{model}:{tag}");
    }
    format!("{model}:{tag}")
}

/// All files below a folder. What starts with a dot is passed by.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let doing = || format!("reading the directory {}", folder.display());
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.with_context(doing)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(doing)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type().with_context(doing)?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_defaults_and_lead_nowhere_else() {
        let whole = [DEFAULT_HOST, "library", "gemma3", "1b"];
        assert_eq!(parts("gemma3:1b"), Some(whole));
        assert_eq!(parts("gemma3").map(|parts| parts[3]), Some("latest"));
        let local = ["localhost:5000", "a", "b", "latest"];
        assert_eq!(parts("localhost:5000/a/b"), Some(local));
        assert_eq!(parts("../../etc/passwd"), None);
        assert_eq!(parts(""), None);
        assert_eq!(shown(DEFAULT_HOST, "library", "gemma3", "1b"), "gemma3:1b");
    }
}
