//! Who gets in, and where secrets come from.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{checked_text, made_of};

/// Names that Ubuntu or a part of the lab already uses.
const TAKEN: &[&str] = &[
    "root",
    "daemon",
    "bin",
    "sys",
    "sync",
    "games",
    "man",
    "lp",
    "mail",
    "news",
    "uucp",
    "proxy",
    "www-data",
    "backup",
    "list",
    "irc",
    "nobody",
    "sshd",
    "admin",
    "sudo",
    "docker",
    "ollama",
    "syslog",
    "messagebus",
    "tss",
    "polkitd",
    "landscape",
    "pollinate",
    "render",
    "video",
    "nvidia-persistenced",
    "installer",
];

checked_text!(
    /// The name of the one who administers the machine.
    UserName, pattern "^[a-z_][a-z0-9_-]{0,31}$", example "lab",
    |text| {
        let fits = made_of(text, 32, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c));
        if !fits || text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return Err(format!("`{text}` is no user name: small letters, digits, `_` and `-`, a letter first, at most 32, such as lab"));
        }
        if TAKEN.contains(&text) {
            return Err(format!("`{text}` is a name that the system uses itself: choose another, such as lab"));
        }
        Ok(())
    }
);

checked_text!(
    /// An SSH public key in OpenSSH's one-line form.
    PublicKey, pattern "^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+( .*)?$", example "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI... you@laptop",
    check_public_key
);

fn check_public_key(text: &str) -> Result<(), String> {
    // What stands here may be a private key pasted by mistake: it is not shown.
    if text.contains("PRIVATE KEY") {
        return Err("this is a private key, which must never leave its owner: expected the line of the `.pub` file beside it".to_owned());
    }
    if text.contains(['\n', '\r']) {
        return Err(
            "a public key is a single line: write each key as an element of its own".to_owned(),
        );
    }
    match ssh_key::PublicKey::from_str(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            let shown: String = text.chars().take(24).collect();
            Err(format!(
                "`{shown}…` is no SSH public key ({error}): expected the line of a `.pub` file, such as ssh-ed25519 AAAA… you@laptop"
            ))
        }
    }
}

/// Where a secret comes from: never from the description itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// An environment variable of whoever runs the command.
    Env(String),
    /// A file that only its owner may read; a relative path counts from the
    /// description.
    File(String),
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {path}"),
        }
    }
}

/// Read by hand, so that no message ever repeats what somebody wrote in place of
/// the reference: it may be the secret itself.
impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = SecretRef;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("{ env = \"NAME\" } or { file = \"PATH\" }")
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretRef, E> {
                Err(E::custom(
                    "a secret must not stand in the description, expected { env = \"NAME\" } or { file = \"PATH\" }",
                ))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<SecretRef, A::Error> {
                let wrong = || {
                    serde::de::Error::custom(
                        "a secret comes from one place, expected { env = \"NAME\" } or { file = \"PATH\" }",
                    )
                };
                let (key, value) = map.next_entry::<String, String>()?.ok_or_else(wrong)?;
                let secret = match key.as_str() {
                    "env" if !value.is_empty() => SecretRef::Env(value),
                    "file" if !value.is_empty() => SecretRef::File(value),
                    _ => return Err(wrong()),
                };
                match map.next_key::<String>()? {
                    None => Ok(secret),
                    Some(_) => Err(wrong()),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
