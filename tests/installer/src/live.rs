//! The live system: its files, its programs and its logs.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::events::{Events, Stage};

/// Where the installer says what it does.
pub const LOG_FOLDER: &str = "/var/log/installer";

/// Its log.
pub const DEBUG_LOG: &str = "/var/log/installer/subiquity-server-debug.log";

/// What the programs said.
pub const CURTIN_LOG: &str = "/var/log/installer/curtin-install.log";

/// The state's name: `RUNNING`, `DONE`, `ERROR` and so on, as the real one calls them.
pub const STATE: &str = "/run/subiquity/server-state";

/// Where the system is put together.
pub const TARGET: &str = "/target";

/// What goes to a program's standard input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input<'a> {
    None,
    Text(&'a str),
    /// Never logged.
    Secret(&'a str),
}

/// The live system, or a folder that stands for it in tests.
#[derive(Debug)]
pub struct Live {
    root: PathBuf,
    /// What is said.
    pub events: Events,
    /// Loop devices count as disks; for tests.
    pub loop_devices: bool,
}

impl Live {
    /// The system whose files lie below `root`.
    ///
    /// # Errors
    ///
    /// When the log cannot be written.
    pub fn new(root: &Path, loop_devices: bool) -> Result<Self> {
        let mut live = Self {
            root: root.to_owned(),
            events: Events::new(None),
            loop_devices,
        };
        let folder = live.path(LOG_FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        live.events = Events::new(Some(live.append(DEBUG_LOG)?));
        Ok(live)
    }

    /// The place of an absolute path.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// The same as a text, for a program's words.
    pub(crate) fn word(&self, absolute: &str) -> String {
        self.path(absolute).display().to_string()
    }

    /// The place of an absolute path of the target.
    pub(crate) fn target(&self, absolute: &str) -> PathBuf {
        self.path(TARGET).join(absolute.trim_start_matches('/'))
    }

    /// Whether this is the real system.
    pub(crate) fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    /// A file's text, where it can be read.
    pub(crate) fn read(&self, absolute: &str) -> Option<String> {
        fs::read_to_string(self.path(absolute)).ok()
    }

    fn append(&self, absolute: &str) -> Result<File> {
        let path = self.path(absolute);
        let open = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o640)
            .open(&path);
        open.with_context(|| format!("writing {}", path.display()))
    }

    /// Says in which state the installer is.
    pub(crate) fn state(&self, name: &str) {
        let path = self.path(STATE);
        if let Some(folder) = path.parent() {
            let _ = fs::create_dir_all(folder);
        }
        let _ = fs::write(path, name);
        self.events.note(&format!("state {name}"));
    }

    /// Writes a file with its folders. It is never readable by more than `mode` says.
    pub(crate) fn write(&self, path: &Path, text: &str, mode: u32) -> Result<()> {
        let write = || -> std::io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            if path.is_symlink() {
                fs::remove_file(path)?;
            }
            let mut file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(mode)
                .open(path)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.write_all(text.as_bytes())
        };
        write().with_context(|| format!("writing {}", path.display()))
    }

    /// Runs a program to its end; its words and what it says go to the log.
    pub(crate) fn run(&self, words: &[&str]) -> Result<()> {
        self.run_with(words, Input::None).map(|_| ())
    }

    /// Whether a program ends well.
    pub(crate) fn succeeds(&self, words: &[&str]) -> bool {
        self.run(words).is_ok()
    }

    /// Runs a program and returns what it prints, without blanks at the ends.
    pub(crate) fn output(&self, words: &[&str]) -> Result<String> {
        self.run_with(words, Input::None)
            .map(|text| text.trim().to_owned())
    }

    /// What a program prints, kept out of the log: it is the log of others.
    pub(crate) fn printed(&self, words: &[&str]) -> String {
        let output = program(words).and_then(|mut command| Ok(command.output()?));
        output.map_or(String::new(), |output| {
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
    }

    /// Runs a program with something on its standard input.
    pub(crate) fn run_with(&self, words: &[&str], input: Input<'_>) -> Result<String> {
        let line = shown(words);
        let mut log = self.append(CURTIN_LOG)?;
        writeln!(log, "$ {line}").context("writing the log")?;
        if let Input::Text(text) = input {
            writeln!(log, "{}", text.trim_end()).context("writing the log")?;
        }
        let mut child = program(words)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {line}"))?;
        feed(&mut child, input)?;
        let output = child
            .wait_with_output()
            .with_context(|| format!("waiting for {line}"))?;
        log.write_all(&output.stdout)
            .and_then(|()| log.write_all(&output.stderr))
            .context("writing the log")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: Vec<&str> = said.trim().lines().rev().take(4).collect();
            bail!(
                "{line}: {}: {}",
                output.status,
                said.into_iter().rev().collect::<Vec<_>>().join(" | ")
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command of the file in `/`, each line of it shown as it comes. `check` is
    /// whether a failure is one.
    pub(crate) fn command(&self, name: &str, words: &[String], check: bool) -> Result<()> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let line = shown(&words);
        self.events.say(&format!("start: {name}: {line}"));
        let status = self.follow(&words);
        let failure = match status {
            Ok(status) if status.success() => None,
            Ok(status) => Some(match status.code() {
                Some(code) => format!("Command '{line}' returned non-zero exit status {code}."),
                None => format!("Command '{line}' died: {status}."),
            }),
            Err(error) => Some(format!("Command '{line}' could not be run: {error:#}")),
        };
        let Some(failure) = failure else {
            self.events
                .say(&format!("finish: {name}: SUCCESS: exit status 0"));
            return Ok(());
        };
        self.events.say(&format!("finish: {name}: FAIL: {failure}"));
        match check {
            true => bail!("{failure}"),
            false => Ok(()),
        }
    }

    fn follow(&self, words: &[&str]) -> Result<std::process::ExitStatus> {
        let mut child = program(words)?
            .current_dir("/")
            .env("TARGET_MOUNT_POINT", self.path(TARGET))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (send, lines) = mpsc::channel();
        for stream in [
            child.stdout.take().map(boxed),
            child.stderr.take().map(boxed),
        ] {
            let (send, Some(stream)) = (send.clone(), stream) else {
                continue;
            };
            std::thread::spawn(move || {
                for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                    if send
                        .send(String::from_utf8_lossy(&line).into_owned())
                        .is_err()
                    {
                        break;
                    }
                }
            });
        }
        drop(send);
        loop {
            match lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => self.events.say(&line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(child.wait()?),
                // What it left running in the background may hold its output for ever.
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if let Some(status) = child.try_wait()? {
                        lines.try_iter().for_each(|line| self.events.say(&line));
                        return Ok(status);
                    }
                }
            }
        }
    }

    /// What the real one leaves for a report.
    pub(crate) fn crash_report(&self, title: &str, message: &str) {
        let seconds = std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.as_secs());
        let path = self.path(&format!("/var/crash/{seconds}.{title}.crash"));
        let text = format!(
            "ProblemType: Bug\nTitle: {title}\nPackage: lab-installer\nTraceback:\n {}\n",
            message.replace('\n', "\n ")
        );
        if let Err(error) = self.write(&path, &text, 0o640) {
            self.events.warn(Stage::Error, &format!("{error:#}"));
        }
    }
}

fn boxed(stream: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(stream)
}

fn program(words: &[&str]) -> Result<Command> {
    let Some((name, words)) = words.split_first() else {
        bail!("no program is named");
    };
    let mut command = Command::new(name);
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .args(words)
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("PATH", format!("{path}:/usr/sbin:/usr/bin:/sbin:/bin"));
    Ok(command)
}

fn feed(child: &mut Child, input: Input<'_>) -> Result<()> {
    let Some(mut stdin) = child.stdin.take() else {
        return Ok(());
    };
    match input {
        Input::None => Ok(()),
        // A program that does not read it says why when it ends.
        Input::Text(text) | Input::Secret(text) => match stdin.write_all(text.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        },
    }
}

/// Words as a shell would want them.
pub(crate) fn shown(words: &[&str]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@%".contains(c);
    let one = |word: &&str| match !word.is_empty() && word.chars().all(plain) {
        true => (*word).to_owned(),
        false => format!("'{}'", word.replace('\'', "'\"'\"'")),
    };
    words.iter().map(one).collect::<Vec<_>>().join(" ")
}
