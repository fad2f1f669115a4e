//! The same machine for whoever has installed Ubuntu already: cloud-init's
//! user-data, meta-data and network-config, for a stock cloud image (NoCloud) or for
//! a machine that MAAS installs (user-data alone).
//!
//! cloud-init makes the account and the host key, lays the same files down as the
//! installer does, and starts `lab.target`. The guard does not run here: whoever
//! boots an image has chosen the disk.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::component::{access, network};
use crate::{File, ImageFiles, Subject, bundle};

/// For whom it is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// A seed for cloud-init's data source NoCloud: `user-data`, `meta-data` and
    /// `network-config`.
    NoCloud,
    /// `user-data` alone: the network is somebody else's, as with MAAS.
    CloudConfig,
}

/// Where cloud-init puts the archive.
const ARCHIVE: &str = "/var/lib/lab/seed.tar.gz";

/// Lays down and starts. A second run, which cloud-init does not make by itself,
/// would lay the same files down again.
fn lay_down() -> String {
    format!(
        "set -e
umask 077
seed=/var/lib/lab/seed
rm -rf $seed && mkdir -p $seed
tar -xzf {ARCHIVE} -C $seed
sh $seed/lay-down files /
sh $seed/lay-down marker /
rm -rf $seed {ARCHIVE}
systemctl daemon-reload
systemctl start --no-block lab.target
"
    )
}

/// cloud-init's user-data (docs.cloud-init.io, "Module reference").
#[derive(Serialize)]
struct UserData {
    hostname: String,
    locale: String,
    timezone: String,
    users: Vec<User>,
    ssh_pwauth: bool,
    disable_root: bool,
    ssh_deletekeys: bool,
    ssh_genkeytypes: [&'static str; 1],
    ssh_keys: BTreeMap<&'static str, String>,
    package_update: bool,
    write_files: [WriteFile; 1],
    runcmd: [[String; 3]; 1],
}

#[derive(Serialize)]
struct User {
    name: String,
    gecos: String,
    groups: [&'static str; 5],
    shell: &'static str,
    lock_passwd: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    passwd: Option<String>,
    ssh_authorized_keys: Vec<String>,
}

#[derive(Serialize)]
struct WriteFile {
    path: &'static str,
    permissions: &'static str,
    encoding: &'static str,
    content: String,
}

/// Everything that cloud-init is given, by file name. All of it is secret: the
/// machine's private host key is in it.
///
/// # Errors
///
/// As [`overlay`](crate::overlay).
pub fn cloud(subject: &Subject<'_>, cloud: Cloud) -> Result<ImageFiles> {
    let mut files = ImageFiles::default();
    let user_data = yaml(&user_data(subject)?).context("writing user-data")?;
    files.insert("user-data", 0o600, format!("#cloud-config\n{user_data}"))?;
    if cloud == Cloud::CloudConfig {
        return Ok(files);
    }
    let machine = subject.machine;
    // Another description is another instance: cloud-init then runs again.
    let meta = BTreeMap::from([
        ("instance-id", format!("lab-{}", machine.digest())),
        ("local-hostname", machine.identity.name.to_string()),
    ]);
    files.insert(
        "meta-data",
        0o600,
        yaml(&meta).context("writing meta-data")?,
    )?;
    let network = network::netplan(machine, subject.secrets)?;
    let network = yaml(&network).context("writing network-config")?;
    files.insert("network-config", 0o600, network)?;
    Ok(files)
}

fn yaml<T: Serialize>(value: &T) -> Result<String> {
    // PyYAML takes `no` for a truth value and some MAC addresses for numbers.
    let options = serde_saphyr::ser_options! { quote_all: true };
    Ok(serde_saphyr::to_string_with_options(value, options)?)
}

fn user_data(subject: &Subject<'_>) -> Result<UserData> {
    let Subject {
        machine, secrets, ..
    } = *subject;
    let identity = access::identity(machine, secrets)?;
    let key = &secrets.host_key;
    Ok(UserData {
        hostname: machine.identity.name.to_string(),
        locale: machine.ubuntu.locale.to_string(),
        timezone: machine.ubuntu.timezone.to_string(),
        users: vec![User {
            name: identity.username.to_string(),
            gecos: identity.realname,
            groups: ["adm", "cdrom", "dip", "plugdev", "sudo"],
            shell: "/bin/bash",
            lock_passwd: secrets.password_hash.is_none(),
            passwd: secrets.password_hash.clone(),
            ssh_authorized_keys: secrets.admin_keys.clone(),
        }],
        ssh_pwauth: false,
        disable_root: true,
        // The image's own keys, if it has any, are those of everybody who has it.
        ssh_deletekeys: true,
        ssh_genkeytypes: ["ed25519"],
        ssh_keys: BTreeMap::from([
            (
                "ed25519_private",
                format!("{}\n", key.private_openssh.trim_end()),
            ),
            ("ed25519_public", key.public.trim_end().to_owned()),
        ]),
        package_update: false,
        write_files: [WriteFile {
            path: ARCHIVE,
            permissions: "0600",
            encoding: "b64",
            content: STANDARD.encode(bundle(subject)?),
        }],
        runcmd: [["sh".to_owned(), "-c".to_owned(), lay_down()]],
    })
}

/// The name that cloud-init looks for on a medium (NoCloud, "Source 3").
const LABEL: [u8; 11] = *b"CIDATA     ";

/// The files of [`Cloud::NoCloud`] as an image of a small FAT file system with the
/// label that cloud-init looks for: to be attached to a virtual machine, or written
/// to a stick beside a cloud image. The same machine gives the same bytes.
///
/// # Errors
///
/// As [`cloud`].
pub fn seed(subject: &Subject<'_>) -> Result<Vec<u8>> {
    let files = cloud(subject, Cloud::NoCloud)?;
    let needed: usize = files
        .iter()
        .map(|(_, File { bytes, .. })| bytes.len())
        .sum();
    // Room for the tables and for what the last cluster of each file wastes.
    let size = (needed + (1 << 20)).next_multiple_of(1 << 20);
    let mut disk = std::io::Cursor::new(vec![0; size]);
    let options = fatfs::FormatVolumeOptions::new()
        .volume_label(LABEL)
        .volume_id(0x1ab1_ab1a);
    fatfs::format_volume(&mut disk, options).context("making a FAT file system")?;
    // Built without its feature `chrono`, the crate reads no clock: all is of 1980.
    let options = fatfs::FsOptions::new();
    let file_system =
        fatfs::FileSystem::new(&mut disk, options).context("opening what was made")?;
    for (name, file) in files.iter() {
        let mut place = file_system
            .root_dir()
            .create_file(name)
            .with_context(|| format!("making {name} on the seed"))?;
        std::io::Write::write_all(&mut place, &file.bytes)
            .with_context(|| format!("writing {name} to the seed"))?;
    }
    file_system.unmount().context("closing the seed")?;
    Ok(disk.into_inner())
}
