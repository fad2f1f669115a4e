//! The machine, its kernel and its system.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Fact;

/// The machine and its system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// The host name.
    pub hostname: Fact<String>,
    /// What the firmware says that the machine is (`/sys/class/dmi/id`).
    pub dmi: Fact<Dmi>,
    /// The processor.
    pub cpu: Fact<Cpu>,
    /// The memory that the kernel has, in KiB (`MemTotal`).
    pub memory_kib: Fact<u64>,
    /// What the memory controllers counted (EDAC).
    pub memory_errors: Fact<MemoryErrors>,
    /// How it was started.
    pub firmware: Fact<Firmware>,
    /// Whether Secure Boot is on; none under BIOS.
    pub secure_boot: Fact<Option<bool>>,
    /// `/etc/os-release`.
    pub os: Fact<Os>,
    /// The kernel that runs.
    pub kernel: Fact<Kernel>,
    /// Since boot, in seconds.
    pub uptime_s: Fact<u64>,
    /// Which boot this is (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: Fact<String>,
    /// The clock.
    pub clock: Clock,
    /// The root file system.
    pub root: Fact<Root>,
    /// Free space of the folders that were asked for, by their paths.
    pub spaces: BTreeMap<String, Fact<Space>>,
    /// The disks, without loop devices and the like.
    pub disks: Fact<Vec<Disk>>,
    /// The network cards, without loopback and what software made.
    pub nics: Fact<Vec<Nic>>,
    /// systemd as a whole.
    pub systemd: Fact<Systemd>,
    /// The units that were asked for.
    pub units: Fact<BTreeMap<String, Unit>>,
    /// The packages that want a restart of the machine (`/run/reboot-required.pkgs`); none
    /// where nothing wants one.
    pub reboot_required: Fact<Option<Vec<String>>>,
    /// Listening sockets, without the names of their programs.
    pub listeners: Fact<Vec<Listener>>,
    /// sha256 of the files that were asked for, by their paths; unknown where one is not there.
    pub files: BTreeMap<String, Fact<String>>,
}

/// What the firmware says that the machine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dmi {
    /// `sys_vendor`.
    pub vendor: String,
    /// `product_name`.
    pub product: String,
    /// `bios_version`, and `bios_date`; empty where they are not there.
    pub bios: String,
}

/// The processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// `model name` of `/proc/cpuinfo`.
    pub model: String,
    /// Logical processors.
    pub threads: u32,
}

/// What the memory controllers counted since boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryErrors {
    /// How many controllers count; without any, memory without ECC or no driver for it.
    pub controllers: u32,
    /// Errors that were corrected.
    pub corrected: u64,
    /// Errors that were not.
    pub uncorrected: u64,
}

/// How the machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// By UEFI.
    Uefi,
    /// By legacy BIOS.
    Bios,
}

/// `/etc/os-release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    /// `ID`, such as `ubuntu`.
    pub id: String,
    /// `VERSION_ID`, such as `24.04`.
    pub version_id: String,
    /// `PRETTY_NAME`, such as `Ubuntu 24.04.5 LTS`.
    pub pretty_name: String,
}

/// The kernel that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// `/proc/cmdline`.
    pub command_line: String,
}

/// A line of the kernel's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelLine {
    /// Since boot, in milliseconds.
    pub at_ms: u64,
    /// What it says.
    pub text: String,
}

/// The clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Whether the kernel knows it to be in step with a time server; unknown in a container,
    /// whose clock is its host's.
    pub synchronized: Fact<bool>,
    /// The time zone, such as `Europe/Berlin`.
    pub timezone: Fact<String>,
}

/// The root file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Where it is from, such as `/dev/mapper/ubuntu--vg-ubuntu--lv`, or `overlay`.
    pub source: String,
    /// Its type.
    pub fstype: String,
    /// Whether this is the installer's live system and not an installed one.
    pub live: bool,
    /// The disks that it lies on, by the kernel's names (`sda`), through LVM and LUKS; none
    /// where that cannot be said, as in a container.
    pub disks: Vec<String>,
}

/// Room in a file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Where the file system is mounted.
    pub mounted_at: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What an ordinary user may still write, in bytes.
    pub free_bytes: u64,
    /// Free inodes; none where the file system has no fixed number.
    pub free_inodes: Option<u64>,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The kernel's name, such as `sda`.
    pub name: String,
    /// Its model, as `lsblk -o MODEL` prints it; empty where it has none.
    pub model: String,
    /// Its serial number, as `lsblk -o SERIAL` prints it; empty where it has none.
    pub serial: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it can be pulled out.
    pub removable: bool,
}

/// A network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// The kernel's name.
    pub name: String,
    /// Its address, with colons, in small letters.
    pub mac: String,
    /// Whether it is wireless.
    pub wireless: bool,
    /// Whether it has a link.
    pub up: bool,
    /// Its IP addresses with their networks, such as `192.168.1.20/24`.
    pub addresses: Vec<String>,
}

/// systemd as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Systemd {
    /// `systemctl is-system-running`.
    pub state: String,
    /// Units that failed.
    pub failed: Vec<String>,
    /// systemd's version, such as 255.
    pub version: u32,
}

/// A unit of systemd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// `LoadState`, such as `loaded`, `not-found` or `masked`.
    pub load: String,
    /// `ActiveState`.
    pub active: String,
    /// `SubState`.
    pub sub: String,
    /// `UnitFileState`, such as `enabled`.
    pub enabled: String,
    /// `Result`.
    pub result: String,
    /// `MainPID`; 0 for none.
    pub main_pid: u32,
    /// `NRestarts`.
    pub restarts: u32,
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address; `0.0.0.0` and `::` are all of them.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The program's name, where it was asked for and is known.
    pub program: Option<String>,
}

/// TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}
