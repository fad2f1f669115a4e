//! The description as it is written: every key with its default.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::section::{
    access::Access, dcgan::DcganSection, disk::Disk, docker::Docker, driver::DriverSection,
    gpu::GpuSection, identity::Identity, jupyter::JupyterSection, monitoring::Monitoring,
    network::Network, ollama::OllamaSection, toolkit::ToolkitSection, ubuntu::Ubuntu,
    updates::Updates,
};

/// A GPU machine, described. Every key has a default; only the disk must be
/// named, by serial or by model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "machine.toml")]
pub struct Description {
    /// Another description that this one builds on, by its path from here. Keys
    /// written here win; lists replace those of the other.
    pub extends: Option<String>,
    /// The machine's name, and what it is.
    pub machine: Identity,
    /// The graphics cards, one table each.
    pub gpu: Vec<GpuSection>,
    /// The system underneath.
    pub ubuntu: Ubuntu,
    /// The disk that the system goes on.
    pub disk: Disk,
    /// How the machine is reached.
    pub network: Network,
    /// Who gets in, and how.
    pub access: Access,
    /// NVIDIA's driver.
    pub driver: DriverSection,
    /// The container engine.
    pub docker: Docker,
    /// NVIDIA's container toolkit.
    pub toolkit: ToolkitSection,
    /// Ollama and its models.
    pub ollama: OllamaSection,
    /// JupyterLab with TensorFlow.
    pub jupyter: JupyterSection,
    /// The DCGAN training service.
    pub dcgan: DcganSection,
    /// What shows how the cards are.
    pub monitoring: Monitoring,
    /// What changes by itself, and when.
    pub updates: Updates,
}
