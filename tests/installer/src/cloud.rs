//! What the installer leaves for cloud-init's first run on the installed system.
//!
//! As the installer of 24.04 does it (canonical/subiquity, subiquity/models/subiquity.py
//! and network.py, read 2026-11): keys, the time zone and whether passwords open SSH come
//! from cloud-init and not from the installer; the datasource is pinned to `None`, which
//! carries all of it; the network's description is cloud-init's to render; and cloud-init
//! switches itself off after that.

use serde_json::{Map, Value as Json, json};

use crate::autoinstall::{Autoinstall, Network};
use crate::value::Value;
use crate::yaml;

/// The datasource and the user-data.
pub const INSTALLER: &str = "/etc/cloud/cloud.cfg.d/99-installer.cfg";

/// The network's description.
pub const NETWORK: &str = "/etc/cloud/cloud.cfg.d/90-installer-network.cfg";

/// What cloud-init renders of it on the first start; there before it, so that the first
/// start has a network even where cloud-init has none of it.
pub const NETPLAN: &str = "/etc/netplan/50-cloud-init.yaml";

/// A file of the target: its path, its text and its mode.
pub type File = (&'static str, String, u32);

/// The files, for a target with locales or without.
pub fn files(read: &Autoinstall, instance: &str, with_locale: bool) -> Vec<File> {
    let hostname = &read.identity.hostname;
    let mut files = vec![
        (
            INSTALLER,
            installer(&user_data(read, with_locale), instance),
            0o600,
        ),
        (
            "/etc/cloud/cloud.cfg.d/20-disable-cc-dpkg-grub.cfg",
            "grub_dpkg: {enabled: false}\n".to_owned(),
            0o644,
        ),
        (
            "/etc/cloud/ds-identify.cfg",
            "policy: enabled\n".to_owned(),
            0o644,
        ),
        ("/etc/hostname", format!("{hostname}\n"), 0o644),
        ("/etc/hosts", hosts(hostname), 0o644),
    ];
    if let Some(network) = &read.network {
        files.push((NETWORK, netplan(network), 0o600));
        files.push((NETPLAN, netplan(network), 0o600));
    }
    files
}

/// The network's description in netplan's form.
pub fn netplan(network: &Network) -> String {
    let whole = Value::Map(vec![("network".to_owned(), network.value.clone())]);
    format!("# Written by the installer.\n{}", yaml::write(&whole))
}

// The file's reader in the initial RAM disk's time, ds-identify, wants the list of sources
// on one line.
fn installer(user_data: &Json, instance: &str) -> String {
    let text = Json::from(format!("#cloud-config\n{user_data:#}\n"));
    format!(
        "datasource_list: [None]\ndatasource:\n  None:\n    metadata: {{instance-id: {instance}}}\n    userdata_raw: {text}\n"
    )
}

fn user_data(read: &Autoinstall, with_locale: bool) -> Json {
    let mut user = Map::new();
    user.insert("name".to_owned(), json!(read.identity.username));
    user.insert("lock_passwd".to_owned(), json!(false));
    if !read.ssh.authorized_keys.is_empty() {
        user.insert(
            "ssh_authorized_keys".to_owned(),
            json!(read.ssh.authorized_keys),
        );
    }
    let mut config = json!({
        "growpart": {"mode": "off"},
        "resize_rootfs": false,
        "preserve_hostname": true,
        "users": [user],
        "write_files": [{
            "path": "/etc/cloud/cloud-init.disabled",
            "defer": true,
            "content": "Switched off by the installer after the first start.\n",
        }],
    });
    let mut set = |key: &str, value: Json| {
        if let Some(keys) = config.as_object_mut() {
            keys.insert(key.to_owned(), value);
        }
    };
    if read.ssh.install_server {
        set("ssh_pwauth", json!(read.ssh.allow_pw));
    }
    if let Some(zone) = &read.timezone {
        set("timezone", json!(zone));
    }
    if with_locale {
        set("locale", json!(read.locale));
    }
    config
}

fn hosts(hostname: &str) -> String {
    format!(
        "127.0.0.1 localhost\n127.0.1.1 {hostname}\n\n::1 ip6-localhost ip6-loopback\nfe00::0 ip6-localnet\n\
         ff00::0 ip6-mcastprefix\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
    )
}
