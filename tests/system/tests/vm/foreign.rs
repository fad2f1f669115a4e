//! Images that others made, with files composed onto them.
//!
//! Each is laid out in another way than Ubuntu's. What is judged: GRUB's rescue image must
//! print a file of ours when its command line is asked to; iPXE's image (isolinux, an
//! isohybrid MBR) must say a sentence from a configuration of ours and start iPXE;
//! Memtest86+ (a floppy emulated from the disc) must show its screen, which proves only
//! that the boot record still leads to it.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use lab_tests::{Added, Firmware, Guest, Machine, Medium, composed, guest_programs, have, scratch};

use crate::{BOOT, boots};

const GRUB_RESCUE: (&str, &str) = (
    "/usr/lib/grub-rescue/grub-rescue-cdrom.iso",
    "grub-rescue-pc",
);
const IPXE: (&str, &str) = ("/usr/lib/ipxe/ipxe.iso", "ipxe");
const MEMTEST: (&str, &str) = ("/usr/lib/memtest86+/memtest86+x64.iso", "memtest86+");

/// What stands in the file that GRUB and isolinux are to print.
const SENTENCE: &str = "kestrel 0417 was here";

/// Composes onto a packaged image and starts a machine with the outcome.
fn start(
    test: &str,
    base: (&str, &str),
    added: Added,
    (firmware, medium): (Firmware, Medium),
) -> Result<Option<(Guest, PathBuf)>> {
    if !have(test, &[base]) || !guest_programs(test, firmware) {
        return Ok(None);
    }
    let image = scratch("foreign")?.join(format!("{test}.iso"));
    composed(Path::new(base.0), added, &image)?;
    let guest = Machine::new(firmware).boot(medium, &image).start()?;
    Ok(Some((guest, image)))
}

fn grub_rescue(test: &str, medium: Medium) -> Result<()> {
    let padding = vec![b'.'; 3 << 20];
    let added: Added = &[
        ("lab/deep/hi", SENTENCE.as_bytes()),
        ("lab/padding", &padding),
    ];
    let Some((mut guest, _)) = start(test, GRUB_RESCUE, added, (Firmware::Bios, medium))? else {
        return Ok(());
    };
    guest.wait_for("GNU GRUB", BOOT)?;
    guest.wait_for("executed automatically", BOOT)?;
    guest.type_keys("c")?;
    guest.wait_for("grub>", BOOT)?;
    // On a stick this image takes its first partition for its root, which holds no file
    // system of GRUB's: the whole disk is found by the file itself.
    guest.type_keys("search --file --set=root /lab/deep/hi\r")?;
    guest.type_keys("cat /lab/deep/hi\r")?;
    guest.wait_for(SENTENCE, BOOT)?;
    Ok(())
}

fn ipxe(test: &str, way: (Firmware, Medium)) -> Result<()> {
    let menu = format!("SAY {SENTENCE}\nDEFAULT ipxe\nTIMEOUT 10\nLABEL ipxe\n KERNEL ipxe.krn\n");
    let added: Added = &[
        ("isolinux.cfg", menu.as_bytes()),
        ("lab/hello.txt", SENTENCE.as_bytes()),
    ];
    let Some((guest, _)) = start(test, IPXE, added, way)? else {
        return Ok(());
    };
    if way.0 == Firmware::Bios {
        guest.wait_for(SENTENCE, BOOT)?;
    }
    guest.wait_for("Press Ctrl-B for the iPXE command line", BOOT)?;
    Ok(())
}

fn memtest(test: &str, medium: Medium) -> Result<()> {
    let added: Added = &[("lab/hello.txt", SENTENCE.as_bytes())];
    let Some((mut guest, _)) = start(test, MEMTEST, added, (Firmware::Bios, medium))? else {
        return Ok(());
    };
    let screen = guest.wait_for_screen("Memory  :", BOOT)?;
    ensure!(
        screen.contains("Memtest86+ v"),
        "an unexpected screen:\n{screen}"
    );
    Ok(())
}

boots! {
    grub_rescue_bios_cd: grub_rescue(Medium::Cd);
    grub_rescue_bios_usb: grub_rescue(Medium::Usb);
    ipxe_bios_cd: ipxe((Firmware::Bios, Medium::Cd));
    ipxe_bios_usb: ipxe((Firmware::Bios, Medium::Usb));
    ipxe_uefi_cd: ipxe((Firmware::Uefi, Medium::Cd));
    memtest_bios_cd: memtest(Medium::Cd);
}
