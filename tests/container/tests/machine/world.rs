//! The containers that the tests share, each started when the first test wants it.

use std::sync::OnceLock;

use anyhow::{Context, Result};
use lab_container::harness::{self, Shared};
use lab_container::{Described, Guest, PASSWORD_MACHINE, Ssh, account, lay_down, missing, ready};

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

    pub(crate) fn image(&self) -> Result<&(String, String)> {
        self.image.get(ready)
    }
}

/// The lab's units do nothing here, where no vendor's server is: what they do is tried by
/// the tests of `converge`. This tier looks at what was laid down.
const AT_REST: &str = "d=/etc/systemd/system/lab-.service.d && mkdir -p $d && \
     printf '[Service]\\nExecStart=\\nExecStart=/bin/true\\n' >$d/at-rest.conf";

/// Lays the image's files down, and starts again.
fn installed(guest: Guest, described: Described) -> Result<Installed> {
    lay_down(&guest, &described)?;
    guest.ok(AT_REST)?;
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

impl harness::World for World {
    fn missing(&self) -> Option<&str> {
        self.missing.get_or_init(missing).as_deref()
    }
}
