//! The bare stand-in, and images composed onto it, each in four ways.
//!
//! Every guest judges itself: the initrd of the stand-in prints its command line and, for
//! every directory tree it can mount, digests of what it reads there, which are held
//! against digests of what was put in. A tree mounted from the whole disk (`/dev/sda`) and
//! one mounted from partition 1 (`/dev/sda1`) prove that both were written.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use lab_standin::{CHECK_WORD, COMMAND_LINE, END, Options, REACHED};
use lab_tests::{Firmware, Guest, Machine, Medium, base, composed, guest_programs, scratch};
use sha2::{Digest, Sha256};

use crate::{BOOT, boots};

/// A word that stands in no menu but the composed one.
const WORD: &str = "lab.word=kestrel-0417";

/// What the initrd said.
#[derive(Debug)]
pub(crate) struct Report {
    begun_as: String,
    pub(crate) command_line: String,
    pub(crate) trees: Vec<TreeReport>,
}

/// What it said of one directory tree.
#[derive(Debug)]
pub(crate) struct TreeReport {
    device: String,
    pub(crate) autoinstall: String,
    lab: String,
    sums: String,
}

impl Report {
    fn read(console: &str) -> Result<Self> {
        let after = |start: &str| {
            console
                .lines()
                .find_map(|line| line.trim().strip_prefix(start))
        };
        let trees = console
            .lines()
            .filter_map(|line| TreeReport::read(line.trim()));
        ensure!(
            console.contains(END),
            "the initrd did not come to its end:\n{console}"
        );
        Ok(Self {
            begun_as: after(REACHED)
                .context("the initrd was not reached")?
                .trim()
                .to_owned(),
            command_line: after(COMMAND_LINE.trim())
                .context("no command line was shown")?
                .trim()
                .to_owned(),
            trees: trees.collect(),
        })
    }

    fn devices(&self) -> Vec<&str> {
        self.trees.iter().map(|tree| tree.device.as_str()).collect()
    }
}

impl TreeReport {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("LAB-STANDIN tree ")?.split(' ');
        let device = words.next()?.to_owned();
        let mut value = |key: &str| words.next()?.strip_prefix(key).map(str::to_owned);
        Some(Self {
            device,
            autoinstall: value("autoinstall=")?,
            lab: value("lab=")?,
            sums: value("sums=")?,
        })
    }
}

/// Waits for the guest's end and reads its report; says how long it took.
pub(crate) fn report(test: &str, mut guest: Guest) -> Result<Report> {
    let console = guest.wait_for_end(BOOT)?;
    eprintln!(
        "{test}: {:.1} s from power on to power off",
        guest.running_for().as_secs_f32()
    );
    Report::read(&console)
}

/// The firmware as the initrd names it.
fn named(firmware: Firmware) -> &'static str {
    match firmware {
        Firmware::Bios => "bios",
        Firmware::Uefi => "uefi",
        Firmware::SecureBoot => "uefi-secure-boot",
    }
}

/// Where the initrd must find a tree.
fn places(medium: Medium) -> &'static [&'static str] {
    match medium {
        Medium::Cd => &["/dev/sr0"],
        Medium::Usb => &["/dev/sda", "/dev/sda1"],
    }
}

/// Boots the stand-in as it is, choosing the first entry by the return key. Each firmware
/// and each medium once: the composed images, which keep its boot records, boot every way.
fn bare(test: &str, firmware: Firmware, medium: Medium) -> Result<()> {
    if !guest_programs(test, firmware) {
        return Ok(());
    }
    let Some(base) = base(test, &Options::default())? else {
        return Ok(());
    };
    let mut guest = Machine::new(firmware).boot(medium, &base).start()?;
    guest.wait_for("Try or Install Ubuntu Server", BOOT)?;
    guest.type_keys("\r")?;
    let seen = report(test, guest)?;
    ensure!(
        seen.begun_as == format!("(generic, {})", named(firmware)),
        "{seen:?}"
    );
    ensure!(
        seen.command_line.ends_with("/casper/vmlinuz ---"),
        "{seen:?}"
    );
    ensure!(seen.devices() == places(medium), "{seen:?}");
    for tree in &seen.trees {
        ensure!(
            tree.autoinstall == "absent" && tree.lab == "absent",
            "{seen:?}"
        );
    }
    Ok(())
}

/// The files that the composed images get.
struct Files {
    menu: String,
    autoinstall: String,
    lab: Vec<(String, Vec<u8>)>,
}

impl Files {
    fn new() -> Self {
        let menu = format!(
            "set timeout=1\nmenuentry \"Lab\" {{\n\tset gfxpayload=keep\n\
             \tlinux\t/casper/vmlinuz autoinstall {WORD} {CHECK_WORD} ---\n\tinitrd\t/casper/initrd\n}}\n"
        );
        let deep = "lab/overlay/etc/systemd/system/multi-user.target.wants/lab.service".to_owned();
        let long = format!(
            "lab/{}.conf",
            "a-name-longer-than-joliet-and-level-3-allow-".repeat(3)
        );
        Self {
            menu,
            autoinstall: "autoinstall:\n  version: 1\n".to_owned(),
            lab: vec![
                ("lab/manifest.json".to_owned(), b"{}\n".to_vec()),
                (deep, b"[Unit]\nDescription=deep\n".to_vec()),
                (long, b"long\n".to_vec()),
                ("lab/empty".to_owned(), Vec::new()),
                ("lab/blob.bin".to_owned(), noise(20 << 20)),
            ],
        }
    }

    fn added(&self) -> Vec<(&str, &[u8])> {
        let mut all = vec![
            ("boot/grub/grub.cfg", self.menu.as_bytes()),
            ("autoinstall.yaml", self.autoinstall.as_bytes()),
        ];
        all.extend(
            self.lab
                .iter()
                .map(|(path, bytes)| (path.as_str(), bytes.as_slice())),
        );
        all
    }

    /// What init.sh says of `/lab`: how many files, and the digest over the lines that
    /// sha256sum prints of them, by name.
    fn lab_digest(&self) -> String {
        let mut sorted: Vec<_> = self
            .lab
            .iter()
            .map(|(path, bytes)| (path.replacen("lab/", "./", 1), bytes))
            .collect();
        sorted.sort();
        let mut lines = String::new();
        for (path, bytes) in &sorted {
            let _ = writeln!(lines, "{}  {path}", hex::encode(Sha256::digest(bytes)));
        }
        format!("{}:{}", sorted.len(), hex::encode(Sha256::digest(lines)))
    }
}

/// Bytes that do not repeat: a xorshift generator's (Marsaglia, 2003).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The image that a test boots: a file of its own, so that tests may run at once.
fn composed_for(test: &str, joliet: bool, files: &Files) -> Result<Option<PathBuf>> {
    let Some(base) = base(
        test,
        &Options {
            joliet,
            ..Options::default()
        },
    )?
    else {
        return Ok(None);
    };
    let out = scratch("vm")?.join(format!("{test}.iso"));
    composed(&base, &files.added(), &out)?;
    Ok(Some(out))
}

/// Boots an image with another menu and with files of ours, by the menu's timeout.
fn with_files(test: &str, joliet: bool, firmware: Firmware, medium: Medium) -> Result<()> {
    if !guest_programs(test, firmware) {
        return Ok(());
    }
    let files = Files::new();
    let Some(image) = composed_for(test, joliet, &files)? else {
        return Ok(());
    };
    let guest = Machine::new(firmware).boot(medium, &image).start()?;
    let seen = report(test, guest)?;
    ensure!(
        seen.begun_as == format!("(generic, {})", named(firmware)),
        "{seen:?}"
    );
    let words: Vec<_> = seen.command_line.split(' ').collect();
    ensure!(
        words.contains(&WORD) && words.contains(&"autoinstall"),
        "{seen:?}"
    );
    ensure!(seen.devices() == places(medium), "{seen:?}");
    let autoinstall = hex::encode(Sha256::digest(&files.autoinstall));
    for tree in &seen.trees {
        ensure!(
            tree.autoinstall == autoinstall,
            "expected {autoinstall}: {seen:?}"
        );
        ensure!(
            tree.lab == files.lab_digest(),
            "expected {}: {seen:?}",
            files.lab_digest()
        );
        let Some(count) = tree.sums.strip_prefix("good:") else {
            bail!("md5sum.txt does not fit the files: {seen:?}");
        };
        ensure!(
            count.parse::<usize>()? > files.lab.len() + 100,
            "too few files listed: {seen:?}"
        );
    }
    std::fs::remove_file(&image).context("removing an image that has booted")?;
    Ok(())
}

boots! {
    bare_bios_cd: bare(Firmware::Bios, Medium::Cd);
    bare_uefi_usb: bare(Firmware::Uefi, Medium::Usb);
    composed_bios_cd: with_files(false, Firmware::Bios, Medium::Cd);
    composed_bios_usb: with_files(false, Firmware::Bios, Medium::Usb);
    composed_uefi_cd: with_files(false, Firmware::Uefi, Medium::Cd);
    composed_uefi_usb: with_files(false, Firmware::Uefi, Medium::Usb);
    composed_joliet_bios_cd: with_files(true, Firmware::Bios, Medium::Cd);
    composed_joliet_bios_usb: with_files(true, Firmware::Bios, Medium::Usb);
    composed_joliet_uefi_cd: with_files(true, Firmware::Uefi, Medium::Cd);
    composed_joliet_uefi_usb: with_files(true, Firmware::Uefi, Medium::Usb);
    composed_secure_boot_usb: with_files(true, Firmware::SecureBoot, Medium::Usb);
}
