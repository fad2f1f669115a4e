//! OpenPGP keys made for the run, and signing with them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::programs::run;

/// GnuPG's folder with all keys of a run.
#[derive(Debug)]
pub(crate) struct Keys {
    home: PathBuf,
}

/// A key in it.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Its fingerprint, in capital hexadecimal digits.
    pub(crate) fingerprint: String,
    /// The public key, ASCII-armoured.
    pub(crate) public: String,
}

impl Keys {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let home = folder.join("gnupg");
        fs::create_dir_all(&home)
            .and_then(|()| fs::set_permissions(&home, fs::Permissions::from_mode(0o700)))
            .with_context(|| format!("making {}", home.display()))?;
        Ok(Self { home })
    }

    /// Makes a key that signs.
    pub(crate) fn make(&self, owner: &str) -> Result<Key> {
        let doing = || format!("making a signing key for {owner}");
        let options = [
            "--passphrase",
            "",
            "--quick-generate-key",
            owner,
            "ed25519",
            "sign",
            "never",
        ];
        self.gpg(&options).with_context(doing)?;
        let wanted = format!("={owner}");
        let list = self.gpg(&["--with-colons", "--list-keys", &wanted])?;
        let fingerprint = list
            .lines()
            .find_map(|line| line.strip_prefix("fpr:"))
            .and_then(|line| line.split(':').find(|field| !field.is_empty()))
            .with_context(doing)?;
        let public = self.gpg(&["--armor", "--export", fingerprint])?;
        Ok(Key {
            fingerprint: fingerprint.to_owned(),
            public,
        })
    }

    /// Signs a repository's `Release` file: `InRelease` and `Release.gpg` beside it.
    pub(crate) fn sign(&self, key: &Key, release: &Path) -> Result<()> {
        let place = release.to_str().context("the scratch folder is no UTF-8")?;
        for (how, name) in [
            ("--clear-sign", "InRelease"),
            ("--detach-sign", "Release.gpg"),
        ] {
            let signed = release.with_file_name(name);
            let signed = signed.to_str().context("the scratch folder is no UTF-8")?;
            let who = key.fingerprint.as_str();
            let options = [
                "--yes", "--armor", "-u", who, "--output", signed, how, place,
            ];
            self.gpg(&options)
                .with_context(|| format!("signing {place}"))?;
        }
        Ok(())
    }

    fn gpg(&self, options: &[&str]) -> Result<String> {
        let home = self
            .home
            .to_str()
            .context("the scratch folder is no UTF-8")?;
        let all = [&["--homedir", home, "--batch", "--quiet"], options].concat();
        run("gpg", &all)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // Signing started an agent, which would outlive the folder.
        if let Some(home) = self.home.to_str() {
            let _ = run("gpgconf", &["--homedir", home, "--kill", "all"]);
        }
    }
}
