//! Questions about the installer's files, and whether all that names the machine
//! names the same.

use super::{Answer, answer, image::Image};
use crate::autoinstall::{Autoinstall, Interactive, LayoutName, read};
use crate::image::{guard_command, guard_commands, late_commands};
use crate::place;

/// Asks only when the file could be read.
fn with(image: &Image<'_>, ask: impl FnOnce(&Autoinstall) -> Answer) -> Answer {
    match &image.autoinstall {
        Ok(autoinstall) => ask(autoinstall),
        Err(_) => Answer::NotRun(format!("/{} could not be read", place::AUTOINSTALL)),
    }
}

pub(super) fn reads(image: &Image<'_>) -> Answer {
    match &image.autoinstall {
        Ok(_) => Answer::Pass(format!("/{}", place::AUTOINSTALL)),
        Err(why) => Answer::Fail(why.clone()),
    }
}

pub(super) fn disk(image: &Image<'_>) -> Answer {
    with(image, |autoinstall| {
        let layout = &autoinstall.storage.layout;
        let mut wrong = Vec::new();
        if layout.name == LayoutName::Lvm && layout.sizing_policy.is_none() {
            wrong.push(
                "without `sizing-policy` the layout `lvm` leaves half of a large disk unused"
                    .to_owned(),
            );
        }
        if layout.name == LayoutName::Direct
            && (layout.password.is_some() || layout.sizing_policy.is_some())
        {
            wrong.push(
                "the layout `direct` ignores `password` and `sizing-policy` in silence".to_owned(),
            );
        }
        answer(&wrong, super::story::disk(&layout.r#match))
    })
}

pub(super) fn guard(image: &Image<'_>) -> Answer {
    with(image, |autoinstall| {
        let mut wrong = Vec::new();
        let expected: Vec<String> = guard_commands()
            .iter()
            .map(|command| command.join(" "))
            .collect();
        if autoinstall.early_commands != guard_commands() {
            wrong.push(format!(
                "early-commands are not just `{}`",
                expected.join("`, `")
            ));
        }
        if autoinstall.error_commands != [guard_command("failed")] {
            wrong.push("error-commands are not those that say what went wrong".to_owned());
        }
        answer(&wrong, expected.join(", then "))
    })
}

pub(super) fn late(image: &Image<'_>) -> Answer {
    with(image, |autoinstall| {
        let expected = late_commands(image.has(place::OFFLINE_LIST));
        let mut wrong = Vec::new();
        if autoinstall.late_commands != expected {
            wrong.push(format!("late-commands are {:?}", autoinstall.late_commands));
        }
        answer(&wrong, format!("{} commands", expected.len()))
    })
}

pub(super) fn access(image: &Image<'_>) -> Answer {
    with(image, |autoinstall| {
        let count = autoinstall.ssh.authorized_keys.len();
        if count == 0 {
            return Answer::Fail("no key may log in".to_owned());
        }
        Answer::Pass(format!(
            "{} by {count} key(s)",
            autoinstall.identity.username
        ))
    })
}

pub(super) fn asking(image: &Image<'_>) -> Answer {
    let mut wrong = Vec::new();
    for (path, commands) in [
        (place::INSPECT, vec![guard_command("show")]),
        (place::ORDINARY, Vec::new()),
    ] {
        let Some(bytes) = image.files.get(path) else {
            wrong.push(format!("/{path} is not on the image"));
            continue;
        };
        match read::<Interactive>(bytes) {
            Ok(file) if file.early_commands == commands => {}
            Ok(_) => wrong.push(format!("/{path} runs other commands than it should")),
            Err(why) => wrong.push(format!("reading /{path}: {why:#}")),
        }
    }
    answer(&wrong, "everything is asked")
}

pub(super) fn agrees(image: &Image<'_>) -> Answer {
    let guard = match &image.guard {
        Ok(guard) => guard,
        Err(why) => return Answer::Fail(why.clone()),
    };
    let value = |name: &str| guard.get(name).map_or("", String::as_str);
    let mut wrong = Vec::new();
    for name in [
        "LAB_FORMAT",
        "LAB_MACHINE",
        "LAB_VENDOR",
        "LAB_PRODUCT",
        "LAB_MEMORY_GIB",
        "LAB_FIRMWARE",
        "LAB_GPUS",
        "LAB_DISK_SERIAL",
        "LAB_DISK_MODEL",
        "LAB_DISK_SIZE_GB",
        "LAB_DISK_ERASE",
    ] {
        if !guard.contains_key(name) {
            wrong.push(format!("guard.conf does not set {name}"));
        }
    }
    if !matches!(value("LAB_DISK_ERASE"), "if-blank" | "always") {
        wrong.push("guard.conf says neither if-blank nor always".to_owned());
    }
    let machine = value("LAB_MACHINE");
    let mut same = |who: &str, name: &str| {
        if name != machine {
            wrong.push(format!("{who} means `{name}`, the guard `{machine}`"));
        }
    };
    if let Ok(manifest) = &image.manifest {
        same("the manifest", &manifest.machine);
    }
    let marker = image
        .files
        .get(place::MARKER)
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .unwrap_or_default();
    same("the marker", marker.split(' ').next().unwrap_or_default());
    for boot in image.menus.values().flat_map(|menu| &menu.boots) {
        for name in boot
            .words
            .iter()
            .filter_map(|word| word.strip_prefix("lab.machine="))
        {
            same("the menu", name);
        }
    }
    if let Ok(autoinstall) = &image.autoinstall {
        same("the installer", autoinstall.identity.hostname.as_str());
        let found = &autoinstall.storage.layout.r#match;
        let serial = found.serial().map_or("", |serial| serial.as_str());
        let model = found
            .model()
            .map(|model| model.to_string().replace(' ', "_"))
            .unwrap_or_default();
        if serial != value("LAB_DISK_SERIAL") || model != value("LAB_DISK_MODEL") {
            wrong.push("guard and installer mean different disks".to_owned());
        }
    }
    answer(&wrong, machine.to_owned())
}
