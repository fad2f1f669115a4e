//! What makes the copied system this machine's: its user, its name, SSH, and what
//! cloud-init is given.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Context as _, Result, bail};

use crate::autoinstall::{Autoinstall, Identity, Keyboard};
use crate::cloud;
use crate::events::Stage;
use crate::live::{Input, LOG_FOLDER, Live};
use crate::search;
use crate::target::Target;
use crate::value::Value;
use crate::yaml;

/// The groups of the administrator, of which those are joined that are there.
pub const GROUPS: &[&str] = &["adm", "cdrom", "dip", "lxd", "plugdev", "sudo"];

/// What the file said, for the log, and without the disk's passphrase.
pub const USER_DATA: &str = "autoinstall-user-data";

pub(crate) fn run(live: &Live, target: &Target<'_>, read: &Autoinstall) -> Result<()> {
    keep_file(live)?;
    machine_id(live)?;
    resolver(live, target)?;
    keyboard(live, &read.keyboard)?;
    timezone(live, read.timezone.as_deref())?;
    locale(live, target, &read.locale)?;
    user(live, target, &read.identity)?;
    if read.ssh.install_server {
        target.install(&["openssh-server"])?;
    }
    if read
        .network
        .as_ref()
        .is_some_and(|network| network.wireless)
    {
        target.install(&["wpasupplicant"])?;
    }
    let instance = live
        .read("/proc/sys/kernel/random/uuid")
        .unwrap_or_default();
    let instance = match instance.trim() {
        "" => "lab-installer",
        uuid => uuid,
    };
    for (path, text, mode) in cloud::files(read, instance, target.has("/usr/sbin/locale-gen")) {
        live.write(&live.target(path), &text, mode)?;
    }
    without_cloud_init(live, target, read)
}

fn keep_file(live: &Live) -> Result<()> {
    let mut document = search::read(live)?;
    let mut body = &mut document;
    if body.get("autoinstall").is_some() {
        let Some(inner) = body.get_mut("autoinstall") else {
            return Ok(());
        };
        body = inner;
    }
    let layout = body
        .get_mut("storage")
        .and_then(|storage| storage.get_mut("layout"));
    if let Some(passphrase) = layout.and_then(|layout| layout.get_mut("password")) {
        *passphrase = Value::Text("(not kept)".to_owned());
    }
    let whole = Value::Map(vec![("autoinstall".to_owned(), body.clone())]);
    let path = live.path(LOG_FOLDER).join(USER_DATA);
    live.write(
        &path,
        &format!("#cloud-config\n{}", yaml::write(&whole)),
        0o400,
    )
}

/// The installed system has the live system's id, which was made when that started.
fn machine_id(live: &Live) -> Result<()> {
    let id = live.read("/etc/machine-id").unwrap_or_default();
    let whole = id.trim().len() == 32 && id.trim().bytes().all(|byte| byte.is_ascii_hexdigit());
    let text = if whole {
        format!("{}\n", id.trim())
    } else {
        String::new()
    };
    live.write(&live.target("/etc/machine-id"), &text, 0o444)
}

/// The name servers of the live system are not the installed one's.
fn resolver(live: &Live, target: &Target<'_>) -> Result<()> {
    let file = live.target("/etc/resolv.conf");
    if file.is_symlink() || !target.has("/usr/lib/systemd/systemd-resolved") {
        return Ok(());
    }
    if file.exists() {
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    }
    symlink("../run/systemd/resolve/stub-resolv.conf", &file)
        .with_context(|| format!("linking {}", file.display()))
}

fn keyboard(live: &Live, keyboard: &Keyboard) -> Result<()> {
    let options = keyboard
        .toggle
        .as_ref()
        .map_or(String::new(), |keys| format!("grp:{keys}"));
    let text = format!(
        "XKBMODEL=\"pc105\"\nXKBLAYOUT=\"{}\"\nXKBVARIANT=\"{}\"\nXKBOPTIONS=\"{options}\"\nBACKSPACE=\"guess\"\n",
        keyboard.layout, keyboard.variant
    );
    live.write(&live.target("/etc/default/keyboard"), &text, 0o644)
}

fn timezone(live: &Live, zone: Option<&str>) -> Result<()> {
    let Some(zone) = zone else { return Ok(()) };
    let file = format!("/usr/share/zoneinfo/{zone}");
    if !live.target(&file).exists() {
        bail!("autoinstall.timezone: found `{zone}`, expected a file below /usr/share/zoneinfo");
    }
    let link = live.target("/etc/localtime");
    if link.is_symlink() || link.exists() {
        fs::remove_file(&link).with_context(|| format!("removing {}", link.display()))?;
    }
    symlink(&file, &link).with_context(|| format!("linking {}", link.display()))?;
    live.write(&live.target("/etc/timezone"), &format!("{zone}\n"), 0o644)
}

fn locale(live: &Live, target: &Target<'_>, locale: &str) -> Result<()> {
    live.write(
        &live.target("/etc/default/locale"),
        &format!("LANG={locale}\n"),
        0o644,
    )?;
    if locale.starts_with("C.") {
        return Ok(());
    }
    if !target.has("/usr/sbin/locale-gen") {
        live.events.warn(
            Stage::PostInstall,
            &format!("the target has no locale-gen to make {locale}"),
        );
        return Ok(());
    }
    let charset = locale
        .split_once('.')
        .map_or("UTF-8", |(_, charset)| charset);
    let list = live.target("/etc/locale.gen");
    let mut text = fs::read_to_string(&list).unwrap_or_default();
    let line = format!("{locale} {charset}");
    if !text.lines().any(|known| known.trim() == line) {
        text += &format!("{line}\n");
        live.write(&list, &text, 0o644)?;
    }
    target.run(&["locale-gen"])
}

/// The hash goes by standard input: a process list is read by everybody.
fn user(live: &Live, target: &Target<'_>, identity: &Identity) -> Result<()> {
    let known = fs::read_to_string(live.target("/etc/group")).unwrap_or_default();
    let is_known = |group: &&&str| {
        known
            .lines()
            .any(|line| line.split(':').next() == Some(**group))
    };
    let groups: Vec<&str> = GROUPS.iter().filter(is_known).copied().collect();
    let words = [
        "useradd",
        &identity.username,
        "--comment",
        &identity.realname,
        "--shell",
        "/bin/bash",
        "--groups",
        &groups.join(","),
        "--create-home",
    ];
    target.run(&words)?;
    let line = format!("{}:{}\n", identity.username, identity.password);
    target.run_with(&["chpasswd", "--encrypted"], Input::Secret(&line))
}

/// A target without cloud-init, which no server image is, gets the keys and the setting of
/// SSH from here.
fn without_cloud_init(live: &Live, target: &Target<'_>, read: &Autoinstall) -> Result<()> {
    if target.has("/usr/bin/cloud-init") {
        return Ok(());
    }
    live.events.warn(
        Stage::PostInstall,
        "the target has no cloud-init: the installer itself writes what that would",
    );
    let user = &read.identity.username;
    if read.ssh.install_server {
        let word = if read.ssh.allow_pw { "yes" } else { "no" };
        let file = live.target("/etc/ssh/sshd_config.d/50-cloud-init.conf");
        live.write(&file, &format!("PasswordAuthentication {word}\n"), 0o600)?;
    }
    if read.ssh.authorized_keys.is_empty() {
        return Ok(());
    }
    let folder = format!("/home/{user}/.ssh");
    let keys = read.ssh.authorized_keys.join("\n") + "\n";
    live.write(
        &live.target(&format!("{folder}/authorized_keys")),
        &keys,
        0o600,
    )?;
    target.run(&["chmod", "0700", &folder])?;
    target.run(&["chown", "--recursive", &format!("{user}:"), &folder])
}
