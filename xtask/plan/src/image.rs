//! Everything that the lab puts on the image.

use anyhow::{Context as _, Result};
use lab_machine::Machine;

use crate::autoinstall::{
    Apt, Autoinstall, Drivers, Everything, Fallback, Interactive, Keyboard, Off, Password,
    RefreshInstaller, Shutdown, Source, SourceId, Updates, Version, write,
};
use crate::component::{access, disk, network, system};
use crate::manifest::Manifest;
use crate::template::verbatim;
use crate::{
    BaseFacts, ImageFiles, Payload, Secrets, Subject, bundle, guard, menu, overlay, place,
};

/// What goes onto an image besides what the description says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Enclosed<'a> {
    /// Everything that a machine without a network needs.
    pub payload: Option<&'a Payload>,
    /// The list of what is locked, in a form for programs.
    pub inventory: Option<&'a str>,
}

/// Everything that the lab puts on the image, as it will stand there. A payload's files are
/// listed; whoever writes the image adds them below [`place::OFFLINE`].
///
/// # Errors
///
/// When the secrets are not those that the description refers to, when one of
/// them could not do its work, when the base lacks a kernel or a menu, or when the
/// payload is not of the subject's lock.
pub fn image_tree(
    subject: &Subject<'_>,
    base: &BaseFacts,
    enclosed: Enclosed<'_>,
) -> Result<ImageFiles> {
    let Subject {
        machine, secrets, ..
    } = *subject;
    let Enclosed { payload, inventory } = enclosed;
    let overlay = overlay(subject)?.tree;
    let mut files = ImageFiles::default();
    let offline = payload.is_some();
    let hides = add_installer_files(&mut files, machine, secrets, base, offline)?;
    add_scripts(&mut files, machine)?;
    bundle::add(&mut files, subject, &overlay)?;
    if let Some(payload) = payload {
        payload.check(subject.lock)?;
        files.insert(place::OFFLINE_LIST, 0o644, payload.list())?;
    }
    if let Some(inventory) = inventory {
        files.insert(place::SBOM, 0o644, inventory)?;
    }
    let (grub, loopback) = menu::menus(machine, base).context("making the menu")?;
    files.insert(place::GRUB_CFG, 0o644, grub)?;
    if let Some(loopback) = loopback {
        files.insert(place::LOOPBACK_CFG, 0o644, loopback)?;
    }
    let secret: &[&str] = if hides { &[place::AUTOINSTALL] } else { &[] };
    let manifest = Manifest::of(
        &files,
        machine.identity.name.as_str(),
        machine.digest(),
        base,
        secret,
        payload,
    );
    files.insert(place::MANIFEST, 0o644, manifest.to_json()?)?;
    Ok(files)
}

/// Adds the installer's files; says whether one holds what could be guessed.
fn add_installer_files(
    files: &mut ImageFiles,
    machine: &Machine,
    secrets: &Secrets,
    base: &BaseFacts,
    offline: bool,
) -> Result<bool> {
    let mut autoinstall = autoinstall(machine, secrets, base)?;
    autoinstall.late_commands = late_commands(offline);
    let hides = autoinstall.storage.layout.password.is_some()
        || autoinstall.identity.password != Password::Locked
        || !autoinstall.network.wifis.is_empty();
    files.insert(
        place::AUTOINSTALL,
        0o600,
        write(&head(machine), autoinstall)?,
    )?;
    files.insert(
        place::INSPECT,
        0o644,
        write(INSPECT_HEAD, asks_everything(vec![guard_command("show")]))?,
    )?;
    files.insert(
        place::ORDINARY,
        0o644,
        write(ORDINARY_HEAD, asks_everything(Vec::new()))?,
    )?;
    Ok(hides)
}

fn add_scripts(files: &mut ImageFiles, machine: &Machine) -> Result<()> {
    for name in [place::GUARD, place::GUARD_FACTS] {
        files.insert(name, 0o755, verbatim(name)?)?;
    }
    files.insert(place::GUARD_CONF, 0o644, guard::conf(machine)?)
}

fn on_cdrom(path: &str) -> String {
    format!("{}{path}", place::CDROM)
}

/// The guard by `sh`, because a stick that was written file by file has no modes.
pub(crate) fn guard_command(what: &str) -> Vec<String> {
    ["sh", &on_cdrom(place::GUARD), what]
        .map(str::to_owned)
        .to_vec()
}

/// What runs before anything is written: the guard, and a look at whether it came
/// to its end, because a script that was emptied or cut off may end well.
pub(crate) fn guard_commands() -> Vec<Vec<String>> {
    let passed = ["test", "-f", "/run/lab-guard/passed"]
        .map(str::to_owned)
        .to_vec();
    vec![guard_command("install"), passed]
}

fn lay_down_command(what: &str) -> Vec<String> {
    ["sh", &on_cdrom(place::LAY_DOWN), what, "/target"]
        .map(str::to_owned)
        .to_vec()
}

/// What runs at the end. The marker is last: what it stands for is then there.
pub(crate) fn late_commands(offline: bool) -> Vec<Vec<String>> {
    let steps: &[&str] = match offline {
        true => &["files", "offline", "marker"],
        false => &["files", "marker"],
    };
    steps.iter().map(|what| lay_down_command(what)).collect()
}

fn asks_everything(early_commands: Vec<Vec<String>>) -> Interactive {
    Interactive {
        version: Version,
        early_commands,
        interactive_sections: [Everything::All],
    }
}

fn autoinstall(machine: &Machine, secrets: &Secrets, base: &BaseFacts) -> Result<Autoinstall> {
    Ok(Autoinstall {
        version: Version,
        early_commands: guard_commands(),
        locale: machine.ubuntu.locale.clone(),
        refresh_installer: RefreshInstaller { update: Off },
        keyboard: Keyboard {
            layout: machine.ubuntu.keyboard.clone(),
        },
        timezone: machine.ubuntu.timezone.clone(),
        source: Source {
            id: SourceId::UbuntuServer,
            search_drivers: Off,
        },
        kernel: system::kernel(machine, base)?,
        network: network::netplan(machine, secrets)?,
        apt: Apt {
            geoip: Off,
            fallback: Fallback::OfflineInstall,
        },
        storage: disk::storage(machine, secrets)?,
        identity: access::identity(machine, secrets)?,
        ssh: access::ssh(secrets)?,
        drivers: Drivers { install: Off },
        updates: Updates::Security,
        late_commands: late_commands(false),
        error_commands: vec![guard_command("failed")],
        shutdown: Shutdown::Reboot,
    })
}

fn head(machine: &Machine) -> String {
    format!(
        "Installs {name} on {disk}.\n\
         \n\
         Made from machine.toml: change that, not this. Read by Ubuntu's installer, which\n\
         warns of unknown keys at the top and ignores deeper ones in silence.\n\
         \n\
         - early-commands: the guard stops everything, before a disk is touched, unless\n\
         this is the machine that was described.\n\
         - apt.fallback: an installation without any network is meant to succeed; all that\n\
         is needed is on the image, the rest comes on the first start.\n\
         - identity.password: `!` fits no password. The installer wants the key to be there.\n\
         - shutdown: after the restart the stick's own menu starts what was installed, so a\n\
         stick that was left in does not install again.\n",
        name = machine.identity.name,
        disk = machine.disk.in_words(),
    )
}

const INSPECT_HEAD: &str = "Shows what this machine is and switches it off; see the guard. The installer\nbehind it would ask everything.";
const ORDINARY_HEAD: &str = "Ubuntu's own installer: it asks everything. Without this file it would find\n/autoinstall.yaml of this image by itself.";
