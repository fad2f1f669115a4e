//! Who gets in: the installer's `identity` and `ssh`, sshd, sudo, the host key.

use anyhow::{Context as _, Result, anyhow};
use lab_machine::Machine;
use lab_machine::section::access::Sudo;
use lab_machine::types::PublicKey;
use tera::Context;

use super::Subject;
use crate::autoinstall::{Identity, Off, On, Password, Ssh};
use crate::place::HOST_KEY;
use crate::template::{render, verbatim};
use crate::unit::Unit;
use crate::{Secrets, TargetTree};

/// The installer's section `identity`.
pub(crate) fn identity(machine: &Machine, secrets: &Secrets) -> Result<Identity> {
    let password = secrets
        .password_hash
        .clone()
        .unwrap_or_else(|| "!".to_owned());
    Ok(Identity {
        hostname: machine.identity.name.clone(),
        realname: format!("administrator of {}", machine.identity.name),
        username: machine.access.user.clone(),
        password: Password::try_from(password)
            .map_err(|why| anyhow!("`access.password_hash`: {why}"))?,
    })
}

/// The installer's section `ssh`.
pub(crate) fn ssh(secrets: &Secrets) -> Result<Ssh> {
    let keys: Result<Vec<PublicKey>, String> = secrets
        .admin_keys
        .iter()
        .map(|key| key.trim().parse())
        .collect();
    Ok(Ssh {
        install_server: On,
        allow_pw: Off,
        authorized_keys: keys.map_err(|why| anyhow!("reading the keys that may log in: {why}"))?,
    })
}

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let key = &subject.secrets.host_key;
    tree.file(
        HOST_KEY,
        0o600,
        format!("{}\n", key.private_openssh.trim_end()),
    )?;
    tree.file(
        format!("{HOST_KEY}.pub"),
        0o644,
        format!("{}\n", key.public.trim_end()),
    )?;
    for name in [
        "etc/ssh/sshd_config.d/10-lab.conf",
        "etc/cloud/cloud.cfg.d/99-lab.cfg",
    ] {
        tree.file(name, 0o644, verbatim(name)?)?;
    }
    let sudoers = "etc/sudoers.d/10-lab";
    tree.file(
        sudoers,
        0o440,
        render(sudoers, &sudo_context(subject.machine))?,
    )
    .context("laying out sudo")?;
    Ok(None)
}

fn sudo_context(machine: &Machine) -> Context {
    let (why, tag) = match machine.access.sudo {
        Sudo::Nopasswd => (
            "the SSH key is what counts, there is no password to ask for",
            "NOPASSWD: ",
        ),
        Sudo::Password => ("sudo asks for the password", ""),
    };
    let mut context = Context::new();
    context.insert("user", machine.access.user.as_str());
    context.insert("why", why);
    context.insert("tag", tag);
    context
}
