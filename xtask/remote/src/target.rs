//! What a user writes to name a machine, and what it comes to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use crate::config::{ConfigError, SshConfig};

/// `[USER@]HOST[:PORT]`, as it was written. An IPv6 address stands in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The user to sign in as.
    pub user: Option<String>,
    /// A name, an address, or a `Host` of ~/.ssh/config.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

/// Why a text names no machine.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{text:?} names no machine: {problem}; expected [USER@]HOST[:PORT], an IPv6 address in brackets, such as user@[fe80::1]:22"
)]
pub struct TargetError {
    text: String,
    problem: String,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let refuse = |problem: &str| TargetError {
            text: text.to_owned(),
            problem: problem.to_owned(),
        };
        // As ssh does it: a user's name may hold an `@`, a host's may not.
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        if user.is_some_and(str::is_empty) {
            return Err(refuse("the user before the @ is missing"));
        }
        let (host, port) = split_port(place).map_err(&refuse)?;
        check_host(host).map_err(&refuse)?;
        if user.is_some_and(|user| user.starts_with('-') || user.contains(char::is_whitespace)) {
            return Err(refuse("the user begins with - or has a space in it"));
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port: port.map(parse_port).transpose().map_err(refuse)?,
        })
    }
}

fn split_port(place: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("the closing ] is missing")?;
        if after.is_empty() {
            return Ok((host, None));
        }
        let port = after
            .strip_prefix(':')
            .ok_or("after ] comes a : or nothing")?;
        return Ok((host, Some(port)));
    }
    match place.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("more than one :"),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((place, None)),
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("the host is missing");
    }
    if host.starts_with('-') {
        return Err("the host begins with -");
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/[]*?!,".contains(c);
    if host.contains(odd) {
        return Err("the host has a character in it that no host has");
    }
    Ok(())
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("the port is no number from 1 to 65535"),
        Ok(port) => Ok(port),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(out, "{user}@")?;
        }
        match (self.host.contains(':'), self.port) {
            (true, None) => write!(out, "[{}]", self.host),
            (true, Some(port)) => write!(out, "[{}]:{port}", self.host),
            (false, None) => write!(out, "{}", self.host),
            (false, Some(port)) => write!(out, "{}:{port}", self.host),
        }
    }
}

impl Target {
    /// Fills in what was not written from `config`, then from the defaults of ssh.
    ///
    /// # Errors
    ///
    /// When the configuration asks for something that this crate does not do and
    /// without which another machine would be reached, or the same one differently.
    pub fn resolve(&self, config: &SshConfig) -> Result<Endpoint, ConfigError> {
        config.resolve(self)
    }
}

/// A machine with everything that is needed to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The machine as the user named it.
    pub name: String,
    /// The host to connect to.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
    /// The user to sign in as.
    pub user: String,
    /// The name under which the host key is known, where it is not the host's.
    pub host_key_alias: Option<String>,
    /// The identity files that the configuration names.
    pub identity_files: Vec<PathBuf>,
    /// Whether only the keys of `identity_files` may be tried.
    pub identities_only: bool,
    /// The agent's socket by the configuration: `Some(None)` says that no agent is used.
    pub identity_agent: Option<Option<PathBuf>>,
    /// The known_hosts files, the user's before the system's.
    pub known_hosts: Vec<PathBuf>,
}

impl Endpoint {
    /// The name under which known_hosts lists the host.
    #[must_use]
    pub fn known_as(&self) -> String {
        match (&self.host_key_alias, self.port) {
            (Some(alias), _) => alias.to_ascii_lowercase(),
            (None, 22) => self.host.to_ascii_lowercase(),
            (None, port) => format!("[{}]:{port}", self.host.to_ascii_lowercase()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        write!(out, "{}@{host}:{}", self.user, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    fn parsed(text: &str) -> Result<Target, String> {
        text.parse::<Target>().map_err(|error| error.to_string())
    }

    #[test]
    fn what_names_a_machine() {
        for (text, user, host, port) in [
            ("gpu-server", None, "gpu-server", None),
            ("lab@gpu-server", Some("lab"), "gpu-server", None),
            ("gpu-server:2222", None, "gpu-server", Some(2222)),
            ("a@b@10.0.0.7:22", Some("a@b"), "10.0.0.7", Some(22)),
            ("[fe80::1%eth0]", None, "fe80::1%eth0", None),
            ("lab@[::1]:2222", Some("lab"), "::1", Some(2222)),
        ] {
            let target = parsed(text).unwrap();
            assert_eq!(target.user.as_deref(), user, "{text}");
            assert_eq!(target.host, host, "{text}");
            assert_eq!(target.port, port, "{text}");
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn what_names_none() {
        for (text, why) in [
            ("", "the host is missing"),
            ("lab@", "the host is missing"),
            ("@host", "the user before the @"),
            ("host:0", "no number from 1 to 65535"),
            ("host:ssh", "no number from 1 to 65535"),
            ("host:65536", "no number from 1 to 65535"),
            ("fe80::1", "more than one :"),
            ("[::1", "closing ]"),
            ("[::1]22", "after ]"),
            ("-oProxyCommand=x", "begins with -"),
            ("a b", "no host has"),
            ("-x@host", "the user begins with -"),
        ] {
            let message = parsed(text).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
