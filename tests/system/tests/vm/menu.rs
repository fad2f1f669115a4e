//! The menu of the real image before disks in different states, from a stick.
//!
//! Proved here: left alone, the menu installs only where nothing of this lab stands, and
//! starts the installed lab where it does; erasing it takes an entry of its own and two
//! keys; the entries that only look have no kernel word that installs. The kernel's words
//! are those that the initrd of the stand-in saw. What the installer makes of them is
//! proved elsewhere.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab_standin::REACHED;
use lab_tests::{
    Firmware, Guest, Machine, Medium, blank_disk, disk_with_boot_partition, guest_programs, have,
    scratch,
};

use crate::gpu_server::{GpuServer, gpu_server};
use crate::standin::{Report, report};
use crate::{BOOT, boots};

/// What the menu of the disk says when it is started.
const DISKS_MENU: &[u8] = b"echo \"the disk's own menu, root $root\"\nsleep --interruptible 600\n";

/// How long the menu may take to show that a key was pressed.
const KEY: Duration = Duration::from_secs(30);

/// What is on the disk.
#[derive(Clone, Copy)]
enum Disk {
    Blank,
    /// This lab, with /boot on a partition of its own.
    BootPartition,
    /// This lab, with /boot on its only partition.
    SingleRoot,
    /// Another lab.
    OtherLab,
}

impl Disk {
    fn make(self, image: &Path) -> Result<()> {
        let (marker, menu) = match self {
            Self::Blank => return blank_disk(image),
            Self::BootPartition => ("lab/installed-gpu-server", "grub/grub.cfg"),
            Self::SingleRoot => ("boot/lab/installed-gpu-server", "boot/grub/grub.cfg"),
            Self::OtherLab => ("lab/installed-other", "grub/grub.cfg"),
        };
        disk_with_boot_partition(&[(marker, b"".as_slice()), (menu, DISKS_MENU)], image)
    }
}

/// A way to move down in a menu and to choose what is highlighted.
#[derive(Clone, Copy)]
enum Keys {
    Serial,
    Keyboard,
}

impl Keys {
    fn down(self, guest: &mut Guest) -> Result<()> {
        match self {
            Self::Serial => guest.type_keys("\x1b[B"),
            Self::Keyboard => guest.press("down"),
        }
    }

    fn enter(self, guest: &mut Guest) -> Result<()> {
        match self {
            Self::Serial => guest.type_keys("\r"),
            Self::Keyboard => guest.press("ret"),
        }
    }
}

/// A machine with such a disk that was started from the stick.
fn start(
    test: &str,
    firmware: Firmware,
    disk: Disk,
) -> Result<Option<(Guest, &'static GpuServer)>> {
    let programs = [("sfdisk", "fdisk"), ("mke2fs", "e2fsprogs")];
    if !have(test, &programs) || !guest_programs(test, firmware) {
        return Ok(None);
    }
    let Some(made) = gpu_server(test)? else {
        return Ok(None);
    };
    let drive = scratch("menu")?.join(format!("{test}.disk"));
    disk.make(&drive)?;
    let machine = Machine::new(firmware)
        .boot(Medium::Usb, &made.image)
        .disk(&drive);
    Ok(Some((machine.start()?, made)))
}

/// The title that was highlighted last. GRUB puts a star before it and fills its line up
/// with blanks; a line that is still being written is no title yet.
fn highlighted(console: &str) -> &str {
    let complete = |line: &&str| line.len() >= 60;
    let mut lines = console.lines().rev().filter(complete);
    lines
        .find_map(|line| line.strip_prefix('*'))
        .map_or("", str::trim_end)
}

/// Waits for a menu with this entry highlighted, for the `time`th time that one is.
fn menu(guest: &Guest, title: &str, time: usize, within: Duration) -> Result<String> {
    let starred = format!("*{title}");
    let what = format!("entry {title:?} highlighted, time {time}");
    guest.wait_until(&what, within, |text| {
        text.matches(&starred).count() >= time && highlighted(text).starts_with(title)
    })
}

/// Moves down to an entry.
fn go_to(guest: &mut Guest, title: &str, keys: Keys) -> Result<()> {
    for _ in 0..10 {
        let now = highlighted(&guest.console()).to_owned();
        if now.starts_with(title) {
            return Ok(());
        }
        keys.down(guest)?;
        let what = format!("another entry than {now:?} highlighted");
        guest.wait_until(&what, KEY, |text| highlighted(text) != now)?;
        // A pressed key is held for a moment, and must not count twice.
        thread::sleep(Duration::from_millis(250));
    }
    bail!("the menu has no entry {title:?}:\n{}", guest.console())
}

/// Whether GRUB said that it would go on by itself in so many seconds.
fn counts_down(console: &str, seconds: u32) -> bool {
    console.contains(&format!("executed automatically in {seconds}s"))
}

/// Holds the kernel's words against those that must and must not be there.
fn words(seen: &Report, wanted: &[&str], unwanted: &[&str]) -> Result<()> {
    let words: Vec<_> = seen.command_line.split_whitespace().collect();
    for word in wanted {
        ensure!(words.contains(word), "no word {word}: {seen:?}");
    }
    for start in unwanted {
        ensure!(
            !words.iter().any(|word| word.starts_with(start)),
            "a word {start}…: {seen:?}"
        );
    }
    Ok(())
}

/// A blank disk: the menu counts 30 s down to the entry that installs.
fn install(test: &str, firmware: Firmware) -> Result<()> {
    let Some((mut guest, made)) = start(test, firmware, Disk::Blank)? else {
        return Ok(());
    };
    // The whole of it: the console may be read between two of its letters.
    guest.wait_for("executed automatically in 30s", BOOT)?;
    menu(&guest, "Install gpu-server on Samsung SSD 870 EVO", 1, KEY)?;
    guest.type_keys("\r")?;
    let seen = report(test, guest)?;
    words(
        &seen,
        &[
            "autoinstall",
            "subiquity.autoinstallpath=/cdrom/autoinstall.yaml",
            "lab.machine=gpu-server",
        ],
        &["lab.reinstall", "console="],
    )?;
    ensure!(!seen.trees.is_empty(), "{seen:?}");
    for tree in &seen.trees {
        ensure!(tree.autoinstall == made.autoinstall, "{seen:?}");
    }
    Ok(())
}

/// A disk with the lab, a stick left in, and nobody there: the disk is started.
fn left_in(test: &str, firmware: Firmware, disk: Disk) -> Result<()> {
    let Some((guest, _)) = start(test, firmware, disk)? else {
        return Ok(());
    };
    let seen = guest.wait_for("the disk's own menu, root hd1,gpt1", BOOT)?;
    ensure!(counts_down(&seen, 5), "{seen}");
    ensure!(!seen.contains("*Install"), "{seen}");
    ensure!(!seen.contains(REACHED), "{seen}");
    Ok(())
}

/// Another lab's disk is none of this lab's: the entry that installs is the default (and
/// its guard says no, where the disk is not blank).
fn other_lab(test: &str, firmware: Firmware) -> Result<()> {
    let Some((guest, _)) = start(test, firmware, Disk::OtherLab)? else {
        return Ok(());
    };
    guest.wait_for("executed automatically", BOOT)?;
    let seen = menu(&guest, "Install gpu-server", 1, KEY)?;
    ensure!(counts_down(&seen, 30), "{seen}");
    ensure!(!seen.contains("Start the installed"), "{seen}");
    Ok(())
}

/// Chooses to reinstall, which asks, and sees "no" highlighted.
fn ask_to_reinstall(guest: &mut Guest, time: usize) -> Result<()> {
    go_to(guest, "Reinstall gpu-server", Keys::Serial)?;
    guest.type_keys("\r")?;
    menu(guest, "No, go back", time, KEY).map(drop)
}

/// Answers that question with yes.
fn say_yes(guest: &mut Guest) -> Result<()> {
    go_to(guest, "Yes, erase", Keys::Serial)?;
    guest.type_keys("\r")
}

/// The question has no time limit after which it would answer itself, as the menu that led
/// to it has.
fn question_waits(guest: &Guest) -> Result<()> {
    thread::sleep(Duration::from_secs(7));
    let seen = guest.console();
    let (_, since) = seen.rsplit_once("*No, go back").unwrap_or_default();
    ensure!(!since.contains("executed automatically"), "{seen}");
    ensure!(highlighted(&seen).starts_with("No, go back"), "{seen}");
    Ok(())
}

/// Reinstalling asks, waits as long as it takes, and takes the return key alone for a no.
fn reinstall(test: &str, firmware: Firmware) -> Result<()> {
    let Some((mut guest, _)) = start(test, firmware, Disk::BootPartition)? else {
        return Ok(());
    };
    guest.wait_for("executed automatically", BOOT)?;
    menu(&guest, "Start the installed lab gpu-server", 1, KEY)?;
    ask_to_reinstall(&mut guest, 1)?;
    question_waits(&guest)?;
    guest.type_keys("\r")?;
    let seen = menu(&guest, "Start the installed lab gpu-server", 2, KEY)?;
    ensure!(!seen.contains(REACHED), "{seen}");
    ask_to_reinstall(&mut guest, 2)?;
    say_yes(&mut guest)?;
    let seen = report(test, guest)?;
    words(
        &seen,
        &[
            "autoinstall",
            "subiquity.autoinstallpath=/cdrom/autoinstall.yaml",
            "lab.reinstall=gpu-server",
        ],
        &[],
    )
}

/// An entry that erases nothing by itself.
fn harmless(test: &str, firmware: Firmware, title: &str, file: &str, keys: Keys) -> Result<()> {
    let Some((mut guest, _)) = start(test, firmware, Disk::Blank)? else {
        return Ok(());
    };
    guest.wait_for("executed automatically", BOOT)?;
    go_to(&mut guest, title, keys)?;
    keys.enter(&mut guest)?;
    let seen = report(test, guest)?;
    let path = format!("subiquity.autoinstallpath=/cdrom/{file}");
    // The first of the ordinary entries, not its neighbour with the other kernel.
    let kernel = "BOOT_IMAGE=/casper/vmlinuz";
    words(&seen, &[&path, kernel], &["autoinstall", "lab.reinstall"])
}

/// The menu for an image that lies as a file on another medium: the word that names the
/// file reaches the kernel, through the question too.
fn loopback(test: &str, firmware: Firmware) -> Result<()> {
    let Some((mut guest, _)) = start(test, firmware, Disk::Blank)? else {
        return Ok(());
    };
    guest.wait_for("executed automatically", BOOT)?;
    guest.type_keys("c")?;
    guest.wait_for("grub>", BOOT)?;
    guest.type_keys("iso_path=/a.iso\rexport iso_path\r")?;
    guest.type_keys("configfile /boot/grub/loopback.cfg\r")?;
    menu(&guest, "Install gpu-server", 2, KEY)?;
    ask_to_reinstall(&mut guest, 1)?;
    say_yes(&mut guest)?;
    let seen = report(test, guest)?;
    words(
        &seen,
        &[
            "iso-scan/filename=/a.iso",
            "autoinstall",
            "lab.reinstall=gpu-server",
        ],
        &[],
    )
}

const SHOW: (&str, &str) = ("Show what this machine is", "lab/inspect.yaml");
const ORDINARY: (&str, &str) = ("Ordinary Ubuntu installer (", "lab/ordinary.yaml");

boots! {
    install_bios: install(Firmware::Bios);
    install_uefi: install(Firmware::Uefi);
    left_in_boot_partition_bios: left_in(Firmware::Bios, Disk::BootPartition);
    left_in_boot_partition_uefi: left_in(Firmware::Uefi, Disk::BootPartition);
    left_in_single_root_bios: left_in(Firmware::Bios, Disk::SingleRoot);
    left_in_single_root_uefi: left_in(Firmware::Uefi, Disk::SingleRoot);
    other_lab_bios: other_lab(Firmware::Bios);
    other_lab_uefi: other_lab(Firmware::Uefi);
    reinstall_bios: reinstall(Firmware::Bios);
    reinstall_uefi: reinstall(Firmware::Uefi);
    show_bios: harmless(Firmware::Bios, SHOW.0, SHOW.1, Keys::Serial);
    show_uefi: harmless(Firmware::Uefi, SHOW.0, SHOW.1, Keys::Serial);
    ordinary_bios: harmless(Firmware::Bios, ORDINARY.0, ORDINARY.1, Keys::Keyboard);
    ordinary_uefi: harmless(Firmware::Uefi, ORDINARY.0, ORDINARY.1, Keys::Serial);
    loopback_bios: loopback(Firmware::Bios);
}
