//! What the installer does on the machine, as far as these tests need it.

use anyhow::Result;

use crate::{Described, Guest};

/// Runs the late-commands with the container's own root as the target. The files are in
/// use after the next start.
///
/// # Errors
///
/// When one of them fails.
pub fn lay_down(guest: &Guest, described: &Described) -> Result<()> {
    guest.ok("mkdir /target && mount --bind / /target")?;
    for command in &described.autoinstall.late_commands {
        guest.ok(&quoted(command))?;
    }
    guest.ok("umount /target && rmdir /target")?;
    Ok(())
}

/// What the installer does with `identity` and `ssh`, as far as Debian has the groups.
#[must_use]
pub fn account(described: &Described) -> String {
    let identity = &described.autoinstall.identity;
    let password = String::from(identity.password.clone());
    let add = quoted(&[
        "--comment".into(),
        identity.realname.clone(),
        "--password".into(),
        password,
        described.user().into(),
    ]);
    let home = format!("/home/{}/.ssh", described.user());
    let keys: Vec<String> = described
        .autoinstall
        .ssh
        .authorized_keys
        .iter()
        .map(ToString::to_string)
        .collect();
    format!(
        "set -e\nuseradd --create-home --shell /bin/bash --groups adm,cdrom,dip,plugdev,sudo {add}\n\
         install -d -m 0700 -o {user} -g {user} {home}\n\
         echo {keys} >{home}/authorized_keys\n\
         chown {user}:{user} {home}/authorized_keys\nchmod 0600 {home}/authorized_keys\n\
         echo {name} >/etc/hostname\n",
        user = described.user(),
        keys = quoted(&[keys.join("\n")]),
        name = described.name(),
    )
}

/// Words as a shell reads them back.
#[must_use]
pub fn quoted(words: &[String]) -> String {
    let quote = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}
