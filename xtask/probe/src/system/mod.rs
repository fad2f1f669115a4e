//! The machine and its system.

mod clock;
mod disks;
mod files;
mod hardware;
mod mounts;
mod nics;
pub(crate) mod sockets;
mod systemd;
#[cfg(test)]
mod tests;

use std::time::Instant;

use lab_facts::{Fact, Kernel, Os, Request, System};

pub(crate) use files::{by_path, digests, objects};

use crate::part::part;
use crate::root::{Root, SMALL, Unread};

/// What is seen of the machine and its system by then.
pub(crate) fn look(root: &Root, request: &Request, deadline: Instant) -> System {
    let here = root.clone();
    let units = request.units.clone();
    let systemd = part("systemd", systemd::whole);
    let units = part("systemd's units", move || systemd::units(&units));
    let nics = part("the network cards", move || nics::all(&here));
    let spaces = mounts::spaces(root, &request.spaces);
    let files = digests(root, &request.files);
    System {
        hostname: root.line("/proc/sys/kernel/hostname").into(),
        dmi: hardware::dmi(root).into(),
        cpu: hardware::cpu(root).into(),
        memory_kib: hardware::memory_kib(root).into(),
        memory_errors: hardware::memory_errors(root).into(),
        firmware: Fact::Is(hardware::firmware(root)),
        secure_boot: hardware::secure_boot(root).into(),
        os: os(root).into(),
        kernel: not_the_hosts(root, "kernel", || kernel(root)),
        uptime_s: uptime_s(root).into(),
        boot_id: boot_id(root).into(),
        clock: clock::look(root),
        root: mounts::root_file_system(root).into(),
        disks: not_the_hosts(root, "disks", || disks::all(root)),
        reboot_required: reboot_required(root).into(),
        listeners: sockets::listeners(root).into(),
        spaces: by_path(spaces, deadline),
        files: by_path(files, deadline),
        nics: nics.by(deadline),
        systemd: systemd.by(deadline),
        units: units.by(deadline),
    }
}

/// What is the machine's own, and in a container its host's.
fn not_the_hosts<T, E: std::fmt::Display>(
    root: &Root,
    what: &str,
    look: impl FnOnce() -> Result<T, E>,
) -> Fact<T> {
    match clock::in_container(root) {
        true => Fact::Unknown(format!("a container has its host's {what}")),
        false => look().into(),
    }
}

/// Which boot this is. A container's is told by when its first process began, because the
/// kernel's own word is its host's.
fn boot_id(root: &Root) -> Result<String, Unread> {
    let kernels = root.line("/proc/sys/kernel/random/boot_id")?;
    if !clock::in_container(root) {
        return Ok(kernels);
    }
    let stat = root.line("/proc/1/stat")?;
    // Field 22 of proc_pid_stat(5); the second, in brackets, may hold blanks.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let start = after.split_whitespace().nth(19).unwrap_or_default();
    Ok(format!("{kernels} {start}"))
}

/// `/etc/os-release`, as os-release(5) has it.
fn os(root: &Root) -> Result<Os, String> {
    let text = match root.text("/etc/os-release", SMALL) {
        Err(error) if error.missing() => root.text("/usr/lib/os-release", SMALL),
        text => text,
    }?;
    let settings = assignments(&text);
    let value = |name: &str| settings.iter().rev().find(|one| one.0 == name);
    let value = |name: &str| value(name).map(|one| one.1.clone()).unwrap_or_default();
    let os = Os {
        id: value("ID"),
        version_id: value("VERSION_ID"),
        pretty_name: value("PRETTY_NAME"),
    };
    match os.id.is_empty() {
        true => Err("/etc/os-release has no ID".to_owned()),
        false => Ok(os),
    }
}

/// The lines `KEY=value` of a file for shells, without their quotes.
pub(crate) fn assignments(text: &str) -> Vec<(String, String)> {
    let assignment = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let sound = !name.is_empty() && name.chars().all(plain);
        sound.then(|| (name.to_owned(), unquoted(value)))
    };
    text.lines().filter_map(assignment).collect()
}

fn unquoted(value: &str) -> String {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = inner('\'') {
        return inner.to_owned();
    }
    let mut plain = String::new();
    let mut characters = inner('"').unwrap_or(value).chars();
    while let Some(c) = characters.next() {
        plain.extend(if c == '\\' {
            characters.next()
        } else {
            Some(c)
        });
    }
    plain
}

fn kernel(root: &Root) -> Result<Kernel, Unread> {
    Ok(Kernel {
        release: root.line("/proc/sys/kernel/osrelease")?,
        machine: rustix::system::uname()
            .machine()
            .to_string_lossy()
            .into_owned(),
        command_line: root.line("/proc/cmdline")?,
    })
}

fn uptime_s(root: &Root) -> Result<u64, String> {
    let line = root.line("/proc/uptime")?;
    let seconds = line.split('.').next().unwrap_or_default();
    let unclear = || format!("/proc/uptime is `{}`", crate::root::short(&line));
    seconds.parse().map_err(|_| unclear())
}

/// What `/run/reboot-required` and the list beside it say, as update-notifier writes them.
fn reboot_required(root: &Root) -> Result<Option<Vec<String>>, Unread> {
    if !root.exists("/run/reboot-required") {
        return Ok(None);
    }
    let list = match root.text("/run/reboot-required.pkgs", SMALL) {
        Err(error) if error.missing() => String::new(),
        list => list?,
    };
    let mut packages: Vec<String> = list
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    packages.sort();
    packages.dedup();
    Ok(Some(packages))
}
