//! The vendors' servers, here: the real protocols under the real names and paths, with
//! keys, certificates and contents made for the run.
//!
//! An nginx at the gateway of a network of Docker's answers for all of them: signed apt
//! repositories of Docker, of NVIDIA's container toolkit and of Ubuntu, the vendors' key
//! files, Ollama's archive and registry with their redirects, an OCI registry (Debian's
//! docker-registry) as quay.io, and a data set. Debian's own mirror is reached through
//! it too, and what it gave is kept for the run.
//!
//! What they do not prove: that the vendors' packages install, or that their servers are
//! up. One address answers for all names, so a server that is down takes the connection
//! and ends it.

mod certificates;
mod engine;
mod facts;
mod fault;
mod keys;
mod network;
mod notebook;
mod ollama;
mod package;
mod repository;
mod server;
mod sites;
mod vendors;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab_catalog::Catalog;
use sha2::{Digest as _, Sha256};

pub use fault::{Active, Fault};
pub use vendors::{DRIVER, NEW_DRIVER};

use certificates::Certificates;
use keys::{Key, Keys};
use network::Network;
use notebook::Registry;
use ollama::Model;
use repository::Repository;
use server::{Change, Server};
use vendors::Programs;

/// The release of Ollama that is served.
const OLLAMA: &str = "0.35.1";
const MODEL: &str = "gemma3:1b";
const NOTEBOOK: &str = "cuda-2025-07-14";
const TOOLKIT: &str = "1.20.1-1";

/// Who has an apt repository here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vendor {
    /// `download.docker.com`.
    Docker,
    /// `nvidia.github.io`, the container toolkit.
    Toolkit,
    /// `archive.ubuntu.com`, the driver.
    Ubuntu,
}

impl Vendor {
    /// Where its key is fetched, as a path with its host. Ubuntu's is on every machine.
    #[must_use]
    pub const fn key_path(self) -> Option<&'static str> {
        match self {
            Self::Docker => Some("download.docker.com/linux/ubuntu/gpg"),
            Self::Toolkit => Some("nvidia.github.io/libnvidia-container/gpgkey"),
            Self::Ubuntu => None,
        }
    }

    /// The folder behind the source's URI, below the folder of what is served.
    const fn root(self) -> &'static str {
        match self {
            Self::Docker => "download.docker.com/linux/ubuntu",
            Self::Toolkit => "nvidia.github.io/libnvidia-container/stable/deb/amd64",
            Self::Ubuntu => "archive.ubuntu.com/ubuntu",
        }
    }
}

/// All servers, which end when this value goes.
#[derive(Debug)]
pub struct Upstreams {
    // Fields are dropped in this order: servers before the network they listen in.
    server: Server,
    registry: Registry,
    keys: Keys,
    network: Network,
    folder: PathBuf,
    certificates: Certificates,
    repositories: BTreeMap<Vendor, Repository>,
    stranger: Key,
    model: Model,
    /// The notebook image's manifest.
    notebook: String,
    catalog_files: Vec<(String, String)>,
    catalog: Catalog,
}

impl Upstreams {
    /// Makes everything that is served and starts to serve it.
    ///
    /// # Errors
    ///
    /// When a program fails or a port is taken; which, is in the error.
    pub fn start(scratch: &Path) -> Result<Self> {
        let folder = scratch.join("upstreams");
        let www = folder.join("www");
        fs::create_dir_all(&www).with_context(|| format!("making {}", www.display()))?;
        let programs = Programs::build().context("building what stands in for the vendors'")?;
        let keys = Keys::new(&folder)?;
        let stranger = keys.make("Somebody else")?;
        let repositories = repositories(&folder, &keys, &programs)?;
        let (archive, model) = files_of_ollama(&folder, &programs)?;
        let registry = Registry::start(&folder)?;
        let notebook = registry.push_notebook(NOTEBOOK)?;
        let mnist = data_set(&www)?;
        let catalog_files = facts::files(&facts::Made {
            docker: &repository(&repositories, Vendor::Docker)?.key,
            toolkit: &repository(&repositories, Vendor::Toolkit)?.key,
            toolkit_packages: toolkit_packages(&www)?,
            ollama: (OLLAMA, archive),
            model: (MODEL, model.clone()),
            notebook: (NOTEBOOK, notebook.clone()),
            mnist,
        })?;
        let catalog = facts::catalog(&catalog_files)?;
        let names: Vec<_> = sites::HOSTS.to_vec();
        let certificates = Certificates::make(&folder, &names)?;
        let network = Network::make()?;
        let sites = sites::all(&www, registry.port);
        let server = Server::start(&folder, network.gateway, &certificates, sites)?;
        Ok(Self {
            server,
            registry,
            keys,
            network,
            folder,
            certificates,
            repositories,
            stranger,
            model,
            notebook,
            catalog_files,
            catalog,
        })
    }

    /// The catalog to describe a machine by, which is to use these servers.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The same as files: names and texts, in place of the built-in ones of those names.
    #[must_use]
    pub fn catalog_files(&self) -> &[(String, String)] {
        &self.catalog_files
    }

    /// How many requests each host has answered so far.
    ///
    /// # Errors
    ///
    /// When nginx's log cannot be read.
    pub fn requests(&self) -> Result<BTreeMap<String, usize>> {
        self.server.requests()
    }

    /// Publishes the driver's next version, until the answer is dropped. A machine that
    /// has seen the newer list keeps it: apt takes no older one for a newer one.
    ///
    /// # Errors
    ///
    /// When the indices cannot be written, or nginx does not take its configuration.
    pub fn publish_new_driver(&self) -> Result<Active<'_>> {
        let published = self.repository(Vendor::Ubuntu)?;
        let folder = self.folder_for_change()?;
        let mut next = published.clone();
        next.pools.push("pool-next".to_owned());
        next.indices = folder;
        next.publish(&self.keys)?;
        let below = self.path_of(published)?;
        let (host, path) = below
            .split_once('/')
            .context("a repository without a path")?;
        let change = Change::Folder {
            host: host.to_owned(),
            path: format!("/{path}/"),
            folder: next.release_folder(),
        };
        Active::new(&self.server, vec![change])
    }

    /// Where Ollama's archive is served, for [`Fault`].
    #[must_use]
    pub fn ollama_archive(&self) -> String {
        sites::archive(OLLAMA)
    }

    /// Where the model's manifest is served: by its tag, and by its digest.
    #[must_use]
    pub fn model_manifest(&self) -> [String; 2] {
        let folder = "registry.ollama.ai/v2/library/gemma3/manifests";
        let digest = &self.model.manifest.sha256;
        [format!("{folder}/1b"), format!("{folder}/sha256:{digest}")]
    }

    /// Where one of the model's files is served: `model`, `template`, `license`,
    /// `params` or `config`.
    #[must_use]
    pub fn model_blob(&self, role: &str) -> Option<String> {
        let mut blobs = self.model.blobs.iter();
        let (_, blob) = blobs.find(|(name, _)| *name == role)?;
        Some(format!("{}/sha256:{}", sites::BLOBS, blob.sha256))
    }

    /// Where the notebook image's manifest is served.
    #[must_use]
    pub fn notebook_manifest(&self) -> String {
        let repository = "quay.io/v2/jupyter/tensorflow-notebook";
        format!("{repository}/manifests/sha256:{}", self.notebook)
    }

    /// Where the notebook image's largest layer is served.
    ///
    /// # Errors
    ///
    /// When the registry lost the manifest.
    pub fn notebook_layer(&self) -> Result<String> {
        let layer = self.registry.layer(&self.notebook)?;
        Ok(format!(
            "quay.io/v2/jupyter/tensorflow-notebook/blobs/sha256:{layer}"
        ))
    }

    /// Where a package is served whose file's name begins so.
    ///
    /// # Errors
    ///
    /// When no package does.
    pub fn package(&self, vendor: Vendor, start: &str) -> Result<String> {
        let pool = self.folder.join("www").join(vendor.root()).join("pool");
        let found = file_beginning(&pool, start)?;
        Ok(format!("{}/pool/{found}", vendor.root()))
    }

    /// The network that the machine is put into.
    pub(crate) fn network(&self) -> &str {
        &self.network.name
    }

    /// Where all names point.
    pub(crate) const fn address(&self) -> IpAddr {
        self.network.gateway
    }

    /// The names that point here.
    pub(crate) const fn hosts(&self) -> &'static [&'static str] {
        sites::HOSTS
    }

    /// The certificate of the authority that the machine has to trust.
    pub(crate) fn authority(&self) -> &Path {
        &self.certificates.authority
    }

    /// The public key of what stands for Ubuntu's archive.
    pub(crate) fn ubuntu_key(&self) -> Result<&str> {
        Ok(&self.repository(Vendor::Ubuntu)?.key.public)
    }

    fn repository(&self, vendor: Vendor) -> Result<&Repository> {
        repository(&self.repositories, vendor)
    }
}

fn repository(all: &BTreeMap<Vendor, Repository>, vendor: Vendor) -> Result<&Repository> {
    all.get(&vendor)
        .with_context(|| format!("{vendor:?} has no repository here"))
}

/// Builds the packages, publishes the repositories and lays out the key files.
fn repositories(
    folder: &Path,
    keys: &Keys,
    programs: &Programs,
) -> Result<BTreeMap<Vendor, Repository>> {
    let www = folder.join("www");
    let pool = |vendor: Vendor, name: &str| www.join(vendor.root()).join(name);
    engine::build(&docker_versions()?, folder, &pool(Vendor::Docker, "pool"))?;
    for (packages, pool) in [
        (
            vendors::toolkit(TOOLKIT, programs),
            pool(Vendor::Toolkit, "pool"),
        ),
        (
            vendors::driver(DRIVER, programs),
            pool(Vendor::Ubuntu, "pool"),
        ),
        (
            vendors::driver(NEW_DRIVER, programs),
            pool(Vendor::Ubuntu, "pool-next"),
        ),
    ] {
        for package in packages {
            package.build(folder, &pool)?;
        }
    }
    let mut all = BTreeMap::new();
    for (vendor, owner, suite, components) in [
        (Vendor::Docker, "Docker", Some("noble"), vec!["stable"]),
        (Vendor::Toolkit, "NVIDIA", None, vec![]),
        (
            Vendor::Ubuntu,
            "Ubuntu",
            Some("noble"),
            UBUNTU_COMPONENTS.to_vec(),
        ),
    ] {
        let root = www.join(vendor.root());
        let repository = Repository {
            indices: root.clone(),
            root,
            suite: suite.map(str::to_owned),
            components: components.into_iter().map(str::to_owned).collect(),
            origin: owner.to_owned(),
            pools: vec!["pool".to_owned()],
            key: keys.make(owner)?,
        };
        repository.publish(keys)?;
        if let Some(path) = vendor.key_path() {
            let place = www.join(path);
            fs::write(&place, &repository.key.public)
                .with_context(|| format!("writing {}", place.display()))?;
        }
        all.insert(vendor, repository);
    }
    other_suites(&www, repository(&all, Vendor::Ubuntu)?, keys)?;
    Ok(all)
}

pub(crate) const UBUNTU_COMPONENTS: &[&str] = &["restricted", "main", "universe", "multiverse"];

/// Ubuntu's suites for updates, in which nothing is.
fn other_suites(www: &Path, noble: &Repository, keys: &Keys) -> Result<()> {
    for (host, suite) in [
        ("archive.ubuntu.com", "noble-updates"),
        ("archive.ubuntu.com", "noble-backports"),
        ("security.ubuntu.com", "noble-security"),
        ("archive.ubuntu.com", "noble-security"),
    ] {
        let root = www.join(host).join("ubuntu");
        fs::create_dir_all(&root).with_context(|| format!("making {}", root.display()))?;
        let repository = Repository {
            indices: root.clone(),
            root,
            suite: Some(suite.to_owned()),
            pools: Vec::new(),
            ..noble.clone()
        };
        repository.publish(keys)?;
    }
    Ok(())
}

/// Docker's packages in the versions that the catalog pins.
fn docker_versions() -> Result<Vec<(String, String)>> {
    let catalog = Catalog::builtin();
    let docker = catalog.apt_repository("docker");
    let docker = docker.context("the catalog has no repository of Docker")?;
    let pair = |one: &lab_catalog::PinnedPackage| (one.name.clone(), one.version.clone());
    Ok(docker.packages.iter().map(pair).collect())
}

fn files_of_ollama(folder: &Path, programs: &Programs) -> Result<(ollama::Pinned, Model)> {
    let www = folder.join("www");
    let place = www.join(sites::archive(OLLAMA));
    let parent = place.parent().context("an archive without a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    let archive = ollama::archive(folder, OLLAMA, &programs.ollama, &place)?;
    let registry = www.join("registry.ollama.ai/v2/library/gemma3");
    let model = ollama::model(&registry, &www.join(sites::BLOBS))?;
    Ok((archive, model))
}

/// Any bytes will do for the digits: nothing here reads them.
fn data_set(www: &Path) -> Result<ollama::Pinned> {
    let place = www.join("storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz");
    let parent = place.parent().context("a data set without a folder")?;
    let bytes = ollama::noise(1 << 20, 4);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&place, &bytes))
        .with_context(|| format!("writing {}", place.display()))?;
    Ok(ollama::Pinned::of(&bytes))
}

/// Name, version and digest of each of the toolkit's packages.
fn toolkit_packages(www: &Path) -> Result<Vec<(String, String, String)>> {
    let pool = www.join(Vendor::Toolkit.root()).join("pool");
    let mut all = Vec::new();
    for name in Catalog::builtin().toolkit_packages() {
        let place = pool.join(file_beginning(&pool, &format!("{name}_"))?);
        let bytes = fs::read(&place).with_context(|| format!("reading {}", place.display()))?;
        all.push((name.clone(), TOOLKIT.to_owned(), sha256(&bytes)));
    }
    Ok(all)
}

fn file_beginning(folder: &Path, start: &str) -> Result<String> {
    let files = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let names = files.flatten().map(|file| file.file_name());
    let mut names = names.filter_map(|name| name.into_string().ok());
    names
        .find(|name| name.starts_with(start))
        .with_context(|| format!("no file in {} begins with {start}", folder.display()))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
