//! Secrets: read from where the description says they are, checked, and handed
//! on. They reach no log and no command line.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lab_machine::Machine;
use lab_machine::types::SecretRef;
use lab_plan::{HostKey, Secrets};

use crate::failure::Failure;
use crate::keys;
use crate::lab::Described;

/// Brings together what the description leaves out on purpose.
pub(crate) fn gather(described: &Described, machine: &Machine) -> Result<Secrets, Failure> {
    let name = machine.identity.name.as_str();
    let host = keys::host_key(name)?;
    let folder = described.path.parent().unwrap_or(Path::new(""));
    let read = |key: &str, from: &Option<SecretRef>| {
        from.as_ref()
            .map(|from| resolve(key, from, folder))
            .transpose()
    };
    let mut admin_keys: Vec<String> = machine
        .access
        .ssh_keys
        .iter()
        .map(ToString::to_string)
        .collect();
    if admin_keys.is_empty() {
        admin_keys.push(keys::admin_key(name)?.public);
    }
    let password_hash = read("access.password_hash", &machine.access.password_hash)?;
    if let Some(hash) = &password_hash {
        check_hash(hash)?;
    }
    let wifi = machine
        .network
        .wifi
        .as_ref()
        .map(|wifi| &wifi.passphrase)
        .cloned();
    let wifi_passphrase = read("network.wifi.passphrase", &wifi)?;
    if wifi_passphrase
        .as_ref()
        .is_some_and(|text| !(8..=63).contains(&text.len()))
    {
        return Err(Failure::input(
            "network.wifi.passphrase: a passphrase of WPA has 8 to 63 characters",
        ));
    }
    Ok(Secrets {
        admin_keys,
        host_key: HostKey {
            private_openssh: host.private,
            public: host.public,
        },
        password_hash,
        luks_passphrase: read("disk.luks_passphrase", &machine.disk.luks_passphrase)?,
        wifi_passphrase,
    })
}

fn resolve(key: &str, from: &SecretRef, folder: &Path) -> Result<String, Failure> {
    let text = match from {
        SecretRef::Env(name) => std::env::var(name)
            .map_err(|_| Failure::input(format!("{key} comes from {from}, which is not set (or no text): `export {name}=…` and run again")))?,
        SecretRef::File(path) => read_file(key, &folder.join(path))?,
    };
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() || text.contains(char::is_control) {
        return Err(Failure::input(format!(
            "{key} comes from {from}, which is empty or has more than one line: expected one line"
        )));
    }
    Ok(text)
}

fn read_file(key: &str, path: &Path) -> Result<String, Failure> {
    let fault = |why: String| {
        Failure::input(format!(
            "{key} comes from the file {}: {why}",
            path.display()
        ))
    };
    let found = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?;
    if found.permissions().mode() & 0o077 != 0 {
        return Err(fault(format!(
            "others may read it: run `chmod 600 {}`",
            path.display()
        )));
    }
    if found.len() > 4096 {
        return Err(fault(
            "it is longer than any secret (4096 bytes)".to_owned(),
        ));
    }
    std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))
}

/// Refuses what is no hash of crypt(5): most of all, a password in clear text.
fn check_hash(hash: &str) -> Result<(), Failure> {
    let known = ["$y$", "$6$", "$gy$", "$7$"];
    let allowed = |c: char| c.is_ascii_graphic() && !":;*!\\".contains(c);
    if known.iter().any(|prefix| hash.starts_with(prefix))
        && hash.len() >= 40
        && hash.chars().all(allowed)
    {
        return Ok(());
    }
    Err(Failure::input(
        "access.password_hash: what was read is no hash (it is not shown): expected the output of `mkpasswd -m yescrypt`, which begins with $y$",
    ))
}
