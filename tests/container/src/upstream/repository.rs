//! Signed apt repositories: `Packages`, `Release` with digests, `InRelease`.
//!
//! Both layouts are here: `dists/SUITE/COMPONENT` with a pool, and the flat one whose
//! suite is `/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::keys::{Key, Keys};
use crate::programs::{run, run_in};

/// Where a repository's files are and what its `Release` says.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    /// The folder behind the source's URI, which has the packages.
    pub(crate) root: PathBuf,
    /// Where the indices are written: the same folder, but for another state of it.
    pub(crate) indices: PathBuf,
    /// Its suite; none for a flat repository.
    pub(crate) suite: Option<String>,
    /// Its components; the first one has the packages.
    pub(crate) components: Vec<String>,
    /// `Origin` and `Label`.
    pub(crate) origin: String,
    /// Folders with packages, below the root.
    pub(crate) pools: Vec<String>,
    /// Who signs.
    pub(crate) key: Key,
}

/// What may differ from one signing to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dates<'a> {
    /// `Date`, where it is not now, in the form of RFC 2822.
    pub(crate) date: Option<&'a str>,
    /// `Valid-Until`, where it has one.
    pub(crate) valid_until: Option<&'a str>,
}

impl Repository {
    /// The folder of `InRelease`.
    pub(crate) fn release_folder(&self) -> PathBuf {
        match &self.suite {
            Some(suite) => self.indices.join("dists").join(suite),
            None => self.indices.clone(),
        }
    }

    /// Writes all its indices and signs them.
    pub(crate) fn publish(&self, keys: &Keys) -> Result<()> {
        let doing = || format!("publishing the repository {}", self.root.display());
        let packages = self.packages().with_context(doing)?;
        self.write_indices(&packages).with_context(doing)?;
        let release = self.release(Dates::default()).with_context(doing)?;
        let place = self.release_folder().join("Release");
        fs::write(&place, release).with_context(doing)?;
        keys.sign(&self.key, &place).with_context(doing)
    }

    fn packages(&self) -> Result<String> {
        let mut all = String::new();
        for pool in &self.pools {
            if self.root.join(pool).is_dir() {
                all += &run_in(&self.root, "apt-ftparchive", &["packages", pool])?;
            }
        }
        Ok(all)
    }

    fn write_indices(&self, packages: &str) -> Result<()> {
        if self.suite.is_none() {
            return write_index(&self.indices, packages, false);
        }
        for (number, component) in self.components.iter().enumerate() {
            let folder = self.release_folder().join(component).join("binary-amd64");
            let packages = if number == 0 { packages } else { "" };
            write_index(&folder, packages, true)?;
        }
        Ok(())
    }

    /// The text of `Release`, over the indices that are there.
    pub(crate) fn release(&self, dates: Dates<'_>) -> Result<String> {
        let folder = self.release_folder();
        // What an earlier run left would be listed.
        for name in ["Release", "InRelease", "Release.gpg"] {
            let _ = fs::remove_file(folder.join(name));
        }
        let mut fields = vec![
            ("Origin", self.origin.clone()),
            ("Label", self.origin.clone()),
            ("Architectures", "amd64".to_owned()),
            ("Acquire-By-Hash", "yes".to_owned()),
        ];
        if let Some(suite) = &self.suite {
            fields.push(("Suite", suite.clone()));
            fields.push(("Codename", suite.clone()));
            fields.push(("Components", self.components.join(" ")));
        }
        let option = |(name, value)| format!("APT::FTPArchive::Release::{name}={value}");
        let options: Vec<String> = fields.into_iter().map(option).collect();
        let mut arguments: Vec<&str> = options.iter().flat_map(|one| ["-o", one]).collect();
        arguments.extend(["release", "."]);
        let text = run_in(&folder, "apt-ftparchive", &arguments)?;
        Ok(dated(&text, dates))
    }

    /// Another `InRelease` over the same indices, in a folder of its own.
    pub(crate) fn sign_again(
        &self,
        keys: &Keys,
        key: &Key,
        dates: Dates<'_>,
        folder: &Path,
    ) -> Result<()> {
        let published = self.release_folder().join("Release");
        let text = fs::read_to_string(&published)
            .with_context(|| format!("reading {}", published.display()))?;
        let place = folder.join("Release");
        fs::write(&place, dated(&text, dates))
            .with_context(|| format!("writing {}", place.display()))?;
        keys.sign(key, &place)
    }
}

fn dated(release: &str, dates: Dates<'_>) -> String {
    let mut text = String::new();
    for line in release.lines() {
        match (line.strip_prefix("Date: "), dates.date) {
            (Some(_), Some(date)) => text += &format!("Date: {date}\n"),
            _ => text += &format!("{line}\n"),
        }
        if let (true, Some(until)) = (line.starts_with("Date: "), dates.valid_until) {
            text += &format!("Valid-Until: {until}\n");
        }
    }
    text
}

/// `Packages`, packed and not, by name and by digest.
fn write_index(folder: &Path, packages: &str, by_hash: bool) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let plain = folder.join("Packages");
    fs::write(&plain, packages).with_context(|| format!("writing {}", plain.display()))?;
    let place = plain.to_str().context("the scratch folder is no UTF-8")?;
    run("gzip", &["--keep", "--force", "--no-name", place])?;
    if by_hash {
        let digests = folder.join("by-hash/SHA256");
        fs::create_dir_all(&digests).with_context(|| format!("making {}", digests.display()))?;
        for name in ["Packages", "Packages.gz"] {
            let bytes = fs::read(folder.join(name)).with_context(|| format!("reading {name}"))?;
            let place = digests.join(super::sha256(&bytes));
            fs::write(&place, bytes).with_context(|| format!("writing {}", place.display()))?;
        }
    }
    Ok(())
}
