//! Becoming root: whether, and how.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::command::Output;
use crate::connection::Connection;
use crate::error::RunError;
use crate::secret::Secret;

/// How long finding out may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How often a person is asked, as sudo does it.
const ATTEMPTS: usize = 3;

/// How commands become root's.
#[derive(Debug, Clone)]
pub enum Privilege {
    /// The user is root.
    Root,
    /// sudo asks for no password.
    SudoNoPassword,
    /// sudo takes this password.
    SudoPassword(Secret),
    /// Not at all, and why.
    None(String),
}

impl fmt::Display for Privilege {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => out.write_str("root"),
            Self::SudoNoPassword => out.write_str("sudo without a password"),
            Self::SudoPassword(_) => out.write_str("sudo with a password"),
            Self::None(reason) => write!(out, "no root: {reason}"),
        }
    }
}

/// What stands before the wrapper, and what goes in before its input.
#[derive(Clone)]
pub(crate) enum Start {
    AsUser,
    Sudo,
    SudoPassword(Secret),
}

impl Start {
    pub(crate) fn prefix(&self) -> &'static str {
        match self {
            Self::AsUser => "",
            Self::Sudo => "sudo -n -- ",
            Self::SudoPassword(_) => "sudo -S -p \"\" -- ",
        }
    }

    pub(crate) fn greeting(&self) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::AsUser | Self::Sudo => None,
            Self::SudoPassword(password) => Some(line(password)),
        }
    }
}

fn line(password: &Secret) -> Zeroizing<Vec<u8>> {
    let text = password.reveal();
    // Of the full size from the start, so that growing leaves no copy behind.
    let mut line = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    line.extend_from_slice(text.as_bytes());
    line.push(b'\n');
    line
}

/// Prints how root can be had. Messages in one language, because one of them is looked at.
const PROBE: &str = r#"
export LC_ALL=C
if [ "$(id -u)" = 0 ]; then echo root
elif ! command -v sudo >/dev/null; then echo nosudo
elif sudo -n true; then echo nopassword
else echo password; fi"#;

impl Connection {
    /// Finds out how commands can become root's. `ask` gets the prompt's number from 1, and
    /// may give a password; it is asked only when sudo wants one.
    ///
    /// # Errors
    ///
    /// When the machine could not be asked. That root cannot be had is no error:
    /// see [`Privilege::None`].
    pub fn privilege(
        &mut self,
        ask: Option<&dyn Fn(usize) -> Option<Secret>>,
    ) -> Result<Privilege, RunError> {
        let probe = self.run(PROBE, b"", LIMIT)?;
        match probe.text().trim() {
            "root" => Ok(Privilege::Root),
            "nopassword" => Ok(Privilege::SudoNoPassword),
            "nosudo" => Ok(Privilege::None("sudo is not installed".into())),
            _ => match ask {
                None => {
                    let said = said(&probe);
                    Ok(Privilege::None(format!(
                        "sudo wants a password and none can be asked for ({said})"
                    )))
                }
                Some(ask) => self.ask_for_password(ask),
            },
        }
    }

    fn ask_for_password(
        &mut self,
        ask: &dyn Fn(usize) -> Option<Secret>,
    ) -> Result<Privilege, RunError> {
        let mut reason = "no password was given".to_owned();
        for attempt in 1..=ATTEMPTS {
            let Some(password) = ask(attempt) else {
                break;
            };
            if password.reveal().contains(['\n', '\0']) {
                reason = "the password has a line break or a zero byte in it".into();
                continue;
            }
            // With -k sudo asks even if it was told shortly before, so this proves the password.
            // The input ends after it, so a wrong one fails and nothing hangs.
            let tried = self.run("LC_ALL=C sudo -k -S -p '' true", &line(&password), LIMIT)?;
            if tried.success() {
                return Ok(Privilege::SudoPassword(password));
            }
            reason = format!("sudo does not take it: {}", said(&tried));
        }
        Ok(Privilege::None(reason))
    }

    /// Commands as root by `privilege`.
    ///
    /// # Errors
    ///
    /// When there is no way to become root, with the reason.
    pub fn sudo(&mut self, privilege: &Privilege) -> Result<Sudo<'_>, RunError> {
        let start = match privilege {
            Privilege::Root => Start::AsUser,
            Privilege::SudoNoPassword => Start::Sudo,
            Privilege::SudoPassword(password) => Start::SudoPassword(password.clone()),
            Privilege::None(reason) => {
                return Err(RunError::Refused {
                    command: "becoming root".into(),
                    problem: format!("{reason}; sign in as a user who may use sudo"),
                });
            }
        };
        Ok(Sudo {
            connection: self,
            start,
        })
    }
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("; ")
}

/// Runs commands as root.
pub struct Sudo<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) start: Start,
}

impl Sudo<'_> {
    /// As [`Connection::run`], as root.
    ///
    /// # Errors
    ///
    /// As [`Connection::run`].
    pub fn run(
        &mut self,
        command: &str,
        stdin: &[u8],
        limit: Duration,
    ) -> Result<Output, RunError> {
        self.connection
            .run_started(&self.start, command, stdin, limit)
    }

    /// As [`Connection::script`], as root.
    ///
    /// # Errors
    ///
    /// As [`Connection::run`].
    pub fn script(
        &mut self,
        interpreter: &str,
        script: &str,
        limit: Duration,
    ) -> Result<Output, RunError> {
        self.run(interpreter, script.as_bytes(), limit)
    }
}
