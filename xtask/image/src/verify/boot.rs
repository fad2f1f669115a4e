//! Partition tables and boot catalog, held against each other.

use std::io::{Read, Seek};

use super::Finding;
use crate::boot::{BLOCK, BootEntry, Gpt, GptPartition, InfoTable, MbrEntry, check_info_table};
use crate::{Image, SECTOR};

/// Where GRUB's hybrid MBR keeps the place of its next stage (GRUB's
/// `include/grub/i386/pc/boot.h`, GRUB_BOOT_MACHINE_KERNEL_SECTOR is 0x5c for
/// disks; xorriso's `--grub2-mbr` writes 0x1b0, in blocks of 512 bytes).
const GRUB_MBR_ADDRESS: u64 = 0x1B0;
/// The longest BIOS boot image that is read to check its table, in bytes.
const MAX_BOOT_IMAGE: u64 = 16 << 20;

pub(super) fn check<R: Read + Seek>(image: &mut Image<R>, findings: &mut Vec<Finding>) {
    findings.push(mbr(image));
    findings.extend(gpt(image));
    findings.push(catalog(image));
    findings.push(esp(image));
    let bios = bios_image(image);
    findings.push(info_table(image, bios.as_ref()));
    findings.push(grub_mbr(image, bios.as_ref()));
}

fn mbr<R: Read + Seek>(image: &Image<R>) -> Finding {
    const ID: &str = "mbr";
    const WHAT: &str = "the MBR's partitions lie in the image";
    let Some(mbr) = &image.mbr else {
        return Finding::not_run(ID, WHAT, "there is no MBR");
    };
    let beyond = mbr
        .entries
        .iter()
        .find(|entry| entry.end_bytes() > image.len());
    if let Some(entry) = beyond {
        let wrong = format!(
            "partition {} ends at block {}, the image at block {}",
            entry.slot + 1,
            entry.start + entry.count,
            image.len() / BLOCK
        );
        return Finding::of(ID, WHAT, Err(wrong));
    }
    let told = mbr.entries.iter().map(|entry| {
        format!(
            "{} type {:02x}{} from block {} for {}",
            entry.slot + 1,
            entry.kind,
            if entry.active { " active" } else { "" },
            entry.start,
            entry.count
        )
    });
    let told: Vec<String> = told.collect();
    let protective = mbr.entries.iter().find(|entry| entry.is_protective());
    if let Some(entry) = protective
        && image.gpt.is_some()
        && entry.end_bytes() + BLOCK <= image.len()
    {
        let wrong = format!(
            "the protective partition ends at block {}, the image at block {}",
            entry.start + entry.count,
            image.len() / BLOCK
        );
        return Finding::of(ID, WHAT, Err(wrong));
    }
    Finding::of(ID, WHAT, Ok(told.join(", ")))
}

fn gpt<R: Read + Seek>(image: &Image<R>) -> Vec<Finding> {
    const COPIES: &str = "both copies of the GPT are whole and equal";
    const BOUNDS: &str = "the GPT's partitions lie in its bounds and do not overlap";
    let Some(copies) = &image.gpt else {
        let why = "there is no GPT";
        return vec![
            Finding::not_run("gpt-copies", COPIES, why),
            Finding::not_run("gpt-bounds", BOUNDS, why),
        ];
    };
    let seen = match (&copies.primary, &copies.backup) {
        (Err(error), _) | (_, Err(error)) => Err(format!("{error:#}")),
        (Ok(first), Ok(second)) if !first.same_array(second) => {
            Err("their partition arrays differ".into())
        }
        (Ok(first), Ok(second)) if second.alternate != first.block => Err(format!(
            "the backup names block {} as the primary, not {}",
            second.alternate, first.block
        )),
        (Ok(first), Ok(second)) if (second.block + 1) * BLOCK != image.len() => Err(format!(
            "the backup is at block {}, but the image ends at block {}: a disk's firmware looks \
             for it in the last one (the primary is at {})",
            second.block,
            image.len() / BLOCK,
            first.block
        )),
        (Ok(first), Ok(second)) => Ok(format!(
            "at the blocks {} and {}",
            first.block, second.block
        )),
    };
    let bounds = match image.gpt() {
        Ok(Some(table)) => Finding::of("gpt-bounds", BOUNDS, gpt_bounds(&table)),
        _ => Finding::not_run("gpt-bounds", BOUNDS, "neither copy can be read"),
    };
    vec![Finding::of("gpt-copies", COPIES, seen), bounds]
}

fn gpt_bounds(table: &Gpt) -> Result<String, String> {
    let mut parts: Vec<&GptPartition> = table.partitions.iter().collect();
    parts.sort_by_key(|part| part.first);
    let mut last: Option<&GptPartition> = None;
    for part in &parts {
        if part.first < table.first_usable
            || part.last > table.last_usable
            || part.last < part.first
        {
            return Err(format!(
                "partition {} is at the blocks {} to {}, usable are {} to {}",
                part.number, part.first, part.last, table.first_usable, table.last_usable
            ));
        }
        if let Some(before) = last.replace(part)
            && before.last >= part.first
        {
            return Err(format!(
                "the partitions {} and {} overlap at block {}",
                before.number, part.number, part.first
            ));
        }
    }
    let told = parts.iter().map(|part| {
        format!(
            "{} {:?} {}-{}",
            part.number, part.name, part.first, part.last
        )
    });
    Ok(told.collect::<Vec<_>>().join(", "))
}

fn catalog<R: Read + Seek>(image: &Image<R>) -> Finding {
    const ID: &str = "el-torito";
    const WHAT: &str = "the boot catalog's images lie in the image";
    let Some(catalog) = &image.catalog else {
        return Finding::not_run(ID, WHAT, "there is no boot catalog");
    };
    let beyond = catalog
        .entries
        .iter()
        .find(|entry| entry.bootable && entry.lba * SECTOR + entry.len().max(1) > image.len());
    let seen = match beyond {
        Some(entry) => Err(format!(
            "the {} image at sector {} goes beyond the image's end",
            platform(entry),
            entry.lba
        )),
        None => {
            let told = catalog.entries.iter().map(|entry| {
                format!(
                    "{} at sector {} ({} blocks)",
                    platform(entry),
                    entry.lba,
                    entry.blocks
                )
            });
            Ok(told.collect::<Vec<_>>().join(", "))
        }
    };
    Finding::of(ID, WHAT, seen)
}

fn platform(entry: &BootEntry) -> &'static str {
    match entry.platform {
        0 => "BIOS",
        0xEF => "UEFI",
        1 => "PowerPC",
        2 => "Mac",
        _ => "unknown",
    }
}

/// UEFI takes the boot image from the catalog on a CD and the ESP from the GPT
/// on a disk: both must be one FAT file system where there is an appended ESP.
fn esp<R: Read + Seek>(image: &mut Image<R>) -> Finding {
    const ID: &str = "esp";
    const WHAT: &str = "UEFI finds the same EFI system partition on CD and on disk";
    let on_cd = image.boot_entries().iter().find(|entry| entry.is_uefi());
    let Some(on_cd) = on_cd.cloned() else {
        return Finding::not_run(ID, WHAT, "the boot catalog has no UEFI entry");
    };
    let start = on_cd.lba * SECTOR;
    let sector = image.source.sector(on_cd.lba, "the EFI system partition");
    let seen = match sector {
        Err(error) => Err(format!("{error:#}")),
        Ok(sector) if sector.get(510..512) != Some(&[0x55, 0xAA]) => Err(format!(
            "sector {} does not begin a FAT file system",
            on_cd.lba
        )),
        Ok(_) => same_on_disk(image, start, on_cd.lba),
    };
    Finding::of(ID, WHAT, seen)
}

fn same_on_disk<R: Read + Seek>(image: &Image<R>, start: u64, lba: u64) -> Result<String, String> {
    let in_gpt = image.gpt().ok().flatten().map(|table| table.partitions);
    let in_gpt: Vec<u64> = in_gpt
        .unwrap_or_default()
        .iter()
        .filter(|part| part.is_esp())
        .map(GptPartition::start_bytes)
        .collect();
    let entries = image.mbr.iter().flat_map(|mbr| &mbr.entries);
    let in_mbr = entries
        .filter(|entry| entry.kind == 0xEF)
        .map(MbrEntry::start_bytes);
    let on_disk: Vec<u64> = in_gpt.into_iter().chain(in_mbr).collect();
    match on_disk.as_slice() {
        [] => Ok(format!("at sector {lba}; no partition table names one")),
        all if all.contains(&start) => Ok(format!("at sector {lba}")),
        all => Err(format!(
            "the boot catalog has it at sector {lba}, the partition table at byte {all:?}"
        )),
    }
}

/// The BIOS boot image that is loaded without emulation, if it is a file.
fn bios_image<R: Read + Seek>(image: &mut Image<R>) -> Option<(u64, Vec<u8>)> {
    let entry = image
        .boot_entries()
        .iter()
        .find(|entry| entry.platform == 0 && entry.emulation == 0)?
        .clone();
    let files = image.trees.first()?.files();
    let file = files.iter().find(|file| {
        file.extents
            .first()
            .is_some_and(|e| e.lba == entry.lba && e.len > 0)
    })?;
    if file.size > MAX_BOOT_IMAGE {
        return None;
    }
    let mut bytes = Vec::new();
    let extents = file.extents.clone();
    let read = image.stream(&extents, &mut |chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    });
    read.ok()?;
    Some((entry.lba, bytes))
}

fn info_table<R>(image: &Image<R>, bios: Option<&(u64, Vec<u8>)>) -> Finding {
    const ID: &str = "boot-info-table";
    const WHAT: &str = "the BIOS boot image knows its own place";
    let _ = image;
    let Some((lba, bytes)) = bios else {
        return Finding::not_run(ID, WHAT, "no BIOS boot image without emulation is a file");
    };
    match check_info_table(bytes, *lba) {
        InfoTable::Absent => Finding::not_run(ID, WHAT, "it has no boot info table"),
        InfoTable::Right { grub: true } => Finding::of(
            ID,
            WHAT,
            Ok(format!(
                "boot info table and GRUB's address agree with sector {lba}"
            )),
        ),
        InfoTable::Right { grub: false } => Finding::of(
            ID,
            WHAT,
            Ok(format!("the boot info table agrees with sector {lba}")),
        ),
        InfoTable::Wrong(field) => {
            let wrong = format!("the {field} in the boot info table at sector {lba} is wrong");
            Finding::of(ID, WHAT, Err(wrong))
        }
    }
}

fn grub_mbr<R: Read + Seek>(image: &mut Image<R>, bios: Option<&(u64, Vec<u8>)>) -> Finding {
    const ID: &str = "grub-mbr";
    const WHAT: &str = "GRUB's MBR knows the place of its next stage";
    let Some((lba, bytes)) = bios else {
        return Finding::not_run(ID, WHAT, "no BIOS boot image without emulation is a file");
    };
    if check_info_table(bytes, *lba) != (InfoTable::Right { grub: true }) {
        return Finding::not_run(ID, WHAT, "the BIOS boot image is not GRUB's");
    }
    let Ok(field) = image.source.read(GRUB_MBR_ADDRESS, 8, "the MBR") else {
        return Finding::not_run(ID, WHAT, "the MBR cannot be read");
    };
    let told = field
        .iter()
        .rev()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    match told {
        0 => Finding::not_run(ID, WHAT, "the MBR is not GRUB's"),
        told if told == lba * 4 + 4 => Finding::of(ID, WHAT, Ok(format!("at block {told}"))),
        told => {
            let wrong = format!(
                "it names block {told}, the boot image begins at {}",
                lba * 4
            );
            Finding::of(ID, WHAT, Err(wrong))
        }
    }
}
