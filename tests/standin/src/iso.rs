//! The image itself, written by xorriso with the options that Ubuntu's names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::boot::GRUB_BIOS;
use crate::program::{Workplace, words};
use crate::tree::Tree;
use crate::{Options, VOLUME_ID};

/// The GPT type of the EFI system partition, as xorriso wants it: the bytes on disk.
const ESP_TYPE: &str = "28732ac11ff8d211ba4b00a0c93ec93b";

/// The GPT type of the ISO 9660 partition (basic data), likewise.
const ISO_TYPE: &str = "a2a0d0ebe5b9334487c068b6b72699c7";

/// Writes the staged tree as an image into the workplace.
pub(crate) fn write(
    options: &Options,
    tree: &Tree,
    esp: &Path,
    root: &Path,
    work: &Workplace,
) -> Result<PathBuf> {
    let image = work.file("standin.iso");
    let weights = work.file("weights");
    fs::write(&weights, order(tree)).context("writing the order of files")?;
    let mut arguments = Vec::from(words![
        "-as",
        "mkisofs",
        "-r",
        "-V",
        VOLUME_ID,
        "-iso-level",
        3,
        "--modification-date=2000010100000000",
        "--set_all_file_dates",
        "2000010100000000",
        "--gpt_disk_guid",
        "5ab0d15c000040008000000000000002",
        "--sort-weight-list",
        weights.display(),
    ]);
    if options.joliet {
        arguments.extend(words!["-J", "-joliet-long"]);
    }
    arguments.extend(boot_options(esp));
    arguments.extend(words!["-o", image.display(), root.display()]);
    work.run("writing the stand-in image", "xorriso", &arguments)?;
    Ok(image)
}

/// MBR, GPT and El Torito, in the order in which xorriso reports them of Ubuntu's image.
fn boot_options(esp: &Path) -> Vec<String> {
    Vec::from(words![
        "--grub2-mbr",
        format!("{GRUB_BIOS}/boot_hybrid.img"),
        "--protective-msdos-label",
        "-partition_cyl_align",
        "off",
        "-partition_offset",
        16,
        "--mbr-force-bootable",
        "-append_partition",
        2,
        ESP_TYPE,
        esp.display(),
        "-appended_part_as_gpt",
        "-iso_mbr_part_type",
        ISO_TYPE,
        "-c",
        "/boot.catalog",
        "-b",
        "/boot/grub/i386-pc/eltorito.img",
        "-no-emul-boot",
        "-boot-load-size",
        4,
        "-boot-info-table",
        "--grub2-boot-info",
        "-eltorito-alt-boot",
        "-e",
        "--interval:appended_partition_2:all::",
        "-no-emul-boot",
    ])
}

/// A weight for every file, so that their order is that of their names: left alone,
/// it is that of inode numbers, which differ from run to run.
fn order(tree: &Tree) -> String {
    let files = tree.files();
    let lines = files
        .iter()
        .zip(0_i32..)
        .map(|(path, number)| format!("{} /{path}\n", 2_000_000 - number));
    lines.collect()
}
