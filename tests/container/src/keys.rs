//! SSH keys made for one run of the tests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::programs::run;

/// A pair of keys in a folder.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// Where the private key lies.
    pub file: PathBuf,
    /// The line of the `.pub` file.
    pub public: String,
}

impl KeyPair {
    /// Makes an Ed25519 key without a passphrase.
    ///
    /// # Errors
    ///
    /// When `ssh-keygen` fails or its files cannot be read.
    pub fn make(folder: &Path, name: &str) -> Result<Self> {
        let file = folder.join(name);
        let place = file.to_str().context("the scratch folder is no UTF-8")?;
        run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", place],
        )?;
        let public = fs::read_to_string(file.with_extension("pub"))
            .with_context(|| format!("reading the public key of {place}"))?;
        Ok(Self {
            file,
            public: public.trim().to_owned(),
        })
    }

    /// The private key as text.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn private(&self) -> Result<String> {
        fs::read_to_string(&self.file)
            .with_context(|| format!("reading the private key {}", self.file.display()))
    }
}
