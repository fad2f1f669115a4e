//! Addresses: where a component's bytes are, and its package URL (purl, ECMA-427, with the
//! type definitions `deb`, `oci` and `generic`).

use lab_lock::Sha256;

/// A file below a folder's URL.
pub(crate) fn below(folder: &str, path: &str) -> String {
    format!("{}/{path}", folder.trim_end_matches('/'))
}

/// A blob of a registry's repository, by digest (OCI distribution specification 1.1,
/// section "Pulling blobs"; Ollama's registry is asked the same way).
pub(crate) fn blob(repository: &str, digest: &Sha256) -> String {
    below(repository, &format!("blobs/sha256:{digest}"))
}

/// A manifest of a registry's repository, by tag or by digest (the same, "Pulling manifests").
pub(crate) fn manifest(repository: &str, reference: &str) -> String {
    below(repository, &format!("manifests/{reference}"))
}

/// The host of a URL, without its port; empty where it has none.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

/// A package URL: its type, the vendor (where the type has one), name, version and
/// qualifiers.
pub(crate) struct Purl<'a> {
    pub(crate) kind: &'a str,
    pub(crate) vendor: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) qualifiers: Vec<(&'a str, String)>,
}

impl Purl<'_> {
    /// Its text: qualifiers sorted by key, those that are empty left out.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("pkg:{}/", self.kind);
        if let Some(vendor) = self.vendor {
            text.push_str(&format!("{}/", encoded(&vendor.to_lowercase(), "")));
        }
        text.push_str(&encoded(self.name, ""));
        if !self.version.is_empty() {
            text.push_str(&format!("@{}", encoded(self.version, ":")));
        }
        let mut sorted: Vec<_> = self.qualifiers.iter().collect();
        sorted.sort();
        let mut before = '?';
        for (key, value) in sorted.into_iter().filter(|(_, value)| !value.is_empty()) {
            text.push_str(&format!("{before}{key}={}", encoded(value, ":/")));
            before = '&';
        }
        text
    }
}

/// Percent-encodes everything but letters, digits, `-._~` and what else may stand there.
fn encoded(text: &str, also: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || also.contains(c) {
            out.push(c);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
