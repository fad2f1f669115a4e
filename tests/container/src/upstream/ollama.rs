//! Ollama's archive and the files of a model, laid out as GitHub and Ollama's registry
//! lay them out.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::sha256;
use crate::programs::run;

/// A file that the catalog pins.
#[derive(Clone, Debug)]
pub(crate) struct Pinned {
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

impl Pinned {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            sha256: sha256(bytes),
            size: bytes.len() as u64,
        }
    }
}

/// A model as the registry has it.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) manifest: Pinned,
    /// Role and file of each blob, the config last.
    pub(crate) blobs: Vec<(&'static str, Pinned)>,
}

/// Enough that a download takes a while where it is slowed down.
const PADDING: usize = 20 << 20;
const WEIGHTS: usize = 4 << 20;

/// Packs `bin/ollama` and libraries into an archive at this place.
pub(crate) fn archive(
    scratch: &Path,
    version: &str,
    program: &[u8],
    place: &Path,
) -> Result<Pinned> {
    let doing = || format!("packing {}", place.display());
    let folder = tempfile::tempdir_in(scratch).with_context(doing)?;
    let root = folder.path();
    let files: [(&str, Vec<u8>); 4] = [
        ("bin/ollama", program.to_vec()),
        ("lib/ollama/cuda_v12/libggml-cuda.so", noise(PADDING, 1)),
        // The stand-in asks there which version it stands for.
        ("lib/ollama/version", version.into()),
        ("lib/ollama/libggml-base.so", noise(4096, 2)),
    ];
    for (path, bytes) in files {
        let place = root.join(path);
        let parent = place.parent().with_context(doing)?;
        fs::create_dir_all(parent).with_context(doing)?;
        fs::write(&place, bytes).with_context(doing)?;
    }
    let (from, to) = (root.to_str(), place.to_str());
    let from = from.context("the scratch folder is no UTF-8")?;
    let to = to.context("the scratch folder is no UTF-8")?;
    let all = [
        "--create",
        "--zstd",
        "--mode=0755",
        "--owner=0",
        "--group=0",
    ];
    let names = ["--file", to, "--directory", from, "bin", "lib"];
    run("tar", &[&all[..], &names].concat()).with_context(doing)?;
    let bytes = fs::read(place).with_context(doing)?;
    Ok(Pinned::of(&bytes))
}

/// Lays out `/v2/library/gemma3`: manifests by tag and by digest, blobs by digest.
pub(crate) fn model(registry: &Path, blobs: &Path) -> Result<Model> {
    let config = br#"{"model_format":"gguf","model_family":"gemma3","model_type":"999.89M","file_type":"Q4_K_M","architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let files: [(&'static str, Vec<u8>); 5] = [
        ("model", [b"GGUF".to_vec(), noise(WEIGHTS, 3)].concat()),
        ("template", b"{{ .Prompt }}".to_vec()),
        (
            "license",
            b"The license of a model made for tests.\n".to_vec(),
        ),
        (
            "params",
            br#"{"stop":["<end_of_turn>"],"temperature":1}"#.to_vec(),
        ),
        ("config", config.to_vec()),
    ];
    let mut listed = Vec::new();
    for (role, bytes) in &files {
        let pinned = Pinned::of(bytes);
        write(&blobs.join(format!("sha256:{}", pinned.sha256)), bytes)?;
        listed.push((*role, pinned));
    }
    let manifest = manifest(&listed);
    let digest = Pinned::of(manifest.as_bytes());
    for name in ["1b".to_owned(), format!("sha256:{}", digest.sha256)] {
        write(&registry.join("manifests").join(name), manifest.as_bytes())?;
    }
    Ok(Model {
        manifest: digest,
        blobs: listed,
    })
}

/// Without a newline at its end, as Ollama's registry has it.
fn manifest(blobs: &[(&str, Pinned)]) -> String {
    let entry = |kind: &str, file: &Pinned| {
        format!(
            r#"{{"mediaType":"{kind}","digest":"sha256:{}","size":{}}}"#,
            file.sha256, file.size
        )
    };
    let mut config = String::new();
    let mut layers = Vec::new();
    for (role, file) in blobs {
        match *role {
            "config" => config = entry("application/vnd.docker.container.image.v1+json", file),
            role => layers.push(entry(&format!("application/vnd.ollama.image.{role}"), file)),
        }
    }
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{config},"layers":[{}]}}"#,
        layers.join(",")
    )
}

/// Bytes that nothing packs smaller, the same ones in every run (xorshift64).
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn write(place: &Path, bytes: &[u8]) -> Result<()> {
    let doing = || format!("writing {}", place.display());
    let parent = place.parent().with_context(doing)?;
    fs::create_dir_all(parent).with_context(doing)?;
    fs::write(place, bytes).with_context(doing)
}
