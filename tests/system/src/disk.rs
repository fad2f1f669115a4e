//! Disks of other systems, made without mounting and without root.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::programs::{find, run};

const MIB: u64 = 1 << 20;

/// Where the partition begins, and how long it and the disk are.
const START: u64 = MIB;
const PARTITION: u64 = 62 * MIB;
const DISK: u64 = 64 * MIB;

/// Makes `image`: a raw disk of 64 MiB with nothing on it.
///
/// # Errors
///
/// When it cannot be written.
pub fn blank_disk(image: &Path) -> Result<()> {
    fs::File::create(image)
        .and_then(|disk| disk.set_len(DISK))
        .with_context(|| format!("making {}", image.display()))
}

/// Makes `image`: a raw disk of 64 MiB with a GPT and one partition, an ext4 that holds
/// `files` (path without leading slash, bytes), as a /boot of its own would.
///
/// Needs `sfdisk` (Debian package fdisk) and `mke2fs` (e2fsprogs).
///
/// # Errors
///
/// When a program is missing or fails, or the files do not fit.
pub fn disk_with_boot_partition(files: &[(&str, &[u8])], image: &Path) -> Result<()> {
    let work = tempfile::tempdir().context("making a folder for a disk's files")?;
    for (path, bytes) in files {
        let target = work.path().join(path);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        fs::write(&target, bytes).with_context(|| format!("writing {}", target.display()))?;
    }
    blank_disk(image)?;
    partition(image)?;
    let (from, to) = (work.path().to_str(), image.to_str());
    let (Some(from), Some(to)) = (from, to) else {
        bail!("the path {} is no UTF-8", image.display());
    };
    let offset = format!("offset={START}");
    let blocks = format!("{}k", PARTITION / 1024);
    run(
        "mke2fs",
        &[
            "-q", "-F", "-t", "ext4", "-L", "boot", "-d", from, "-E", &offset, to, &blocks,
        ],
    )?;
    Ok(())
}

fn partition(image: &Path) -> Result<()> {
    let program = find("sfdisk").context("sfdisk is missing: install the Debian package fdisk")?;
    let mut sfdisk = Command::new(program)
        .args(["--quiet", "--no-reread", "--no-tell-kernel"])
        .arg(image)
        .stdin(Stdio::piped())
        .spawn()
        .context("starting sfdisk")?;
    let script = format!(
        "label: gpt\nstart={}, size={}, type=L\n",
        START / 512,
        PARTITION / 512
    );
    let mut input = sfdisk.stdin.take().context("sfdisk's standard input")?;
    input
        .write_all(script.as_bytes())
        .context("telling sfdisk the partitions")?;
    drop(input);
    let status = sfdisk.wait().context("waiting for sfdisk")?;
    if !status.success() {
        bail!("sfdisk on {} ended with {status}", image.display());
    }
    Ok(())
}
