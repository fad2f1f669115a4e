//! The host that a request names: `name`, `name:port`, `[::1]:port`.

use std::net::{IpAddr, Ipv6Addr};

/// The host of an authority, in lower case and without the port; `None` where it is
/// malformed.
pub(crate) fn name(authority: &str) -> Option<String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inside, port) = rest.split_once(']')?;
            inside.parse::<Ipv6Addr>().ok()?;
            (authority.get(..inside.len() + 2)?, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let digits = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let port_is_one = port.is_empty() || port.strip_prefix(':').is_some_and(digits);
    let plain = host.starts_with('[') || is_name(host);
    (port_is_one && plain).then(|| host.to_ascii_lowercase())
}

/// Whether a text is a host's name or an IPv4 address: letters, digits, `-` and `.` only.
pub(crate) fn is_name(host: &str) -> bool {
    let plain = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'.');
    !host.is_empty() && host.len() <= 253 && host.bytes().all(plain)
}

/// The address that a host is, where it is one and no name.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_and_without_a_port() {
        for (authority, host) in [
            ("Localhost", Some("localhost")),
            ("a.example:80", Some("a.example")),
            ("10.0.2.2:8080", Some("10.0.2.2")),
            ("[::1]", Some("[::1]")),
            ("[FE80::1]:80", Some("[fe80::1]")),
            ("a:b", None),
            ("a:123456", None),
            ("user@a", None),
            ("[::1", None),
            ("[nonsense]", None),
            ("[::1]x", None),
            ("a/b", None),
            ("a\u{e4}", None),
            (":80", None),
        ] {
            assert_eq!(name(authority).as_deref(), host, "{authority}");
        }
        assert!(address("[::1]").is_some() && address("10.0.2.2").is_some());
        assert!(address("localhost").is_none());
    }
}
