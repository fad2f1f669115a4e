//! Debian packages, got and unpacked into the cache, never installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::Shell;

use crate::program::{constant_shell, run, words};

/// Where the unpacked packages lie.
pub(crate) struct Inputs {
    /// The kernel image and its modules (`linux-image-…`).
    pub(crate) kernel: PathBuf,
    /// Shim, signed for Microsoft's key (`shim-signed`).
    pub(crate) shim: PathBuf,
    /// MOK manager, signed by Debian (`shim-helpers-amd64-signed`).
    pub(crate) shim_helpers: PathBuf,
    /// GRUB for UEFI, signed by Debian (`grub-efi-amd64-signed`).
    pub(crate) grub: PathBuf,
    /// The static busybox of the initrd (`busybox-static`).
    pub(crate) busybox: PathBuf,
    /// The memory test of the menu (`memtest86+`).
    pub(crate) memtest: PathBuf,
}

impl Inputs {
    /// Finds every package in the cache, and gets those that are not there.
    pub(crate) fn fetch(cache_dir: &Path) -> Result<Self> {
        let folder = cache_dir.join("packages");
        fs::create_dir_all(&folder)
            .with_context(|| format!("making the folder {}", folder.display()))?;
        let get = |name: &str| unpacked(name, &folder);
        Ok(Self {
            kernel: kernel(&folder)?,
            shim: get("shim-signed")?,
            shim_helpers: get("shim-helpers-amd64-signed")?,
            grub: get("grub-efi-amd64-signed")?,
            busybox: get("busybox-static")?,
            memtest: get("memtest86+")?,
        })
    }
}

/// Folders of kernel modules that no stand-in needs: most of 400 MB.
const DROPPED: &[&str] = &[
    "sound",
    "drivers/gpu",
    "drivers/media",
    "drivers/infiniband",
    "drivers/staging",
    "drivers/iio",
    "drivers/net/wireless",
    "drivers/isdn",
];

/// The kernel in the cache, else the one that `linux-image-amd64` now stands for.
fn kernel(folder: &Path) -> Result<PathBuf> {
    let standing = folder.join("linux-image");
    if standing.is_dir() {
        return Ok(standing);
    }
    let shell = constant_shell()?;
    let said = run(
        &shell,
        "asking which package is the current kernel",
        "apt-cache",
        &words!["depends", "--important", "linux-image-amd64"],
    )?;
    let name = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
        .with_context(|| {
            format!(
                "apt knows no package linux-image-amd64 that depends on a kernel (it said: {said:?}); \
                 the stand-in takes Debian's kernel: run `apt-get update` on a Debian system"
            )
        })?;
    get_into(&shell, name, &standing, DROPPED)?;
    Ok(standing)
}

/// The package `name` unpacked under `folder`.
fn unpacked(name: &str, folder: &Path) -> Result<PathBuf> {
    let standing = folder.join(name);
    if !standing.is_dir() {
        get_into(&constant_shell()?, name, &standing, &[])?;
    }
    Ok(standing)
}

/// Downloads and unpacks a package; `target` appears only when all of it is there.
fn get_into(shell: &Shell, name: &str, target: &Path, dropped: &[&str]) -> Result<()> {
    let parent = target
        .parent()
        .context("a package is unpacked into a folder of the cache")?;
    let work = tempfile::Builder::new()
        .prefix(".package-")
        .tempdir_in(parent)
        .with_context(|| format!("making a folder for work in {}", parent.display()))?;
    let inside = shell.push_dir(work.path());
    run(
        shell,
        &format!("getting the Debian package {name} (is `apt-get update` due?)"),
        "apt-get",
        &words!["--quiet", "download", name],
    )?;
    let archive = only_package(work.path())?;
    run(
        shell,
        &format!("unpacking the Debian package {name}"),
        "dpkg-deb",
        &words!["--extract", archive.display(), "tree"],
    )?;
    drop(inside);
    prune(&work.path().join("tree"), dropped)?;
    fs::rename(work.path().join("tree"), target)
        .with_context(|| format!("moving the package {name} to {}", target.display()))
}

/// Removes folders of modules from an unpacked kernel package.
fn prune(tree: &Path, dropped: &[&str]) -> Result<()> {
    let Ok(versions) = fs::read_dir(tree.join("lib/modules")) else {
        return Ok(());
    };
    for version in versions {
        let modules = version
            .context("listing kernel modules")?
            .path()
            .join("kernel");
        for folder in dropped
            .iter()
            .map(|name| modules.join(name))
            .filter(|folder| folder.is_dir())
        {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("removing {}", folder.display()))?;
        }
    }
    Ok(())
}

fn only_package(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "deb") {
            return Ok(path);
        }
    }
    bail!("apt-get download left no package in {}", folder.display());
}
