//! Reaching a machine over SSH: where it is, which host key it must show, what to
//! sign in with, and how to become root there.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use lab_machine::Machine;
use lab_remote::{
    Answer, Auth, ConnectError, Connection, Endpoint, Pin, Privilege, Secret, SshConfig, Sudo,
    Target, Timeouts, Trust, UnknownKey,
};

use crate::failure::Failure;
use crate::keys;

/// Which machine to reach, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct HostArg {
    /// The machine to reach, such as `gpu-server.local`, `admin@192.0.2.7:22` or a
    /// host of ~/.ssh/config.
    #[arg(long, value_name = "[USER@]HOST[:PORT]")]
    pub(crate) host: Target,
    /// Sign in with this key and no other.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
}

/// A connection, and the way to root on it.
pub(crate) struct Reached {
    pub(crate) connection: Connection,
    pub(crate) privilege: Privilege,
}

/// How long a quick command may take.
pub(crate) const QUICK: Duration = Duration::from_secs(60);

impl HostArg {
    /// The host as the user wrote it.
    pub(crate) fn name(&self) -> String {
        self.host.to_string()
    }

    /// A host that was taken from the command line in another way.
    pub(crate) fn new(host: Target, identity: Option<PathBuf>) -> Self {
        Self { host, identity }
    }

    /// Everything that connecting needs, read once: the machine's pinned key, and whom to
    /// sign in as where nobody says.
    pub(crate) fn connector(&self, machine: &Machine) -> Result<Connector, Failure> {
        let name = machine.identity.name.as_str();
        Ok(Connector {
            endpoint: self.endpoint(Some(machine.access.user.as_str()))?,
            pins: pins(machine)?,
            identity: self.identity.clone(),
            extra: vec![keys::folder(name)?.join(keys::ADMIN)],
        })
    }

    /// The same for a machine that nothing describes yet, as ssh itself would connect: its
    /// host key is known from known_hosts, or is shown and asked for.
    pub(crate) fn unknown(&self) -> Result<Connector, Failure> {
        Ok(Connector {
            endpoint: self.endpoint(None)?,
            pins: Vec::new(),
            identity: self.identity.clone(),
            extra: Vec::new(),
        })
    }

    /// Where that is, and as whom: where nobody says, as the machine's own administrator.
    fn endpoint(&self, administrator: Option<&str>) -> Result<Endpoint, Failure> {
        let config = SshConfig::of_this_user();
        let mut target = self.host.clone();
        if let Some(administrator) = administrator {
            match target.resolve(&config) {
                Ok(endpoint) if target.user.is_some() || endpoint.user != config.local_user => {
                    return Ok(endpoint);
                }
                // By itself ssh takes the local user's name, which may not even be known.
                _ => target.user = Some(administrator.to_owned()),
            }
        }
        let endpoint = target.resolve(&config);
        endpoint.map_err(|error| Failure::Input(error.into()))
    }

    /// Connects as the description's user, and finds the way to root.
    pub(crate) fn reach(&self, machine: &Machine) -> Result<Reached, Failure> {
        self.connector(machine)?.reach()
    }
}

/// How one machine is connected to, as often as it takes.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    endpoint: Endpoint,
    pins: Vec<Pin>,
    identity: Option<PathBuf>,
    extra: Vec<PathBuf>,
}

/// Questions of several machines come one after the other.
static ASKING: Mutex<()> = Mutex::new(());

impl Connector {
    /// Connects. Somebody is asked about an unknown key only where `ask` says so and there
    /// is a terminal.
    pub(crate) fn connect(&self, ask: bool) -> Result<Connection, ConnectError> {
        let trust = Trust {
            pinned: self.pins.clone(),
            ask: (ask && std::io::stdin().is_terminal()).then_some(&ask_about_key),
        };
        let auth = Auth {
            agent: Auth::agent_of_this_user(),
            identity: self.identity.clone(),
            extra: self.extra.clone(),
            home: std::env::home_dir(),
            passphrase: None,
        };
        Connection::connect(&self.endpoint, &trust, &auth, &Timeouts::default())
    }

    /// Connects; an unknown key is asked about.
    pub(crate) fn sign_in(&self) -> Result<Connection, Failure> {
        self.connect(true).map_err(explained)
    }

    /// Connects, and finds the way to root.
    pub(crate) fn reach(&self) -> Result<Reached, Failure> {
        Reached::of(self.sign_in()?)
    }
}

impl Reached {
    /// Finds the way to root over a connection.
    pub(crate) fn of(mut connection: Connection) -> Result<Self, Failure> {
        let ask: Option<&dyn Fn(usize) -> Option<Secret>> = match std::io::stdin().is_terminal() {
            true => Some(&ask_for_password),
            false => None,
        };
        let privilege = connection
            .privilege(ask)
            .map_err(|error| Failure::Environment(error.into()))?;
        Ok(Self {
            connection,
            privilege,
        })
    }

    /// The connection again.
    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Commands as root.
    pub(crate) fn sudo(&mut self) -> Result<Sudo<'_>, Failure> {
        let sudo = self.connection.sudo(&self.privilege);
        sudo.map_err(|error| Failure::Environment(error.into()))
    }

    /// Runs a command as root and returns what it printed.
    pub(crate) fn root(
        &mut self,
        what: &str,
        command: &str,
        stdin: &[u8],
        limit: Duration,
    ) -> Result<String, Failure> {
        let output = self.sudo()?.run(command, stdin, limit);
        let output = output.with_context(|| what.to_owned())?;
        match output.success() {
            true => Ok(output.text()),
            false => Err(Failure::Environment(anyhow!(
                "{what}: {}",
                last_words(&output.stderr)
            ))),
        }
    }

    /// Runs a command as the user; its exit status and what it printed.
    pub(crate) fn ask(&mut self, command: &str) -> anyhow::Result<(Option<i32>, String)> {
        let output = self.connection.run(command, b"", QUICK)?;
        Ok((output.status, output.text()))
    }
}

/// The end of what a command said, on one line and without control characters.
fn last_words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(3);
    let end = lines.get(from..).unwrap_or_default().join("; ");
    end.chars().filter(|c| !c.is_control()).collect()
}

/// The host key that was made with the image, where this computer has made one.
fn pins(machine: &Machine) -> Result<Vec<Pin>, Failure> {
    let path = keys::folder(machine.identity.name.as_str())?.join(keys::HOST);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let pair = keys::host_key(machine.identity.name.as_str())?;
    let key = pair.public.parse();
    let key = key.map_err(|error| anyhow!("{}: {error}", pair.path.display()))?;
    Ok(vec![Pin {
        key,
        source: pair.path.display().to_string(),
    }])
}

/// A refusal is the input's fault where the machine is not the one that was meant, or
/// does not let this user in.
fn explained(error: ConnectError) -> Failure {
    match error {
        ConnectError::HostKey(_) | ConnectError::Auth(_) => Failure::Input(error.into()),
        _ => Failure::Environment(error.into()),
    }
}

fn ask_about_key(unknown: &UnknownKey<'_>) -> Answer {
    let _turn = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    anstream::eprintln!(
        "Nothing is known of {}. It shows the key {} {}.\nCompare it with what the machine's console shows (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub).",
        unknown.host,
        unknown.key.algorithm(),
        unknown.key.fingerprint()
    );
    match confirmed("Trust it, and remember it? [y/N] ") {
        true => Answer::Remember,
        false => Answer::Refuse,
    }
}

fn ask_for_password(attempt: usize) -> Option<Secret> {
    let _turn = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    if attempt > 1 {
        anstream::eprintln!("sudo did not take it.");
    }
    let text = rpassword::prompt_password("Password for sudo on the machine: ").ok()?;
    (!text.is_empty()).then(|| Secret::new(text))
}

/// Asks a question on the terminal; anything but yes is no.
pub(crate) fn confirmed(question: &str) -> bool {
    anstream::eprint!("{question}");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
}
