//! The kernel and GRUB of the installed system.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::autoinstall::LayoutName;
use crate::layout::{Firmware, Layout};
use crate::live::Live;
use crate::target::Target;

/// Where curtin keeps what it says to GRUB.
pub const GRUB_SETTINGS: &str = "/etc/default/grub.d/50-curtin-settings.cfg";

/// The kernel's words that the installed system gets: those behind `---`, and every
/// `console=` before it (canonical/curtin, curtin/commands/install_grub.py).
pub fn carried_over(command_line: &str) -> Vec<String> {
    let words: Vec<&str> = command_line.split_whitespace().collect();
    let separator = words.iter().position(|word| *word == "---");
    let (lead, extra) = match separator {
        Some(at) => (
            words.get(..at).unwrap_or_default(),
            words.get(at + 1..).unwrap_or_default(),
        ),
        None => (&words[..], &[][..]),
    };
    let console = |word: &&&str| word.starts_with("console=") && !extra.contains(word);
    // The boot loader's own words are not the kernel's.
    let kept = |word: &&&str| !word.starts_with("BOOT_IMAGE=") && !word.starts_with("initrd=");
    let all = lead.iter().filter(console).chain(extra.iter().filter(kept));
    all.map(|word| (*word).to_owned()).collect()
}

/// Installs the kernel where it is missing, and what the layout needs to be found at the
/// start; makes the initial RAM disk of a kernel that was there.
pub(crate) fn kernel(
    live: &Live,
    target: &Target<'_>,
    package: &str,
    layout: &Layout,
    name: LayoutName,
) -> Result<()> {
    let mut needed = Vec::new();
    if name == LayoutName::Lvm {
        needed.push("lvm2");
    }
    if layout.encrypted.is_some() {
        needed.push("cryptsetup-initramfs");
    }
    target.install(&needed)?;
    let fresh = target.install(&[package])?;
    let kernels = kernels(live)?;
    if kernels.is_empty() {
        bail!("{package} is installed, and there is no kernel in /boot of the target");
    }
    for version in kernels {
        let there = target.has(&format!("/boot/initrd.img-{version}"));
        if !fresh || !there {
            let mode = if there { "-u" } else { "-c" };
            target.run(&["update-initramfs", mode, "-k", &version])?;
        }
    }
    Ok(())
}

fn kernels(live: &Live) -> Result<Vec<String>> {
    let folder = live.target("/boot");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut versions: Vec<String> = names
        .filter_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned))
        .collect();
    versions.sort();
    Ok(versions)
}

/// Installs GRUB.
pub(crate) fn loader(
    live: &Live,
    target: &Target<'_>,
    layout: &Layout,
    firmware: Firmware,
    command_line: &str,
) -> Result<()> {
    let words = carried_over(command_line).join(" ");
    let words = words.replace('\\', "\\\\").replace('"', "\\\"");
    let settings = format!("# Written by the installer.\nGRUB_CMDLINE_LINUX_DEFAULT=\"{words}\"\n");
    live.write(&live.target(GRUB_SETTINGS), &settings, 0o644)?;
    match firmware {
        Firmware::Bios => bios(target, &layout.disk)?,
        Firmware::Uefi => uefi(live, target)?,
    }
    target.run(&["update-grub"])
}

fn bios(target: &Target<'_>, disk: &str) -> Result<()> {
    if !target.has("/usr/lib/grub/i386-pc/boot.img") || !target.has("/usr/sbin/grub-install") {
        target.install(&["grub-pc"])?;
    }
    target.run(&["grub-install", "--target=i386-pc", "--recheck", disk])
}

/// The removable path as well, so that a firmware that knows nothing of this disk starts
/// it; and without the firmware's variables where they cannot be written.
fn uefi(live: &Live, target: &Target<'_>) -> Result<()> {
    let signed = "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed";
    let shim = "/usr/lib/shim/shimx64.efi.signed";
    if ![signed, shim, "/usr/sbin/grub-install"]
        .iter()
        .all(|file| target.has(file))
    {
        target.install(&["grub-efi-amd64", "grub-efi-amd64-signed", "shim-signed"])?;
    }
    let id = format!(
        "--bootloader-id={}",
        menu_folder(&fs::read(live.target(signed)).unwrap_or_default())
    );
    let words = [
        "grub-install",
        "--target=x86_64-efi",
        "--efi-directory=/boot/efi",
        &id,
        "--recheck",
        "--uefi-secure-boot",
        "--force-extra-removable",
    ];
    if target.has("/sys/firmware/efi/efivars") && target.succeeds(&words) {
        return Ok(());
    }
    target.run(&[&words[..], &["--no-nvram"]].concat())
}

/// The folder of the ESP in which a signed GRUB looks for its menu: it is compiled in, as
/// `/EFI/debian` or `/EFI/ubuntu`.
fn menu_folder(grub: &[u8]) -> &'static str {
    let has = |wanted: &[u8]| grub.windows(wanted.len()).any(|part| part == wanted);
    if has(b"/EFI/debian") && !has(b"/EFI/ubuntu") {
        "debian"
    } else {
        "ubuntu"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_behind_the_dashes_are_carried_over() {
        for (line, carried) in [
            (
                "BOOT_IMAGE=/casper/vmlinuz autoinstall --- modprobe.blacklist=nouveau",
                "modprobe.blacklist=nouveau",
            ),
            ("autoinstall console=ttyS0 --- quiet", "console=ttyS0 quiet"),
            ("console=ttyS0 --- console=ttyS0", "console=ttyS0"),
            ("autoinstall ---", ""),
            ("autoinstall quiet", ""),
            ("a --- b initrd=/casper/initrd", "b"),
        ] {
            assert_eq!(carried_over(line).join(" "), carried, "{line}");
        }
    }

    #[test]
    fn a_signed_grub_says_where_it_looks() {
        assert_eq!(menu_folder(b"..\0/EFI/debian\0.."), "debian");
        assert_eq!(menu_folder(b"..\0/EFI/ubuntu\0.."), "ubuntu");
        assert_eq!(menu_folder(b""), "ubuntu");
    }
}
