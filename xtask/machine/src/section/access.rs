//! `[access]`: who gets in, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::{Context, Findings, Rule, Severity};
use crate::types::{PublicKey, SecretRef, UserName, fixed};

/// Who gets in, and how. Passwords are off unless a hash is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// The administrator's name.
    pub user: UserName,
    /// Public keys that may log in. Without any, a key is made for this machine,
    /// kept outside of version control, and used by the other commands.
    pub ssh_keys: Vec<PublicKey>,
    /// The hash of the administrator's password (`mkpasswd -m yescrypt`), for
    /// the console and, with `sudo = "password"`, for sudo. Never the password.
    pub password_hash: Option<SecretRef>,
    /// Whether sudo asks for the password.
    pub sudo: Sudo,
}

/// Whether sudo asks for a password.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sudo {
    /// It does not: the SSH key is what counts.
    #[default]
    Nopasswd,
    /// It asks; needs `password_hash`.
    Password,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            user: fixed("lab"),
            ssh_keys: Vec::new(),
            password_hash: None,
            sudo: Sudo::Nopasswd,
        }
    }
}

static SUDO_LOCKED: Rule = Rule {
    id: "access-sudo-locked",
    severity: Severity::Error,
    title: "sudo wants a password that nobody has",
    story: "Without `password_hash` the account has no password. With `sudo = \"password\"` nobody could administer \
        the machine any more.",
    way_out: "Give a `password_hash`, or leave `sudo` at \"nopasswd\".",
    source: "sudoers(5)",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[&SUDO_LOCKED];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let access = &context.machine.access;
    if access.sudo == Sudo::Password && access.password_hash.is_none() {
        findings
            .report(
                &SUDO_LOCKED,
                "access.sudo",
                format!(
                    "sudo would ask {} for a password, but there is none",
                    access.user
                ),
            )
            .expecting("a `password_hash` beside it, or \"nopasswd\"");
    }
}
