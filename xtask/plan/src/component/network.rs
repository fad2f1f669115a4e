//! The network: netplan's description, for the installer and the installed system.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};
use lab_machine::Machine;
use lab_machine::section::network::{Network, Wifi as WifiSection};

use super::Subject;
use crate::autoinstall::{
    AccessPoint, DhcpIdentifier, Ethernet, Everywhere, Match, NamePattern, NameServers, Netplan,
    NetplanVersion, Route, Wifi,
};
use crate::template::verbatim;
use crate::unit::Unit;
use crate::{Secrets, TargetTree};

/// Our name for the wired card.
const WIRED: &str = "lab-wired";

/// The installer's section `network`.
pub(crate) fn netplan(machine: &Machine, secrets: &Secrets) -> Result<Netplan> {
    let network = &machine.network;
    let mut wifis = BTreeMap::new();
    if let Some(section) = &network.wifi {
        wifis.insert(section.interface.clone(), wifi(section, secrets)?);
    }
    let ethernets = BTreeMap::from([(WIRED.to_owned(), ethernet(network))]);
    Ok(Netplan {
        version: NetplanVersion,
        ethernets,
        wifis,
    })
}

/// Answering to `NAME.local` is systemd-resolved's, which is there from the
/// beginning: no package, no other daemon.
pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    if subject.machine.network.mdns {
        let network = "etc/systemd/network/10-netplan-lab-wired.network.d/10-lab.conf";
        for name in ["etc/systemd/resolved.conf.d/10-lab.conf", network] {
            tree.file(name, 0o644, verbatim(name)?)?;
        }
    }
    Ok(None)
}

fn ethernet(network: &Network) -> Ethernet {
    let by = match &network.mac {
        Some(mac) => Match::MacAddress(mac.clone()),
        None => Match::Name(NamePattern::Wired),
    };
    // The start waits for the card that the description names. Of several it
    // would wait for the ones without a cable as well.
    let optional = (network.mac.is_none() || network.wifi.is_some()).then_some(true);
    let fixed = network.address.clone();
    let routes = network.gateway.filter(|_| fixed.is_some());
    Ethernet {
        r#match: by,
        dhcp4: fixed.is_none(),
        dhcp_identifier: fixed.is_none().then_some(DhcpIdentifier::Mac),
        optional,
        nameservers: fixed.as_ref().map(|_| NameServers {
            addresses: network.dns.clone(),
        }),
        addresses: fixed.into_iter().collect(),
        routes: routes
            .map(|via| Route {
                to: Everywhere::Default,
                via,
            })
            .into_iter()
            .collect(),
    }
}

fn wifi(section: &WifiSection, secrets: &Secrets) -> Result<Wifi> {
    let passphrase = secrets
        .wifi_passphrase
        .clone()
        .context("the wireless network's passphrase was not brought along")?;
    let password = passphrase.try_into().map_err(|why| anyhow!("{why}"))?;
    let access_points = BTreeMap::from([(section.ssid.clone(), AccessPoint { password })]);
    Ok(Wifi {
        dhcp4: true,
        optional: Some(true),
        access_points,
    })
}
