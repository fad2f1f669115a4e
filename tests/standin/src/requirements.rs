//! The outside programs and files that the stand-in is made with.

use std::env;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};

/// Something that must be on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A program, found by its name on `PATH` or in the folders of root's programs.
    Program(&'static str),
    /// A file, by its absolute path.
    File(&'static str),
}

impl Need {
    /// Whether it is there.
    #[must_use]
    pub fn is_met(&self) -> bool {
        match self {
            Self::Program(name) => is_program(name),
            Self::File(path) => Path::new(path).is_file(),
        }
    }

    /// The program's name or the file's path.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Program(name) | Self::File(name) => name,
        }
    }
}

/// One thing that [`crate::build`] needs, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Requirement {
    /// The program or file.
    pub need: Need,
    /// The Debian package that carries it.
    pub package: &'static str,
    /// What it is used for.
    pub why: &'static str,
}

const REQUIREMENTS: &[Requirement] = &[
    program("xorriso", "xorriso", "writes the image"),
    program(
        "grub-mkimage",
        "grub-common",
        "links GRUB's core image for BIOS",
    ),
    file(
        "/usr/lib/grub/i386-pc/boot_hybrid.img",
        "grub-pc-bin",
        "the code in the MBR",
    ),
    file(
        "/usr/lib/grub/i386-pc/cdboot.img",
        "grub-pc-bin",
        "the first sector of the BIOS boot image",
    ),
    file(
        "/usr/share/grub/unicode.pf2",
        "grub-common",
        "the font that the menu loads",
    ),
    program(
        "mformat",
        "mtools",
        "makes the FAT file system of the EFI partition",
    ),
    program("mcopy", "mtools", "fills the EFI partition"),
    program(
        "apt-get",
        "apt",
        "gets the kernel, shim, GRUB and busybox as packages",
    ),
    program(
        "apt-cache",
        "apt",
        "says which package holds the current kernel",
    ),
    program("xz", "xz-utils", "unpacks the modules of newer kernels"),
    program(
        "dpkg-deb",
        "dpkg",
        "unpacks packages without installing them",
    ),
];

/// What a live stand-in needs besides.
const LIVE: &[Requirement] = &[
    program("mmdebstrap", "mmdebstrap", "makes the live system"),
    program("mksquashfs", "squashfs-tools", "packs the layers"),
    program("tar", "tar", "takes the kernel out of the live system"),
];

const fn program(name: &'static str, package: &'static str, why: &'static str) -> Requirement {
    Requirement {
        need: Need::Program(name),
        package,
        why,
    }
}

const fn file(path: &'static str, package: &'static str, why: &'static str) -> Requirement {
    Requirement {
        need: Need::File(path),
        package,
        why,
    }
}

/// What [`crate::build`] needs besides for a live system.
#[must_use]
pub fn live_requirements() -> &'static [Requirement] {
    LIVE
}

/// Everything that [`crate::build`] needs on this machine, for an image without one.
#[must_use]
pub fn requirements() -> &'static [Requirement] {
    REQUIREMENTS
}

/// Those of [`requirements`] that are not on this machine.
#[must_use]
pub fn missing() -> Vec<&'static Requirement> {
    REQUIREMENTS
        .iter()
        .filter(|wanted| !wanted.need.is_met())
        .collect()
}

pub(crate) fn demand(live: bool) -> Result<()> {
    let mut missing = missing();
    if live {
        missing.extend(LIVE.iter().filter(|wanted| !wanted.need.is_met()));
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!("{}", complaint(&missing));
}

fn complaint(missing: &[&Requirement]) -> String {
    let mut text = String::from("making the stand-in image needs what is not on this machine:\n");
    for wanted in missing {
        let _ = writeln!(
            text,
            "  {} ({}), from the Debian package {}",
            wanted.need.name(),
            wanted.why,
            wanted.package
        );
    }
    let mut packages: Vec<_> = missing.iter().map(|wanted| wanted.package).collect();
    packages.sort_unstable();
    packages.dedup();
    let _ = write!(
        text,
        "install them with: apt-get install {}",
        packages.join(" ")
    );
    text
}

fn is_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_missing_is_named_at_once_with_its_package() {
        let text = complaint(&REQUIREMENTS.iter().collect::<Vec<_>>());
        for wanted in REQUIREMENTS {
            assert!(
                text.contains(wanted.need.name()),
                "{} in {text}",
                wanted.need.name()
            );
            assert!(
                text.contains(wanted.package),
                "{} in {text}",
                wanted.package
            );
        }
        assert_eq!(text.lines().count(), REQUIREMENTS.len() + 2);
        let last = text.lines().last().unwrap_or_default();
        assert_eq!(last.matches("grub-common").count(), 1, "{last}");
    }

    #[test]
    fn what_is_not_there_is_not_met() {
        assert!(!Need::Program("no-such-program-anywhere").is_met());
        assert!(!Need::File("/no/such/file").is_met());
        assert!(!Need::File("/").is_met());
    }
}
