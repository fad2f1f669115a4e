//! The catalog with the digests, sizes and fingerprints of this run.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use lab_catalog::Catalog;
use toml::{Table, Value};

use super::keys::Key;
use super::ollama::{Model, Pinned};
use super::sha256;

/// What the run made.
pub(crate) struct Made<'a> {
    pub(crate) docker: &'a Key,
    pub(crate) toolkit: &'a Key,
    /// Name, version and digest of each of the toolkit's packages.
    pub(crate) toolkit_packages: Vec<(String, String, String)>,
    pub(crate) ollama: (&'a str, Pinned),
    pub(crate) model: (&'a str, Model),
    /// Tag and digest of the notebook image.
    pub(crate) notebook: (&'a str, String),
    pub(crate) mnist: Pinned,
}

/// One of the catalog's own files.
pub(crate) fn data(name: &str) -> Result<Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/catalog/data");
    let place = folder.join(name);
    let text =
        fs::read_to_string(&place).with_context(|| format!("reading {}", place.display()))?;
    text.parse()
        .with_context(|| format!("reading {}", place.display()))
}

/// Files of the built-in catalog, with what the run made in place of the vendors'.
pub(crate) fn files(made: &Made<'_>) -> Result<Vec<(String, String)>> {
    let files = [
        ("apt.toml", apt(made)?),
        ("ollama.toml", ollama(made)?),
        ("notebooks.toml", notebooks(made)?),
        ("pins.toml", pins(made)?),
    ];
    let text = |(name, table): (&str, Table)| (name.to_owned(), table.to_string());
    Ok(files.map(text).into())
}

/// The built-in catalog with these files in place of its own.
pub(crate) fn catalog(files: &[(String, String)]) -> Result<Catalog> {
    let texts: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Catalog::with_files(&texts).map_err(|error| anyhow!("the catalog of this run: {error}"))
}

fn apt(made: &Made<'_>) -> Result<Table> {
    let mut file = data("apt.toml")?;
    for (name, key) in [
        ("docker", made.docker),
        ("nvidia-container-toolkit", made.toolkit),
    ] {
        let repository = at(&mut file, &["repository", name])?;
        put(repository, "key_fingerprint", key.fingerprint.as_str());
        put(repository, "key_sha256", sha256(key.public.as_bytes()));
    }
    let toolkit = at(&mut file, &["repository", "nvidia-container-toolkit"])?;
    for (name, version, digest) in &made.toolkit_packages {
        let wanted = [("name", name), ("version", version)];
        put(
            entry(toolkit, "package", &wanted)?,
            "sha256",
            digest.as_str(),
        );
    }
    Ok(file)
}

fn ollama(made: &Made<'_>) -> Result<Table> {
    let mut file = data("ollama.toml")?;
    let (version, archive) = &made.ollama;
    pin(
        entry(&mut file, "release", &[("version", version)])?,
        archive,
    )?;
    let (name, model) = &made.model;
    let entry = at(&mut file, &["model", name])?;
    put(entry, "manifest", model.manifest.sha256.as_str());
    put(entry, "manifest_size", i64::try_from(model.manifest.size)?);
    let mut blobs = Vec::new();
    for (role, blob) in &model.blobs {
        let mut table = Table::new();
        put(&mut table, "role", *role);
        pin(&mut table, blob)?;
        blobs.push(Value::Table(table));
    }
    put(entry, "blobs", blobs);
    Ok(file)
}

fn notebooks(made: &Made<'_>) -> Result<Table> {
    let mut file = data("notebooks.toml")?;
    let (tag, digest) = &made.notebook;
    put(
        entry(&mut file, "image", &[("tag", tag)])?,
        "digest",
        digest.as_str(),
    );
    Ok(file)
}

fn pins(made: &Made<'_>) -> Result<Table> {
    let mut file = data("pins.toml")?;
    pin(entry(&mut file, "file", &[("name", "mnist")])?, &made.mnist)?;
    Ok(file)
}

fn pin(table: &mut Table, file: &Pinned) -> Result<()> {
    put(table, "sha256", file.sha256.as_str());
    put(table, "size", i64::try_from(file.size)?);
    Ok(())
}

fn put(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

/// The table at a path of keys.
fn at<'a>(table: &'a mut Table, path: &[&str]) -> Result<&'a mut Table> {
    path.iter().try_fold(table, |table, key| {
        let value = table.get_mut(*key).and_then(Value::as_table_mut);
        value.with_context(|| format!("the catalog's data has no table {}", path.join(".")))
    })
}

/// The table with these values in an array of tables.
fn entry<'a>(
    table: &'a mut Table,
    key: &str,
    wanted: &[(&str, impl AsRef<str>)],
) -> Result<&'a mut Table> {
    let tables = table.get_mut(key).and_then(Value::as_array_mut);
    let tables = tables.with_context(|| format!("the catalog's data has no array {key}"))?;
    let fits = |table: &Table| {
        wanted
            .iter()
            .all(|(name, value)| table.get(*name).and_then(Value::as_str) == Some(value.as_ref()))
    };
    let mut tables = tables.iter_mut().filter_map(Value::as_table_mut);
    tables
        .find(|table| fits(table))
        .with_context(|| format!("the catalog's {key} has no entry of the wanted name"))
}
