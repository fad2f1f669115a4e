//! What GRUB does with a menu of ours when a disk is there: finding an installed system
//! by a marker, handing over to its menu, and taking keys.

use anyhow::{Result, ensure};
use lab_tests::{
    Firmware, Machine, Medium, disk_with_boot_partition, grub_menu_medium, guest_programs, have,
    scratch,
};

use crate::{BOOT, boots};

/// Looks for a marker on every disk, and reads the menu that stands beside it.
///
/// GRUB for BIOS loads a file system's module by itself, but not a partition table's:
/// without `insmod part_gpt` the search sees whole disks only. And it sleeps
/// interruptibly, because SeaBIOS holds the last letter back until keys are asked for.
const LOOKS_FOR_A_LAB: &str = "\
set timeout=0
insmod part_gpt
insmod ext2
search --no-floppy --file --set=found /lab/installed
if [ -n \"$found\" ]; then
  echo \"found: $found\"
  set root=$found
  configfile ($found)/grub/grub.cfg
else
  echo 'nothing found'
fi
sleep --interruptible 600
";

/// Three entries that say their names when they are chosen.
const THREE_ENTRIES: &str = "\
set timeout=600
menuentry 'first' { echo 'chosen: '1; sleep --interruptible 600; }
menuentry 'second' { echo 'chosen: '2; sleep --interruptible 600; }
menuentry 'third' { echo 'chosen: '3; sleep --interruptible 600; }
";

/// A disk with a marker and a menu is found, one without the marker is not.
fn marker(test: &str, firmware: Firmware, marked: bool) -> Result<()> {
    let programs = [("sfdisk", "fdisk"), ("mke2fs", "e2fsprogs")];
    if !have(test, &programs) || !guest_programs(test, firmware) {
        return Ok(());
    }
    let folder = scratch("menu")?;
    let image = folder.join(format!("{test}.iso"));
    let Some(medium) = grub_menu_medium(test, LOOKS_FOR_A_LAB, &[], &image)? else {
        return Ok(());
    };
    let disk = folder.join(format!("{test}.disk"));
    let menu: (&str, &[u8]) = (
        "grub/grub.cfg",
        b"echo \"the disk's menu, root $root\"\nsleep --interruptible 600\n",
    );
    let files = [menu, ("lab/installed", b"".as_slice())];
    disk_with_boot_partition(if marked { &files } else { &files[..1] }, &disk)?;
    let guest = Machine::new(firmware)
        .boot(Medium::Usb, &medium)
        .disk(&disk)
        .start()?;
    if marked {
        guest.wait_for("the disk's menu, root hd1,gpt1", BOOT)?;
        ensure!(
            guest.console().contains("found: hd1,gpt1"),
            "{}",
            guest.console()
        );
    } else {
        let seen = guest.wait_for("nothing found", BOOT)?;
        ensure!(!seen.contains("the disk's menu"), "{seen}");
    }
    Ok(())
}

/// Keys reach the menu by the serial port, and by the machine's keyboard.
fn keys(test: &str, firmware: Firmware, by_keyboard: bool) -> Result<()> {
    if !guest_programs(test, firmware) {
        return Ok(());
    }
    let image = scratch("menu")?.join(format!("{test}.iso"));
    let Some(medium) = grub_menu_medium(test, THREE_ENTRIES, &[], &image)? else {
        return Ok(());
    };
    let mut guest = Machine::new(firmware).boot(Medium::Cd, &medium).start()?;
    guest.wait_for("executed automatically", BOOT)?;
    if by_keyboard {
        guest.press("down")?;
        guest.press("ret")?;
    } else {
        guest.type_keys("\x1b[B")?;
        guest.type_keys("\r")?;
    }
    guest.wait_for("chosen: 2", BOOT)?;
    Ok(())
}

boots! {
    marked_disk_bios: marker(Firmware::Bios, true);
    marked_disk_uefi: marker(Firmware::Uefi, true);
    unmarked_disk_bios: marker(Firmware::Bios, false);
    serial_keys_bios: keys(Firmware::Bios, false);
    serial_keys_uefi: keys(Firmware::Uefi, false);
    keyboard_bios: keys(Firmware::Bios, true);
}
