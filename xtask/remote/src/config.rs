//! What is read of ssh_config(5).
//!
//! The first value found wins, identity files add up. `Host` with patterns, `Match`
//! with `all`, `host`, `originalhost`, `user` and `localuser`, and `Include` are followed. A key
//! without which another machine would be reached, or a key be trusted that was
//! taken back, ends the reading with a message; keys about comfort are passed over.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::pattern::{fits, list_fits};
use crate::target::{Endpoint, Target};

/// Keys that change what is reached or what is trusted, and that are not followed.
const REFUSED: [&str; 3] = ["proxyjump", "proxycommand", "revokedhostkeys"];
/// Includes of includes, so that a file that includes itself ends.
const DEPTH: usize = 16;

/// The configuration files of ssh, and whose they are.
#[derive(Debug, Clone)]
pub struct SshConfig {
    /// The files, the user's before the system's. One that is missing is empty.
    pub files: Vec<PathBuf>,
    /// The user's home directory.
    pub home: PathBuf,
    /// The user's name on this side.
    pub local_user: String,
}

/// Why a configuration file cannot be followed.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("reading {}: {error}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A line says something that this crate cannot follow.
    #[error("{}:{line}: {key}: {problem}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key as ssh_config(5) spells it.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Nothing says whom to sign in as.
    #[error("no user is named for {0}: write USER@HOST, or `User` in ~/.ssh/config")]
    NoUser(String),
}

impl SshConfig {
    /// The files that ssh reads for the user who runs this program.
    #[must_use]
    pub fn of_this_user() -> Self {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let user = ["USER", "LOGNAME"]
            .iter()
            .find_map(|name| std::env::var(name).ok());
        Self {
            files: vec![home.join(".ssh/config"), "/etc/ssh/ssh_config".into()],
            home,
            local_user: user.unwrap_or_default(),
        }
    }

    /// No configuration at all, with `home` for the default keys and known hosts.
    #[must_use]
    pub fn empty(home: &Path) -> Self {
        Self {
            files: Vec::new(),
            home: home.to_owned(),
            local_user: String::new(),
        }
    }

    pub(crate) fn resolve(&self, target: &Target) -> Result<Endpoint, ConfigError> {
        let mut reading = Reading {
            config: self,
            target,
            values: BTreeMap::new(),
            identities: Vec::new(),
        };
        for file in &self.files {
            reading.file(file, true, 0)?;
        }
        reading.endpoint()
    }
}

/// A value and where it stands.
struct Value {
    words: Vec<String>,
    file: PathBuf,
    line: usize,
    key: String,
}

impl Value {
    fn first(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    fn error(&self, problem: &str) -> ConfigError {
        ConfigError::Line {
            file: self.file.clone(),
            line: self.line,
            key: self.key.clone(),
            problem: problem.to_owned(),
        }
    }
}

struct Reading<'a> {
    config: &'a SshConfig,
    target: &'a Target,
    values: BTreeMap<String, Value>,
    identities: Vec<Value>,
}

impl Reading<'_> {
    /// Reads one file; `outer` says whether the `Include` that named it applies.
    fn file(&mut self, file: &Path, outer: bool, depth: usize) -> Result<(), ConfigError> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                let file = file.to_owned();
                return Err(ConfigError::Read { file, error });
            }
        };
        let mut applies = outer;
        for (index, line) in text.lines().enumerate() {
            let Some((key, words)) = split(line) else {
                continue;
            };
            let value = Value {
                words,
                file: file.to_owned(),
                line: index + 1,
                key,
            };
            let key = value.key.to_ascii_lowercase();
            match key.as_str() {
                "host" => applies = outer && self.host_applies(&value),
                "match" => applies = outer && self.match_applies(&value)?,
                "include" if applies => self.include(&value, depth)?,
                _ if applies => self.keep(key, value),
                _ => {}
            }
        }
        Ok(())
    }

    fn keep(&mut self, key: String, value: Value) {
        if key == "identityfile" {
            self.identities.push(value);
        } else {
            self.values.entry(key).or_insert(value);
        }
    }

    fn host_applies(&self, value: &Value) -> bool {
        list_fits(value.words.iter().map(String::as_str), &self.target.host)
    }

    fn match_applies(&self, value: &Value) -> Result<bool, ConfigError> {
        let mut words = value.words.iter();
        let mut applies = true;
        while let Some(word) = words.next() {
            let (not, criterion) = match word.strip_prefix('!') {
                Some(rest) => (true, rest.to_ascii_lowercase()),
                None => (false, word.to_ascii_lowercase()),
            };
            let holds = match criterion.as_str() {
                "all" => true,
                // A second pass over the files, which is not made.
                "final" | "canonical" => false,
                _ => {
                    let Some(list) = words.next() else {
                        return Err(value.error(&format!("`{criterion}` needs a value")));
                    };
                    // As in ssh, what follows a criterion that does not hold is not judged.
                    applies && self.criterion(&criterion, list, value)?
                }
            };
            applies &= holds != not;
        }
        Ok(applies)
    }

    fn criterion(&self, name: &str, list: &str, value: &Value) -> Result<bool, ConfigError> {
        let text = match name {
            "originalhost" => self.target.host.clone(),
            "host" => self.host(),
            "user" => self.user(),
            "localuser" => self.config.local_user.clone(),
            _ => {
                let problem = format!(
                    "`{name}` is not followed here; put the settings under `Host`, or give the machine by address with --identity"
                );
                return Err(value.error(&problem));
            }
        };
        Ok(list_fits(list.split(','), &text))
    }

    fn include(&mut self, value: &Value, depth: usize) -> Result<(), ConfigError> {
        if depth >= DEPTH {
            return Err(value.error("more than 16 files deep"));
        }
        for word in &value.words {
            let home = &self.config.home;
            let path = match word.strip_prefix("~/") {
                Some(rest) => home.join(rest),
                None if value.file.starts_with("/etc/ssh") => Path::new("/etc/ssh").join(word),
                None => home.join(".ssh").join(word),
            };
            for file in glob(&path) {
                self.file(&file, true, depth + 1)?;
            }
        }
        Ok(())
    }

    fn word(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(Value::first)
    }

    fn host(&self) -> String {
        let typed = &self.target.host;
        match self.word("hostname") {
            Some(name) => name.replace("%%", "%").replace("%h", typed),
            None => typed.clone(),
        }
    }

    fn user(&self) -> String {
        let typed = self.target.user.as_deref();
        let user = typed.or_else(|| self.word("user"));
        user.unwrap_or(&self.config.local_user).to_owned()
    }

    fn endpoint(&self) -> Result<Endpoint, ConfigError> {
        self.refuse()?;
        let user = self.user();
        if user.is_empty() {
            return Err(ConfigError::NoUser(self.target.to_string()));
        }
        let port = match (self.target.port, self.values.get("port")) {
            (Some(port), _) => port,
            (None, None) => 22,
            (None, Some(value)) => {
                let port = value.first().parse().ok().filter(|&port| port > 0);
                port.ok_or_else(|| value.error("expected a number from 1 to 65535"))?
            }
        };
        let mut endpoint = Endpoint {
            name: self.target.to_string(),
            host: self.host(),
            port,
            user,
            host_key_alias: self.word("hostkeyalias").map(str::to_owned),
            identity_files: Vec::new(),
            identities_only: self.word("identitiesonly").is_some_and(is_yes),
            identity_agent: None,
            known_hosts: Vec::new(),
        };
        self.add_files(&mut endpoint)?;
        Ok(endpoint)
    }

    fn refuse(&self) -> Result<(), ConfigError> {
        for key in REFUSED {
            let Some(value) = self.values.get(key) else {
                continue;
            };
            if !value.first().eq_ignore_ascii_case("none") {
                let problem = format!(
                    "not followed here; for one machine write `{} none` under its own Host before this line, \
                     and where the machine is behind another, open `ssh -L PORT:HOST:22 THE-OTHER` and give 127.0.0.1:PORT",
                    value.key
                );
                return Err(value.error(&problem));
            }
        }
        Ok(())
    }

    fn add_files(&self, endpoint: &mut Endpoint) -> Result<(), ConfigError> {
        for value in &self.identities {
            if value.first() != "none" {
                let file = self.path(value, value.first(), endpoint)?;
                endpoint.identity_files.push(file);
            }
        }
        let defaults = [
            (
                "userknownhostsfile",
                ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"],
            ),
            (
                "globalknownhostsfile",
                ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"],
            ),
        ];
        for (key, files) in defaults {
            match self.values.get(key) {
                Some(value) if value.first() == "none" => {}
                Some(value) => {
                    for word in &value.words {
                        let file = self.path(value, word, endpoint)?;
                        endpoint.known_hosts.push(file);
                    }
                }
                None => endpoint
                    .known_hosts
                    .extend(files.map(|file| self.below_home(file))),
            }
        }
        if let Some(value) = self.values.get("identityagent") {
            endpoint.identity_agent = match value.first() {
                "none" => Some(None),
                "SSH_AUTH_SOCK" => None,
                path => Some(Some(self.path(value, path, endpoint)?)),
            };
        }
        Ok(())
    }

    fn below_home(&self, path: &str) -> PathBuf {
        match path.strip_prefix("~/") {
            Some(rest) => self.config.home.join(rest),
            None => PathBuf::from(path),
        }
    }

    /// A path with the tokens of ssh_config(5), section TOKENS, put in.
    fn path(&self, value: &Value, text: &str, endpoint: &Endpoint) -> Result<PathBuf, ConfigError> {
        let mut path = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                path.push(c);
                continue;
            }
            match chars.next() {
                Some('%') => path.push('%'),
                Some('d') => path.push_str(&self.config.home.to_string_lossy()),
                Some('h') => path.push_str(&endpoint.host),
                Some('n') => path.push_str(&self.target.host),
                Some('p') => path.push_str(&endpoint.port.to_string()),
                Some('r') => path.push_str(&endpoint.user),
                Some('u') => path.push_str(&self.config.local_user),
                _ => return Err(value.error(
                    "of the tokens only %% %d %h %n %p %r %u are followed here; write the path out",
                )),
            }
        }
        if path.contains("${") {
            return Err(
                value.error("environment variables are not followed here; write the path out")
            );
        }
        Ok(self.below_home(&path))
    }
}

fn is_yes(word: &str) -> bool {
    word.eq_ignore_ascii_case("yes") || word.eq_ignore_ascii_case("true")
}

/// The key of a line and its words; quotes hold a word together.
fn split(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line
        .find(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for c in rest.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            '#' if !quoted && !begun => break,
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    Some((key.to_owned(), words))
}

/// The files that a path with wildcards in its last part names, in order.
fn glob(path: &Path) -> Vec<PathBuf> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let (Some(folder), Some(name)) = (path.parent(), name) else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        return vec![path.to_owned()];
    }
    let Ok(listing) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = listing
        .flatten()
        .filter(|entry| fits(&name, &entry.file_name().to_string_lossy()))
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}
