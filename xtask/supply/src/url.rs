//! URLs as this crate needs them (RFC 3986): taken apart just far enough to hide
//! credentials, to send them to their host, and to name the files beside a file.

use crate::network::is_loopback;
use crate::{Authorization, FetchError};

/// `text` with the credentials of every URL in it, and what follows a `?`,
/// replaced: fit for printing and for storing.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (url, tail) = after.split_at(end);
        redact_one(url, &mut out);
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn redact_one(after_scheme: &str, out: &mut String) {
    let authority = after_scheme
        .find(['/', '?', '#'])
        .unwrap_or(after_scheme.len());
    let (authority, path) = after_scheme.split_at(authority);
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            out.push_str("***@");
            out.push_str(host);
        }
        None => out.push_str(authority),
    }
    match path.split_once('?') {
        Some((path, _)) => {
            out.push_str(path);
            out.push_str("?***");
        }
        None => out.push_str(path),
    }
}

/// A URL to fetch from, its credentials apart.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The URL without credentials.
    url: String,
    /// What its server is told beside the question: `user:password` as it stood in the
    /// URL, its percent-encoding undone, or what the caller has for it.
    authorization: Option<Authorization>,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Result<Self, FetchError> {
        let bad = |why: &str| FetchError::BadUrl {
            url: redact(text),
            why: why.to_owned(),
        };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| bad("it has no scheme"))?;
        if !["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
        {
            return Err(bad("its scheme is neither http nor https"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(bad("it has white space or control characters in it"));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (authorization, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(Authorization::basic(&percent_decoded(user))), host),
            None => (None, authority),
        };
        if host.is_empty() || host.starts_with(':') {
            return Err(bad("it names no host"));
        }
        Ok(Self {
            url: format!("{scheme}://{host}{path}"),
            authorization,
        })
    }

    /// The URL to ask for: without credentials.
    pub(crate) fn as_str(&self) -> &str {
        &self.url
    }

    /// The URL as it may be printed and stored.
    pub(crate) fn shown(&self) -> String {
        redact(&self.url)
    }

    /// What the server of this URL alone is told to be let in.
    pub(crate) fn authorization(&self) -> Option<&Authorization> {
        self.authorization.as_ref()
    }

    /// Has its server told `authorization`.
    pub(crate) fn authorize(&mut self, authorization: Authorization) {
        self.authorization = Some(authorization);
    }

    /// Its host, with the port where one is named, in small letters.
    pub(crate) fn host(&self) -> String {
        let (_, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest.get(..end).unwrap_or(rest).to_ascii_lowercase()
    }

    /// Whether what is sent to it can be read by nobody else: by TLS, or because it
    /// never leaves this machine.
    pub(crate) fn keeps_secrets(&self) -> bool {
        if self.scheme() == "https" {
            return true;
        }
        is_loopback(&self.host())
    }

    /// Whether `other` is of the same scheme, host and port (RFC 6454, section 5).
    pub(crate) fn same_origin(&self, other: &str) -> bool {
        Self::parse(other).is_ok_and(|other| {
            self.scheme() == other.scheme() && self.host_and_port() == other.host_and_port()
        })
    }

    fn scheme(&self) -> String {
        let (scheme, _) = self.url.split_once("://").unwrap_or_default();
        scheme.to_ascii_lowercase()
    }

    fn host_and_port(&self) -> String {
        let host = self.host();
        let usual = if self.scheme() == "https" {
            ":443"
        } else {
            ":80"
        };
        host.strip_suffix(usual).unwrap_or(&host).to_owned()
    }

    /// The file `name` in the same directory.
    pub(crate) fn beside(&self, name: &str) -> Self {
        let end = self.url.find(['?', '#']).unwrap_or(self.url.len());
        let path = self.url.get(..end).unwrap_or(&self.url);
        let root = path.find("://").map_or(0, |at| at + 3);
        let directory = match path.rfind('/').filter(|slash| *slash >= root) {
            Some(slash) => path.get(..slash).unwrap_or(path),
            None => path,
        };
        Self {
            url: format!("{directory}/{name}"),
            authorization: self.authorization.clone(),
        }
    }

    /// The file `name` in the directory that this URL names.
    pub(crate) fn below(&self, name: &str) -> Self {
        let url = format!("{}/{name}", self.url.trim_end_matches('/'));
        Self {
            url,
            authorization: self.authorization.clone(),
        }
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1); what is no valid escape stays.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&first, rest)) = bytes.split_first() {
        let escape = rest.get(..2).filter(|_| first == b'%');
        let decoded = escape.and_then(|digits| hex::decode(digits).ok());
        match decoded {
            Some(byte) => {
                out.extend(byte);
                bytes = rest.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                bytes = rest;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_queries_are_hidden_wherever_a_url_stands() {
        let cases = [
            ("https://user:pass@host/a", "https://***@host/a"),
            ("http://u:p@ss@host:80/a@b", "http://***@host:80/a@b"),
            (
                "got http://u@h/x?token=1 and https://v:w@i",
                "got http://***@h/x?*** and https://***@i",
            ),
            ("no url at all", "no url at all"),
            ("http://host?sig=abc", "http://host?***"),
            ("://", "://"),
        ];
        for (text, want) in cases {
            assert_eq!(redact(text), want);
        }
    }

    #[test]
    fn a_source_keeps_credentials_apart() {
        let source = Source::parse("https://us%65r:p%40ss@host:8/d/f.iso").unwrap();
        assert_eq!(source.as_str(), "https://host:8/d/f.iso");
        assert!(source.authorization() == Some(&Authorization::basic(b"user:p@ss")));
        let list = source.beside("SHA256SUMS");
        assert_eq!(list.as_str(), "https://host:8/d/SHA256SUMS");
        assert!(list.authorization() == source.authorization());
    }

    #[test]
    fn neighbours_and_children() {
        let cases = [
            ("http://h/a/b?q=/x", "http://h/a/n", "http://h/a/b?q=/x/n"),
            ("http://h", "http://h/n", "http://h/n"),
            ("http://h/", "http://h/n", "http://h/n"),
            ("http://h/d/", "http://h/d/n", "http://h/d/n"),
        ];
        for (url, beside, below) in cases {
            let source = Source::parse(url).unwrap();
            assert_eq!(source.beside("n").as_str(), beside);
            assert_eq!(source.below("n").as_str(), below);
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_its_password() {
        for text in [
            "",
            "host/x",
            "ftp://u:secret@h/x",
            "http://",
            "http://u:secret@/x",
            "http://h/a b",
            "http://:80/",
        ] {
            let error = Source::parse(text).map(|_| ()).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
