//! What may be wrong with an upstream for a while.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::repository::{Dates, Repository};
use super::server::{Change, Server};
use super::{Upstreams, Vendor};

/// One thing that is wrong. A path begins with its host: `quay.io/v2/…`.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Every connection to this host ends without an answer.
    Down(String),
    /// No connection to this host is faster than that, in bytes a second.
    Slow(String, u64),
    /// The file at this path has its length and one other byte.
    WrongBytes(String),
    /// The file at this path is only half there.
    Truncated(String),
    /// Nothing is at this path.
    Missing(String),
    /// The vendor's key file holds somebody else's key.
    WrongKey(Vendor),
    /// The vendor's repository is signed by somebody else.
    BadSignature(Vendor),
    /// The vendor's repository was signed ten years from now: so it looks to a machine
    /// whose clock is behind.
    NotYetValid(Vendor),
    /// The vendor's repository was good until a day that is past: so it looks to a
    /// machine whose clock is ahead.
    Expired(Vendor),
}

/// A fault that is there until this value goes.
#[derive(Debug)]
#[must_use = "the fault is taken back when this value goes"]
pub struct Active<'a> {
    server: &'a Server,
    number: u64,
}

impl<'a> Active<'a> {
    pub(crate) fn new(server: &'a Server, changes: Vec<Change>) -> Result<Self> {
        let number = server.change(changes)?;
        Ok(Self { server, number })
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.server.take_back(self.number) {
            eprintln!("a fault could not be taken back: {error:#}");
        }
    }
}

/// Far enough that nobody's clock is meant.
const FUTURE: &str = "Sun, 01 Jan 2040 00:00:00 UTC";
const PAST: &str = "Wed, 01 Jan 2020 00:00:00 UTC";

impl Upstreams {
    /// Makes something wrong until the answer is dropped.
    ///
    /// # Errors
    ///
    /// When there is no such file, or nginx does not take the new configuration.
    pub fn with(&self, fault: &Fault) -> Result<Active<'_>> {
        let changes = self
            .changes(fault)
            .with_context(|| format!("making {fault:?}"))?;
        Active::new(&self.server, changes)
    }

    fn changes(&self, fault: &Fault) -> Result<Vec<Change>> {
        let one = match fault {
            Fault::Down(host) => Change::Down { host: host.clone() },
            Fault::Slow(host, rate) => Change::Slow {
                host: host.clone(),
                rate: *rate,
            },
            Fault::WrongBytes(path) => self.replaced(path, |bytes| flip_a_byte(bytes))?,
            Fault::Truncated(path) => {
                self.replaced(path, |bytes| bytes.truncate(bytes.len() / 2))?
            }
            Fault::Missing(path) => {
                let (host, path) = split(path)?;
                Change::Missing { host, path }
            }
            Fault::WrongKey(vendor) => self.wrong_key(*vendor)?,
            Fault::BadSignature(vendor) => return self.signed(*vendor, Dates::default(), true),
            Fault::NotYetValid(vendor) => {
                let dates = Dates {
                    date: Some(FUTURE),
                    valid_until: None,
                };
                return self.signed(*vendor, dates, false);
            }
            Fault::Expired(vendor) => {
                let dates = Dates {
                    date: Some(PAST),
                    valid_until: Some(PAST),
                };
                return self.signed(*vendor, dates, false);
            }
        };
        Ok(vec![one])
    }

    /// A folder for files that stand in for others.
    pub(crate) fn folder_for_change(&self) -> Result<PathBuf> {
        let folder = tempfile::tempdir_in(&self.folder).context("making a scratch folder")?;
        Ok(folder.keep())
    }

    fn replaced(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Result<Change> {
        let (host, path) = split(path)?;
        let from = self.file_of(&host, &path);
        let mut bytes = fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
        change(&mut bytes);
        let file = self.folder_for_change()?.join("file");
        fs::write(&file, bytes).with_context(|| format!("writing {}", file.display()))?;
        Ok(Change::File { host, path, file })
    }

    fn wrong_key(&self, vendor: Vendor) -> Result<Change> {
        let (host, path) = split(vendor.key_path().context("its key is not fetched")?)?;
        let file = self.folder_for_change()?.join("key");
        fs::write(&file, &self.stranger.public)
            .with_context(|| format!("writing {}", file.display()))?;
        Ok(Change::File { host, path, file })
    }

    /// The same repository under another `InRelease`.
    fn signed(&self, vendor: Vendor, dates: Dates<'_>, stranger: bool) -> Result<Vec<Change>> {
        let repository = self.repository(vendor)?;
        let folder = self.folder_for_change()?;
        let key = if stranger {
            &self.stranger
        } else {
            &repository.key
        };
        repository.sign_again(&self.keys, key, dates, &folder)?;
        let (host, below) = split(&self.path_of(repository)?)?;
        let file = |name: &&str| Change::File {
            host: host.clone(),
            path: format!("{below}/{name}"),
            file: folder.join(name),
        };
        let names = ["InRelease", "Release", "Release.gpg"];
        Ok(names.iter().map(file).collect())
    }

    /// Where a repository's `InRelease` is, as a path with its host.
    pub(crate) fn path_of(&self, repository: &Repository) -> Result<String> {
        let folder = repository.release_folder();
        let below = folder
            .strip_prefix(self.folder.join("www"))
            .context("a repository outside of what is served")?;
        Ok(below.display().to_string())
    }

    fn file_of(&self, host: &str, path: &str) -> PathBuf {
        match path.rsplit_once("sha256:") {
            Some((_, digest)) if host == "quay.io" => self.registry.blob(digest),
            _ => Path::new(&self.folder)
                .join("www")
                .join(host)
                .join(path.trim_start_matches('/')),
        }
    }
}

fn flip_a_byte(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
}

/// Host and path, the path with its first slash.
fn split(path: &str) -> Result<(String, String)> {
    let (host, rest) = path
        .split_once('/')
        .ok_or_else(|| anyhow!("`{path}` is no host with a path"))?;
    Ok((host.to_owned(), format!("/{rest}")))
}
