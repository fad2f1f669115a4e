//! The file of cards: what the library answers, and how it fails.
//!
//! Strict: a key that is not known here is an error, so that a slip of the pen in a test
//! does not read as a card without a value. Any value of a card may be left out or be
//! `"not-supported"`, which NVML reports as such.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Version of the driver, as `nvidia-smi` shows it.
    pub driver_version: String,
    /// Version of this library; by default what the driver's version makes it.
    pub nvml_version: Option<String>,
    /// Highest CUDA version of the driver, as `13.0`.
    pub cuda_version: Pair,
    /// How `nvmlInit` fails.
    pub fault: Option<MachineFault>,
    /// Paths that must exist, else the driver counts as not loaded.
    #[serde(default)]
    pub requires: Vec<PathBuf>,
    /// How long `nvmlInit` takes.
    #[serde(default)]
    pub slow_ms: u64,
    /// Where limits and modes are kept that were set; by default the file itself with
    /// `.state` behind its name. A path below `/run` forgets them at a reboot, as a
    /// driver does.
    pub state: Option<PathBuf>,
    /// The cards, in the order of their PCI addresses.
    #[serde(default, rename = "card")]
    pub cards: Vec<Card>,
}

/// How `nvmlInit` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineFault {
    /// The kernel module is not loaded.
    DriverNotLoaded,
    /// The kernel module and the library have different versions.
    Mismatch,
    /// The device nodes may not be opened.
    NoPermission,
    /// An error without a reason.
    Unknown,
}

/// How every call on a card fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardFault {
    /// The card is counted, and each call on it says that it is lost.
    GpuIsLost,
    /// The card is not counted: the driver does not see it on the bus.
    FallenOff,
    /// The card is counted, and each call on it fails without a reason.
    Unknown,
}

/// One card.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Name, as `NVIDIA GeForce GT 1030`.
    pub name: String,
    /// `GPU-` and a UUID.
    pub uuid: String,
    /// Where it sits, as `0000:01:00.0`.
    pub pci_bus_id: BusId,
    /// Vendor and device, as `10de:1d01`.
    pub pci_id: PciId,
    /// Vendor and device of the board's maker.
    #[serde(default)]
    pub pci_subsystem_id: PciId,
    /// N of `/dev/nvidiaN`; by default the place in this file.
    pub minor_number: Option<u32>,
    /// How every call on it fails.
    pub fault: Option<CardFault>,
    /// How long each call on it takes.
    #[serde(default)]
    pub slow_ms: u64,
    /// Architecture.
    #[serde(default)]
    pub architecture: Value<Architecture>,
    /// Compute capability, as `6.1`.
    #[serde(default)]
    pub compute_capability: Value<Pair>,
    /// Brand.
    #[serde(default)]
    pub brand: Value<Brand>,
    /// Memory in MiB.
    pub memory_total_mib: u64,
    /// Memory in use in MiB.
    #[serde(default)]
    pub memory_used_mib: u64,
    /// Temperature in degrees Celsius.
    #[serde(default)]
    pub temperature_c: Value<u32>,
    /// Power draw in mW.
    #[serde(default)]
    pub power_draw_mw: Value<u32>,
    /// Power limit in mW, until another one is set.
    #[serde(default)]
    pub power_limit_mw: Value<u32>,
    /// Power limit in mW with which the card starts.
    #[serde(default)]
    pub power_default_limit_mw: Value<u32>,
    /// Lowest and highest power limit in mW; without them the limit cannot be set.
    #[serde(default)]
    pub power_limits_mw: Value<[u32; 2]>,
    /// Persistence mode, until it is set.
    #[serde(default)]
    pub persistence_mode: Value<bool>,
    /// Fan speed in percent.
    #[serde(default)]
    pub fan_percent: Value<u32>,
    /// Utilization of the GPU and of its memory in percent.
    #[serde(default)]
    pub utilization_percent: Value<[u32; 2]>,
    /// PCIe generation and width now.
    #[serde(default)]
    pub pcie_now: Value<[u32; 2]>,
    /// Highest PCIe generation and width.
    #[serde(default)]
    pub pcie_max: Value<[u32; 2]>,
    /// Clocks now in MHz: graphics, SM, memory, video.
    #[serde(default)]
    pub clocks_mhz: Value<[u32; 4]>,
    /// Highest clocks in MHz, in the same order.
    #[serde(default)]
    pub clocks_max_mhz: Value<[u32; 4]>,
    /// Temperature in degrees Celsius from where on it slows itself down.
    #[serde(default)]
    pub slowdown_c: Value<u32>,
    /// Why its clocks are held down: the bits of `nvmlClocksThrottleReasons`.
    #[serde(default)]
    pub throttle_reasons: Value<u64>,
    /// Performance state, 0 to 15.
    #[serde(default)]
    pub performance_state: Value<u32>,
    /// Whether ECC is on.
    #[serde(default)]
    pub ecc: Value<bool>,
    /// Errors that ECC saw: corrected, uncorrected.
    #[serde(default)]
    pub ecc_errors: Value<[u64; 2]>,
    /// Serial number of the board.
    #[serde(default)]
    pub serial: Value<String>,
    /// Version of the VBIOS.
    #[serde(default)]
    pub vbios_version: Value<String>,
    /// What computes on it.
    #[serde(default, rename = "process")]
    pub processes: Vec<Process>,
    /// How CUDA fails on it. NVML knows nothing of this; `lab-mock-cuda` does.
    pub cuda_fault: Option<CudaFault>,
    /// Bandwidth of its memory in MB/s, reading and writing together, as CUDA times it.
    pub cuda_bandwidth_mb_s: Option<u64>,
    /// Memory in MiB that CUDA has for programs, as it lies in the host's.
    pub compute_memory_mib: Option<u64>,
}

/// How CUDA fails on a card, while NVML is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CudaFault {
    /// A kernel computes a wrong number now and then.
    WrongResult,
    /// A bit of the memory is always set.
    BadMemory,
    /// An error of the memory that was not corrected, with the first kernel.
    Ecc,
    /// Another program holds nearly all memory.
    OutOfMemory,
    /// CUDA does not show the card.
    NoDevice,
    /// Whoever waits for the card waits for ever.
    Hang,
    /// The library ends the process with the first kernel.
    Crash,
    /// The memory has a tenth of its bandwidth.
    Slow,
}

/// A process that computes on a card.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Memory that it uses in MiB.
    #[serde(default)]
    pub used_mib: Value<u64>,
}

/// A value, or that the card has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a value of its kind, or \"not-supported\"")]
pub enum Value<T> {
    /// The card does not have this.
    #[default]
    #[serde(skip)]
    Missing,
    /// The same, written out.
    NotSupported(NotSupported),
    /// The value.
    Is(T),
}

/// The word `not-supported`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum NotSupported {
    /// The word.
    #[serde(rename = "not-supported")]
    NotSupported,
}

impl<T: Clone> Value<T> {
    /// The value, where there is one.
    pub fn get(&self) -> Option<T> {
        match self {
            Value::Is(value) => Some(value.clone()),
            Value::Missing | Value::NotSupported(_) => None,
        }
    }
}

/// Two numbers with a dot between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pair {
    /// The number before the dot.
    pub major: u32,
    /// The number behind it.
    pub minor: u32,
}

impl TryFrom<String> for Pair {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let numbers = text
            .split_once('.')
            .and_then(|(major, minor)| Some((small(major)?, small(minor)?)));
        let (major, minor) = numbers.ok_or_else(|| {
            format!("`{text}` is not two numbers below 1000 with a dot between them")
        })?;
        Ok(Pair { major, minor })
    }
}

/// A number that no arithmetic on versions makes overflow.
fn small(digits: &str) -> Option<u32> {
    digits.parse().ok().filter(|number| *number < 1000)
}

/// The address of a card on the PCI bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct BusId {
    /// Domain.
    pub domain: u32,
    /// Bus.
    pub bus: u32,
    /// Device.
    pub device: u32,
    /// Function.
    pub function: u32,
}

impl BusId {
    /// Reads `0000:01:00.0`, or with eight digits of domain, or with none.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, function) = text.rsplit_once('.')?;
        let mut fields = rest.rsplit(':');
        let id = BusId {
            device: hex(fields.next()?, 0x1f)?,
            bus: hex(fields.next()?, 0xff)?,
            domain: fields.next().map_or(Some(0), |text| hex(text, u32::MAX))?,
            function: hex(function, 7)?,
        };
        fields.next().is_none().then_some(id)
    }
}

impl TryFrom<String> for BusId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        BusId::parse(&text)
            .ok_or_else(|| format!("`{text}` is not a PCI address of the form 0000:01:00.0"))
    }
}

/// Vendor and device of a PCI function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PciId {
    /// Vendor.
    pub vendor: u32,
    /// Device.
    pub device: u32,
}

impl PciId {
    /// As NVML packs it: the device in the upper half.
    pub const fn packed(self) -> u32 {
        (self.device << 16) | self.vendor
    }
}

impl TryFrom<String> for PciId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.split_once(':')
            .and_then(|(vendor, device)| {
                Some(PciId {
                    vendor: hex(vendor, 0xffff)?,
                    device: hex(device, 0xffff)?,
                })
            })
            .ok_or_else(|| format!("`{text}` is not a PCI id of the form 10de:1d01"))
    }
}

/// A hexadecimal number up to `most`, without a sign.
fn hex(digits: &str, most: u32) -> Option<u32> {
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16)
        .ok()
        .filter(|number| *number <= most)
}

/// `nvmlDeviceArchitecture_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u32)]
#[expect(missing_docs, reason = "the names are NVIDIA's")]
pub enum Architecture {
    Kepler = 2,
    Maxwell = 3,
    Pascal = 4,
    Volta = 5,
    Turing = 6,
    Ampere = 7,
    Ada = 8,
    Hopper = 9,
    Blackwell = 10,
}

/// `nvmlBrandType_t`, as far as cards for a desk go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u32)]
#[expect(missing_docs, reason = "the names are NVIDIA's")]
pub enum Brand {
    Quadro = 1,
    Tesla = 2,
    Nvs = 3,
    Geforce = 5,
    Titan = 6,
    QuadroRtx = 12,
    NvidiaRtx = 13,
    Nvidia = 14,
    GeforceRtx = 15,
}

impl Machine {
    /// Reads the file of cards.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is ill-formed; the text is one line and names the
    /// file and the reason.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("reading the cards of {}: {error}", path.display()))?;
        let machine = Self::parse(&text)
            .map_err(|error| format!("reading the cards of {}: {error}", path.display()))?;
        Ok(machine)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let machine: Self = toml::from_str(text).map_err(|error| one_line(&error, text))?;
        for (place, card) in machine.cards.iter().enumerate() {
            card.check(&machine.cards[..place])?;
        }
        Ok(machine)
    }

    /// The version of this library, which carries the driver's.
    pub fn library_version(&self) -> String {
        self.nvml_version
            .clone()
            .unwrap_or_else(|| format!("{}.{}", self.cuda_version.major, self.driver_version))
    }
}

/// The message of a TOML error with the line it stands in, without the drawing.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', ", ");
    match error.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or(text);
            format!("line {}: {message}", before.matches('\n').count() + 1)
        }
        None => message,
    }
}

impl Card {
    /// What the types leave open.
    fn check(&self, before: &[Card]) -> Result<(), String> {
        let name = &self.name;
        if !uuid(&self.uuid) {
            return Err(format!(
                "card `{name}`: the UUID is `{}`, and not GPU- with 8-4-4-4-12 hexadecimal digits",
                self.uuid
            ));
        }
        if self.memory_used_mib > self.memory_total_mib || self.memory_total_mib > 1 << 30 {
            return Err(format!(
                "card `{name}`: {} of {} MiB in use",
                self.memory_used_mib, self.memory_total_mib
            ));
        }
        if before.iter().any(|other| other.uuid == self.uuid) {
            return Err(format!(
                "card `{name}`: another card has the UUID {}",
                self.uuid
            ));
        }
        if before
            .iter()
            .any(|other| other.pci_bus_id >= self.pci_bus_id)
        {
            return Err(format!(
                "card `{name}`: the cards are not in the order of their PCI addresses"
            ));
        }
        Ok(())
    }
}

/// Whether a text has the form of a GPU's UUID.
fn uuid(text: &str) -> bool {
    let Some(digits) = text.strip_prefix("GPU-") else {
        return false;
    };
    let groups: Vec<&str> = digits.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

// By its path, since the mock CUDA has this file for a module of its own too.
#[cfg(test)]
#[path = "cards/tests.rs"]
mod tests;
