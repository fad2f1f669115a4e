//! Evidence: everything that was seen of a machine, kept as one file of JSON.

use lab_facts::{Fact, Facts, RootFacts, Workload};
use serde::{Deserialize, Serialize};

/// The version of [`Evidence`]'s form.
pub const EVIDENCE_FORMAT: u32 = 1;

/// Everything that was seen of a machine. No secret is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`EVIDENCE_FORMAT`] of who wrote it.
    pub format: u32,
    /// The version of the lab that wrote it.
    pub lab: String,
    /// The machine as the user named it.
    pub host: String,
    /// When, in milliseconds since 1970, by the clock of this side.
    pub taken_unix_ms: u64,
    /// The texts of the description and of what it extends, by their names; its own last.
    pub description: Vec<(String, String)>,
    /// What follows from the description and the secrets, and can only be said where both are.
    pub expected: Expected,
    /// What the probe saw; unknown where it did not run and nothing stands in for it.
    pub facts: Fact<Facts>,
    /// What only root sees; unknown with the reason where root cannot be had.
    pub root: Fact<RootFacts>,
    /// What differs from the files, packages and settings as described (`diff`).
    pub differences: Fact<Vec<Difference>>,
    /// What answers from this side.
    pub outside: Fact<Outside>,
    /// By how much the machine's clock is ahead of this side's, in milliseconds, give or take
    /// the round trip.
    pub clock_ahead_ms: Fact<i64>,
    /// The workloads that ran; empty where none were asked for.
    pub workloads: Vec<Workload>,
    /// Whether workloads were asked for.
    pub workloads_asked: bool,
    /// What was seen across restarts; none where that was not asked for.
    pub disruption: Option<Disruption>,
    /// How long each step took.
    pub stages: Vec<Stage>,
}

/// What follows from the description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The digest of the resolved description, as `/etc/lab/release` has it in
    /// `LAB_DESCRIPTION`.
    pub description: String,
    /// sha256 of the list of everything that was laid down, as
    /// `/var/lib/lab/generations/current/overlay.list`; in evidence that is kept, words that
    /// are equal where the digests were.
    pub manifest: String,
    /// The units below `lab.target`.
    pub units: Vec<ExpectedUnit>,
    /// What `machine.lock` names; none where nothing is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<Locked>,
}

/// What a lock names, as far as it is looked up on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// The lock's digest, as `/etc/lab/release` has it in `LAB_LOCK`.
    pub digest: String,
    /// What the description asks for and the lock does not have, in words; empty where it fits.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Its packages.
    pub packages: Vec<LockedPackage>,
    /// The vendors' keys.
    #[serde(default)]
    pub keys: Vec<LockedFile>,
    /// Archives and data sets: what lies on the machine of them.
    #[serde(default)]
    pub files: Vec<LockedFile>,
    /// Models.
    #[serde(default)]
    pub models: Vec<LockedModel>,
    /// Container images.
    #[serde(default)]
    pub images: Vec<LockedImage>,
}

/// A file of a lock, where it lies on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedFile {
    /// The lock's name of what it belongs to.
    pub name: String,
    /// Its absolute path.
    pub path: String,
    /// Its sha256 in hex.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A model of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedModel {
    /// Its name as Ollama lists it.
    pub name: String,
    /// The sha256 of its manifest in hex.
    pub manifest: String,
    /// Its manifest and everything that this names.
    pub files: Vec<LockedFile>,
}

/// A container image of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedImage {
    /// Its reference as it is described.
    pub reference: String,
    /// The name that it has on the machine (`NAME:TAG`).
    pub tag: String,
    /// What Docker may call its identity (`sha256:…`).
    pub ids: Vec<String>,
}

/// A package of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedPackage {
    /// Its name.
    pub name: String,
    /// Its version as apt writes it.
    pub version: String,
    /// Whether it stays in this version: a unit holds it, or needs it and no upgrade moves it.
    pub held: bool,
}

/// A unit of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedUnit {
    /// Its name, such as `docker`.
    pub name: String,
    /// The packages that it installs.
    pub packages: Vec<ExpectedPackage>,
    /// Whether they are held, so that no upgrade moves them.
    pub held: bool,
}

/// A package of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedPackage {
    /// Its name.
    pub name: String,
    /// Its version, where that is fixed.
    pub version: Option<String>,
}

/// One thing that differs from the description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `file`, `package`, `setting` or `unit`.
    pub part: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub is: String,
    /// What it should be.
    pub should: String,
}

/// What answers from this side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// The address that was tried.
    pub address: String,
    /// Each TCP port that was tried, in order.
    pub tried: Vec<PortTried>,
}

/// A port that was tried from this side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortTried {
    /// The port.
    pub port: u16,
    /// Whether it takes a connection.
    pub open: bool,
}

/// What was seen across restarts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disruption {
    /// In their order: `reboot-1`, `reboot-2`, `daemon-reload`, `docker-restart`, `recreate`.
    pub steps: Vec<Step>,
}

/// One disturbance, and the machine before and after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub name: String,
    /// How long until everything was ready again, in milliseconds.
    pub took_ms: u64,
    /// Why it could not be done or followed, where that is so.
    pub failed: Option<String>,
    /// Facts before it.
    pub before: Fact<Box<Facts>>,
    /// Root's facts before it.
    pub root_before: Fact<Box<RootFacts>>,
    /// Facts after it.
    pub after: Fact<Box<Facts>>,
    /// Root's facts after it.
    pub root_after: Fact<Box<RootFacts>>,
}

/// A step of gathering, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Stage {
    /// What it is, in a word or two.
    pub name: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}
