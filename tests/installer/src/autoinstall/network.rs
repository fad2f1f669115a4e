//! `network`: the part of netplan's format, version 2, that is played.
//!
//! What is read is checked and written as it stands: netplan and cloud-init get the file's
//! own words, not this reading of them.

use anyhow::Result;

use crate::value::{Node, Value};

/// The network's description.
#[derive(Debug, Clone)]
pub struct Network {
    /// As it stands in the file.
    pub value: Value,
    /// The wired cards by their names in the file.
    pub ethernets: Vec<(String, Ethernet)>,
    /// Whether there are wireless cards.
    pub wireless: bool,
}

/// A wired card, as far as this stand-in asks about it.
#[derive(Debug, Clone)]
pub struct Ethernet {
    /// The pattern of the kernel's name, where cards are matched by it.
    pub name: Option<String>,
    /// The address, where one card is matched by it.
    pub mac: Option<String>,
}

impl Network {
    pub(super) fn read(node: &Node<'_>) -> Result<Self> {
        let mut keys = node.keys()?;
        let version = keys.need("version")?;
        if version.whole()? != 2 {
            return version.refused("another version", "2");
        }
        keys.refuse_unplayed(&[
            "network", "bridges", "bonds", "tunnels", "vlans", "renderer",
        ])?;
        let wired = keys.take("ethernets");
        let wireless = keys.take("wifis");
        keys.done()?;
        let mut ethernets = Vec::new();
        for (name, card) in wired.map_or(Ok(Vec::new()), |node| node.entries())? {
            ethernets.push((name, read_card(&card, false)?));
        }
        for (_, card) in wireless.as_ref().map_or(Ok(Vec::new()), Node::entries)? {
            read_card(&card, true)?;
        }
        Ok(Self {
            value: node.value.clone(),
            ethernets,
            wireless: wireless.is_some(),
        })
    }
}

fn read_card(node: &Node<'_>, wireless: bool) -> Result<Ethernet> {
    let mut keys = node.keys()?;
    for switch in ["dhcp4", "dhcp6", "optional", "accept-ra", "wakeonlan"] {
        keys.take(switch).map(|node| node.truth()).transpose()?;
    }
    keys.take("dhcp-identifier")
        .map(|node| node.one_of(&["mac", "duid"]))
        .transpose()?;
    keys.take("set-name").map(|node| node.line()).transpose()?;
    keys.take("mtu").map(|node| node.whole()).transpose()?;
    keys.take("addresses")
        .map(|node| node.texts())
        .transpose()?;
    for route in keys
        .take("routes")
        .map_or(Ok(Vec::new()), |node| node.list())?
    {
        read_route(&route)?;
    }
    keys.take("nameservers")
        .map(|node| read_nameservers(&node))
        .transpose()?;
    let card = keys
        .take("match")
        .map(|node| read_match(&node))
        .transpose()?;
    if wireless {
        for (_, point) in keys.need("access-points")?.entries()? {
            read_access_point(&point)?;
        }
    }
    keys.done()?;
    Ok(card.unwrap_or(Ethernet {
        name: None,
        mac: None,
    }))
}

fn read_match(node: &Node<'_>) -> Result<Ethernet> {
    let mut keys = node.keys()?;
    let card = Ethernet {
        name: keys.take("name").map(|node| node.line()).transpose()?,
        mac: keys
            .take("macaddress")
            .map(|node| read_mac(&node))
            .transpose()?,
    };
    keys.take("driver").map(|node| node.line()).transpose()?;
    keys.done()?;
    Ok(card)
}

fn read_mac(node: &Node<'_>) -> Result<String> {
    let text = node.line()?;
    let pair = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.split(':').count() == 6 && text.split(':').all(pair) {
        true => Ok(text.to_ascii_lowercase()),
        false => node.refused(&format!("`{text}`"), "six pairs of hex digits with colons"),
    }
}

fn read_route(node: &Node<'_>) -> Result<()> {
    let mut keys = node.keys()?;
    keys.need("to")?.line()?;
    keys.need("via")?.line()?;
    keys.take("metric").map(|node| node.whole()).transpose()?;
    keys.take("on-link").map(|node| node.truth()).transpose()?;
    keys.done()
}

fn read_nameservers(node: &Node<'_>) -> Result<()> {
    let mut keys = node.keys()?;
    keys.take("addresses")
        .map(|node| node.texts())
        .transpose()?;
    keys.take("search").map(|node| node.texts()).transpose()?;
    keys.done()
}

fn read_access_point(node: &Node<'_>) -> Result<()> {
    let mut keys = node.keys()?;
    keys.take("password").map(|node| node.line()).transpose()?;
    keys.take("hidden").map(|node| node.truth()).transpose()?;
    keys.done()
}
