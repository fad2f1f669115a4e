//! The names that are answered, and what each answers with.

use std::path::Path;

use super::server::Site;

/// Every name that points to the servers of a run.
pub(crate) const HOSTS: &[&str] = &[
    "archive.ubuntu.com",
    "deb.debian.org",
    "download.docker.com",
    "github.com",
    "nvidia.github.io",
    "quay.io",
    "registry.ollama.ai",
    "release-assets.githubusercontent.com",
    "r2.cloudflarestorage.com",
    "security.debian.org",
    "security.ubuntu.com",
    "storage.googleapis.com",
];

/// Where Ollama's registry sends whoever wants a blob.
pub(crate) const BLOBS: &str = "r2.cloudflarestorage.com/ollama-blobs";

/// Where GitHub sends whoever wants Ollama's archive.
pub(crate) fn archive(version: &str) -> String {
    format!("release-assets.githubusercontent.com/ollama/v{version}/ollama-linux-amd64.tar.zst")
}

/// All sites, with plain files where nothing else is said.
pub(crate) fn all(www: &Path, registry: u16) -> Vec<Site> {
    let site = |host: &&'static str| Site {
        host,
        directives: match *host {
            "github.com" => github(),
            "registry.ollama.ai" => ollama(www),
            "quay.io" => quay(registry),
            "deb.debian.org" | "security.debian.org" => debian(host),
            host => format!("root {};", www.join(host).display()),
        },
    };
    HOSTS.iter().map(site).collect()
}

/// A release's file lies on another host, for a while only.
fn github() -> String {
    let to = "https://release-assets.githubusercontent.com/ollama/v$1/ollama-linux-amd64.tar.zst";
    format!(
        "location ~ ^/ollama/ollama/releases/download/v([0-9.]+)/ollama-linux-amd64\\.tar\\.zst$ \
         {{ return 302 {to}; }}\nlocation / {{ return 404; }}"
    )
}

fn ollama(www: &Path) -> String {
    let root = www.join("registry.ollama.ai");
    let kind = "application/vnd.docker.distribution.manifest.v2+json";
    format!(
        "root {};\nlocation ~ /manifests/ {{ default_type {kind}; }}\n\
         location ~ /blobs/(sha256:[0-9a-f]+)$ {{ return 307 https://{BLOBS}/$1; }}",
        root.display()
    )
}

fn quay(registry: u16) -> String {
    format!(
        "location / {{ proxy_pass http://127.0.0.1:{registry}; proxy_set_header Host $host; \
         proxy_set_header X-Forwarded-Proto $scheme; proxy_buffering off; }}"
    )
}

/// Debian's mirror, asked once for each package in a run.
fn debian(host: &str) -> String {
    let pass = format!(
        "proxy_pass http://{host}; proxy_set_header Host {host}; proxy_http_version 1.1; \
         proxy_set_header Connection \"\";"
    );
    format!(
        "location / {{ {pass} }}\nlocation ~ /pool/ {{ {pass} \
         proxy_cache debian; proxy_cache_valid 200 1d; proxy_cache_lock on; \
         proxy_ignore_headers Cache-Control Expires; }}"
    )
}
