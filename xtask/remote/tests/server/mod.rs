//! The real sshd of this machine's package, as a child on 127.0.0.1 with a folder of its own.
#![expect(clippy::unwrap_used, reason = "a test's set-up fails loudly")]
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lab_not_run::not_run;
use lab_remote::{Auth, ConnectError, Connection, Endpoint, Pin, PublicKey, Timeouts, Trust};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_sessions();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether sshd can be started here; says so when it cannot.
pub(crate) fn possible(test: &str) -> bool {
    for program in ["/usr/sbin/sshd", "/usr/bin/ssh-keygen"] {
        if !Path::new(program).exists() {
            not_run(
                test,
                &format!("{program} is missing (Debian's openssh-server, openssh-client)"),
            );
            return false;
        }
    }
    if !rustix::process::geteuid().is_root() {
        not_run(test, "starting an sshd that takes sessions needs root");
        return false;
    }
    if fs::create_dir_all("/run/sshd").is_err() {
        not_run(test, "/run/sshd cannot be made");
        return false;
    }
    true
}

impl Server {
    /// A server with an ed25519 and an RSA host key, which takes the key `user`.
    pub(crate) fn start(extra: &str) -> Self {
        Self::start_in(&[], extra)
    }

    /// As [`Server::start`], with words before sshd's, such as `ip netns exec NAME`.
    pub(crate) fn start_in(before: &[&str], extra: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("lab-remote-")
            .tempdir()
            .unwrap();
        // Other users read their authorized keys in it.
        let all = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        fs::set_permissions(folder.path(), all).unwrap();
        for (name, kind) in [
            ("host_ed25519", "ed25519"),
            ("host_rsa", "rsa"),
            ("user", "ed25519"),
            ("other", "ed25519"),
        ] {
            keygen(&folder.path().join(name), kind, "");
        }
        fs::copy(
            folder.path().join("user.pub"),
            folder.path().join("authorized_keys"),
        )
        .unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let at = folder.path().display();
        // A home of its own, because what this machine's .bashrc does is not what is measured. The
        // first SetEnv counts, so `extra` can have another.
        let config = format!(
            "{extra}\nListenAddress 0.0.0.0:{port}\nHostKey {at}/host_rsa\nHostKey {at}/host_ed25519\nPidFile none\n\
             AuthorizedKeysFile {at}/authorized_keys\nStrictModes no\nPermitRootLogin prohibit-password\nUsePAM yes\nSetEnv HOME={at}\n\
             LogLevel VERBOSE\nMaxStartups 100\n"
        );
        fs::write(folder.path().join("sshd_config"), config).unwrap();
        let child = spawn(before, &folder);
        Self {
            folder,
            port,
            child,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn host_key(&self) -> PublicKey {
        fs::read_to_string(self.path("host_ed25519.pub"))
            .unwrap()
            .parse()
            .unwrap()
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint {
            name: "test".into(),
            host: "127.0.0.1".into(),
            port: self.port,
            user: "root".into(),
            host_key_alias: None,
            identity_files: Vec::new(),
            identities_only: false,
            identity_agent: None,
            known_hosts: vec![self.path("known_hosts")],
        }
    }

    pub(crate) fn pinned(&self) -> Trust<'static> {
        let pin = Pin {
            key: self.host_key(),
            source: "the test".into(),
        };
        Trust {
            pinned: vec![pin],
            ask: None,
        }
    }

    pub(crate) fn auth(&self) -> Auth<'static> {
        Auth {
            identity: Some(self.path("user")),
            ..Auth::default()
        }
    }

    pub(crate) fn connect(&self) -> Connection {
        self.connect_to(&self.endpoint()).unwrap()
    }

    pub(crate) fn connect_to(&self, endpoint: &Endpoint) -> Result<Connection, ConnectError> {
        Connection::connect(endpoint, &self.pinned(), &self.auth(), &Timeouts::default())
    }

    /// Kills the processes that serve sessions, as a crash or the end of a machine does.
    pub(crate) fn kill_sessions(&self) {
        for pid in children(self.child.id()) {
            for below in children(pid) {
                // With separated privileges the session's process is a child of the monitor.
                if name(below) == "sshd" || name(below) == "sshd-session" {
                    kill(below);
                }
            }
            kill(pid);
        }
    }
}

fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn children(parent: u32) -> Vec<u32> {
    processes()
        .filter(|&pid| parent_of(pid) == Some(parent))
        .collect()
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn spawn(before: &[&str], folder: &TempDir) -> Child {
    let sshd = ["/usr/sbin/sshd", "-D", "-e", "-f"];
    let words: Vec<&str> = before.iter().chain(&sshd).copied().collect();
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .arg(folder.path().join("sshd_config"))
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = lines.by_ref().map_while(Result::ok).find(|line| {
        eprintln!("{line}");
        line.contains("Server listening")
    });
    assert!(ready.is_some(), "sshd ended before it listened");
    std::thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .for_each(|line| eprintln!("{line}"));
    });
    child
}

pub(crate) fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let done = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(done.success());
}

/// Whether a process runs with `mark` in its command line.
pub(crate) fn runs(mark: &str) -> bool {
    processes().any(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    })
}

/// Waits until a process with `mark` runs, or none does.
pub(crate) fn wait_until_runs(mark: &str, expected: bool, limit: Duration) {
    let until = Instant::now() + limit;
    while runs(mark) != expected {
        assert!(
            Instant::now() < until,
            "a process with {mark}: still not {expected} after {limit:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
