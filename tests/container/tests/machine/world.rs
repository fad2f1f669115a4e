//! The containers that the tests share, each started when the first test wants it.

use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use lab_container::{Described, Guest, PASSWORD_MACHINE, Ssh, missing, ready};

/// Made once, by whoever comes first; a failure is everybody's.
struct Shared<T>(OnceLock<Result<T, String>>);

impl<T> Shared<T> {
    const fn new() -> Self {
        Self(OnceLock::new())
    }

    fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        let made = self
            .0
            .get_or_init(|| make().map_err(|error| format!("{error:#}")));
        made.as_ref().map_err(|error| anyhow!("{error}"))
    }
}

/// A machine and what it was made from.
pub(crate) struct Installed {
    pub(crate) guest: Guest,
    pub(crate) described: Described,
    pub(crate) ssh: Ssh,
}

/// Everything that tests share.
pub(crate) struct World {
    missing: OnceLock<Option<String>>,
    image: Shared<(String, String)>,
    first: Shared<Installed>,
    second: Shared<Installed>,
    bench: Shared<(Guest, Described)>,
}

impl World {
    pub(crate) const fn new() -> Self {
        Self {
            missing: OnceLock::new(),
            image: Shared::new(),
            first: Shared::new(),
            second: Shared::new(),
            bench: Shared::new(),
        }
    }

    /// Why no test can run here.
    pub(crate) fn missing(&self) -> Option<&str> {
        self.missing.get_or_init(missing).as_deref()
    }

    /// The first machine, exactly as images/gpu-server describes it; the installer made
    /// the account, as Ubuntu 24.04.4 and later do.
    pub(crate) fn first(&self) -> Result<&Installed> {
        let install = || {
            let described = Described::new(&[])?;
            let guest = Guest::with_systemd(self.image()?, &described.cdrom())?;
            guest.ok(&account(&described))?;
            installed(guest, described)
        };
        self.first
            .get(|| install().context("installing the first machine"))
    }

    /// A machine with a password for sudo and with time servers; cloud-init makes the
    /// account on the first start, as Ubuntu before 24.04.4 does.
    pub(crate) fn second(&self) -> Result<&Installed> {
        let install = || {
            let described = Described::new(PASSWORD_MACHINE)?;
            let guest = Guest::with_systemd(self.image()?, &described.cdrom())?;
            guest.ok(&left_for_cloud_init(&described)?)?;
            installed(guest, described)
        };
        self.second
            .get(|| install().context("installing the machine with a password"))
    }

    /// A container in which nothing runs, with the first machine's image at `/cdrom`.
    pub(crate) fn bench(&self) -> Result<&(Guest, Described)> {
        self.bench.get(|| {
            let described = Described::new(&[])?;
            let guest = Guest::idle(self.image()?, &described.cdrom())?;
            Ok((guest, described))
        })
    }

    fn image(&self) -> Result<&(String, String)> {
        self.image.get(ready)
    }
}

/// Runs the late-commands with the container's own root as the target, and starts again.
fn installed(guest: Guest, described: Described) -> Result<Installed> {
    guest.ok("mkdir /target && mount --bind / /target")?;
    for command in &described.autoinstall.late_commands {
        guest.ok(&quoted(command))?;
    }
    guest.ok("umount /target && rmdir /target")?;
    guest.restart()?;
    let ssh = Ssh::new(
        described.scratch(),
        guest.ssh_port()?,
        &described.host.public,
    )?;
    Ok(Installed {
        guest,
        described,
        ssh,
    })
}

/// Words as a shell reads them back.
pub(crate) fn quoted(words: &[String]) -> String {
    let quote = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// What the installer does with `identity` and `ssh`, as far as Debian has the groups.
fn account(described: &Described) -> String {
    let identity = &described.autoinstall.identity;
    let password = String::from(identity.password.clone());
    let add = quoted(&[
        "--comment".into(),
        identity.realname.clone(),
        "--password".into(),
        password,
        described.user().into(),
    ]);
    let home = format!("/home/{}/.ssh", described.user());
    let keys: Vec<String> = described
        .autoinstall
        .ssh
        .authorized_keys
        .iter()
        .map(ToString::to_string)
        .collect();
    format!(
        "set -e\nuseradd --create-home --shell /bin/bash --groups adm,cdrom,dip,plugdev,sudo {add}\n\
         install -d -m 0700 -o {user} -g {user} {home}\n\
         echo {keys} >{home}/authorized_keys\n\
         chown {user}:{user} {home}/authorized_keys\nchmod 0600 {home}/authorized_keys\n\
         echo {name} >/etc/hostname\n",
        user = described.user(),
        keys = quoted(&[keys.join("\n")]),
        name = described.name(),
    )
}

/// What the installer leaves for cloud-init's first run on the installed system.
fn left_for_cloud_init(described: &Described) -> Result<String> {
    let identity = &described.autoinstall.identity;
    let keys = &described.autoinstall.ssh.authorized_keys;
    let key = keys.first().context("nobody may log in")?;
    let user_data = format!(
        "#cloud-config\ngrowpart: {{mode: 'off'}}\nresize_rootfs: false\n\
         preserve_hostname: true\nssh_pwauth: false\nusers:\n- name: {user}\n  \
         gecos: {realname}\n  groups: [adm, cdrom, dip, plugdev, sudo]\n  lock_passwd: false\n  \
         passwd: '{password}'\n  shell: /bin/bash\n  ssh_authorized_keys: ['{key}']\n",
        user = identity.username,
        realname = identity.realname,
        password = String::from(identity.password.clone()),
    );
    let indented: String = user_data
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    let settings = format!(
        "datasource_list: [None]\ndatasource:\n  None:\n    \
         metadata: {{instance-id: lab-test}}\n    userdata_raw: |\n{indented}"
    );
    Ok(format!(
        "set -e\ncat >/etc/cloud/cloud.cfg.d/99-installer.cfg <<'END'\n{settings}END\n\
         echo 'policy: enabled' >/etc/cloud/ds-identify.cfg\n\
         echo 'network: {{config: disabled}}' >/etc/cloud/cloud.cfg.d/90-installer-network.cfg\n\
         echo {name} >/etc/hostname\n",
        name = described.name(),
    ))
}
