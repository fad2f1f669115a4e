//! The installer's file, read from its documentation and not from this project's types.
//!
//! Implements the part of the autoinstall reference, version 1, that a file of this
//! project has (canonical/subiquity, doc/reference/autoinstall-reference, and the
//! controllers' schemas, read 2026-11). Where the real installer is silent about a key
//! that it does not know, this one refuses.
//!
//! It is read twice, as the real one does: before the early commands only what is needed
//! to run them ([`Opening`]), and all of it after them, when they may have rewritten it.

mod network;
mod storage;

use anyhow::{Result, bail};

use crate::value::{Keys, Node, Value};

pub use network::{Ethernet, Network};
pub use storage::{DiskMatch, LayoutName, Passphrase, Size, Sizing, Storage};

/// A command: a list of words, or a text for `sh -c`.
pub type Command = Vec<String>;

/// Keys that the real installer knows at the top and this one does not play.
const UNPLAYED: &[&str] = &[
    "reporting",
    "proxy",
    "packages",
    "debconf-selections",
    "user-data",
    "ubuntu-pro",
    "ubuntu-advantage",
    "active-directory",
    "snaps",
    "codecs",
    "oem",
    "kernel-crash-dumps",
    "zdevs",
    "integrity",
];

/// What is read before the early commands.
#[derive(Debug, Default)]
pub struct Opening {
    /// Run before anything is touched.
    pub early: Vec<Command>,
    /// Whether a person is asked.
    pub interactive: bool,
}

/// A whole file.
#[derive(Debug)]
pub struct Autoinstall {
    /// The language, such as `en_US.UTF-8`.
    pub locale: String,
    /// The keyboard's layout, variant and the keys that change between layouts.
    pub keyboard: Keyboard,
    /// The time zone, where one is given.
    pub timezone: Option<String>,
    /// Which of the image's systems, by its id; the image's default where it is missing.
    pub source: Option<String>,
    /// The kernel's package, where it is named.
    pub kernel: Option<String>,
    /// The network, where it is described.
    pub network: Option<Network>,
    /// What happens without an archive in reach.
    pub fallback: Fallback,
    /// The disk.
    pub storage: Storage,
    /// The administrator.
    pub identity: Identity,
    /// The SSH server.
    pub ssh: Ssh,
    /// Which updates are installed, where there is a network.
    pub updates: Updates,
    /// Run in the end.
    pub late: Vec<Command>,
    /// What the machine does when all is done.
    pub shutdown: Shutdown,
}

/// The keyboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyboard {
    /// The layout.
    pub layout: String,
    /// Its variant; may be empty.
    pub variant: String,
    /// The keys that change between layouts.
    pub toggle: Option<String>,
}

/// What happens without an archive in reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// It stops.
    Abort,
    /// It goes on as if the archive were there.
    ContinueAnyway,
    /// It goes on with what is on the image.
    OfflineInstall,
}

/// The administrator and the machine's name.
#[derive(Clone)]
pub struct Identity {
    /// The machine's name.
    pub hostname: String,
    /// The account's full name.
    pub realname: String,
    /// The account.
    pub username: String,
    /// Its password's hash.
    pub password: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({} on {})", self.username, self.hostname)
    }
}

/// The SSH server.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// Whether it is installed.
    pub install_server: bool,
    /// Whether passwords open it.
    pub allow_pw: bool,
    /// The keys that do.
    pub authorized_keys: Vec<String>,
}

/// Which updates are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updates {
    /// Those of the security pocket.
    Security,
    /// All.
    All,
}

/// What the machine does when all is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// It starts again.
    Reboot,
    /// It switches itself off.
    PowerOff,
}

/// Takes the one key `autoinstall` off, or finds the keys at the top.
///
/// # Errors
///
/// When there is another key beside it.
pub fn body(document: &Value) -> Result<&Value> {
    let Value::Map(entries) = document else {
        bail!("found no table of keys, expected `autoinstall:`");
    };
    match document.get("autoinstall") {
        Some(_) if entries.len() > 1 => bail!(
            "found {} keys at the top, expected `autoinstall` alone: no other keys may be present alongside it",
            entries.len()
        ),
        Some(inner) => Ok(inner),
        None => Ok(document),
    }
}

/// The commands of a section, which may be missing.
///
/// # Errors
///
/// When it is no list of commands.
pub fn commands(body: &Value, section: &'static str) -> Result<Vec<Command>> {
    let mut keys = Node::top("autoinstall", body).keys()?;
    keys.take(section)
        .as_ref()
        .map_or(Ok(Vec::new()), command_list)
}

fn command_list(node: &Node<'_>) -> Result<Vec<Command>> {
    node.list()?.iter().map(command).collect()
}

fn command(node: &Node<'_>) -> Result<Command> {
    match node.value {
        Value::Text(text) => Ok(vec!["sh".to_owned(), "-c".to_owned(), text.clone()]),
        Value::List(words) if words.is_empty() => node.refused("no word", "a command"),
        Value::List(_) => node.list()?.iter().map(Node::text).collect(),
        _ => node.refused("neither", "a text for the shell or a list of words"),
    }
}

impl Opening {
    /// Reads what the early commands need, and all names of keys at the top.
    ///
    /// # Errors
    ///
    /// When the version is not 1, a key at the top is unknown or an early command is none.
    pub fn read(body: &Value) -> Result<Self> {
        let top = Node::top("autoinstall", body);
        let mut keys = top.keys()?;
        version(&mut keys)?;
        let sections = keys
            .take("interactive-sections")
            .map(|node| node.texts())
            .transpose()?;
        let early = keys
            .take("early-commands")
            .as_ref()
            .map_or(Ok(Vec::new()), command_list)?;
        keys.take("error-commands")
            .as_ref()
            .map_or(Ok(Vec::new()), command_list)?;
        for section in SECTIONS {
            keys.take(section);
        }
        keys.refuse_unplayed(UNPLAYED)?;
        keys.done()?;
        let interactive = sections.is_some_and(|sections| !sections.is_empty());
        Ok(Self { early, interactive })
    }
}

/// The sections of a whole file, beside those of [`Opening`].
const SECTIONS: &[&str] = &[
    "locale",
    "refresh-installer",
    "keyboard",
    "timezone",
    "source",
    "kernel",
    "network",
    "apt",
    "storage",
    "identity",
    "ssh",
    "drivers",
    "updates",
    "late-commands",
    "shutdown",
];

fn version(keys: &mut Keys<'_>) -> Result<()> {
    let node = keys.need("version")?;
    match node.whole()? {
        1 => Ok(()),
        other => node.refused(&other.to_string(), "1"),
    }
}

impl Autoinstall {
    /// Reads the whole file.
    ///
    /// # Errors
    ///
    /// For the first key that is unknown, missing or of another kind.
    pub fn read(body: &Value) -> Result<Self> {
        let top = Node::top("autoinstall", body);
        let mut keys = top.keys()?;
        version(&mut keys)?;
        for opening in ["interactive-sections", "early-commands", "error-commands"] {
            keys.take(opening);
        }
        switched_off(&mut keys, "refresh-installer", "update")?;
        switched_off(&mut keys, "drivers", "install")?;
        let whole = Self {
            locale: or(
                keys.take("locale").as_ref(),
                "en_US.UTF-8".to_owned(),
                Node::line,
            )?,
            keyboard: or(
                keys.take("keyboard").as_ref(),
                Keyboard::us(),
                Keyboard::read,
            )?,
            timezone: keys
                .take("timezone")
                .map(|node| timezone(&node))
                .transpose()?,
            source: or(keys.take("source").as_ref(), None, source)?,
            kernel: keys.take("kernel").map(|node| kernel(&node)).transpose()?,
            network: keys
                .take("network")
                .map(|node| Network::read(&node))
                .transpose()?,
            fallback: or(
                keys.take("apt").as_ref(),
                Fallback::OfflineInstall,
                fallback,
            )?,
            storage: Storage::read(&keys.need("storage")?)?,
            identity: Identity::read(&keys.need("identity")?)?,
            ssh: or(keys.take("ssh").as_ref(), Ssh::none(), Ssh::read)?,
            updates: or(keys.take("updates").as_ref(), Updates::Security, updates)?,
            late: or(
                keys.take("late-commands").as_ref(),
                Vec::new(),
                command_list,
            )?,
            shutdown: or(keys.take("shutdown").as_ref(), Shutdown::Reboot, shutdown)?,
        };
        keys.refuse_unplayed(UNPLAYED)?;
        keys.done()?;
        Ok(whole)
    }
}

fn or<'a, T>(
    node: Option<&Node<'a>>,
    missing: T,
    read: impl Fn(&Node<'a>) -> Result<T>,
) -> Result<T> {
    node.map_or(Ok(missing), read)
}

/// A switch that this stand-in only knows turned off.
fn switched_off(keys: &mut Keys<'_>, section: &'static str, key: &'static str) -> Result<()> {
    let Some(section) = keys.take(section) else {
        return Ok(());
    };
    let mut inner = section.keys()?;
    let node = inner.need(key)?;
    if node.truth()? {
        return node.refused("`true`", "`false`: this stand-in does nothing else");
    }
    inner.done()
}

fn timezone(node: &Node<'_>) -> Result<String> {
    let zone = node.line()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    match !zone.is_empty() && zone.chars().all(plain) && !zone.starts_with('/') && zone != "geoip" {
        true => Ok(zone),
        false => node.refused(
            &format!("`{zone}`"),
            "a time zone's name, such as `Etc/UTC`",
        ),
    }
}

fn source(node: &Node<'_>) -> Result<Option<String>> {
    let mut keys = node.keys()?;
    let id = keys.take("id").map(|node| node.line()).transpose()?;
    if let Some(drivers) = keys.take("search_drivers")
        && drivers.truth()?
    {
        return drivers.refused("`true`", "`false`: this stand-in looks for no drivers");
    }
    keys.done()?;
    Ok(id)
}

fn kernel(node: &Node<'_>) -> Result<String> {
    let mut keys = node.keys()?;
    let package = keys.need("package")?;
    keys.done()?;
    let name = package.line()?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    match name.len() > 1 && name.chars().all(fits) && !name.starts_with(['-', '+', '.']) {
        true => Ok(name),
        false => package.refused(&format!("`{name}`"), "a package's name"),
    }
}

fn fallback(node: &Node<'_>) -> Result<Fallback> {
    let mut keys = node.keys()?;
    keys.take("geoip").map(|node| node.truth()).transpose()?;
    let words = ["abort", "continue-anyway", "offline-install"];
    let word = keys
        .take("fallback")
        .map(|node| node.one_of(&words))
        .transpose()?;
    keys.refuse_unplayed(&[
        "preserve_sources_list",
        "primary",
        "mirror-selection",
        "sources",
        "disable_components",
        "preferences",
        "disable_suites",
        "security",
    ])?;
    keys.done()?;
    Ok(match word.as_deref() {
        Some("abort") => Fallback::Abort,
        Some("continue-anyway") => Fallback::ContinueAnyway,
        _ => Fallback::OfflineInstall,
    })
}

fn updates(node: &Node<'_>) -> Result<Updates> {
    Ok(match node.one_of(&["security", "all"])?.as_str() {
        "all" => Updates::All,
        _ => Updates::Security,
    })
}

fn shutdown(node: &Node<'_>) -> Result<Shutdown> {
    Ok(match node.one_of(&["reboot", "poweroff"])?.as_str() {
        "poweroff" => Shutdown::PowerOff,
        _ => Shutdown::Reboot,
    })
}

impl Keyboard {
    fn us() -> Self {
        Self {
            layout: "us".to_owned(),
            variant: String::new(),
            toggle: None,
        }
    }

    fn read(node: &Node<'_>) -> Result<Self> {
        let mut keys = node.keys()?;
        let read = Self {
            layout: keys.need("layout")?.line()?,
            variant: keys
                .take("variant")
                .map_or(Ok(String::new()), |node| node.line())?,
            toggle: match keys.take("toggle") {
                Some(node) if *node.value != Value::Null => Some(node.line()?),
                _ => None,
            },
        };
        keys.done()?;
        Ok(read)
    }
}

impl Identity {
    fn read(node: &Node<'_>) -> Result<Self> {
        let mut keys = node.keys()?;
        let username = keys.need("username")?;
        let hostname = keys.need("hostname")?;
        let password = keys.need("password")?;
        let read = Self {
            realname: keys
                .take("realname")
                .map_or(Ok(String::new()), |node| node.line())?,
            username: username.line()?,
            hostname: hostname.line()?,
            password: password.line()?,
        };
        keys.done()?;
        let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if !read
            .username
            .starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            || !read.username.chars().all(name)
        {
            return username.refused("another name", "lower-case letters, digits, - and _");
        }
        let host = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        if read.hostname.is_empty() || !read.hostname.chars().all(host) {
            return hostname.refused("another name", "letters, digits, dots and hyphens");
        }
        // A password in clear text would be written to /etc/shadow and open nothing.
        let hash = read.password.starts_with('$') && !read.password.contains(':');
        if read.password != "!" && !hash {
            return password.refused("another text", "a password's hash, or `!`");
        }
        Ok(read)
    }
}

impl Ssh {
    fn none() -> Self {
        Self {
            install_server: false,
            allow_pw: true,
            authorized_keys: Vec::new(),
        }
    }

    fn read(node: &Node<'_>) -> Result<Self> {
        let mut keys = node.keys()?;
        let install_server = keys
            .take("install-server")
            .map_or(Ok(false), |node| node.truth())?;
        let authorized_keys = keys
            .take("authorized-keys")
            .map_or(Ok(Vec::new()), |node| node.texts())?;
        // Without keys passwords are what is left.
        let missing = Ok(authorized_keys.is_empty());
        let allow_pw = keys.take("allow-pw").map_or(missing, |node| node.truth())?;
        keys.done()?;
        Ok(Self {
            install_server,
            allow_pw,
            authorized_keys,
        })
    }
}
