//! Addresses and names on the network.

use std::net::IpAddr;

use super::{checked_text, made_of};

checked_text!(
    /// The machine's name on the network (RFC 1123, one label).
    HostName, pattern "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example "gpu-server",
    |text| {
        let fits = made_of(text, 63, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if fits && !text.starts_with('-') && !text.ends_with('-') && text != "localhost" {
            return Ok(());
        }
        Err(format!("`{text}` is no host name: small letters, digits and inner `-`, at most 63, such as gpu-server"))
    }
);

checked_text!(
    /// The address burnt into a network card.
    MacAddress, pattern "^([0-9a-f]{2}:){5}[0-9a-f]{2}$", example "a0:8c:fd:01:02:03",
    |text| {
        let pair = |part: &str| part.len() == 2 && part.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        if text.split(':').count() == 6 && text.split(':').all(pair) {
            return Ok(());
        }
        Err(format!("`{text}` is no MAC address: expected six pairs of small hex digits, such as a0:8c:fd:01:02:03 (`ip link` prints it)"))
    }
);

checked_text!(
    /// The kernel's name of a network interface.
    Interface, pattern "^[a-z][a-z0-9]{1,14}$", example "wlp5s0",
    |text| {
        if text.len() >= 2 && made_of(text, 15, |c| c.is_ascii_lowercase() || c.is_ascii_digit()) && text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Ok(());
        }
        Err(format!("`{text}` is no interface: expected a name as `ip link` prints it, such as wlp5s0"))
    }
);

checked_text!(
    /// An address with the length of its network, such as `192.168.1.20/24`.
    Subnet, pattern "^[0-9a-f.:]+/[0-9]{1,3}$", example "192.168.1.20/24",
    |text| {
        let parsed = text.split_once('/').and_then(|(address, length)| {
            Some((address.parse::<IpAddr>().ok()?, length.parse::<u8>().ok()?))
        });
        match parsed {
            Some((IpAddr::V4(_), 1..=32)) | Some((IpAddr::V6(_), 1..=128)) => Ok(()),
            _ => Err(format!("`{text}` is no address with its network: expected address/length, such as 192.168.1.20/24")),
        }
    }
);

impl Subnet {
    /// The address without the length.
    pub fn address(&self) -> Option<IpAddr> {
        self.as_str().split_once('/')?.0.parse().ok()
    }

    /// Whether `other` lies in the same network.
    pub fn contains(&self, other: IpAddr) -> bool {
        let length = self
            .as_str()
            .split_once('/')
            .and_then(|(_, length)| length.parse::<u32>().ok());
        match (self.address(), other, length) {
            (Some(IpAddr::V4(own)), IpAddr::V4(other), Some(length)) => {
                let mask = u32::MAX
                    .checked_shl(32_u32.saturating_sub(length))
                    .unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            (Some(IpAddr::V6(own)), IpAddr::V6(other), Some(length)) => {
                let mask = u128::MAX
                    .checked_shl(128_u32.saturating_sub(length))
                    .unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

checked_text!(
    /// A time server, by name or address.
    NtpServer, pattern "^[A-Za-z0-9.:-]{1,253}$", example "ntp.ubuntu.com",
    |text| {
        if text.parse::<IpAddr>().is_ok() || made_of(text, 253, |c| c.is_ascii_alphanumeric() || c == '.' || c == '-') {
            return Ok(());
        }
        Err(format!("`{text}` is no time server: expected a name or an address, such as ntp.ubuntu.com"))
    }
);

impl HostName {
    /// The name of a machine that is given none.
    pub(crate) fn lab() -> Self {
        Self("lab".to_owned())
    }
}
