//! `[network]`: how the machine is reached.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::{Context, Findings, Rule, Severity};
use crate::types::{Interface, MacAddress, SecretRef, Subnet};

/// How the machine is reached. Without any key: every wired card by DHCP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The wired card, by its MAC address (the kernel's names change when a card
    /// is added or removed). Any wired card when left out.
    pub mac: Option<MacAddress>,
    /// A fixed address with its network, such as `192.168.1.20/24`; DHCP when
    /// left out. Needs `mac`.
    pub address: Option<Subnet>,
    /// The gateway of a fixed address.
    #[schemars(with = "Option<String>")]
    pub gateway: Option<IpAddr>,
    /// Name servers of a fixed address.
    #[schemars(with = "Vec<String>")]
    pub dns: Vec<IpAddr>,
    /// Answers to `NAME.local` in the local network.
    pub mdns: bool,
    /// A wireless network, besides or instead of the cable.
    pub wifi: Option<Wifi>,
}

/// A wireless network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wifi {
    /// The interface, as `ip link` prints it.
    pub interface: Interface,
    /// The network's name.
    pub ssid: String,
    /// Its passphrase.
    pub passphrase: SecretRef,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            mac: None,
            address: None,
            gateway: None,
            dns: Vec::new(),
            mdns: true,
            wifi: None,
        }
    }
}

static STATIC_INCOMPLETE: Rule = Rule {
    id: "network-static-incomplete",
    severity: Severity::Error,
    title: "a fixed address without what it needs",
    story: "A fixed address belongs to one card, and without gateway and name server the machine reaches no \
        repository: it would install, boot and then wait for the network for good.",
    way_out: "Write `mac`, `gateway` and `dns` beside `address`, or leave `address` out for DHCP.",
    source: "netplan reference, docs/reference/machine.md",
};

static GATEWAY_OUTSIDE: Rule = Rule {
    id: "network-gateway-outside",
    severity: Severity::Error,
    title: "a gateway outside of the network",
    story: "A gateway must lie in the network of the machine's own address, else no packet gets to it.",
    way_out: "Correct `gateway`, or the length behind the address.",
    source: "RFC 1122, section 3.3.1",
};

static STATIC_UNUSED: Rule = Rule {
    id: "network-unused-key",
    severity: Severity::Error,
    title: "a key that means nothing without a fixed address",
    story: "With DHCP, gateway and name servers come from the network. What is written here would be ignored in silence.",
    way_out: "Write `address`, or remove the key.",
    source: "docs/reference/machine.md",
};

static SSID: Rule = Rule {
    id: "network-ssid",
    severity: Severity::Error,
    title: "no name of a wireless network",
    story: "The name of a wireless network has 1 to 32 bytes.",
    way_out: "Write the name as the access point announces it.",
    source: "IEEE 802.11, 9.4.2.2",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[&STATIC_INCOMPLETE, &GATEWAY_OUTSIDE, &STATIC_UNUSED, &SSID];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let network = &context.machine.network;
    match &network.address {
        Some(address) => check_static(network, address, findings),
        None => check_unused(network, findings),
    }
    if let Some(wifi) = &network.wifi
        && (wifi.ssid.is_empty() || wifi.ssid.len() > 32 || wifi.ssid.contains(char::is_control))
    {
        findings
            .report(
                &SSID,
                "network.wifi.ssid",
                format!("{:?} cannot be a wireless network's name", wifi.ssid),
            )
            .expecting("1 to 32 bytes");
    }
}

fn check_static(network: &Network, address: &Subnet, findings: &mut Findings) {
    let missing: Vec<&str> = [
        ("mac", network.mac.is_none()),
        ("gateway", network.gateway.is_none()),
        ("dns", network.dns.is_empty()),
    ]
    .into_iter()
    .filter_map(|(key, missing)| missing.then_some(key))
    .collect();
    if !missing.is_empty() {
        findings
            .report(
                &STATIC_INCOMPLETE,
                "network.address",
                format!(
                    "the fixed address {address} comes without {}",
                    missing.join(", ")
                ),
            )
            .expecting("`mac`, `gateway` and `dns` beside it");
    }
    if let Some(gateway) = network.gateway
        && !address.contains(gateway)
    {
        findings
            .report(
                &GATEWAY_OUTSIDE,
                "network.gateway",
                format!("{gateway} does not lie in the network of {address}"),
            )
            .expecting("an address of the same network");
    }
}

fn check_unused(network: &Network, findings: &mut Findings) {
    for (key, set) in [
        ("gateway", network.gateway.is_some()),
        ("dns", !network.dns.is_empty()),
    ] {
        if set {
            findings
                .report(
                    &STATIC_UNUSED,
                    format!("network.{key}"),
                    format!("`{key}` is used only with a fixed address"),
                )
                .expecting("an `address` beside it");
        }
    }
}
