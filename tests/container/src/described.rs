//! A machine as described, with everything that the image would carry for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use lab_catalog::Catalog;
use lab_machine::Sources;
use lab_plan::autoinstall::{Autoinstall, read};
use lab_plan::{BaseFacts, Enclosed, HostKey, ImageFiles, Secrets, Subject, image_tree, place};
use tempfile::TempDir;

use crate::KeyPair;

/// A password and its hash (`mkpasswd -m sha512crypt`): it opens nothing outside these
/// tests.
pub const PASSWORD: &str = "a word for these tests";
const PASSWORD_HASH: &str = "$6$rounds=5000$labtestsonly$dIiFXu7WAK9n7n1/cpdCpNJ19sXS3Nxqj3FXLc3YLn4ru16Qq.lDQB3k0Jqb7iVC8us.sSNo4A0uY9QpQpmzN0";

/// Added to the first machine's description, this makes one whose sudo asks for a
/// password and which names its time servers.
pub const PASSWORD_MACHINE: &[(&str, &str)] = &[
    (
        "[disk]",
        "[access]\npassword_hash = { env = \"LAB_PASSWORD_HASH\" }\nsudo = \"password\"\n\n[disk]",
    ),
    (
        "timezone = ",
        "ntp = [\"192.0.2.1\", \"192.0.2.2\"]\ntimezone = ",
    ),
];

/// What is read of the base's menu: a kernel and its initrd.
const MENU: &str = "menuentry \"Try or Install Ubuntu Server\" {\n\
    \tlinux\t/casper/vmlinuz  ---\n\tinitrd\t/casper/initrd\n}\n";

/// The machine of images/gpu-server, rendered with keys of this run.
#[derive(Debug)]
pub struct Described {
    folder: TempDir,
    /// The text of machine.toml.
    pub text: String,
    /// What the lab puts on the image.
    pub files: ImageFiles,
    /// The installer's file, as the installer would read it.
    pub autoinstall: Autoinstall,
    /// The key that was made for the machine.
    pub host: KeyPair,
    /// The key that may log in.
    pub admin: KeyPair,
    /// A key that may not.
    pub stranger: KeyPair,
}

impl Described {
    /// Renders the first machine, its description changed by these replacements.
    ///
    /// # Errors
    ///
    /// When the description has errors, a replacement fits nothing, or the image cannot
    /// be rendered from it.
    pub fn new(changes: &[(&str, &str)]) -> Result<Self> {
        Self::by(Catalog::builtin(), changes)
    }

    /// The same, by another catalog than the built-in one.
    ///
    /// # Errors
    ///
    /// As [`Described::new`].
    pub fn by(catalog: &Catalog, changes: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a scratch folder")?;
        let host = KeyPair::make(folder.path(), "host")?;
        let admin = KeyPair::make(folder.path(), "admin")?;
        let stranger = KeyPair::make(folder.path(), "stranger")?;
        let text = description(changes)?;
        let files = render(catalog, &text, &host, &admin)?;
        let installer = files
            .get(place::AUTOINSTALL)
            .context("the image has no file for the installer")?;
        let autoinstall =
            read(&installer.bytes).context("reading the rendered autoinstall.yaml")?;
        write(&files, &folder.path().join("cdrom"))?;
        Ok(Self {
            folder,
            text,
            files,
            autoinstall,
            host,
            admin,
            stranger,
        })
    }

    /// The folder that stands for the image, as the installer sees it at `/cdrom`.
    #[must_use]
    pub fn cdrom(&self) -> PathBuf {
        self.folder.path().join("cdrom")
    }

    /// A folder for files that belong to this run.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// The administrator's account.
    #[must_use]
    pub fn user(&self) -> &str {
        self.autoinstall.identity.username.as_str()
    }

    /// The machine's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.autoinstall.identity.hostname.as_str()
    }
}

fn description(changes: &[(&str, &str)]) -> Result<String> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/gpu-server/machine.toml");
    let mut text =
        fs::read_to_string(&place).with_context(|| format!("reading {}", place.display()))?;
    for (from, to) in changes {
        if !text.contains(from) {
            return Err(anyhow!("{} has no `{from}` to change", place.display()));
        }
        text = text.replacen(from, to, 1);
    }
    Ok(text)
}

fn render(catalog: &Catalog, text: &str, host: &KeyPair, admin: &KeyPair) -> Result<ImageFiles> {
    let sources = Sources::single("machine.toml", text);
    let outcome = lab_machine::read(&sources, catalog, None);
    let machine = outcome
        .machine
        .with_context(|| format!("reading the description: {:?}", outcome.diagnostics))?;
    let secrets = Secrets {
        admin_keys: vec![admin.public.clone()],
        host_key: HostKey {
            private_openssh: host.private()?,
            public: host.public.clone(),
        },
        password_hash: machine
            .access
            .password_hash
            .as_ref()
            .map(|_| PASSWORD_HASH.to_owned()),
        luks_passphrase: None,
        wifi_passphrase: None,
    };
    let base = BaseFacts {
        grub_cfg: MENU.to_owned(),
        loopback_cfg: None,
        label: "a base for these tests".to_owned(),
        has_hwe_kernel: false,
        base_sha256_hex: None,
        base_name: "base.iso".to_owned(),
    };
    let description = [("machine.toml".to_owned(), text.to_owned())];
    let subject = Subject {
        machine: &machine,
        catalog,
        secrets: &secrets,
        description: &description,
        probe: crate::command::probe()?,
        lock: None,
    };
    image_tree(&subject, &base, Enclosed::default()).context("rendering the image")
}

fn write(files: &ImageFiles, folder: &Path) -> Result<()> {
    for (path, file) in files.iter() {
        let place = folder.join(path);
        let parent = place.parent().context("a file without a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        // Without modes: so is a stick that was written file by file.
        fs::write(&place, &file.bytes).with_context(|| format!("writing {}", place.display()))?;
    }
    Ok(())
}
