//! A container that stands for the machine.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::core::{CgroupnsMode, ExecCommand, Host, IntoContainerPort, Mount};
use testcontainers::runners::SyncRunner;
use testcontainers::{Container, ContainerRequest, GenericImage, ImageExt};

use crate::Upstreams;
use crate::programs::run;

/// How long systemd may take to start everything, on a busy machine too.
const STARTUP: Duration = Duration::from_secs(90);

/// A running container; it is removed when this value goes.
pub struct Guest {
    container: Container<GenericImage>,
    ready: Ready,
}

/// When a start counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    /// When no job is left.
    NoJobs,
    /// When one can log in; the lab's own units may be at work.
    Login,
}

/// A state of a machine's disk, kept by Docker until this value goes.
#[derive(Debug)]
pub struct Snapshot {
    image: (String, String),
}

impl Snapshot {
    /// The image's name and tag.
    #[must_use]
    pub const fn image(&self) -> &(String, String) {
        &self.image
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let (name, tag) = &self.image;
        // Forced: a container of it may have ended a moment ago.
        if let Err(error) = run("docker", &["rmi", "--force", &format!("{name}:{tag}")]) {
            eprintln!("a snapshot is left over: {error:#}");
        }
    }
}

/// What a command in the container answered.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit status.
    pub code: i64,
    /// What it printed, on stdout and stderr.
    pub text: String,
}

impl Guest {
    /// Starts a container of this image in which systemd runs, with a folder copied to
    /// `/cdrom`, and waits until everything has started.
    ///
    /// # Errors
    ///
    /// When Docker refuses, or systemd does not come up.
    pub fn with_systemd((name, tag): &(String, String), cdrom: &Path) -> Result<Self> {
        let request = GenericImage::new(name, tag)
            .with_exposed_port(22.tcp())
            .with_cmd(["/sbin/init", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"])
            .with_cap_add("SYS_ADMIN")
            .with_cap_add("NET_ADMIN")
            .with_security_opt("seccomp=unconfined")
            .with_mount(Mount::tmpfs_mount("/run"))
            .with_mount(Mount::tmpfs_mount("/tmp"))
            .with_copy_to("/cdrom", cdrom.to_path_buf())
            .with_host_config_modifier(only_loopback);
        let guest = Self::start(with_cgroups(request)?, Ready::NoJobs)?;
        guest.wait_for_systemd()?;
        Ok(guest)
    }

    /// Starts a container that stands for a machine with Docker in it, in the network of
    /// the upstreams, and waits until one can log in. `/cdrom` and `/lab-test` are copied
    /// into a new one.
    pub(crate) fn among(
        (name, tag): &(String, String),
        copies: Option<(&Path, &Path)>,
        upstreams: &Upstreams,
    ) -> Result<Self> {
        let mut request = GenericImage::new(name, tag)
            .with_exposed_port(22.tcp())
            .with_cmd(["/bin/sh", "-c", WITH_OWN_CGROUPS])
            .with_network(upstreams.network())
            .with_hostname("gpu-server")
            .with_cgroupns_mode(CgroupnsMode::Private)
            .with_security_opt("seccomp=unconfined")
            .with_mount(Mount::tmpfs_mount("/run"))
            .with_mount(Mount::tmpfs_mount("/tmp"))
            .with_host_config_modifier(with_docker_inside);
        for right in RIGHTS {
            request = request.with_cap_add(right);
        }
        for host in upstreams.hosts() {
            request = request.with_host(*host, Host::Addr(upstreams.address()));
        }
        if let Some((cdrom, files)) = copies {
            request = request
                .with_copy_to("/cdrom", cdrom.to_path_buf())
                .with_copy_to("/lab-test", files.to_path_buf());
        }
        let guest = Self::start(request, Ready::Login)?;
        guest.wait_for_systemd()?;
        Ok(guest)
    }

    /// Starts a container that stands for a machine with Docker in it and no network at all,
    /// not even one without an answer.
    ///
    /// # Errors
    ///
    /// When Docker refuses, or systemd does not come up.
    pub fn alone((name, tag): &(String, String), cdrom: &Path, files: &Path) -> Result<Self> {
        let mut request = GenericImage::new(name, tag)
            .with_cmd(["/bin/sh", "-c", WITH_OWN_CGROUPS])
            .with_network("none")
            .with_hostname("gpu-server")
            .with_cgroupns_mode(CgroupnsMode::Private)
            .with_security_opt("seccomp=unconfined")
            .with_mount(Mount::tmpfs_mount("/run"))
            .with_mount(Mount::tmpfs_mount("/tmp"))
            .with_host_config_modifier(with_devices)
            .with_copy_to("/cdrom", cdrom.to_path_buf())
            .with_copy_to("/lab-test", files.to_path_buf());
        for right in RIGHTS {
            request = request.with_cap_add(right);
        }
        let guest = Self::start(request, Ready::Login)?;
        guest.wait_for_systemd()?;
        Ok(guest)
    }

    /// Plugs a machine that has no network into that of the upstreams.
    ///
    /// # Errors
    ///
    /// When Docker refuses.
    pub fn plug_in(&self, upstreams: &Upstreams) -> Result<()> {
        let id = self.container.id();
        run("docker", &["network", "disconnect", "none", id])?;
        run("docker", &["network", "connect", upstreams.network(), id])?;
        let line = |name: &&str| format!("{} {name}\n", upstreams.address());
        let hosts: String = upstreams.hosts().iter().map(line).collect();
        self.ok(&format!("cat >>/etc/hosts <<'END'\n{hosts}END"))?;
        Ok(())
    }

    /// Starts a container in which nothing runs.
    ///
    /// # Errors
    ///
    /// When Docker refuses.
    pub fn idle((name, tag): &(String, String), cdrom: &Path) -> Result<Self> {
        let request = GenericImage::new(name, tag)
            .with_cmd(["/bin/sleep", "infinity"])
            .with_mount(Mount::tmpfs_mount("/tmp"))
            .with_copy_to("/cdrom", cdrom.to_path_buf());
        Self::start(request, Ready::NoJobs)
    }

    fn start(request: ContainerRequest<GenericImage>, ready: Ready) -> Result<Self> {
        let container = request.start().context("starting a container")?;
        Ok(Self { container, ready })
    }

    /// Runs a shell script as root.
    ///
    /// # Errors
    ///
    /// When Docker cannot run it; its own failure is in the answer.
    pub fn sh(&self, script: &str) -> Result<Said> {
        let command = ExecCommand::new(["sh", "-c", &format!("exec 2>&1 </dev/null\n{script}")])
            .with_env_vars([("LC_ALL", "C")]);
        let doing = || format!("running in the container: {script}");
        let mut result = self.container.exec(command).with_context(doing)?;
        let text = result.stdout_to_vec().with_context(doing)?;
        let code = result.exit_code().with_context(doing)?;
        Ok(Said {
            code: code.with_context(doing)?,
            text: String::from_utf8_lossy(&text).into_owned(),
        })
    }

    /// Like [`Guest::sh`], and returns what was printed.
    ///
    /// # Errors
    ///
    /// As [`Guest::sh`], and when the script's exit status is not 0.
    pub fn ok(&self, script: &str) -> Result<String> {
        let said = self.sh(script)?;
        if said.code != 0 {
            bail!(
                "in the container, {script}\nended with {}:\n{}",
                said.code,
                said.text
            );
        }
        Ok(said.text)
    }

    /// Copies a folder to a place on the machine's disk where nothing is yet.
    ///
    /// # Errors
    ///
    /// When Docker refuses.
    pub fn copy_in(&self, from: &Path, to: &str) -> Result<()> {
        let from = from.to_str().context("the folder's name is no UTF-8")?;
        let to = format!("{}:{to}", self.container.id());
        run("docker", &["cp", "--quiet", from, &to])
            .with_context(|| format!("copying {from} into the container"))?;
        Ok(())
    }

    /// Starts the machine again, in good order.
    ///
    /// # Errors
    ///
    /// When it does not come up again.
    pub fn restart(&self) -> Result<()> {
        // The connection ends with the machine, which is no failure.
        let _ = self.sh("systemctl reboot");
        self.wait_for_end()?;
        self.start_again()
    }

    /// Takes the power from the machine, at once.
    ///
    /// # Errors
    ///
    /// When Docker cannot, or the container is still there after a while.
    pub fn kill(&self) -> Result<()> {
        run("docker", &["kill", self.container.id()]).context("killing the container")?;
        self.wait_for_end()
    }

    /// Starts the machine that has ended.
    ///
    /// # Errors
    ///
    /// When it does not come up again.
    pub fn start_again(&self) -> Result<()> {
        self.container
            .start()
            .context("starting the container again")?;
        self.wait_for_systemd()
    }

    /// Starts the machine again whenever it has ended by itself, as a machine does that was
    /// told to restart, until `done` says so.
    ///
    /// # Errors
    ///
    /// When it does not come up again.
    pub fn restarts_until(&self, done: &AtomicBool) -> Result<()> {
        while !done.load(Ordering::Acquire) {
            if !self
                .container
                .is_running()
                .context("asking for the container")?
            {
                self.start_again()?;
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Keeps the machine's disk as it is now.
    ///
    /// # Errors
    ///
    /// When Docker refuses.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let id = self.container.id();
        let name = "lab-container-snapshot".to_owned();
        let begin: String = id.chars().take(12).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let tag = format!("{begin}-{}", now.unwrap_or_default().as_millis());
        run("docker", &["commit", id, &format!("{name}:{tag}")])
            .context("keeping the container's disk")?;
        Ok(Snapshot { image: (name, tag) })
    }

    fn wait_for_end(&self) -> Result<()> {
        let begin = Instant::now();
        while self
            .container
            .is_running()
            .context("asking for the container")?
        {
            if begin.elapsed() > STARTUP {
                bail!("the container did not end when it was told to");
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The port of the loopback interface here behind which the machine's port 22 is. It
    /// changes with every start.
    ///
    /// # Errors
    ///
    /// When nothing is published.
    pub fn ssh_port(&self) -> Result<u16> {
        let port = self.container.get_host_port_ipv4(22.tcp());
        port.context("asking for the published port of SSH")
    }

    /// The machine's own address in the network of the upstreams.
    ///
    /// # Errors
    ///
    /// When Docker does not say.
    pub fn address(&self) -> Result<String> {
        let form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let said = run(
            "docker",
            &["inspect", "--format", form, self.container.id()],
        )?;
        Ok(said.trim().to_owned())
    }

    /// Where port 22 is published, as Docker says it.
    ///
    /// # Errors
    ///
    /// When Docker does not say.
    pub fn published(&self) -> Result<String> {
        run("docker", &["port", self.container.id()])
    }

    /// Waits until every job of the start is done, whatever came of it, or one can log in.
    fn wait_for_systemd(&self) -> Result<()> {
        let (ask, wanted): (_, &[_]) = match self.ready {
            Ready::NoJobs => (
                "timeout 60 systemctl is-system-running --wait",
                &["running", "degraded"],
            ),
            Ready::Login => ("systemctl is-active ssh.service", &["active"]),
        };
        let begin = Instant::now();
        loop {
            let said = self.sh(ask)?;
            let state = said.text.lines().last().unwrap_or_default();
            if wanted.contains(&state) {
                return Ok(());
            }
            if begin.elapsed() > STARTUP {
                bail!("systemd in the container did not come up: {}", said.text);
            }
            sleep(Duration::from_millis(100));
        }
    }
}

/// Publishes SSH on the loopback interface alone: by itself the library would take every
/// interface.
fn only_loopback(config: &mut HostConfig) {
    let binding = PortBinding {
        host_ip: Some("127.0.0.1".to_owned()),
        host_port: None,
    };
    config.publish_all_ports = Some(false);
    config.port_bindings = Some([("22/tcp".to_owned(), Some(vec![binding]))].into());
}

/// The container's own control groups, which Docker mounts for reading, are made its to
/// write before systemd starts: dockerd needs all of them.
const WITH_OWN_CGROUPS: &str = "for place in /sys/fs/cgroup /sys/fs/cgroup/*; do\n\
     mountpoint -q \"$place\" && mount -o remount,bind,rw \"$place\"\ndone\n\
     exec /sbin/init SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1";

/// Device nodes of any kind, and a network that dockerd may set up; the rest of the
/// kernel's settings are those of the machine that runs the tests, and only to be read.
fn with_docker_inside(config: &mut HostConfig) {
    only_loopback(config);
    with_devices(config);
}

/// What dockerd needs to do in a container.
const RIGHTS: [&str; 5] = ["SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE", "MKNOD"];

fn with_devices(config: &mut HostConfig) {
    config.device_cgroup_rules = Some(vec!["a *:* rwm".to_owned()]);
    let read = [
        "bus",
        "fs",
        "irq",
        "sys/fs",
        "sys/kernel",
        "sys/vm",
        "sysrq-trigger",
    ];
    let read = read.iter().map(|name| format!("/proc/{name}"));
    config.readonly_paths = Some(read.collect());
}

/// Gives systemd control groups that it may write: its own hierarchy of the first
/// version, or the whole of the second.
fn with_cgroups(request: ContainerRequest<GenericImage>) -> Result<ContainerRequest<GenericImage>> {
    let version = run("docker", &["info", "--format", "{{.CgroupVersion}}"])?;
    if version.trim() == "2" {
        let all = "/sys/fs/cgroup";
        return Ok(request
            .with_cgroupns_mode(CgroupnsMode::Host)
            .with_mount(Mount::bind_mount(all, all)));
    }
    let own = "/sys/fs/cgroup/systemd";
    Ok(request.with_mount(Mount::bind_mount(own, own)))
}
