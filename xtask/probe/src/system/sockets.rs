//! Listening sockets, from the kernel's tables (proc_net(5), `net/tcp`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lab_facts::{Listener, Protocol};

use crate::root::Root;

/// The most that is read of one table, in bytes.
const TABLE: u64 = 32 << 20;

/// The tables, with the state that a listening socket has in them.
const TABLES: [(&str, Protocol, &str); 4] = [
    ("tcp", Protocol::Tcp, "0A"),
    ("tcp6", Protocol::Tcp, "0A"),
    ("udp", Protocol::Udp, "07"),
    ("udp6", Protocol::Udp, "07"),
];

/// The listening sockets, without the names of their programs.
pub(crate) fn listeners(root: &Root) -> Result<Vec<Listener>, String> {
    let sockets = sockets(root)?;
    Ok(sorted(
        sockets.into_iter().map(|(socket, _)| socket).collect(),
    ))
}

/// The listening sockets with the names of their programs, which only root may see of all.
pub(crate) fn listeners_with_programs(root: &Root) -> Result<Vec<Listener>, String> {
    let programs = programs(root);
    let named = |(mut socket, inode): (Listener, u64)| {
        socket.program = programs.get(&inode).cloned();
        socket
    };
    Ok(sorted(sockets(root)?.into_iter().map(named).collect()))
}

fn sorted(mut sockets: Vec<Listener>) -> Vec<Listener> {
    let key = |socket: &Listener| (socket.protocol as u8, socket.port, socket.address);
    sockets.sort_by_key(key);
    sockets.dedup();
    sockets
}

fn sockets(root: &Root) -> Result<Vec<(Listener, u64)>, String> {
    let mut sockets = Vec::new();
    for (table, protocol, state) in TABLES {
        let text = match root.text(&format!("/proc/net/{table}"), TABLE) {
            // A kernel without IPv6.
            Err(error) if error.missing() && table.ends_with('6') => continue,
            text => text?,
        };
        let lines = text.lines().skip(1);
        sockets.extend(lines.filter_map(|line| socket(line, protocol, state)));
    }
    Ok(sockets)
}

/// A line, if its socket is in this state: `sl local remote state … inode …`.
pub(crate) fn socket(line: &str, protocol: Protocol, state: &str) -> Option<(Listener, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    if *fields.get(3)? != state {
        return None;
    }
    let listener = Listener {
        protocol,
        address: address_of(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        program: None,
    };
    Some((listener, fields.get(9)?.parse().ok()?))
}

/// The address is in words of four bytes, each in the processor's order.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = hex.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut octets = [0; 16];
            octets.copy_from_slice(words.as_flattened());
            Some(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
        }
        _ => None,
    }
}

/// The name of the program that holds each socket. Where several do, systemd, which holds
/// those that it opens for others, comes last.
fn programs(root: &Root) -> BTreeMap<u64, String> {
    let mut programs = BTreeMap::new();
    let mut pids: Vec<u32> = root
        .names("/proc")
        .unwrap_or_default()
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    pids.sort_unstable_by_key(|pid| (*pid == 1, *pid));
    for pid in pids {
        let mut name = None;
        for inode in sockets_of(root, pid) {
            let name = name.get_or_insert_with(|| root.line(&format!("/proc/{pid}/comm")).ok());
            if let Some(name) = name {
                programs.entry(inode).or_insert_with(|| name.clone());
            }
        }
    }
    programs
}

/// The sockets that a process holds.
fn sockets_of(root: &Root, pid: u32) -> Vec<u64> {
    let folder = format!("/proc/{pid}/fd");
    let socket = |name: &String| {
        let link = root.link(&format!("{folder}/{name}"))?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse().ok()
    };
    let names = root.names(&folder).unwrap_or_default();
    names.iter().filter_map(socket).collect()
}
