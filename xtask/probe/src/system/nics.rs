//! Network cards: what hardware stands behind (`/sys/class/net`), and their addresses.

use std::net::IpAddr;

use lab_facts::Nic;

use crate::root::Root;

/// The network cards, without loopback and what software made.
pub(crate) fn all(root: &Root) -> Result<Vec<Nic>, String> {
    let names = match root.names("/sys/class/net") {
        Err(error) if error.missing() => Vec::new(),
        names => names?,
    };
    let addresses = if_addrs::get_if_addrs()
        .map_err(|error| format!("asking for the network's addresses: {error}"))?;
    let hardware = |name: &&String| root.exists(&format!("/sys/class/net/{name}/device"));
    Ok(names
        .iter()
        .filter(hardware)
        .map(|name| nic(root, name, &addresses))
        .collect())
}

fn nic(root: &Root, name: &str, addresses: &[if_addrs::Interface]) -> Nic {
    let at = |file: &str| format!("/sys/class/net/{name}/{file}");
    let line = |file: &str| root.line(&at(file)).unwrap_or_default();
    let own = addresses.iter().filter(|one| one.name == name);
    Nic {
        name: name.to_owned(),
        mac: line("address").to_ascii_lowercase(),
        wireless: root.exists(&at("wireless")) || root.exists(&at("phy80211")),
        // The carrier of a card that is down cannot be read.
        up: line("carrier") == "1",
        addresses: own.map(with_network).collect(),
    }
}

fn with_network(one: &if_addrs::Interface) -> String {
    let (address, bits) = match &one.addr {
        if_addrs::IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen),
        if_addrs::IfAddr::V6(v6) => (IpAddr::V6(v6.ip), v6.prefixlen),
    };
    format!("{address}/{bits}")
}
