//! `network`: the part of netplan's format (version 2) that this lab renders.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use lab_machine::types::{Interface, MacAddress, Subnet};
use serde::{Deserialize, Serialize};

/// The network's description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Netplan {
    /// Of the format; there is only 2.
    pub version: NetplanVersion,
    /// Wired cards, under names of our own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ethernets: BTreeMap<String, Ethernet>,
    /// Wireless cards, under the kernel's names: netplan matches them by nothing
    /// else where networkd is its backend.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wifis: BTreeMap<Interface, Wifi>,
}

/// The version of netplan's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct NetplanVersion;

impl From<NetplanVersion> for u8 {
    fn from(_: NetplanVersion) -> Self {
        2
    }
}

impl TryFrom<u8> for NetplanVersion {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        if number == 2 {
            Ok(Self)
        } else {
            Err(format!(
                "version {number}: expected version 2 of netplan's format"
            ))
        }
    }
}

/// A wired card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ethernet {
    /// Which card.
    pub r#match: Match,
    /// Whether it asks for an address.
    pub dhcp4: bool,
    /// What it calls itself towards the DHCP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp_identifier: Option<DhcpIdentifier>,
    /// Whether the start goes on without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Fixed addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Subnet>,
    /// Routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Name servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nameservers: Option<NameServers>,
}

/// Which card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Match {
    /// The one with this address.
    MacAddress(MacAddress),
    /// Those that the kernel calls so.
    Name(NamePattern),
}

/// The kernel's names that are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NamePattern {
    /// Every wired card: `en…` by its place, `eth…` without one.
    #[serde(rename = "e*")]
    Wired,
}

/// What a card calls itself towards the DHCP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DhcpIdentifier {
    /// Its MAC address, which a new installation does not change.
    Mac,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Where to.
    pub to: Everywhere,
    /// By which gateway.
    pub via: IpAddr,
}

/// All destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Everywhere {
    /// netplan's word for it.
    Default,
}

/// Name servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameServers {
    /// Their addresses.
    pub addresses: Vec<IpAddr>,
}

/// A wireless card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wifi {
    /// Whether it asks for an address.
    pub dhcp4: bool,
    /// Whether the start goes on without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Networks by name.
    pub access_points: BTreeMap<String, AccessPoint>,
}

/// A wireless network; `Debug` does not show its passphrase.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessPoint {
    /// The passphrase.
    pub password: WifiPassphrase,
}

impl fmt::Debug for AccessPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessPoint(…)")
    }
}

/// A WPA passphrase.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WifiPassphrase(String);

impl WifiPassphrase {
    /// The passphrase itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WifiPassphrase {
    type Error = String;

    // IEEE 802.11, J.4: 8 to 63 printable characters, or the key itself in hex.
    fn try_from(text: String) -> Result<Self, String> {
        let phrase =
            (8..=63).contains(&text.len()) && text.chars().all(|c| (' '..='~').contains(&c));
        let key = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
        if phrase || key {
            Ok(Self(text))
        } else {
            Err("the wireless network's passphrase must have 8 to 63 printable ASCII characters, or be 64 hex digits".to_owned())
        }
    }
}

impl From<WifiPassphrase> for String {
    fn from(passphrase: WifiPassphrase) -> Self {
        passphrase.0
    }
}
