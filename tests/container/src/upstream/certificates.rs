//! An authority and one server certificate for every vendor's name, made for the run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::programs::run;

/// Where the files lie.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// The authority's certificate: who trusts it trusts the servers of this run.
    pub(crate) authority: PathBuf,
    /// The servers' certificate.
    pub(crate) server: PathBuf,
    /// The servers' private key.
    pub(crate) server_key: PathBuf,
}

const NEW_KEY: &[&str] = &[
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "7",
];

impl Certificates {
    /// Makes them in a folder, for these names.
    ///
    /// # Errors
    ///
    /// When `openssl` fails.
    pub(crate) fn make(folder: &Path, names: &[&str]) -> Result<Self> {
        let made = Self {
            authority: folder.join("authority.crt"),
            server: folder.join("server.crt"),
            server_key: folder.join("server.key"),
        };
        let authority_key = folder.join("authority.key");
        let common = "/CN=An authority of these tests alone";
        let extra = [
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
            "-subj",
            common,
        ];
        openssl(&extra, &made.authority, &authority_key)?;
        let names: Vec<_> = names.iter().map(|name| format!("DNS:{name}")).collect();
        let names = format!("subjectAltName={}", names.join(","));
        let extra = [
            "-CA",
            text(&made.authority)?,
            "-CAkey",
            text(&authority_key)?,
            "-subj",
            "/CN=Servers of these tests",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "extendedKeyUsage=serverAuth",
            "-addext",
            &names,
        ];
        openssl(&extra, &made.server, &made.server_key)?;
        Ok(made)
    }
}

fn openssl(extra: &[&str], certificate: &Path, key: &Path) -> Result<()> {
    let places = ["-out", text(certificate)?, "-keyout", text(key)?];
    run("openssl", &[NEW_KEY, extra, &places].concat())
        .with_context(|| format!("making the certificate {}", certificate.display()))?;
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the scratch folder is no UTF-8")
}
