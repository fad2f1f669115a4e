//! The real SSH client, outside, without any configuration of whoever runs the tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::programs::run;

/// How the machine is reached.
#[derive(Clone, Debug)]
pub struct Ssh {
    port: u16,
    known_hosts: PathBuf,
    scratch: PathBuf,
}

/// What came of one login.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The client's exit status, or the remote command's.
    pub code: Option<i32>,
    /// What the remote command printed.
    pub stdout: String,
    /// What the client said of the conversation (it is told to be verbose).
    pub log: String,
}

impl Answer {
    /// Whether sshd let the client in.
    #[must_use]
    pub fn let_in(&self) -> bool {
        self.log.contains("Authenticated to ")
    }

    /// The ways to log in that sshd named when it refused.
    #[must_use]
    pub fn offered(&self) -> Option<&str> {
        let words = "Authentications that can continue: ";
        let line = self.log.lines().find(|line| line.contains(words))?;
        line.split(words).nth(1).map(str::trim)
    }

    /// Whether it was sshd that refused, for want of a right key or password.
    #[must_use]
    pub fn refused(&self) -> bool {
        !self.let_in() && self.log.contains("Permission denied (")
    }
}

impl Ssh {
    /// A client that accepts this host key and no other; its files go to a folder.
    ///
    /// # Errors
    ///
    /// When the list of known hosts cannot be written.
    pub fn new(scratch: &Path, port: u16, host_key: &str) -> Result<Self> {
        let folder = tempfile::tempdir_in(scratch).context("making a folder for the client")?;
        let scratch = folder.keep();
        let known_hosts = scratch.join("known_hosts");
        fs::write(&known_hosts, format!("[127.0.0.1]:{port} {host_key}\n"))
            .with_context(|| format!("writing {}", known_hosts.display()))?;
        Ok(Self {
            port,
            known_hosts,
            scratch,
        })
    }

    /// Logs in with a key and runs a command.
    ///
    /// # Errors
    ///
    /// When the client cannot be started; a refusal is in the answer.
    pub fn with_key(&self, user: &str, key: &Path, command: &str) -> Result<Answer> {
        let mut ssh = self.client(user);
        ssh.args([
            "-o",
            "BatchMode=yes",
            "-o",
            "PreferredAuthentications=publickey",
        ]);
        ssh.arg("-i").arg(key);
        self.answer(ssh, user, command)
    }

    /// Tries to log in with a password in every way that knows one.
    ///
    /// # Errors
    ///
    /// As [`Ssh::with_key`].
    pub fn with_password(&self, user: &str, password: &str, command: &str) -> Result<Answer> {
        let asked = self.scratch.join("password");
        fs::write(&asked, format!("#!/bin/sh\necho '{password}'\n"))
            .and_then(|()| fs::set_permissions(&asked, fs::Permissions::from_mode(0o700)))
            .with_context(|| format!("writing {}", asked.display()))?;
        let mut ssh = self.client(user);
        let ways = "PreferredAuthentications=password,keyboard-interactive";
        ssh.args(["-o", "PubkeyAuthentication=no", "-o", ways]);
        ssh.args(["-o", "NumberOfPasswordPrompts=1"]);
        ssh.env("SSH_ASKPASS", asked)
            .env("SSH_ASKPASS_REQUIRE", "force");
        self.answer(ssh, user, command)
    }

    /// The host keys that the machine shows, one line each without the address.
    ///
    /// # Errors
    ///
    /// When `ssh-keyscan` fails.
    pub fn shown_keys(&self) -> Result<Vec<String>> {
        let port = self.port.to_string();
        let kinds = "rsa,ecdsa,ed25519";
        let list = run(
            "ssh-keyscan",
            &["-T", "20", "-t", kinds, "-p", &port, "127.0.0.1"],
        )?;
        let keys = list.lines().filter(|line| !line.starts_with('#'));
        let keys = keys.filter_map(|line| line.split_once(' '));
        Ok(keys.map(|(_, key)| key.trim().to_owned()).collect())
    }

    fn client(&self, user: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-v", "-F", "none", "-p", &self.port.to_string(), "-l", user]);
        for option in [
            "StrictHostKeyChecking=yes",
            "GlobalKnownHostsFile=/dev/null",
            "UpdateHostKeys=no",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "ConnectTimeout=20",
        ] {
            ssh.args(["-o", option]);
        }
        let known = format!("UserKnownHostsFile={}", self.known_hosts.display());
        ssh.args(["-o", &known]).env("LC_ALL", "C");
        ssh
    }

    fn answer(&self, mut ssh: Command, user: &str, command: &str) -> Result<Answer> {
        let output = ssh
            .args(["127.0.0.1", command])
            .stdin(std::process::Stdio::null())
            .output()
            .with_context(|| format!("starting ssh as {user} to port {}", self.port))?;
        Ok(Answer {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            log: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
