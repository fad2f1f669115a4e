//! Signing in by public key: the agent, the identity that was named, those of the
//! configuration, the caller's, then ssh's own defaults. Never by password.

use std::path::{Path, PathBuf};

use ssh2::{Agent, ErrorCode, Session};

use crate::agent::Relay;
use crate::connection::Timeouts;
use crate::error::{AuthError, ConnectError};
use crate::identity::{Identity, public_beside};
use crate::key::PublicKey;
use crate::secret::Secret;
use crate::target::Endpoint;

/// LIBSSH2_ERROR_AUTHENTICATION_FAILED, _PUBLICKEY_UNVERIFIED, and _FILE and _AGENT_PROTOCOL:
/// this key will not do, and the next may.
const ONLY_THIS_KEY: [i32; 4] = [-18, -19, -16, -42];

/// Asks for the passphrase of a key file.
pub type AskPassphrase<'a> = &'a dyn Fn(&Path) -> Option<Secret>;

/// What to sign in with.
#[derive(Default)]
pub struct Auth<'a> {
    /// The agent's socket; see [`Auth::agent_of_this_user`].
    pub agent: Option<PathBuf>,
    /// The identity that the user named. With it, no other key is tried, except that the
    /// agent may hold it.
    pub identity: Option<PathBuf>,
    /// Keys that the caller knows of, such as one that was made with the image.
    pub extra: Vec<PathBuf>,
    /// Where `.ssh/id_ed25519`, `id_ecdsa` and `id_rsa` are looked for.
    pub home: Option<PathBuf>,
    /// Asks for the passphrase of a key file; without it, such keys are passed over.
    pub passphrase: Option<AskPassphrase<'a>>,
}

impl Auth<'_> {
    /// The agent's socket by the environment.
    #[must_use]
    pub fn agent_of_this_user() -> Option<PathBuf> {
        let socket = std::env::var_os("SSH_AUTH_SOCK")?;
        (!socket.is_empty()).then(|| socket.into())
    }

    /// The key files to try, and whether the agent may offer other keys than these.
    fn files(&self, endpoint: &Endpoint) -> (Vec<PathBuf>, bool) {
        if let Some(identity) = &self.identity {
            return (vec![identity.clone()], true);
        }
        let mut files = endpoint.identity_files.clone();
        files.extend(self.extra.iter().cloned());
        if !endpoint.identities_only
            && let Some(home) = &self.home
        {
            let names = ["id_ed25519", "id_ecdsa", "id_rsa"];
            files.extend(names.map(|name| home.join(".ssh").join(name)));
        }
        let mut seen = std::collections::BTreeSet::new();
        files.retain(|file| seen.insert(file.clone()));
        (files, endpoint.identities_only)
    }

    fn agent_socket(&self, endpoint: &Endpoint) -> Option<PathBuf> {
        match &endpoint.identity_agent {
            Some(by_config) => by_config.clone(),
            None => self.agent.clone(),
        }
    }
}

/// One signing-in, and what came of each key.
struct Attempt<'a> {
    session: &'a Session,
    endpoint: &'a Endpoint,
    auth: &'a Auth<'a>,
    timeouts: &'a Timeouts,
    tried: Vec<String>,
    refused: Vec<PublicKey>,
    ended: Option<String>,
}

pub(crate) fn sign_in(
    session: &Session,
    endpoint: &Endpoint,
    auth: &Auth<'_>,
    timeouts: &Timeouts,
) -> Result<(), ConnectError> {
    let offered = match session.auth_methods(&endpoint.user) {
        Ok(methods) => methods.split(',').map(str::to_owned).collect(),
        Err(_) if session.authenticated() => return Ok(()),
        Err(error) => {
            return Err(ConnectError::Protocol {
                endpoint: endpoint.to_string(),
                problem: format!("asking how {} may sign in: {error}", endpoint.user),
            });
        }
    };
    let mut attempt = Attempt {
        session,
        endpoint,
        auth,
        timeouts,
        tried: Vec::new(),
        refused: Vec::new(),
        ended: None,
    };
    let offered: Vec<String> = offered;
    if offered.iter().any(|method| method == "publickey") && attempt.keys() {
        return Ok(());
    }
    Err(ConnectError::Auth(AuthError {
        endpoint: endpoint.to_string(),
        user: endpoint.user.clone(),
        tried: attempt.tried,
        offered,
        ended: attempt.ended,
    }))
}

impl Attempt<'_> {
    fn keys(&mut self) -> bool {
        let (files, only_these) = self.auth.files(self.endpoint);
        match self.auth.agent_socket(self.endpoint) {
            None => self
                .tried
                .push("agent: there is none (SSH_AUTH_SOCK is not set)".into()),
            Some(socket) => {
                let only = only_these.then_some(files.as_slice());
                match self.agent(&socket, only) {
                    Ok(true) => return true,
                    Ok(false) => {}
                    Err(problem) => self.tried.push(format!("agent: {problem}")),
                }
            }
        }
        self.files(&files)
    }

    fn agent(&mut self, socket: &Path, only: Option<&[PathBuf]>) -> Result<bool, String> {
        let relay = Relay::start(socket, self.timeouts.agent, self.timeouts.auth)?;
        let mut agent = self.session.agent().map_err(|error| error.to_string())?;
        agent
            .set_identity_path(&relay.path())
            .map_err(|error| error.to_string())?;
        agent.connect().map_err(|error| error.to_string())?;
        agent.list_identities().map_err(|error| {
            format!(
                "{}: no list of keys in {:?} ({error})",
                socket.display(),
                self.timeouts.agent
            )
        })?;
        let done = self.agent_keys(&agent, only);
        let _ = agent.disconnect();
        done
    }

    fn agent_keys(&mut self, agent: &Agent, only: Option<&[PathBuf]>) -> Result<bool, String> {
        let identities = agent.identities().map_err(|error| error.to_string())?;
        if identities.is_empty() {
            self.tried.push("agent: it holds no keys".into());
        }
        let only = only.map(|files| {
            files
                .iter()
                .filter_map(|file| public_of(file))
                .collect::<Vec<_>>()
        });
        for identity in identities {
            let Ok(key) = PublicKey::from_blob(identity.blob()) else {
                continue;
            };
            if only.as_ref().is_some_and(|only| !only.contains(&key)) {
                continue;
            }
            let name = format!(
                "agent: {} {} ({})",
                key.algorithm(),
                key.fingerprint(),
                identity.comment()
            );
            let result = agent.userauth(&self.endpoint.user, &identity);
            if self.judge(&name, result, Some(key)) {
                return Ok(true);
            }
            if self.ended.is_some() {
                break;
            }
        }
        Ok(false)
    }

    /// Those without a passphrase first, so that nobody is asked without need.
    fn files(&mut self, files: &[PathBuf]) -> bool {
        let mut identities = Vec::new();
        for file in files {
            match Identity::read(file) {
                Ok(identity) => identities.push(identity),
                Err(problem) => self.tried.push(format!("{}: {problem}", file.display())),
            }
        }
        identities.sort_by_key(|identity| identity.encrypted);
        for identity in &identities {
            if self.ended.is_some() {
                return false;
            }
            if self.file(identity) {
                return true;
            }
        }
        false
    }

    fn file(&mut self, identity: &Identity) -> bool {
        let path = identity.path.display().to_string();
        if identity
            .public
            .as_ref()
            .is_some_and(|key| self.refused.contains(key))
        {
            self.tried
                .push(format!("{path}: the agent's key, which was tried already"));
            return false;
        }
        let mut passphrase = None;
        if identity.encrypted {
            passphrase = self.auth.passphrase.and_then(|ask| ask(&identity.path));
            if passphrase.is_none() {
                self.tried.push(format!(
                    "{path}: it needs a passphrase and none was given; `ssh-add {path}` first"
                ));
                return false;
            }
        }
        let name = match &identity.public {
            Some(key) => format!("{path} ({} {})", key.algorithm(), key.fingerprint()),
            None => path,
        };
        let phrase = passphrase.as_ref().map(Secret::reveal);
        let user = &self.endpoint.user;
        let result = self
            .session
            .userauth_pubkey_memory(user, None, &identity.text, phrase);
        self.judge(&name, result, identity.public.clone())
    }

    /// Notes what came of a key; true when it signed in.
    fn judge(
        &mut self,
        name: &str,
        result: Result<(), ssh2::Error>,
        key: Option<PublicKey>,
    ) -> bool {
        let Err(error) = result else {
            return self.session.authenticated();
        };
        match error.code() {
            ErrorCode::Session(-18) => self.tried.push(format!("{name}: refused")),
            ErrorCode::Session(code) if ONLY_THIS_KEY.contains(&code) => {
                self.tried.push(format!("{name}: not usable ({error})"));
            }
            _ => {
                self.tried.push(format!("{name}: {error}"));
                self.ended = Some(format!(
                    "the server ended it after {} attempts; name the right key with --identity",
                    self.refused.len() + 1
                ));
            }
        }
        self.refused.extend(key);
        false
    }
}

fn public_of(file: &Path) -> Option<PublicKey> {
    public_beside(file).or_else(|| Identity::read(file).ok()?.public)
}
