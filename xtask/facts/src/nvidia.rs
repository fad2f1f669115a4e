//! The cards and their driver, from the bus to a computed result.

use serde::{Deserialize, Serialize};

use crate::Fact;

/// The cards and their driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nvidia {
    /// Display controllers of any maker that stand on the PCI bus (class 03).
    pub pci: Fact<Vec<PciDevice>>,
    /// The kernel module that is loaded; none where none is.
    pub module: Fact<Option<Module>>,
    /// Whether nouveau is loaded.
    pub nouveau: Fact<bool>,
    /// Device nodes of the driver, such as `/dev/nvidia0` and `/dev/nvidia-uvm`.
    pub nodes: Fact<Vec<String>>,
    /// The driver's library, as NVML says it.
    pub library: Fact<Library>,
    /// The cards that NVML sees.
    pub gpus: Fact<Vec<Gpu>>,
    /// What each card computed; unknown where that was not asked or cannot be.
    pub compute: Fact<Vec<Compute>>,
    /// `/run/cdi/nvidia.yaml` or `/etc/cdi/nvidia.yaml`; none where neither is there.
    pub cdi: Fact<Option<Cdi>>,
}

/// A display controller on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PciDevice {
    /// Its address, such as `0000:03:00.0`.
    pub address: String,
    /// Vendor and device, such as `10de:1c82`.
    pub id: String,
    /// Vendor and device of the board.
    pub subsystem: String,
    /// The kernel driver that it is bound to; none where none is.
    pub driver: Option<String>,
}

/// The kernel module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// `/sys/module/nvidia/version`.
    pub version: String,
    /// Which of the two kinds.
    pub kind: Fact<Kind>,
    /// Whether `nvidia_uvm` is loaded too, without which nothing computes.
    pub uvm: bool,
}

/// The kinds of NVIDIA's kernel module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The proprietary one, which drives every card of its branch.
    Closed,
    /// The open one, for Turing and newer.
    Open,
}

/// The driver's library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// The driver's version, such as `580.173.02`.
    pub driver: String,
    /// The newest CUDA that it speaks, such as `13.0`.
    pub cuda: String,
}

/// A card as NVML sees it. What a card does not support is unknown with the reason
/// `NotSupported`, which is a value and no failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// Its UUID, such as `GPU-9a431050-…`.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Its address on the bus, as the kernel writes it: `0000:03:00.0`.
    pub address: String,
    /// Vendor and device.
    pub pci_id: String,
    /// Its compute capability, such as `6.1`.
    pub compute_capability: Fact<String>,
    /// Its memory in bytes.
    pub memory_total_bytes: Fact<u64>,
    /// The part of it that is in use.
    pub memory_used_bytes: Fact<u64>,
    /// Its temperature in degrees Celsius.
    pub temperature_c: Fact<u32>,
    /// From where on it slows itself down.
    pub slowdown_c: Fact<u32>,
    /// What it draws, in milliwatts.
    pub power_mw: Fact<u32>,
    /// What it may draw, in milliwatts.
    pub power_limit_mw: Fact<u32>,
    /// Whether it stays initialised between two programs.
    pub persistence: Fact<bool>,
    /// How it is connected.
    pub pcie: Fact<PcieLink>,
    /// How busy it is.
    pub busy: Fact<GpuUse>,
    /// Errors of its memory that were not corrected.
    pub ecc_uncorrected: Fact<u64>,
    /// Why its clocks are held down, NVML's names in small letters (`hw_slowdown`, `sw_power_cap`).
    pub throttle: Fact<Vec<String>>,
    /// The programs that compute on it.
    pub processes: Fact<Vec<GpuProcess>>,
}

/// A card's link to the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PcieLink {
    /// The generation now; a card at rest goes down to 1.
    pub generation: u32,
    /// The most that card and slot can do together.
    pub generation_max: u32,
    /// Lanes now.
    pub width: u32,
    /// The most lanes that card and slot can do together.
    pub width_max: u32,
}

/// How busy a card is, in per cent of the last moments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuUse {
    /// Its processors.
    pub gpu_percent: u32,
    /// Its memory's controller.
    pub memory_percent: u32,
}

/// A program that computes on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GpuProcess {
    /// Its number, as the machine's own system counts.
    pub pid: u32,
    /// Its program's name (`comm`), where that can be read.
    pub program: Option<String>,
    /// Its systemd unit or container (the last part of its control group), where that can
    /// be read.
    pub unit: Option<String>,
    /// What it has of the card's memory, in bytes.
    pub memory_bytes: Option<u64>,
}

/// What a card computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compute {
    /// The card.
    pub uuid: String,
    /// Its proof; unknown with CUDA's own words where it failed.
    pub proof: Fact<Proof>,
}

/// A kernel was launched, its result checked, memory filled and read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proof {
    /// Numbers that the kernel computed.
    pub computed: u64,
    /// Those of them that were wrong.
    pub wrong: u64,
    /// Memory that was filled and read back, in bytes.
    pub filled_bytes: u64,
    /// Words of four bytes in it that were not what had been written.
    pub wrong_words: u64,
    /// The bandwidth of its memory, reading and writing together, in MB/s.
    pub bandwidth_mb_s: u64,
    /// How long all of it took, in milliseconds.
    pub took_ms: u64,
}

/// A CDI specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cdi {
    /// Its file.
    pub path: String,
    /// The driver's version, as the names of the libraries in it say; none where none does.
    pub driver: Option<String>,
    /// Names of its devices, such as `all`, `0` and `GPU-9a431050-…`.
    pub devices: Vec<String>,
}
