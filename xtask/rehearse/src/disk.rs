//! A disk of a virtual machine: what it says of itself, and the file that it lies in.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab_machine::Machine;

/// What a disk hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// AHCI.
    Sata,
    /// NVMe; QEMU's says of itself that it is `QEMU NVMe Ctrl`.
    Nvme,
}

/// Where a description says nothing.
const MODEL: &str = "LAB DISK";
const SERIAL: &str = "LAB0000001";
const SIZE_GB: u32 = 64;

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What it hangs on.
    pub bus: Bus,
    /// Its maker's name of it, at most 40 letters.
    pub model: String,
    /// Its serial number, at most 20 letters.
    pub serial: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Bytes of a sector, as it says: 512 or 4096 (NVMe alone).
    pub sector: u32,
    /// The file that holds it: made sparse where it is not there.
    pub file: PathBuf,
}

impl Disk {
    /// The disk that is described, blank.
    #[must_use]
    pub fn of(machine: &Machine, file: &Path) -> Self {
        let described = &machine.disk;
        let model = described.model.as_ref().map(ToString::to_string);
        let serial = described.serial.as_ref().map(ToString::to_string);
        Self {
            bus: Bus::Sata,
            model: model.unwrap_or_else(|| MODEL.to_owned()),
            serial: serial.unwrap_or_else(|| SERIAL.to_owned()),
            bytes: u64::from(described.size_gb.unwrap_or(SIZE_GB)) * 1_000_000_000 / 4096 * 4096,
            sector: 512,
            file: file.to_owned(),
        }
    }

    /// Makes the file where it is not there: it takes no room before it is written.
    pub(crate) fn ready(&self) -> Result<()> {
        if self.file.exists() {
            return Ok(());
        }
        File::create(&self.file)
            .and_then(|file| file.set_len(self.bytes))
            .with_context(|| format!("making the disk {}", self.file.display()))
    }

    /// QEMU's arguments for it, as the disk of this number; the stick is started first.
    pub(crate) fn arguments(&self, number: usize) -> Vec<String> {
        let id = format!("disk{number}");
        let file = comma(&self.file.to_string_lossy());
        let drive = format!("if=none,id={id},format=raw,discard=unmap,cache=unsafe,file={file}");
        let (model, serial) = (comma(&self.model), comma(&self.serial));
        let boot = number + 1;
        let mut all = vec!["-drive".to_owned(), drive];
        let mut device = |text: String| all.extend(["-device".to_owned(), text]);
        match self.bus {
            Bus::Sata => device(format!(
                "ide-hd,drive={id},bus=ide.{number},model={model},serial={serial},bootindex={boot}"
            )),
            Bus::Nvme => {
                device(format!(
                    "nvme,id=nvme{number},serial={serial},bootindex={boot}"
                ));
                device(format!(
                    "nvme-ns,drive={id},bus=nvme{number},logical_block_size={0},physical_block_size={0}",
                    self.sector
                ));
            }
        }
        all
    }
}

/// A value as QEMU's options take it: a comma is doubled.
pub(crate) fn comma(text: &str) -> String {
    text.replace(',', ",,")
}
