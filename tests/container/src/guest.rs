//! A container that stands for the machine.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::core::{ExecCommand, IntoContainerPort, Mount};
use testcontainers::runners::SyncRunner;
use testcontainers::{Container, ContainerRequest, GenericImage, ImageExt};

use crate::programs::run;

/// How long systemd may take to start everything, on a busy machine too.
const STARTUP: Duration = Duration::from_secs(90);

/// A running container; it is removed when this value goes.
pub struct Guest {
    container: Container<GenericImage>,
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
        let guest = Self::start(with_cgroups(request)?)?;
        guest.wait_for_systemd()?;
        Ok(guest)
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
        Self::start(request)
    }

    fn start(request: ContainerRequest<GenericImage>) -> Result<Self> {
        let container = request.start().context("starting a container")?;
        Ok(Self { container })
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

    /// Starts the machine again, in good order.
    ///
    /// # Errors
    ///
    /// When it does not come up again.
    pub fn restart(&self) -> Result<()> {
        // The connection ends with the machine, which is no failure.
        let _ = self.sh("systemctl reboot");
        let begin = Instant::now();
        while self
            .container
            .is_running()
            .context("asking for the container")?
        {
            if begin.elapsed() > STARTUP {
                bail!("the container did not end when it was told to start again");
            }
            sleep(Duration::from_millis(100));
        }
        self.container
            .start()
            .context("starting the container again")?;
        self.wait_for_systemd()
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

    /// Where port 22 is published, as Docker says it.
    ///
    /// # Errors
    ///
    /// When Docker does not say.
    pub fn published(&self) -> Result<String> {
        run("docker", &["port", self.container.id()])
    }

    /// Waits until every job of the start is done, whatever came of it.
    fn wait_for_systemd(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let said = self.sh("timeout 60 systemctl is-system-running --wait")?;
            let state = said.text.lines().last().unwrap_or_default();
            if matches!(state, "running" | "degraded") {
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

/// Gives systemd control groups that it may write: its own hierarchy of the first
/// version, or the whole of the second.
fn with_cgroups(request: ContainerRequest<GenericImage>) -> Result<ContainerRequest<GenericImage>> {
    let version = run("docker", &["info", "--format", "{{.CgroupVersion}}"])?;
    if version.trim() == "2" {
        let all = "/sys/fs/cgroup";
        return Ok(request
            .with_cgroupns_mode(testcontainers::core::CgroupnsMode::Host)
            .with_mount(Mount::bind_mount(all, all)));
    }
    let own = "/sys/fs/cgroup/systemd";
    Ok(request.with_mount(Mount::bind_mount(own, own)))
}
