//! The real `cargo xtask`, as somebody would run it on the computer that made the
//! machine: with its keys, its description and the catalog of the run, and nothing of
//! whoever runs the tests.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::harness::Shared;
use crate::{Described, Upstreams};

/// No command here takes longer, on a busy machine too.
const LONGEST: Duration = Duration::from_secs(300);

/// The program, and where everything is that it reads.
#[derive(Debug)]
pub struct Command {
    program: PathBuf,
    home: TempDir,
    name: String,
    /// The hosts file that it sees instead of this computer's, and the authority that it trusts.
    among: Option<(PathBuf, PathBuf)>,
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit status; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed, on stdout and stderr.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

/// A command at work; it is killed when this value goes.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: PathBuf,
    begin: Instant,
}

impl Command {
    /// Builds the program, and lays out the machine's keys and description.
    ///
    /// # Errors
    ///
    /// When Cargo cannot build it, or a file cannot be written.
    pub fn new(described: &Described, upstreams: &Upstreams) -> Result<Self> {
        let home = tempfile::tempdir().context("making a home")?;
        let command = Self {
            program: lab_vendors::program_of("xtask", "xtask")?,
            name: described.name().to_owned(),
            home,
            among: None,
        };
        let keys = command.keys();
        let catalog = command.home.path().join("catalog");
        for folder in [&keys, &catalog] {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        for (name, pair) in [("ssh_host", &described.host), ("admin", &described.admin)] {
            secret(&keys.join(format!("{name}_ed25519_key")), &pair.private()?)?;
        }
        for (name, text) in upstreams.catalog_files() {
            write(&catalog.join(name), text)?;
        }
        let place = command.home.path().join("lab-probe");
        fs::write(&place, probe()?).with_context(|| format!("writing {}", place.display()))?;
        command.describe(&described.text)?;
        Ok(command)
    }

    /// From now on the names of the upstreams lead to them, over TLS as they are certified.
    ///
    /// # Errors
    ///
    /// When the hosts file cannot be written.
    pub fn among(&mut self, upstreams: &Upstreams) -> Result<()> {
        let hosts = self.home.path().join("hosts");
        let line = |name: &&str| format!("{} {name}\n", upstreams.address());
        let lines: String = upstreams.hosts().iter().map(line).collect();
        write(&hosts, &format!("127.0.0.1 localhost\n{lines}"))?;
        self.among = Some((hosts, upstreams.authority().to_owned()));
        Ok(())
    }

    /// From now on no name leads anywhere.
    ///
    /// # Errors
    ///
    /// When the hosts file cannot be written.
    pub fn without_names(&mut self) -> Result<()> {
        let hosts = self.home.path().join("hosts");
        write(&hosts, "127.0.0.1 localhost\n")?;
        Ok(())
    }

    /// One of the catalog's files, in place of the built-in one.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn catalog_file(&self, name: &str, text: &str) -> Result<()> {
        write(&self.home.path().join("catalog").join(name), text)
    }

    /// Replaces the description's text.
    ///
    /// # Errors
    ///
    /// When its file cannot be written.
    pub fn describe(&self, text: &str) -> Result<()> {
        write(&self.description(), text)
    }

    /// Gives the machine another host key than the one that it was made with, as far as
    /// this computer knows.
    ///
    /// # Errors
    ///
    /// When the key's file cannot be written.
    pub fn expect_host_key(&self, private: &str) -> Result<()> {
        secret(&self.keys().join("ssh_host_ed25519_key"), private)
    }

    /// A folder for files that belong to this run.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.home.path()
    }

    /// Runs it without a terminal, and waits until it ends.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or does not end for minutes.
    pub fn run(&self, words: &[&str]) -> Result<Ended> {
        self.begin(words)?.end()
    }

    /// The same, for the machine behind this port here.
    ///
    /// # Errors
    ///
    /// As [`Command::run`].
    pub fn to(&self, port: u16, words: &[&str]) -> Result<Ended> {
        self.start_to(port, words)?.end()
    }

    /// Starts it for the machine behind this port here.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start_to(&self, port: u16, words: &[&str]) -> Result<Running> {
        let host = format!("127.0.0.1:{port}");
        let words: Vec<&str> = words.iter().copied().chain(["--host", &host]).collect();
        self.begin(&words)
    }

    /// Starts it without a terminal.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn begin(&self, words: &[&str]) -> Result<Running> {
        let output = tempfile::NamedTempFile::new_in(self.home.path())
            .context("making a file for what is printed")?;
        let (said, output) = output.keep().context("keeping what is printed")?;
        let both = said.try_clone().context("keeping what is printed")?;
        let begin = Instant::now();
        let child = self.process(words, said, both);
        Ok(Running {
            child: child.with_context(|| format!("starting xtask {}", words.join(" ")))?,
            output,
            begin,
        })
    }

    fn process(&self, words: &[&str], out: File, err: File) -> std::io::Result<Child> {
        self.program()
            .args(words)
            .arg("--machine")
            .arg(self.description())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("SSH_AUTH_SOCK")
            .env("HOME", self.home.path())
            .env("LAB_STATE_DIR", self.home.path().join("state"))
            .env("LAB_CATALOG", self.home.path().join("catalog"))
            .env("LAB_PROBE", self.home.path().join("lab-probe"))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
    }

    /// The program, where it is to see other names than this computer's in a mount namespace
    /// of its own (unshare(1)).
    fn program(&self) -> std::process::Command {
        let Some((hosts, authority)) = &self.among else {
            return std::process::Command::new(&self.program);
        };
        let mut command = std::process::Command::new("unshare");
        command
            .args(["--mount", "sh", "-c"])
            .arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"")
            .arg(hosts)
            .arg(&self.program)
            .env("SSL_CERT_FILE", authority)
            .env("LAB_CACHE_DIR", self.home.path().join("cache"));
        command
    }

    fn keys(&self) -> PathBuf {
        let machines = self.home.path().join("state/machines");
        machines.join(&self.name)
    }

    fn description(&self) -> PathBuf {
        self.home.path().join("machine.toml")
    }
}

impl Running {
    /// Waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// When it does not, for minutes.
    pub fn end(mut self) -> Result<Ended> {
        let code = loop {
            if let Some(status) = self.child.try_wait().context("waiting for xtask")? {
                break status.code();
            }
            if self.begin.elapsed() > LONGEST {
                bail!("xtask does not end; it said so far:\n{}", self.said()?);
            }
            sleep(Duration::from_millis(10));
        };
        Ok(Ended {
            code,
            text: self.said()?,
            took: self.begin.elapsed(),
        })
    }

    /// Ends it at once, and says what it had printed.
    ///
    /// # Errors
    ///
    /// When its output cannot be read.
    pub fn kill(mut self) -> Result<String> {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().context("waiting for xtask")?;
        self.said()
    }

    /// What it has printed so far.
    ///
    /// # Errors
    ///
    /// When its output cannot be read.
    pub fn said(&self) -> Result<String> {
        let place = || format!("reading {}", self.output.display());
        fs::read_to_string(&self.output).with_context(place)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The probe, which is part of what lands on a machine: one build of it for all of a run,
/// whatever is built meanwhile.
pub(crate) fn probe() -> Result<&'static [u8]> {
    static BUILT: Shared<Vec<u8>> = Shared::new();
    let bytes = BUILT.get(|| {
        let place = lab_vendors::program_of("lab-probe", "lab-probe")?;
        fs::read(&place).with_context(|| format!("reading {}", place.display()))
    });
    bytes.map(Vec::as_slice)
}

fn write(place: &Path, text: &str) -> Result<()> {
    fs::write(place, text).with_context(|| format!("writing {}", place.display()))
}

fn secret(place: &Path, text: &str) -> Result<()> {
    write(place, text)?;
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(place, mode).with_context(|| format!("closing {}", place.display()))
}
