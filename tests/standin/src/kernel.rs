//! The kernel of a Debian package, and the modules that reach a boot medium.
//!
//! A package that was unpacked but not installed has no `modules.dep`; what a module
//! needs stands in the module itself, in the strings of its section `.modinfo`
//! (`depends=a,b`; see the kernel's include/linux/module.h).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::program::{constant_shell, run, words};

/// Modules that reach an optical drive on AHCI, a USB stick or a virtio disk, and read
/// ISO 9660. Few, because GRUB reads them by slow calls of the firmware. What Debian
/// builds into its kernel is not among the package's modules and is left out.
const WANTED: &[&str] = &[
    "ahci",
    "sr_mod",
    "sd_mod",
    "xhci-pci",
    "usb-storage",
    "virtio_pci",
    "virtio_blk",
    "isofs",
    "nls_utf8",
];

/// What a live system needs besides: its layers, and sticks that speak UAS.
const WANTED_LIVE: &[&str] = &["uas", "loop", "squashfs", "overlay"];

/// A kernel and where its modules are.
pub(crate) struct Kernel {
    /// The compressed kernel image.
    pub(crate) image: PathBuf,
    modules: BTreeMap<String, PathBuf>,
}

/// A module, ready to be loaded.
pub(crate) struct Module {
    /// Its name, with underscores.
    pub(crate) name: String,
    /// The object file, not compressed.
    pub(crate) object: Vec<u8>,
}

impl Kernel {
    /// The kernel in an unpacked package.
    pub(crate) fn in_package(package: &Path) -> Result<Self> {
        let image = first(&package.join("boot"), |name| name.starts_with("vmlinuz-"))?;
        let mut modules = BTreeMap::new();
        // Systems with a merged /usr keep them in usr/lib.
        for folder in ["lib/modules", "usr/lib/modules"] {
            collect(&package.join(folder), &mut modules)?;
        }
        if modules.is_empty() {
            bail!("the kernel package in {} has no modules", package.display());
        }
        Ok(Self { image, modules })
    }

    /// The wanted modules and what they need, each after what it needs.
    pub(crate) fn boot_modules(&self, live: bool) -> Result<Vec<Module>> {
        let mut order = Vec::new();
        let more: &[&str] = if live { WANTED_LIVE } else { &[] };
        for name in WANTED.iter().chain(more) {
            self.add(&plain(name), &mut order)?;
        }
        Ok(order)
    }

    fn add(&self, name: &str, order: &mut Vec<Module>) -> Result<()> {
        let Some(path) = self.modules.get(name) else {
            return Ok(());
        };
        if order.iter().any(|module| module.name == name) {
            return Ok(());
        }
        let object = object(path)?;
        for need in depends(&object) {
            self.add(&plain(&need), order)?;
        }
        order.push(Module {
            name: name.to_owned(),
            object,
        });
        Ok(())
    }
}

/// What a module's object file says it depends on.
fn depends(object: &[u8]) -> Vec<String> {
    let key = b"\0depends=";
    let Some(at) = object.windows(key.len()).position(|window| window == key) else {
        return Vec::new();
    };
    let rest = object.get(at + key.len()..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == 0).unwrap_or(0);
    let list = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A module's object file; newer kernels ship it compressed.
fn object(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_some_and(|ending| ending == "xz") {
        let unpacked = tempfile::tempdir().context("making a folder for a module")?;
        let copy = unpacked.path().join("module.xz");
        fs::copy(path, &copy).with_context(|| format!("copying {}", path.display()))?;
        run(
            &constant_shell()?,
            &format!("unpacking the module {}", path.display()),
            "xz",
            &words!["--decompress", copy.display()],
        )?;
        return fs::read(unpacked.path().join("module")).context("reading an unpacked module");
    }
    fs::read(path).with_context(|| format!("reading the module {}", path.display()))
}

/// The name that the kernel knows a module by.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

fn collect(folder: &Path, into: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("listing {}", folder.display()))?;
        let (path, file) = (entry.path(), entry.file_name());
        let name = file.to_string_lossy();
        if entry.file_type()?.is_dir() {
            collect(&path, into)?;
        } else if let Some(name) = name
            .strip_suffix(".xz")
            .unwrap_or(&name)
            .strip_suffix(".ko")
        {
            into.insert(plain(name), path);
        }
    }
    Ok(())
}

/// The first file in `folder`, by name, that fits.
fn first(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let listing = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in listing {
        names.push(
            entry
                .with_context(|| format!("listing {}", folder.display()))?
                .file_name(),
        );
    }
    names.sort();
    names
        .into_iter()
        .find(|name| fits(&name.to_string_lossy()))
        .map(|name| folder.join(name))
        .with_context(|| format!("no kernel image lies in {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modules_needs_are_read_from_its_strings() {
        assert_eq!(
            depends(b"\x7fELF\0license=GPL\0depends=cdrom,scsi_mod\0name=x\0"),
            ["cdrom", "scsi_mod"]
        );
        assert!(depends(b"license=GPL\0depends=\0name=x\0").is_empty());
        assert!(depends(b"license=GPL\0name=x\0").is_empty());
        assert!(depends(b"\0depends=never-ending").is_empty());
        assert!(depends(b"").is_empty());
    }

    #[test]
    fn modules_come_after_what_they_need() {
        let package = tempfile::tempdir().unwrap();
        let folder = package.path().join("lib/modules/1/kernel");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(package.path().join("boot")).unwrap();
        fs::write(package.path().join("boot/vmlinuz-1"), b"kernel").unwrap();
        for (name, needs) in [
            ("sr_mod", "cdrom,scsi_mod"),
            ("cdrom", ""),
            ("scsi_mod", "scsi-common"),
            ("scsi-common", ""),
        ] {
            fs::write(
                folder.join(format!("{name}.ko")),
                format!("\0depends={needs}\0"),
            )
            .unwrap();
        }
        let kernel = Kernel::in_package(package.path()).unwrap();
        let names: Vec<_> = kernel
            .boot_modules(false)
            .unwrap()
            .into_iter()
            .map(|module| module.name)
            .collect();
        assert_eq!(names, ["cdrom", "scsi_common", "scsi_mod", "sr_mod"]);
    }
}
