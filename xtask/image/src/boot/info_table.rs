//! What a BIOS boot image knows of its own place: the boot info table that
//! mkisofs introduced (its manual, `-boot-info-table`), and GRUB 2's 64-bit
//! address at byte 2548 (GRUB's `grub-core/boot/i386/pc/cdboot.S`).

use hadris_iso_raw::BootInfoTable;

/// The table's offset in the boot image.
const TABLE: usize = 8;
/// Where the checksum begins.
const SUMMED: usize = 64;
/// Where GRUB keeps its own address, in blocks of 512 bytes.
const GRUB_ADDRESS: usize = 2548;

/// What a boot image's table says, held against the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InfoTable {
    /// There is none.
    Absent,
    /// It is right; whether GRUB's address is there, and right, too.
    Right { grub: bool },
    /// It is there and wrong in this field.
    Wrong(&'static str),
}

/// Checks the table in a boot image that lies at `lba`.
pub(crate) fn check_info_table(image: &[u8], lba: u64) -> InfoTable {
    let Some(table) = image.get(TABLE..TABLE + 16) else {
        return InfoTable::Absent;
    };
    let table: BootInfoTable = bytemuck::pod_read_unaligned(table);
    // Code may stand where the table would: a descriptor at 16 and a length
    // that fits mark a table, and damage to any one field does not hide it.
    let signs = [
        table.pvd_lba.get() == 16,
        u64::from(table.file_lba.get()) == lba,
        u64::from(table.file_len.get()) == image.len() as u64,
    ];
    let sum = BootInfoTable::word_sum(0, image.get(SUMMED..).unwrap_or(&[]));
    match signs {
        [true, true, true] if table.checksum.get() != sum => InfoTable::Wrong("checksum"),
        [true, true, true] => InfoTable::Right {
            grub: grub_address(image) == Some(lba * 4 + 5),
        },
        [false, true, true] => InfoTable::Wrong("address of the volume descriptor"),
        [true, false, true] => InfoTable::Wrong("address of the boot image"),
        [true, true, false] => InfoTable::Wrong("length of the boot image"),
        _ => InfoTable::Absent,
    }
}

fn grub_address(image: &[u8]) -> Option<u64> {
    let field = image.get(GRUB_ADDRESS..GRUB_ADDRESS + 8)?;
    Some(u64::from_le_bytes(field.try_into().ok()?))
}
