//! What was installed, and how it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Fact;

/// What was installed, and how it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// The packages that were asked for; one that is not there is left out.
    pub packages: Fact<BTreeMap<String, Package>>,
    /// Names of packages that are held.
    pub held: Fact<Vec<String>>,
    /// apt's sources, from every `.sources` and `.list` file.
    pub apt_sources: Fact<Vec<AptSource>>,
    /// apt's settings below `APT::Periodic` and `Unattended-Upgrade`, and `APT::Snapshot`; of a
    /// list each value (`apt-config dump`).
    pub apt_config: Fact<BTreeMap<String, Vec<String>>>,
    /// `/etc/lab/release`: its keys and values.
    pub release: Fact<BTreeMap<String, String>>,
    /// `lab status --porcelain`, and its last line as the unit `lab`.
    pub lab_status: Fact<Vec<UnitStatus>>,
    /// The cards by their names in the description: name, UUID (`-` for none), address.
    pub lab_gpus: Fact<Vec<(String, String, String)>>,
    /// Ollama, as it answers.
    pub ollama: Fact<Ollama>,
    /// What JupyterLab answers to `/api/status` without a token.
    pub jupyter_without_token: Fact<HttpAnswer>,
    /// What the DCGAN page answers to `/`.
    pub dcgan_page: Fact<HttpAnswer>,
    /// What the exporter answers to `/metrics`.
    pub exporter: Fact<HttpAnswer>,
    /// `nvtop --version`, its first line.
    pub nvtop: Fact<String>,
    /// `nvidia-ctk --version`: the version, such as `1.20.0`.
    pub nvidia_ctk: Fact<String>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its version.
    pub version: String,
    /// dpkg's two letters, such as `ii` or `hi`.
    pub status: String,
}

/// A source of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AptSource {
    /// Its file.
    pub file: String,
    /// Its address.
    pub uri: String,
    /// Its suites.
    pub suites: Vec<String>,
    /// Its components; none for a flat repository.
    pub components: Vec<String>,
    /// `Signed-By`: a path, or `(inline)`; none where every key of the system signs for it.
    pub signed_by: Option<String>,
    /// Fingerprints (40 hex digits, capital) of the keys in that file.
    pub fingerprints: Fact<Vec<String>>,
    /// Whether its signatures are not looked at (`Trusted: yes`).
    pub trusted: bool,
}

/// A unit of the lab, as `lab status` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStatus {
    /// Its name.
    pub unit: String,
    /// `ready`, `working`, `waiting`, `failed` or `not-started`.
    pub state: String,
    /// What it does, why it waits or why it failed.
    pub text: String,
    /// What to do about it.
    pub way_out: String,
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The status, such as 200.
    pub status: u16,
    /// The answer's body, cut at 64 KiB.
    pub body: String,
}

/// Ollama, as it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ollama {
    /// `/api/version`.
    pub version: String,
    /// `/api/tags`.
    pub models: Vec<Model>,
    /// `/api/ps`.
    pub loaded: Vec<Loaded>,
}

/// A model that Ollama has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name, such as `gemma3:1b`.
    pub name: String,
    /// The sha256 of its manifest, in hex.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A model that is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Loaded {
    /// Its name.
    pub name: String,
    /// What it takes in bytes.
    pub size: u64,
    /// The part of that which lies in the cards' memory; all of it where no processor helps.
    pub size_vram: u64,
}

/// Docker, with what was found in its containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerFacts {
    /// The daemon.
    pub docker: Docker,
    /// The containers that were asked for; one that is not there is left out.
    pub containers: Vec<Container>,
    /// The identities (`sha256:…`) of the images that were asked for, by their names; nothing
    /// where there is none of that name.
    #[serde(default)]
    pub images: BTreeMap<String, Fact<Option<String>>>,
}

/// A file, by what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its sha256 in hex; none where it is too large to be read while somebody waits.
    pub sha256: Option<String>,
}

/// The daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Docker {
    /// Its version.
    pub version: String,
    /// Where images and containers lie.
    pub root: String,
    /// Names of its runtimes.
    pub runtimes: Vec<String>,
    /// Where it looks for CDI specifications; none where CDI is off.
    pub cdi_dirs: Vec<String>,
    /// What logs by default, such as `json-file`.
    pub logging: String,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The image's identity (`sha256:…`).
    pub image: String,
    /// The image's name in the container's own words.
    pub image_name: String,
    /// When it was made (RFC 3339).
    pub created: String,
    /// Its identity.
    pub id: String,
    /// Whether it runs.
    pub running: bool,
    /// Its exit status where it does not.
    pub exit_code: i64,
    /// How often it was started again.
    pub restarts: u32,
    /// CDI names of the devices that it was given (`nvidia.com/gpu=GPU-…`).
    pub cdi: Vec<String>,
    /// Whether it was given cards by the legacy hook (`--gpus` or the runtime `nvidia`).
    pub legacy_gpus: bool,
    /// Published ports: address and port here, such as `127.0.0.1:8888`.
    pub published: Vec<String>,
    /// UUIDs of the cards that are seen from inside (`nvidia-smi -L`).
    pub sees: Fact<Vec<String>>,
}

/// An account that has a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Whether it has a password that opens it (`/etc/shadow`): none where it is locked.
    pub password: bool,
    /// Whether it has an empty password.
    pub empty_password: bool,
    /// How many keys may log in as it (`~/.ssh/authorized_keys`).
    pub ssh_keys: u32,
}
