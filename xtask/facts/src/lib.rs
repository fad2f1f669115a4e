//! What is seen on a machine: the form of the probe's answers, and of what is asked of it.
//!
//! Facts know no expectations: whether one is good is for `lab-accept` to say. Each is
//! known or it is not, with the reason: a value that nobody could read is never a default.
//! Units are in the names of the fields.

mod nvidia;
mod software;
mod system;
mod workload;

pub use nvidia::{
    Cdi, Compute, Gpu, GpuProcess, GpuUse, Kind, Library, Module, Nvidia, PciDevice, PcieLink,
    Proof,
};
pub use software::{
    Account, AptSource, Container, Docker, DockerFacts, HttpAnswer, Loaded, Model, Object, Ollama,
    Package, Software, UnitStatus,
};
pub use system::{
    Clock, Cpu, Disk, Dmi, Firmware, Kernel, KernelLine, Listener, MemoryErrors, Nic, Os, Protocol,
    Root, Space, System, Systemd, Unit,
};
pub use workload::{
    DcganRun, Generated, GpuSample, Sample, Seen, TensorFlow, Worked, Workload, WorkloadRequest,
};

use serde::{Deserialize, Serialize};

/// The version of this form. It grows when a reader of the old one would misread the new one.
pub const FORMAT: u32 = 2;

/// A thing that was asked for: what it is, or why that is not known.
///
/// In JSON `{"is": …}` or `{"unknown": "why"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Fact<T> {
    /// It is this.
    Is(T),
    /// It could not be found out, and why, in words for a person.
    Unknown(String),
}

impl<T> Fact<T> {
    /// What it is, or the reason why that is not known.
    ///
    /// # Errors
    ///
    /// The reason, where it is not known.
    pub fn get(&self) -> Result<&T, &str> {
        match self {
            Self::Is(value) => Ok(value),
            Self::Unknown(why) => Err(why),
        }
    }

    /// What it is, where that is known.
    pub fn known(&self) -> Option<&T> {
        self.get().ok()
    }

    /// Not known, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown(why.into())
    }
}

impl<T, E: std::fmt::Display> From<Result<T, E>> for Fact<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Is(value),
            Err(why) => Self::Unknown(why.to_string()),
        }
    }
}

/// What the probe is asked, on its standard input, in JSON. What is left out is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The format that the asker understands: [`FORMAT`].
    pub format: u32,
    /// Names of Debian packages.
    pub packages: Vec<String>,
    /// Names of systemd units, with their ending.
    pub units: Vec<String>,
    /// Names of containers that are looked into (`lab-jupyter`); asked as root.
    pub containers: Vec<String>,
    /// Folders whose file systems' free space counts.
    pub spaces: Vec<String>,
    /// Ollama's address, such as `127.0.0.1:11434`.
    pub ollama: Option<String>,
    /// Files whose digest counts (such as `/var/lib/lab/generations/current/overlay.list`); absolute paths.
    pub files: Vec<String>,
    /// Files whose length and digest count, which may be large; absolute paths, asked as root.
    pub objects: Vec<String>,
    /// Names of images (`NAME:TAG`) whose identity counts; asked as root.
    pub images: Vec<String>,
    /// JupyterLab's port on loopback, where it should be there.
    pub jupyter_port: Option<u16>,
    /// The DCGAN page's port on loopback, where it should be there.
    pub dcgan_port: Option<u16>,
    /// The exporter's port on loopback, where it should be there.
    pub exporter_port: Option<u16>,
    /// Whether each card is given a small task, and how it does.
    pub compute: bool,
}

/// What the probe sees as an ordinary user (`lab-probe facts`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// [`FORMAT`] of the probe that answered.
    pub format: u32,
    /// The probe: its version and how it was built, or `nvidia-smi` where it could not run.
    pub probe: String,
    /// When, in milliseconds since 1970, by the machine's clock.
    pub taken_unix_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The machine and its system.
    pub system: System,
    /// The cards and their driver.
    pub nvidia: Nvidia,
    /// What was installed, and how it answers.
    pub software: Software,
}

/// What only root sees (`lab-probe root-facts`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFacts {
    /// [`FORMAT`] of the probe that answered.
    pub format: u32,
    /// sshd's effective settings (`sshd -T`), by their names in small letters; the values of
    /// one that stands there several times in their order.
    pub sshd: Fact<std::collections::BTreeMap<String, Vec<String>>>,
    /// Accounts that have a shell to log in with.
    pub accounts: Fact<Vec<Account>>,
    /// Lines of the kernel's log since boot that tell of a card's error (`NVRM: Xid`) or a
    /// memory error, oldest first.
    pub kernel_log: Fact<Vec<KernelLine>>,
    /// Docker, its containers, and what cards those see.
    pub docker: Fact<DockerFacts>,
    /// What JupyterLab answers to `/api/status` with the machine's own token.
    pub jupyter_with_token: Fact<HttpAnswer>,
    /// Listening sockets with the names of their programs.
    pub listeners: Fact<Vec<Listener>>,
    /// Names of nftables' tables, such as `inet lab`.
    pub firewall: Fact<Vec<String>>,
    /// Files below `/etc/lab/secrets` and sshd's host keys that others than root may read.
    pub open_secrets: Fact<Vec<String>>,
    /// sha256 of the files that only root may read, by their paths; none where one is not there.
    pub files: std::collections::BTreeMap<String, Fact<String>>,
    /// The files whose length and digest were asked for, by their paths; nothing where none
    /// is there.
    #[serde(default)]
    pub objects: std::collections::BTreeMap<String, Fact<Option<Object>>>,
}
