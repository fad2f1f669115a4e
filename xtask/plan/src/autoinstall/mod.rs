//! The installer's file, `autoinstall.yaml`, typed.
//!
//! Implements the part of Ubuntu's autoinstall reference (version 1, noble) that
//! this lab renders. The installer warns of unknown keys at the top and is silent
//! about deeper ones, so these types know no others: what cannot be written here
//! cannot be rendered, and what cannot be read here is a finding.

mod identity;
mod network;
mod storage;
mod yaml;

use lab_machine::types::{KeyboardLayout, Locale, Timezone};
use serde::{Deserialize, Serialize};

pub use identity::{Identity, On, Password, Ssh};
pub use network::{
    AccessPoint, DhcpIdentifier, Ethernet, Everywhere, Match, NamePattern, NameServers, Netplan,
    NetplanVersion, Route, Wifi, WifiPassphrase,
};
pub use storage::{
    DiskMatch, Layout, LayoutName, LuksPassphrase, ModelPattern, SerialPattern, Sizing, Storage,
    Swap,
};
pub use yaml::{MAX_FILE, read, write};

/// The whole file: `autoinstall` must be its only key at the top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document<T> {
    /// The one key.
    pub autoinstall: T,
}

/// An installation that asks nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Autoinstall {
    /// Of the format; there is only 1.
    pub version: Version,
    /// Run before anything is written; a failing one stops the installer.
    pub early_commands: Vec<Command>,
    /// The language of the system.
    pub locale: Locale,
    /// Whether the installer replaces itself from the network.
    pub refresh_installer: RefreshInstaller,
    /// The keyboard.
    pub keyboard: Keyboard,
    /// The time zone.
    pub timezone: Timezone,
    /// Which of the image's systems is installed.
    pub source: Source,
    /// The kernel.
    pub kernel: Kernel,
    /// The network, of the installer and of the installed system.
    pub network: Netplan,
    /// The archive.
    pub apt: Apt,
    /// The disk.
    pub storage: Storage,
    /// The administrator.
    pub identity: Identity,
    /// The SSH server.
    pub ssh: Ssh,
    /// Drivers that the installer would choose by itself.
    pub drivers: Drivers,
    /// Which updates are installed during the installation.
    pub updates: Updates,
    /// Run in the end; the first that fails ends the installation.
    pub late_commands: Vec<Command>,
    /// Run when something failed.
    pub error_commands: Vec<Command>,
    /// What the machine does when all is done.
    pub shutdown: Shutdown,
}

/// A file that installs nothing without asking for everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Interactive {
    /// Of the format; there is only 1.
    pub version: Version,
    /// Run before the first question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub early_commands: Vec<Command>,
    /// What a person is asked: everything.
    pub interactive_sections: [Everything; 1],
}

/// The version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Version;

impl From<Version> for u8 {
    fn from(_: Version) -> Self {
        1
    }
}

impl TryFrom<u8> for Version {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            1 => Ok(Self),
            other => Err(format!(
                "version {other}: the installer of 24.04 reads version 1"
            )),
        }
    }
}

/// All sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Everything {
    /// The installer's word for it.
    #[serde(rename = "*")]
    All,
}

/// A command as a list of words: no shell comes between.
pub type Command = Vec<String>;

/// Whether the installer replaces itself from the network, which can take minutes
/// and makes every installation another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshInstaller {
    /// Always off.
    pub update: Off,
}

/// The keyboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyboard {
    /// The layout.
    pub layout: KeyboardLayout,
}

/// Which of the image's systems is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name on the image.
    pub id: SourceId,
    /// Whether drivers are looked for; the lab installs its own.
    pub search_drivers: Off,
}

/// The systems of the server image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceId {
    /// The whole server.
    UbuntuServer,
}

/// The kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Its package.
    pub package: KernelPackage,
}

/// The kernels on the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KernelPackage {
    /// The release's own.
    #[serde(rename = "linux-generic")]
    Ga,
    /// The newer one.
    #[serde(rename = "linux-generic-hwe-24.04")]
    Hwe,
}

/// The archive during the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apt {
    /// Whether a server is asked where the machine stands.
    pub geoip: Off,
    /// What happens without an archive in reach.
    pub fallback: Fallback,
}

/// What happens without an archive in reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// The installation goes on with what is on the image.
    OfflineInstall,
}

/// Drivers that the installer would choose by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drivers {
    /// Always off: the branch would not be the description's, and a failure would
    /// fail the installation.
    pub install: Off,
}

/// A switch that this lab never turns on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "bool", into = "bool")]
pub struct Off;

impl From<Off> for bool {
    fn from(_: Off) -> Self {
        false
    }
}

impl TryFrom<bool> for Off {
    type Error = String;

    fn try_from(on: bool) -> Result<Self, String> {
        if on {
            Err("`true`: expected `false`, the lab never turns this on".to_owned())
        } else {
            Ok(Self)
        }
    }
}

/// Which updates are installed during the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Updates {
    /// Those of the security pocket, where an archive is in reach.
    Security,
}

/// What the machine does when all is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shutdown {
    /// It starts again, and the stick's menu starts what was installed.
    Reboot,
}
