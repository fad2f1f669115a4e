//! Who may read: which peers, and under which names this server is asked for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::host;

/// A network, as `192.0.2.0/24` or `2001:db8::/32` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether an address lies in it. An IPv4 address that came as an IPv6 one counts as what it is.
    #[must_use]
    pub fn contains(self, peer: IpAddr) -> bool {
        match (self.address, peer.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(peer)) => {
                masked(u128::from(own.to_bits()) << 96, self.bits)
                    == masked(u128::from(peer.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(peer)) => {
                masked(own.to_bits(), self.bits) == masked(peer.to_bits(), self.bits)
            }
            _ => false,
        }
    }

    /// The network of that many bits that an address lies in.
    fn around(address: IpAddr, bits: u8) -> Self {
        let address = match address {
            IpAddr::V4(own) => {
                let kept = masked(u128::from(own.to_bits()) << 96, bits) >> 96;
                Ipv4Addr::from_bits(kept as u32).into()
            }
            IpAddr::V6(own) => Ipv6Addr::from_bits(masked(own.to_bits(), bits)).into(),
        };
        Self { address, bits }
    }
}

fn masked(address: u128, bits: u8) -> u128 {
    match u32::from(bits) {
        0 => 0,
        bits => address & (u128::MAX << (128 - bits.min(128))),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        let no_network = || NotAllowed::NoNetwork(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| no_network())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(no_network)?,
        };
        if bits == 0 {
            return Err(NotAllowed::Everybody(text.to_owned()));
        }
        let network = Self::around(address, bits);
        match network.address == address {
            true => Ok(network),
            false => Err(NotAllowed::InsideNetwork {
                found: text.to_owned(),
                meant: network,
            }),
        }
    }
}

/// Why a door is not opened like that.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotAllowed {
    /// No network.
    #[error("`{0}` is no network: expected one as in 192.0.2.0/24, or an address")]
    NoNetwork(String),
    /// An address within a network.
    #[error("`{found}` is an address within a network: write `{meant}`, or the address alone")]
    InsideNetwork {
        /// What was written.
        found: String,
        /// What it may have meant.
        meant: Network,
    },
    /// Everybody.
    #[error(
        "`{0}` is everybody: the image holds private keys, so name the network that the machine is in"
    )]
    Everybody(String),
    /// Every interface at once.
    #[error(
        "{0} is every interface at once: name the address of the one that the machine reaches, `ip -brief address` shows them"
    )]
    EveryInterface(IpAddr),
    /// An address that others reach, and nobody named.
    #[error(
        "{0} can be reached by others, and the image holds private keys: say who may read it with `--allow CIDR`, such as `--allow {1}`"
    )]
    Nobody(IpAddr, Network),
    /// A name that is none.
    #[error("`{0}` is no host's name: expected letters, digits, `-` and `.`")]
    NoName(String),
}

/// Who may read.
#[derive(Debug, Clone)]
pub struct Door {
    peers: Vec<Network>,
    names: Vec<String>,
}

impl Door {
    /// A door at `address`. On a loopback address only this computer comes to it, and
    /// `allowed` may be empty. `names` are hosts besides addresses and `localhost` that
    /// requests may name.
    ///
    /// # Errors
    ///
    /// When it would be open to everybody, or to nobody.
    pub fn new(
        address: SocketAddr,
        allowed: Vec<Network>,
        names: &[String],
    ) -> Result<Self, NotAllowed> {
        let ip = address.ip();
        if ip.is_unspecified() {
            return Err(NotAllowed::EveryInterface(ip));
        }
        let mut peers = allowed;
        if peers.is_empty() {
            if !ip.to_canonical().is_loopback() {
                let near = if ip.is_ipv4() { 24 } else { 64 };
                return Err(NotAllowed::Nobody(ip, Network::around(ip, near)));
            }
            peers = vec![
                Network::around(Ipv4Addr::LOCALHOST.into(), 8),
                Network::around(Ipv6Addr::LOCALHOST.into(), 128),
            ];
        }
        if let Some(name) = names.iter().find(|name| !host::is_name(name)) {
            return Err(NotAllowed::NoName(name.clone()));
        }
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self { peers, names })
    }

    /// The networks whose peers may read.
    #[must_use]
    pub fn peers(&self) -> &[Network] {
        &self.peers
    }

    /// Whether this peer may read.
    #[must_use]
    pub fn admits(&self, peer: IpAddr) -> bool {
        self.peers.iter().any(|network| network.contains(peer))
    }

    /// Whether a request may name this host (lower case, no port). A web page that was led
    /// here by a name of its own names that one, and is refused (DNS rebinding). An HTTP/1.0
    /// client that names nothing is no browser.
    #[must_use]
    pub fn answers_to(&self, host: &str) -> bool {
        host.is_empty()
            || host == "localhost"
            || host::address(host).is_some()
            || self.names.iter().any(|name| name == host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(address: &str, allowed: &[&str]) -> Result<Door, NotAllowed> {
        let allowed = allowed
            .iter()
            .map(|one| one.parse())
            .collect::<Result<_, _>>()?;
        Door::new(
            address.parse().unwrap(),
            allowed,
            &["Lab.example".to_owned()],
        )
    }

    fn admits(door: &Door, peer: &str) -> bool {
        door.admits(peer.parse().unwrap())
    }

    #[test]
    fn by_default_only_this_computer_comes_in() {
        for address in ["127.0.0.1:80", "[::1]:80", "127.3.2.1:80"] {
            let door = door(address, &[]).unwrap();
            assert!(admits(&door, "127.0.0.1") && admits(&door, "::1"));
            assert!(!admits(&door, "192.0.2.1") && !admits(&door, "::2"));
        }
    }

    #[test]
    fn an_open_address_needs_to_know_who_may_read() {
        let refused = door("192.0.2.9:80", &[]).unwrap_err();
        assert!(
            refused.to_string().contains("--allow 192.0.2.0/24"),
            "{refused}"
        );
        assert!(matches!(
            door("0.0.0.0:80", &["192.0.2.0/24"]),
            Err(NotAllowed::EveryInterface(_))
        ));
        assert!(matches!(
            door("[::]:80", &[]),
            Err(NotAllowed::EveryInterface(_))
        ));
        let open = door("192.0.2.9:80", &["192.0.2.0/25", "2001:db8::/33"]).unwrap();
        assert!(admits(&open, "192.0.2.127") && !admits(&open, "192.0.2.128"));
        assert!(admits(&open, "::ffff:192.0.2.1"));
        assert!(admits(&open, "2001:db8:7fff::1") && !admits(&open, "2001:db8:8000::1"));
        assert!(!admits(&open, "127.0.0.1"));
    }

    #[test]
    fn networks_are_read_strictly() {
        let read = |text: &str| text.parse::<Network>().map(|one| one.to_string());
        assert_eq!(read("192.0.2.7").unwrap(), "192.0.2.7/32");
        for text in [
            "",
            "a",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2/24",
            "::/129",
            "1.2.3.4/-1",
        ] {
            assert!(
                matches!(read(text), Err(NotAllowed::NoNetwork(_))),
                "{text}"
            );
        }
        for text in ["0.0.0.0/0", "::/0", "10.0.0.0/0"] {
            assert!(
                matches!(read(text), Err(NotAllowed::Everybody(_))),
                "{text}"
            );
        }
        let inside = read("192.0.2.7/24").unwrap_err().to_string();
        assert!(inside.contains("write `192.0.2.0/24`"), "{inside}");
    }

    #[test]
    fn a_name_that_was_not_given_is_not_answered_to() {
        let door = door("127.0.0.1:80", &[]).unwrap();
        for host in [
            "",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "10.0.2.2",
            "lab.example",
        ] {
            assert!(door.answers_to(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
        ] {
            assert!(!door.answers_to(host), "{host}");
        }
    }
}
