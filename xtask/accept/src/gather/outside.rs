//! What answers from this side: what listens on the machine, and what could, is tried.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lab_facts::{Fact, Facts, Protocol};

use super::Asking;
use crate::{Outside, PortTried};

/// How long a connection may take before its port counts as closed: some round trips, as
/// the connection showed them. What a firewall drops is not waited for longer.
const LEAST: Duration = Duration::from_millis(400);
const MOST: Duration = Duration::from_millis(2500);
/// How many are tried at once.
const AT_ONCE: usize = 128;

/// Ports being tried, in threads of their own.
pub(super) struct Trying(Result<JoinHandle<Outside>, String>);

impl Trying {
    /// What came of it.
    pub(super) fn end(self) -> Fact<Outside> {
        let tried = self.0.map(JoinHandle::join);
        match tried {
            Ok(Ok(outside)) => Fact::Is(outside),
            Ok(Err(_)) => Fact::unknown("trying the ports from here went wrong"),
            Err(why) => Fact::Unknown(why),
        }
    }
}

/// Begins to try: every TCP port that listens, the plan's, and the one that answered.
pub(super) fn begin(asking: &Asking<'_, '_>, facts: &Fact<Facts>) -> Trying {
    Trying(address(asking, facts).map(|(address, mut ports)| {
        ports.extend(&asking.plan.ports);
        // The connection itself shows that its port is open. Another one that never signs in
        // would count against this side (sshd_config(5), PerSourcePenalties).
        ports.remove(&address.port());
        let ports: Vec<u16> = ports.into_iter().collect();
        let answer = (asking.link.connection.round_trip() * 8).clamp(LEAST, MOST);
        thread::spawn(move || try_all(address, &ports, answer))
    }))
}

/// The machine's own address as it is reached from here, and the ports that listen there.
fn address(
    asking: &Asking<'_, '_>,
    facts: &Fact<Facts>,
) -> Result<(SocketAddr, BTreeSet<u16>), String> {
    let facts = facts.get()?;
    let peer = asking
        .link
        .connection
        .peer()
        .map_err(|why| why.to_string())?;
    let listeners = facts.system.listeners.get()?;
    let address = peer.ip().to_canonical();
    if address.is_loopback() {
        return Err(format!(
            "the machine was reached at {peer}, by loopback: what answers there says nothing of the network"
        ));
    }
    let seen = SocketAddr::new(address, peer.port());
    if asking.reached != Some(seen) {
        let own = asking
            .reached
            .map_or_else(|| "not known".to_owned(), |own| own.to_string());
        return Err(format!(
            "the machine was reached at {seen}, and its own address there is {own}: a router or a tunnel lies between, and what it lets through says nothing of the machine"
        ));
    }
    let ports = listeners
        .iter()
        .filter(|one| one.protocol == Protocol::Tcp)
        .map(|one| one.port);
    Ok((seen, ports.collect()))
}

/// Tries the ports, besides the one that is connected to already.
fn try_all(connected: SocketAddr, ports: &[u16], answer: Duration) -> Outside {
    let address = connected.ip();
    let mut tried = vec![PortTried {
        port: connected.port(),
        open: true,
    }];
    for some in ports.chunks(AT_ONCE) {
        let attempts: Vec<_> = some
            .iter()
            .map(|&port| {
                let socket = SocketAddr::new(address, port);
                (
                    port,
                    thread::spawn(move || TcpStream::connect_timeout(&socket, answer).is_ok()),
                )
            })
            .collect();
        for (port, attempt) in attempts {
            let open = attempt.join().unwrap_or(false);
            tried.push(PortTried { port, open });
        }
    }
    tried.sort_by_key(|one| one.port);
    Outside {
        address: address.to_string(),
        tried,
    }
}
