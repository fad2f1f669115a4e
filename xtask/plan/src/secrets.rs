//! What is no part of the description and yet goes onto the image.

use std::fmt;

use anyhow::{Result, bail};
use lab_machine::Machine;

/// The machine's own SSH key: known to the other commands before its first minute.
#[derive(Clone)]
pub struct HostKey {
    /// The private key in OpenSSH's form.
    pub private_openssh: String,
    /// The line of the `.pub` file.
    pub public: String,
}

/// What the description only refers to. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Secrets {
    /// The public keys that may log in, a line each; at least one.
    pub admin_keys: Vec<String>,
    /// The machine's own key.
    pub host_key: HostKey,
    /// The administrator's password as crypt(3) hashed it.
    pub password_hash: Option<String>,
    /// The disk's passphrase.
    pub luks_passphrase: Option<String>,
    /// The wireless network's passphrase.
    pub wifi_passphrase: Option<String>,
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("admin_keys", &self.admin_keys)
            .field("host_key", &self.host_key)
            .field("password_hash", &self.password_hash.is_some())
            .field("luks_passphrase", &self.luks_passphrase.is_some())
            .field("wifi_passphrase", &self.wifi_passphrase.is_some())
            .finish()
    }
}

impl Secrets {
    /// Checks that there is just what the description refers to.
    ///
    /// # Errors
    ///
    /// When nobody could log in, when a secret is missing that the description
    /// refers to or there is one that it does not, or when the host key is none.
    /// What a secret is stands in no message.
    pub fn check_for(&self, machine: &Machine) -> Result<()> {
        if self.admin_keys.is_empty() {
            bail!(
                "no SSH key could log in to {}: name one in `access.ssh_keys`",
                machine.identity.name
            );
        }
        if let Some(odd) = self
            .admin_keys
            .iter()
            .find(|key| key.contains(['\n', '\r', '\0']) || key.contains("PRIVATE KEY"))
        {
            bail!(
                "one of the SSH keys ({} bytes long) is not the single line of a `.pub` file",
                odd.len()
            );
        }
        let wifi = machine.network.wifi.is_some();
        agree(
            "access.password_hash",
            machine.access.password_hash.is_some(),
            self.password_hash.is_some(),
        )?;
        agree(
            "disk.luks_passphrase",
            machine.disk.luks_passphrase.is_some(),
            self.luks_passphrase.is_some(),
        )?;
        agree(
            "network.wifi.passphrase",
            wifi,
            self.wifi_passphrase.is_some(),
        )?;
        self.host_key.check()
    }
}

fn agree(key: &str, wanted: bool, there: bool) -> Result<()> {
    match (wanted, there) {
        (true, false) => {
            bail!("the description refers to a secret at `{key}`, and it was not brought along")
        }
        (false, true) => {
            bail!("there is a secret for `{key}`, to which the description does not refer")
        }
        _ => Ok(()),
    }
}

impl HostKey {
    fn check(&self) -> Result<()> {
        let private = self
            .private_openssh
            .starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n");
        if !private
            || !self
                .private_openssh
                .trim_end()
                .ends_with("-----END OPENSSH PRIVATE KEY-----")
        {
            bail!("the machine's host key is no private key in OpenSSH's form");
        }
        if !self.public.starts_with("ssh-ed25519 ") || self.public.trim_end().contains('\n') {
            bail!("the machine's public host key is not one line that begins with ssh-ed25519");
        }
        Ok(())
    }
}
