//! `identity` and `ssh`: who gets in.

use std::fmt;

use lab_machine::types::{HostName, PublicKey, UserName};
use serde::{Deserialize, Serialize};

use super::Off;

/// The administrator and the machine's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The machine's name.
    pub hostname: HostName,
    /// The account's full name.
    pub realname: String,
    /// The account.
    pub username: UserName,
    /// Its password. The installer refuses an identity without one, even where
    /// keys are all that is wanted.
    pub password: Password,
}

/// What goes into the password's place in /etc/shadow.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Password {
    /// No password fits (`!`).
    Locked,
    /// A hash of crypt(3).
    Hash(String),
}

/// The methods of crypt(5) that are still fit for passwords.
const METHODS: &[&str] = &["$y$", "$gy$", "$7$", "$2b$", "$6$", "$5$"];

impl TryFrom<String> for Password {
    type Error = String;

    // What does not fit may be a password in clear text: no message shows it.
    fn try_from(text: String) -> Result<Self, String> {
        if text == "!" {
            return Ok(Self::Locked);
        }
        let crypt = text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "./$=,".contains(c));
        let whole = text.len() >= 40 && text.len() <= 256 && text.matches('$').count() >= 3;
        if crypt && whole && METHODS.iter().any(|method| text.starts_with(method)) {
            return Ok(Self::Hash(text));
        }
        Err("this is neither `!` nor a password's hash: expected what `mkpasswd -m yescrypt` prints, never the password itself".to_owned())
    }
}

impl From<Password> for String {
    fn from(password: Password) -> Self {
        match password {
            Password::Locked => "!".to_owned(),
            Password::Hash(hash) => hash,
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locked => "Locked",
            Self::Hash(_) => "Hash(…)",
        })
    }
}

/// The SSH server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ssh {
    /// Whether it is installed; always.
    pub install_server: On,
    /// Whether passwords open it; never.
    pub allow_pw: Off,
    /// The keys that do.
    pub authorized_keys: Vec<PublicKey>,
}

/// A switch that this lab never turns off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "bool", into = "bool")]
pub struct On;

impl From<On> for bool {
    fn from(_: On) -> Self {
        true
    }
}

impl TryFrom<bool> for On {
    type Error = String;

    fn try_from(on: bool) -> Result<Self, String> {
        if on {
            Ok(Self)
        } else {
            Err("`false`: expected `true`, without it nobody gets in".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_are_passwords() {
        let hash = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";
        assert!(matches!(
            Password::try_from(hash.to_owned()),
            Ok(Password::Hash(_))
        ));
        assert_eq!(Password::try_from("!".to_owned()), Ok(Password::Locked));
        for clear in [
            "",
            "*",
            "hunter2",
            "$1$abc$deadbeef",
            "$y$j9T$short",
            "$6$a b$c",
            &hash.replace('$', ":"),
        ] {
            let error = Password::try_from(clear.to_owned()).unwrap_err();
            assert!(clear.len() < 2 || !error.contains(clear), "{error}");
        }
    }
}
