//! The installation from its first line to the restart.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::autoinstall::{self, Autoinstall, Command, Opening, Shutdown, Updates};
use crate::disk::{self, Disk};
use crate::events::Stage;
use crate::layout::{self, Firmware};
use crate::live::{LOG_FOLDER, Live, TARGET};
use crate::target::Target;
use crate::{boot, extract, network, partition, postinstall, search};

/// What a machine says when it waits for a person.
pub const SCREEN: &str =
    "lab-installer: this installation asks a person, and nothing more happens by itself.";

/// What it asks before a disk is touched.
pub const QUESTION: &str = "Continue with autoinstall? (yes|no)";

/// The last line of an installation that failed.
pub const FAILED: &str = "An error occurred. Press enter to start a shell";

/// Installs, or says why not and runs the error commands. Returns whether it succeeded.
/// A file that asks a person never returns.
pub fn run(live: &Live) -> bool {
    let mut on_error = Vec::new();
    let Err(error) = proceed(live, &mut on_error) else {
        return true;
    };
    live.events.say(&format!("error: {error:#}"));
    live.crash_report("install_fail", &format!("{error:?}"));
    if !on_error.is_empty() {
        // Whatever they do, the installation has failed.
        let _ = live.events.stage(Stage::Error, || {
            commands(live, Stage::Error, &on_error, false)
        });
    }
    live.state("ERROR");
    live.events.say(FAILED);
    false
}

fn proceed(live: &Live, on_error: &mut Vec<Command>) -> Result<()> {
    live.state("STARTING_UP");
    let words = search::kernel_words(live);
    let Some(opening) = live.events.stage(Stage::Load, || open(live, on_error))? else {
        wait_for_a_person(live);
    };
    live.state("EARLY_COMMANDS");
    live.events.stage(Stage::Early, || {
        commands(live, Stage::Early, &opening.early, true)
    })?;
    let document = search::read(live)?;
    let body = autoinstall::body(&document)?;
    *on_error = autoinstall::commands(body, "error-commands")?;
    let opening = Opening::read(body)?;
    if opening.interactive {
        wait_for_a_person(live);
    }
    let read = Autoinstall::read(body)?;
    live.state("WAITING");
    prepare_and_install(live, &read, &words)
}

/// Finds the file, and reads what is needed before the early commands; nothing where there
/// is none.
fn open(live: &Live, on_error: &mut Vec<Command>) -> Result<Option<Opening>> {
    if live.is_real() && live.succeeds(&["cloud-init", "--version"]) {
        live.state("CLOUD_INIT_WAIT");
        live.succeeds(&["timeout", "600", "cloud-init", "status", "--wait"]);
    }
    let Some(place) = search::find(live)? else {
        live.events.note("no autoinstall file");
        return Ok(None);
    };
    live.events
        .say(&format!("info: {}: found {place:?}", Stage::Load.name()));
    let document = search::read(live)?;
    let body = autoinstall::body(&document)?;
    *on_error = autoinstall::commands(body, "error-commands")?;
    Opening::read(body).map(Some)
}

fn wait_for_a_person(live: &Live) -> ! {
    live.state("WAITING");
    live.events.say(SCREEN);
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn commands(live: &Live, stage: Stage, list: &[Command], check: bool) -> Result<()> {
    for (at, words) in list.iter().enumerate() {
        live.command(&format!("{}/command_{at}", stage.name()), words, check)?;
    }
    Ok(())
}

fn prepare_and_install(live: &Live, read: &Autoinstall, words: &[String]) -> Result<()> {
    let say = &live.events;
    let source = extract::find(live, read.source.as_deref())?;
    say.stage(Stage::Network, || {
        network::apply(live, read.network.as_ref())
    })?;
    let online = say.stage(Stage::Mirror, || network::is_online(live, read.fallback))?;
    let disk = say.stage(Stage::Storage, || find_disk(live, read))?;
    if !search::is_confirmed(words) {
        confirm(live)?;
    }
    live.state("RUNNING");
    install(live, read, &disk, &source, online)?;
    shut_down(live, read.shutdown)
}

fn find_disk(live: &Live, read: &Autoinstall) -> Result<Disk> {
    partition::release(live)?;
    let disks = disk::survey(live)?;
    let found = disk::choose(&disks, &read.storage.disk)?.clone();
    live.events.say(&format!(
        "info: {}: {}",
        Stage::Storage.name(),
        found.in_words()
    ));
    Ok(found)
}

/// Only the whole word goes on.
fn confirm(live: &Live) -> Result<()> {
    live.state("NEEDS_CONFIRMATION");
    live.events.say("Confirmation is required to continue.");
    live.events
        .say("Add 'autoinstall' to your kernel command line to avoid this");
    for line in std::iter::once(Ok(String::new())).chain(std::io::stdin().lines()) {
        if line.context("reading the answer")?.trim() == "yes" {
            return Ok(());
        }
        live.events.say(QUESTION);
    }
    bail!("nobody said `yes`: the console is closed")
}

fn install(live: &Live, read: &Autoinstall, disk: &Disk, source: &str, online: bool) -> Result<()> {
    let say = &live.events;
    let uefi = live.path("/sys/firmware/efi").exists();
    let firmware = if uefi { Firmware::Uefi } else { Firmware::Bios };
    let layout = say.stage(Stage::Partitioning, || {
        let (stale, elsewhere) = partition::survey(live, &disk.node)?;
        let layout = layout::plan(&read.storage, disk, firmware, &elsewhere)?;
        partition::run(live, &layout::clear(&disk.node, &stale), None)?;
        partition::run(live, &layout.steps, read.storage.passphrase.as_ref())?;
        Ok(layout)
    })?;
    say.stage(Stage::Extract, || {
        // FAT has no owners: nothing is copied into it.
        let (fat, others): (Vec<_>, Vec<_>) =
            layout.mounts.iter().partition(|mount| mount.kind == "vfat");
        others
            .into_iter()
            .try_for_each(|mount| partition::mount(live, mount))?;
        extract::copy(live, source)?;
        fat.into_iter()
            .try_for_each(|mount| partition::mount(live, mount))?;
        partition::write_tables(live, &layout, read.storage.swap)?;
        match read.storage.swap {
            0 => Ok(()),
            size => partition::swap_file(live, size),
        }
    })?;
    let target = Target::enter(live)?;
    let package = read.kernel.as_deref().unwrap_or("linux-generic");
    say.stage(Stage::Kernel, || {
        boot::kernel(live, &target, package, &layout, read.storage.layout)
    })?;
    say.stage(Stage::Bootloader, || {
        let line = live.read(search::COMMAND_LINE).unwrap_or_default();
        boot::loader(live, &target, &layout, firmware, &line)
    })?;
    say.stage(Stage::PostInstall, || postinstall::run(live, &target, read))?;
    if online {
        live.state("UU_RUNNING");
        say.stage(Stage::Updates, || update(live, &target, read.updates))?;
    }
    drop(target);
    live.state("LATE_COMMANDS");
    say.stage(Stage::Late, || {
        commands(live, Stage::Late, &read.late, true)
    })?;
    say.stage(Stage::Logs, || copy_logs(live))?;
    live.state("DONE");
    partition::close(live, &layout);
    Ok(())
}

/// By the target's own unattended-upgrades, which knows the security pocket.
fn update(live: &Live, target: &Target<'_>, policy: Updates) -> Result<()> {
    if !target.has("/usr/bin/unattended-upgrade") {
        live.events.warn(
            Stage::Updates,
            "the target has no unattended-upgrade: nothing is updated",
        );
        return Ok(());
    }
    if policy == Updates::All {
        target.run(&["apt-get", "update"])?;
        return target.run(&["apt-get", "--assume-yes", "upgrade"]);
    }
    target.run(&["apt-get", "update"])?;
    target.run(&["unattended-upgrade", "-v"])
}

fn copy_logs(live: &Live) -> Result<()> {
    let folder = live.target(LOG_FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for log in ["/var/log/cloud-init.log", "/var/log/cloud-init-output.log"] {
        if live.path(log).exists() {
            live.run(&["cp", "--archive", &live.word(log), &live.word(LOG_FOLDER)])?;
        }
    }
    let journal = live.printed(&["journalctl", "--boot", "--no-pager"]);
    live.write(&folder.join("installer-journal.txt"), &journal, 0o640)?;
    let from = format!("{}/.", live.word(LOG_FOLDER));
    live.run(&["cp", "--archive", &from, &folder.display().to_string()])?;
    live.run(&["chmod", "0770", &folder.display().to_string()])?;
    live.run(&[
        "chroot",
        &live.word(TARGET),
        "chgrp",
        "-R",
        "adm",
        LOG_FOLDER,
    ])
}

fn shut_down(live: &Live, how: Shutdown) -> Result<()> {
    let verb = match how {
        Shutdown::Reboot => "reboot",
        Shutdown::PowerOff => "poweroff",
    };
    live.events
        .stage(Stage::Shutdown, || live.run(&["systemctl", verb]))
}
