//! The host that is looked at: a container of Debian 13 in which systemd and sshd run. It
//! stands for a server beside this computer: same kernel, and a network that costs nothing.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Debian 13 with what is looked at, goss itself, and what Ansible's modules need.
const PACKAGES: &str =
    "dbus,goss,iproute2,kmod,openssh-server,procps,python3-apt,systemd,systemd-sysv";

/// The image, by the number of its recipe: whoever changes the recipe counts on.
const IMAGE: &str = "lab-bench-accept:1";

/// What makes the container the host that the checks expect.
const SET_UP: &str = "set -e
printf 'a lab in a box\\n' >/etc/lab-bench
useradd -m -u 1000 -s /bin/bash -G adm lab
install -d -m 0700 /root/.ssh
cat >/root/.ssh/authorized_keys
";

/// The control groups are made the container's to write before systemd starts.
const START: &str = "for place in /sys/fs/cgroup /sys/fs/cgroup/*; do \
    mountpoint -q \"$place\" && mount -o remount,bind,rw \"$place\"; done; \
    exec /sbin/init SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1";

/// How long systemd may take to start.
const STARTUP: Duration = Duration::from_secs(90);

/// A host, with a folder that holds the key `key`, the host's own `host_key.pub`, and an
/// `ssh_config` by which it is called `lab-bench`.
pub(super) struct Host {
    /// Where sshd answers.
    pub(super) address: SocketAddr,
    /// The folder.
    pub(super) folder: PathBuf,
    /// The container; none where somebody else made it.
    container: Option<String>,
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(container) = &self.container {
            let _ = run("docker", &["rm", "--force", "--volumes", container], b"");
        }
    }
}

impl Host {
    /// Makes the image where Docker does not have it yet (some minutes, by the network),
    /// and starts a container of it.
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        if run("docker", &["image", "inspect", IMAGE], b"").is_err() {
            build().with_context(|| format!("making the container image {IMAGE}"))?;
        }
        let words = [
            "run",
            "--detach",
            "--hostname",
            "lab-bench",
            "--cgroupns",
            "private",
            "--cap-add",
            "SYS_ADMIN",
            "--cap-add",
            "NET_ADMIN",
            "--security-opt",
            "seccomp=unconfined",
            "--tmpfs",
            "/run",
            "--tmpfs",
            "/tmp",
            IMAGE,
            "/bin/sh",
            "-c",
            START,
        ];
        let container = run("docker", &words, b"").context("starting the host")?;
        let mut host = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 22)),
            folder: folder.to_owned(),
            container: Some(container.trim().to_owned()),
        };
        host.set_up()?;
        Ok(host)
    }

    /// A host that is there, and whose folder another process made.
    pub(super) fn made(address: SocketAddr, folder: &Path) -> Self {
        Self {
            address,
            folder: folder.to_owned(),
            container: None,
        }
    }

    fn set_up(&mut self) -> anyhow::Result<()> {
        self.wait()?;
        let key = self.folder.join("key");
        let _ = fs::remove_file(&key);
        let key = key.to_string_lossy().into_owned();
        run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-f", &key],
            b"",
        )?;
        let public = fs::read(format!("{key}.pub")).context("reading the key that was made")?;
        self.inside(SET_UP, &public)?;
        let shown = self.inside("cat /etc/ssh/ssh_host_ed25519_key.pub", b"")?;
        fs::write(self.folder.join("host_key.pub"), &shown).context("keeping the host's key")?;
        self.make_known()?;
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let container = self.container.clone().unwrap_or_default();
        let address = run("docker", &["inspect", "--format", format, &container], b"")?;
        let address = address.trim().parse().context("the container's address")?;
        self.address = SocketAddr::new(address, 22);
        self.write_config(&shown)
    }

    /// What `accept` has of a machine that was made here: its host key beside the keys of
    /// other machines, and the probe where an image puts it.
    fn make_known(&self) -> anyhow::Result<()> {
        let keys = self.folder.join("state/machines/gpu-server");
        fs::create_dir_all(&keys).with_context(|| format!("making {}", keys.display()))?;
        let private = self.inside("cat /etc/ssh/ssh_host_ed25519_key", b"")?;
        for (name, text) in [
            (crate::keys::HOST, private),
            (
                crate::keys::ADMIN,
                fs::read_to_string(self.folder.join("key"))?,
            ),
        ] {
            let place = keys.join(name);
            let _ = fs::remove_file(&place);
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&place)
                .with_context(|| format!("writing {}", place.display()))?;
            file.write_all(text.as_bytes())?;
        }
        let probe = crate::probe::program().map_err(crate::failure::Failure::why)?;
        let lay = "install -d /usr/lib/lab; cat >/usr/lib/lab/lab-probe; chmod 0755 /usr/lib/lab/lab-probe";
        self.inside(lay, probe)?;
        Ok(())
    }

    /// Writes the `ssh_config` that the rivals are given. It names a known key and no other.
    pub(super) fn write_config(&self, host_key: &str) -> anyhow::Result<()> {
        let at = self.folder.display();
        let (ip, port) = (self.address.ip(), self.address.port());
        fs::write(
            self.folder.join("known_hosts"),
            format!("lab-bench {host_key}"),
        )?;
        let config = format!(
            "Host lab-bench\n  HostName {ip}\n  Port {port}\n  HostKeyAlias lab-bench\n  User root\n  \
             IdentityFile {at}/key\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {at}/known_hosts\n  \
             BatchMode yes\n"
        );
        fs::write(self.folder.join("ssh_config"), &config)?;
        // A connection that is left over leads to a host that is gone.
        let _ = fs::remove_file(self.folder.join("cp"));
        let _ = fs::remove_dir_all(self.folder.join("ansible/cp"));
        let shared = format!("{config}  ControlPath {at}/cp\n");
        fs::write(self.folder.join("ssh_config_shared"), shared)?;
        Ok(())
    }

    fn wait(&self) -> anyhow::Result<()> {
        let until = Instant::now() + STARTUP;
        loop {
            // `degraded` is up, too: what failed is nothing that is looked at.
            let state = self.inside("systemctl is-system-running || true", b"")?;
            if matches!(state.trim(), "running" | "degraded") {
                return Ok(());
            }
            if Instant::now() > until {
                bail!(
                    "systemd in the container is {} after {STARTUP:?}",
                    state.trim()
                );
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// Runs a script in the container, past sshd.
    pub(super) fn inside(&self, script: &str, stdin: &[u8]) -> anyhow::Result<String> {
        let container = self.container.as_deref().context("no container of ours")?;
        run(
            "docker",
            &["exec", "-i", container, "sh", "-c", script],
            stdin,
        )
    }
}

fn build() -> anyhow::Result<()> {
    crate::ui::step("makes the host's image: Debian 13 with systemd, sshd and goss");
    let folder = tempfile::tempdir()?;
    let archive = folder
        .path()
        .join("root.tar")
        .to_string_lossy()
        .into_owned();
    let include = format!("--include={PACKAGES}");
    let words = [
        "--quiet",
        "--variant=apt",
        &include,
        "--aptopt=APT::Install-Recommends \"false\"",
        "trixie",
        &archive,
    ];
    run("mmdebstrap", &words, b"")?;
    run("docker", &["import", &archive, IMAGE], b"")?;
    Ok(())
}

/// Runs a program; what it printed, or the end of what it complained of.
pub(super) fn run(program: &str, words: &[&str], stdin: &[u8]) -> anyhow::Result<String> {
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {program}"))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not read is no failure by itself.
        let _ = pipe.write_all(stdin);
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let end: Vec<&str> = said.lines().rev().take(5).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        bail!("{program} ended with {}: {}", output.status, end.join("; "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
