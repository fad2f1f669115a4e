//! The way to everything outside: mirrors, credentials, limits, as this user has
//! configured them.

use std::path::PathBuf;

use anyhow::Context as _;
use lab_supply::store::Mirrors;
use lab_supply::{Credentials, Limits, Network};

use crate::failure::Failure;

/// What this user has configured.
pub(crate) struct Outside {
    mirrors: Mirrors,
}

impl Outside {
    /// Reads `mirrors.toml`, where there is one.
    pub(crate) fn configured() -> Result<Self, Failure> {
        let Some(path) = config_dir().map(|folder| folder.join("mirrors.toml")) else {
            return Ok(Self {
                mirrors: Mirrors::default(),
            });
        };
        let mirrors = match std::fs::read_to_string(&path) {
            Ok(text) => Mirrors::parse(&text)
                .map_err(|why| Failure::input(format!("{}: {why}", path.display())))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Mirrors::default(),
            Err(error) => {
                return Err(anyhow::Error::from(error)
                    .context(format!("reading {}", path.display()))
                    .into());
            }
        };
        Ok(Self { mirrors })
    }

    /// The mirrors.
    pub(crate) fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// Does something with the network as it is configured.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Network<'_>) -> T) -> T {
        let rewrite = |url: &str| self.mirrors.places(url);
        let network = Network::new(Limits::default());
        let credentials = credentials();
        let authorization = |host: &str| credentials.header(host);
        work(
            &network
                .with_mirrors(&rewrite)
                .with_credentials(&authorization),
        )
    }
}

/// What the environment has for a host: `LAB_AUTH_HOST` is `user:password` or `Bearer …`.
pub(crate) fn credentials() -> Credentials {
    Credentials::new(|host| {
        let found = std::env::var(Credentials::variable(host)).ok();
        found.filter(|text| !text.is_empty())
    })
}

/// Where this user's configuration is: `$LAB_CONFIG_DIR`, else below `$XDG_CONFIG_HOME` or
/// `~/.config` (XDG Base Directory Specification).
fn config_dir() -> Option<PathBuf> {
    let var = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = || var("XDG_CONFIG_HOME").or_else(|| var("HOME").map(|home| home.join(".config")));
    var("LAB_CONFIG_DIR").or_else(|| base().map(|folder| folder.join("lab-in-a-box")))
}

/// The time, in seconds since 1970: dates of repositories are held against it, and nothing
/// that is built depends on it.
pub(crate) fn now() -> Result<u64, Failure> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Ok(now
        .context("the clock of this computer stands before 1970")?
        .as_secs())
}
