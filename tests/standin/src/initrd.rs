//! The initrd: busybox, the modules that reach a medium, and a script that says what
//! it found.
//!
//! The archive is a cpio in the format "newc", which the kernel unpacks
//! (Documentation/driver-api/early-userspace/buffer-format.rst). It is not compressed:
//! GRUB reads a few MB more, and no program is needed.

use std::fs;

use anyhow::{Context, Result};

use crate::kernel::Kernel;
use crate::packages::Inputs;

/// What the initrd is made of.
pub(crate) struct Contents<'a> {
    /// The kernel that will run it.
    pub(crate) kernel: &'a Kernel,
    /// Where busybox is.
    pub(crate) inputs: &'a Inputs,
    /// What tells this initrd from the other one of the image.
    pub(crate) flavour: &'a str,
    /// The identifier that casper compares with the medium's.
    pub(crate) uuid: &'a str,
    /// Whether it starts a live system.
    pub(crate) live: bool,
}

impl Contents<'_> {
    /// The archive's bytes.
    pub(crate) fn archive(&self) -> Result<Vec<u8>> {
        let busybox = self.inputs.busybox.join("bin/busybox");
        let busybox =
            fs::read(&busybox).with_context(|| format!("reading {}", busybox.display()))?;
        let mut archive = Archive::default();
        let folders = ["bin", "conf", "dev", "medium", "modules", "proc", "sys"];
        let more: &[&str] = if self.live {
            &["layers", "root", "run"]
        } else {
            &[]
        };
        for folder in folders.iter().chain(more) {
            archive.entry(folder, FOLDER, &[]);
        }
        archive.entry("bin/busybox", PROGRAM, &busybox);
        archive.entry(
            "conf/uuid.conf",
            FILE,
            format!("{}\n", self.uuid).as_bytes(),
        );
        archive.entry(
            "conf/flavour",
            FILE,
            format!("{}\n", self.flavour).as_bytes(),
        );
        let mut order = String::new();
        for module in self.kernel.boot_modules(self.live)? {
            archive.entry(&format!("modules/{}.ko", module.name), FILE, &module.object);
            order += &format!("{}\n", module.name);
        }
        archive.entry("modules/order", FILE, order.as_bytes());
        if self.live {
            archive.entry("conf/live", FILE, b"");
        }
        archive.entry("init", PROGRAM, include_bytes!("init.sh"));
        Ok(archive.finish())
    }
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

/// A cpio archive in the making.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let number = self.entries;
        self.raw(path, number, mode, content);
    }

    fn finish(mut self) -> Vec<u8> {
        self.raw("TRAILER!!!", 0, 0, &[]);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self.bytes
    }

    /// Magic, then thirteen numbers of eight hexadecimal digits: inode, mode, owner,
    /// group, links, time, length, device (two), its own device (two), length of the
    /// name with its NUL, checksum (unused); then the name and the content, each
    /// padded to four bytes.
    fn raw(&mut self, path: &str, inode: u32, mode: u32, content: &[u8]) {
        let length = content.len() as u32;
        let name = path.len() as u32 + 1;
        let mut header = String::from("070701");
        for field in [
            inode,
            mode,
            0,
            0,
            1,
            crate::EPOCH,
            length,
            0,
            0,
            0,
            0,
            name,
            0,
        ] {
            header += &format!("{field:08x}");
        }
        self.bytes.extend(header.into_bytes());
        self.bytes.extend(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_has_the_form_the_kernel_reads() {
        let mut archive = Archive::default();
        archive.entry("a", FILE, b"hello");
        let bytes = archive.finish();
        let head = b"070701\
            00000001\
            000081a4\
            00000000\
            00000000\
            00000001\
            386d4380\
            00000005\
            00000000\
            00000000\
            00000000\
            00000000\
            00000002\
            00000000\
            a\x00hello\x00\x00\x00070701";
        assert_eq!(bytes.get(..head.len()).unwrap(), head);
        assert_eq!(bytes.len() % 512, 0);
        let end = bytes.windows(11).any(|window| window == b"TRAILER!!!\0");
        assert!(end);
    }

    #[test]
    fn the_script_says_what_the_crate_promises() {
        let script = include_str!("init.sh");
        for line in [
            crate::REACHED,
            crate::COMMAND_LINE.trim_end(),
            crate::CHECK_WORD,
            crate::END,
        ] {
            assert!(script.contains(line), "{line} in init.sh");
        }
    }
}
