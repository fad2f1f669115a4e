//! A small base image in the exact layout of the Ubuntu 24.04 live-server image.
//!
//! Ubuntu's own image is 3.9 GB and cannot always be had. This crate makes, from
//! Debian packages and with Debian's programs, an image of some 50 MB that a
//! firmware, GRUB, a partitioning tool and an ISO 9660 reader cannot tell from it:
//! the MBR of GRUB, a protective MBR over a GPT with three partitions (the ISO 9660
//! file system, the appended EFI system partition, a gap of 300 KiB), an El Torito
//! catalog with a BIOS entry (boot information table, GRUB2 boot information) and a
//! UEFI entry that points into the appended partition, Rock Ridge, Joliet where
//! wanted, and, by xorriso's `-partition_offset 16`, **two directory trees**: one
//! whose blocks count from the start of the disk, one whose blocks count from the
//! start of partition 1.
//!
//! # What the stand-in does not prove
//!
//! - Its kernel is Debian's, its shim and GRUB are Debian's and signed by Debian;
//!   Ubuntu's may read the same menu differently and are signed by another key.
//! - Without [`Options::live`] it has no installer and no live system: the initrd says what
//!   it found, and powers off. `casper/*.squashfs` holds pseudo-random bytes where a size
//!   is asked for; there is no file system in it.
//! - With it the live system is Debian's, and so is what is installed: not Ubuntu's
//!   packages, nor casper, snapd or subiquity. The program given as the installer is started
//!   after cloud-init, as theirs is. The kernel is in the layer already and is not taken
//!   from the image's pool.
//! - The menu, `.disk/` and `casper/` are written from a description of Ubuntu's,
//!   not copied from one; a detail that nobody wrote down is not in them.
//! - Whatever firmware does with it in an emulator, a real machine may do otherwise.
//!
//! # Reproducible
//!
//! The same packages, programs and [`Options`] give the same bytes: no step reads
//! the clock, and the order of files on the image is the order of their names. A
//! digest over everything that goes in is kept beside the image; where it is still
//! the same, [`build`] returns at once.

mod boot;
mod contents;
mod fill;
mod initrd;
mod iso;
mod kernel;
pub mod live;
mod menu;
mod packages;
mod program;
mod record;
mod requirements;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use requirements::{Need, Requirement, live_requirements, missing, requirements};

/// The volume identifier, as Ubuntu writes it for this release.
pub const VOLUME_ID: &str = "Ubuntu-Server 24.04.5 LTS amd64";

/// What `/.disk/info` of the stand-in says: Ubuntu's form, and marked.
pub const DISK_INFO: &str =
    "Ubuntu-Server 24.04.5 LTS \"Noble Numbat\" - Release amd64 (20000101 stand-in)";

/// The line the initrd prints first, on the first serial port and on the screen.
pub const REACHED: &str = "LAB-STANDIN initrd reached";

/// What stands before the kernel's command line in the initrd's second line.
pub const COMMAND_LINE: &str = "LAB-STANDIN cmdline: ";

/// The kernel word that makes the initrd check `md5sum.txt` of every tree.
pub const CHECK_WORD: &str = "standin.check";

/// The last line the initrd prints before it powers the machine off.
pub const END: &str = "LAB-STANDIN end";

/// The moment that every date on the image shows, in seconds since 1970: 2000-01-01.
pub const EPOCH: u32 = 946_684_800;

/// Which stand-in is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Carry Joliet trees beside the Rock Ridge ones.
    pub joliet: bool,
    /// Carry the second kernel and its menu entry, as 24.04.4 does and 24.04.1 does not.
    pub hwe: bool,
    /// How many bytes of pseudo-random data stand where the squashfs files do, for
    /// images of a real one's size: at most 12 GiB, in four files below 4 GiB each.
    pub fill: u64,
    /// Carry `/casper/oversize.squashfs`, 4 GiB and 64 KiB long, which ISO 9660 can
    /// only hold in more than one extent. Needs about 4.1 GB of disk.
    pub oversize: bool,
    /// Carry a live system in which this is started; `fill` counts for nothing then.
    pub live: Option<Live>,
}

/// What the live system of a stand-in is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The program that stands for the installer: `/usr/bin/lab-installer`, started as root
    /// on the first console after cloud-init. It needs no library but the C library.
    pub installer: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            joliet: true,
            hwe: true,
            fill: 0,
            oversize: false,
            live: None,
        }
    }
}

/// A stand-in that stands on disk.
#[derive(Clone, Debug)]
pub struct Standin {
    /// Where it is: what [`build`] was given as `out`.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// The SHA-256 of the whole file, in hexadecimal.
    pub sha256: String,
    /// It was there already, made by the same recipe, and was not touched.
    pub reused: bool,
}

/// Makes the stand-in at `out`, or finds it there made by the same recipe.
///
/// Debian packages are got by `apt-get download` into `cache_dir` and unpacked there,
/// never installed; a package that is in the cache is not asked for again. Needs no
/// root and mounts nothing. `out` appears under its name only when it is complete.
///
/// # Errors
///
/// When programs or files that [`requirements`] names are missing (all of them are
/// named at once), when a package cannot be got, or when a program fails; its last
/// words are in the error.
pub fn build(options: &Options, cache_dir: &Path, out: &Path) -> Result<Standin> {
    requirements::demand(options.live.is_some())?;
    fs::create_dir_all(cache_dir)
        .with_context(|| format!("making the cache folder {}", cache_dir.display()))?;
    let _alone = record::lock(cache_dir)?;
    let mut inputs = packages::Inputs::fetch(cache_dir)?;
    let work = program::Workplace::beside(out)?;
    let live = live_base(options, cache_dir)?;
    if let Some((base, _)) = &live {
        // The stick's GRUB reads the installed one's menu, and so is of the same release: an
        // older one takes `fwsetup --is-supported` of Debian 13's for `fwsetup`.
        for part in [
            &mut inputs.kernel,
            &mut inputs.shim,
            &mut inputs.shim_helpers,
            &mut inputs.grub,
        ] {
            *part = base.kernel();
        }
    }
    let live = live.as_ref().map(|(base, live)| (base, *live));
    let tree = contents::tree(options, &inputs, &work, live)?;
    let esp = boot::system_partition(&inputs, &work)?;
    let recipe = record::recipe(options, &tree, &esp, &work)?;
    if let Some(standing) = record::standing(&recipe, out) {
        return Ok(standing);
    }
    let root = work.path().join("root");
    tree.stage(&root)?;
    let image = iso::write(options, &tree, &esp, &root, &work)?;
    record::keep(&recipe, &image, out)
}

/// The live system's lowest layer, where one is wanted.
fn live_base<'a>(options: &'a Options, cache_dir: &Path) -> Result<Option<(live::Base, &'a Live)>> {
    match &options.live {
        Some(wanted) => Ok(Some((live::Base::ready(cache_dir)?, wanted))),
        None => Ok(None),
    }
}
