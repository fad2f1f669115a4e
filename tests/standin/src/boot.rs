//! What the two firmwares start: GRUB's image for BIOS, the EFI system partition.
//!
//! UEFI: shim looks for `grubx64.efi` beside itself. Debian's `gcdx64.efi.signed` is
//! the GRUB that Debian signs for optical media, as the file of that name is Ubuntu's.
//! A small configuration inside it looks for the medium by `/.disk/info` and then
//! reads `($root)/boot/grub/grub.cfg`; the prefix `/EFI/debian` stands only in the
//! GRUB for installed systems, so no forwarding file is needed. Of the whole disk and
//! partition 1, both of which hold the file, GRUB takes the one it tries first.
//!
//! BIOS: the image is `cdboot.img` and a core that finds its modules and its menu in
//! `/boot/grub` of the device it was read from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::packages::Inputs;
use crate::program::{Workplace, words};

/// GRUB's modules and images for BIOS.
pub(crate) const GRUB_BIOS: &str = "/usr/lib/grub/i386-pc";

/// The names in `/EFI/boot`, and the files that they are.
pub(crate) fn efi_programs(inputs: &Inputs) -> [(&'static str, PathBuf); 3] {
    [
        (
            "bootx64.efi",
            inputs.shim.join("usr/lib/shim/shimx64.efi.signed"),
        ),
        (
            "grubx64.efi",
            inputs
                .grub
                .join("usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed"),
        ),
        (
            "mmx64.efi",
            inputs.shim_helpers.join("usr/lib/shim/mmx64.efi.signed"),
        ),
    ]
}

/// Links the BIOS boot image and returns its bytes.
pub(crate) fn eltorito(work: &Workplace) -> Result<Vec<u8>> {
    let image = work.file("eltorito.img");
    work.run(
        "linking GRUB's boot image for BIOS",
        "grub-mkimage",
        &words![
            "--directory",
            GRUB_BIOS,
            "--format",
            "i386-pc-eltorito",
            "--prefix",
            "/boot/grub",
            "--output",
            image.display(),
            "biosdisk",
            "iso9660",
        ],
    )?;
    fs::read(&image).with_context(|| format!("reading {}", image.display()))
}

/// Makes the EFI system partition and returns its path.
pub(crate) fn system_partition(inputs: &Inputs, work: &Workplace) -> Result<PathBuf> {
    let programs = efi_programs(inputs);
    let image = work.file("efi.img");
    let sectors = partition_sectors(&programs)?;
    let doing = "making the EFI system partition";
    work.run(
        doing,
        "mformat",
        &words![
            "-i",
            image.display(),
            "-C",
            "-T",
            sectors,
            "-h",
            2,
            "-s",
            32,
            "-N",
            "0x5ab00d15",
            "::"
        ],
    )?;
    work.run(
        doing,
        "mmd",
        &words!["-i", image.display(), "::/EFI", "::/EFI/boot"],
    )?;
    for (name, file) in &programs {
        work.run(
            doing,
            "mcopy",
            &words![
                "-i",
                image.display(),
                file.display(),
                format!("::/EFI/boot/{name}")
            ],
        )?;
    }
    Ok(image)
}

/// The partition's length in sectors of 512 bytes: the programs and 128 KiB for the
/// file system, in whole tracks of 32 sectors.
fn partition_sectors(programs: &[(&str, PathBuf)]) -> Result<u64> {
    let mut bytes = 128 * 1024;
    for (_, file) in programs {
        bytes += length(file)?.next_multiple_of(4096);
    }
    Ok(bytes.next_multiple_of(64 * 512) / 512)
}

fn length(file: &Path) -> Result<u64> {
    let about = fs::metadata(file).with_context(|| format!("looking at {}", file.display()))?;
    Ok(about.len())
}
