//! References to images, as `docker pull` takes them (the grammar of
//! distribution/reference, and the distribution specification, "pulling manifests").

use std::fmt;
use std::str::FromStr;

use crate::Digest;
use crate::network::is_loopback;

/// Docker Hub's name in references, and where its registry is.
const HUB: &str = "docker.io";
const HUB_REGISTRY: &str = "registry-1.docker.io";

/// The tag where neither tag nor digest is given.
const LATEST: &str = "latest";

/// A reference: `quay.io/jupyter/tensorflow-notebook:cuda-2025-07-14`, with its short
/// forms made long: `ubuntu` is `docker.io/library/ubuntu:latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no reference to an image: {why}; expected [HOST/]NAME[:TAG][@sha256:DIGEST]")]
pub struct NotAReference {
    text: String,
    why: &'static str,
}

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let bad = |why| NotAReference {
            text: text.chars().take(200).collect(),
            why,
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(sha256(digest).map_err(bad)?)),
            None => (text, None),
        };
        let (domain, rest) = match split_domain(name) {
            // Its name of old, which Docker takes for the same.
            ("index.docker.io", rest) => (HUB, rest),
            other => other,
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag.to_owned())),
            None => (rest, None),
        };
        if !is_domain(domain) {
            return Err(bad("its host is none"));
        }
        if path.len() > 255 || !path.split('/').all(is_component) {
            return Err(bad(
                "its name has parts that are not lower-case letters, digits and separators",
            ));
        }
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(bad("its tag is none"));
        }
        let short = domain == HUB && !path.contains('/');
        let tag = tag.or_else(|| digest.is_none().then(|| LATEST.to_owned()));
        Ok(Self {
            domain: domain.to_owned(),
            repository: if short {
                format!("library/{path}")
            } else {
                path.to_owned()
            },
            tag,
            digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@sha256:{digest}"),
            None => Ok(()),
        }
    }
}

impl Reference {
    /// The registry's host as it stands in the reference, `docker.io` for Docker Hub.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository's name in the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if there is one. Where there is a digest too, the tag is not looked at.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if there is one.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same repository, by this digest alone.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The URL of the repository in the registry's API: `https://HOST/v2/NAME`. A
    /// registry on this computer is spoken to without TLS, as Docker does.
    pub fn base(&self) -> String {
        let host = match self.domain.as_str() {
            HUB => HUB_REGISTRY,
            other => other,
        };
        let scheme = if is_loopback(host) { "http" } else { "https" };
        format!("{scheme}://{host}/v2/{}", self.repository)
    }

    /// What names the manifest in a URL: the digest where there is one, else the tag.
    pub(super) fn selector(&self) -> String {
        match self.digest {
            Some(digest) => format!("sha256:{digest}"),
            None => self.tag.clone().unwrap_or_else(|| LATEST.to_owned()),
        }
    }
}

/// Digests are written in lower case (image specification, "descriptor.md").
pub(super) fn sha256(text: &str) -> Result<Digest, &'static str> {
    let hex = text
        .strip_prefix("sha256:")
        .ok_or("its digest is not sha256:…")?;
    let lower = hex
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex.parse()
        .ok()
        .filter(|_| lower)
        .ok_or("its digest has not 64 hexadecimal digits in lower case")
}

/// The first part is a host if it looks like one.
fn split_domain(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (HUB, name),
    }
}

/// A name or address, and perhaps a port.
fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
            return port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        }
        _ => match domain.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (domain, None),
        },
    };
    let label = |label: &str| {
        let edge = |c: char| c.is_ascii_alphanumeric();
        label.starts_with(edge)
            && label.ends_with(edge)
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    host.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Letters and digits, joined by one of `.`, `_`, `__` or any number of `-`.
fn is_component(part: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = part
        .split(alphanumeric)
        .filter(|between| !between.is_empty());
    part.starts_with(alphanumeric)
        && part.ends_with(alphanumeric)
        && separators.into_iter().all(|between| {
            matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn short_forms_are_made_long() {
        let digest = format!("@sha256:{HEX}");
        let cases = [
            (
                "ubuntu".to_owned(),
                "docker.io/library/ubuntu:latest".to_owned(),
            ),
            (
                "nvidia/cuda:12.2.0".to_owned(),
                "docker.io/nvidia/cuda:12.2.0".to_owned(),
            ),
            (
                "docker.io/ubuntu".to_owned(),
                "docker.io/library/ubuntu:latest".to_owned(),
            ),
            ("localhost/x".to_owned(), "localhost/x:latest".to_owned()),
            (
                "127.0.0.1:5000/a/b:c".to_owned(),
                "127.0.0.1:5000/a/b:c".to_owned(),
            ),
            ("[::1]:5000/a".to_owned(), "[::1]:5000/a:latest".to_owned()),
            (
                format!("quay.io/j/t{digest}"),
                format!("quay.io/j/t{digest}"),
            ),
            (
                format!("quay.io/j/t:v{digest}"),
                format!("quay.io/j/t:v{digest}"),
            ),
            (
                "a.b/c-d__e.f---g".to_owned(),
                "a.b/c-d__e.f---g:latest".to_owned(),
            ),
        ];
        for (text, want) in cases {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), want, "{text}");
            assert_eq!(want.parse(), Ok(reference));
        }
    }

    #[test]
    fn the_registrys_url() {
        let base = |text: &str| text.parse::<Reference>().unwrap().base();
        assert_eq!(
            base("ubuntu"),
            "https://registry-1.docker.io/v2/library/ubuntu"
        );
        assert_eq!(base("quay.io/j/t:x"), "https://quay.io/v2/j/t");
        assert_eq!(base("localhost:5000/t"), "http://localhost:5000/v2/t");
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let upper = format!("a/b@sha256:{}", HEX.to_uppercase());
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A/b",
            "quay.io/A",
            "a:",
            "a:b:c",
            "a:-x",
            "a b",
            "a/../b",
            "a/./b",
            "quay.io/a@",
            "quay.io/a@sha256:12",
            "a@md5:d41d8cd98f00b204e9800998ecf8427e",
            "quay.io:x/a",
            "u@quay.io/a",
            "https://quay.io/a",
            "-a/b",
            "a-/b",
            "a..b",
            "a._b",
            "a.b:99999/c",
            "a/b?x",
            "a/b#x",
            "é/b",
            &upper,
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
