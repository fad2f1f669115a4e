//! A tree that looks like a computer's sysfs and procfs. It proves what is made of what the
//! kernel shows, not that a kernel shows it so: the real ones are in `tests/real`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use lab_stick::Host;

/// Where a USB stick hangs.
pub(crate) const USB: &str = "pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/host6/target6:0:0/6:0:0:0";
/// Where a built-in disk hangs.
pub(crate) const SATA: &str = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0";
/// Where a memory card hangs.
pub(crate) const MMC: &str = "pci0000:00/0000:00:1a.0/mmc_host/mmc0/mmc0:aaaa";

pub(crate) struct Tree {
    dir: tempfile::TempDir,
    mounts: String,
    swaps: String,
}

impl Tree {
    /// A computer with its system on `sda2`, its EFI partition on `sda1`, and no stick.
    pub(crate) fn new() -> Self {
        let mut tree = Self::bare();
        tree.disk("sda", "8:0", SATA, 250_000_000_000);
        tree.partition("sda", "sda1", "8:1");
        tree.partition("sda", "sda2", "8:2");
        tree.mount("8:2", "/", "ext4", "/dev/sda2", "rw");
        tree.mount("8:1", "/boot/efi", "vfat", "/dev/sda1", "rw");
        tree
    }

    /// A computer with nothing.
    pub(crate) fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in [
            "sys/block",
            "sys/class/block",
            "sys/dev/block",
            "proc/self",
            "run/udev/data",
            "dev",
        ] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let mut tree = Self {
            dir,
            mounts: String::new(),
            swaps: "Filename Type Size Used Priority\n".to_owned(),
        };
        tree.mount("0:21", "/proc", "proc", "proc", "rw");
        tree
    }

    /// And a stick, `sdb` with one partition.
    pub(crate) fn with_stick() -> Self {
        let mut tree = Self::new();
        tree.stick("sdb", "8:16", "4C530001");
        tree
    }

    pub(crate) fn stick(&mut self, name: &str, number: &str, serial: &str) {
        let bus = USB.replace("1-1", &format!("1-{}", number.replace(':', "")));
        self.disk(name, number, &bus, 16_000_000_000);
        self.attribute(name, "removable", "1");
        self.attribute(name, "device/vendor", "SanDisk ");
        self.attribute(name, "device/model", "Ultra           ");
        let usb = bus
            .split_once(":1.0")
            .unwrap()
            .0
            .rsplit_once('/')
            .unwrap()
            .0;
        let usb = self.root().join("sys/devices").join(usb);
        fs::write(usb.join("idVendor"), "0781\n").unwrap();
        fs::write(usb.join("serial"), format!("{serial}\n")).unwrap();
        let part = number.replace(":16", ":17").replace(":32", ":33");
        self.partition(name, &format!("{name}1"), &part);
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn host(&self) -> Host {
        fs::write(self.root().join("proc/self/mountinfo"), &self.mounts).unwrap();
        fs::write(self.root().join("proc/swaps"), &self.swaps).unwrap();
        Host::at(self.root())
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.root().join("sys/class/block").join(name)).unwrap()
    }

    pub(crate) fn disk(&mut self, name: &str, number: &str, bus: &str, size: u64) {
        let folder = self
            .root()
            .join("sys/devices")
            .join(bus)
            .join("block")
            .join(name);
        self.register(&folder, name, number);
        symlink(&folder, self.root().join("sys/block").join(name)).unwrap();
        for (attribute, value) in [
            ("removable", "0"),
            ("ro", "0"),
            ("diskseq", "7"),
            ("queue/logical_block_size", "512"),
        ] {
            self.attribute(name, attribute, value);
        }
        self.attribute(name, "size", &(size / 512).to_string());
        fs::write(self.root().join("dev").join(name), "").unwrap();
    }

    pub(crate) fn partition(&mut self, disk: &str, name: &str, number: &str) {
        let folder = self.folder(disk).join(name);
        self.register(&folder, name, number);
        self.attribute(name, "partition", "1");
        self.attribute(name, "size", "2048");
    }

    /// A device of device-mapper (or the like) over others.
    pub(crate) fn mapped(&mut self, name: &str, number: &str, label: &str, slaves: &[&str]) {
        self.disk(name, number, "virtual", 1_000_000_000);
        self.attribute(name, "dm/name", label);
        for slave in slaves {
            let (above, below) = (self.folder(name), self.folder(slave));
            for folder in [above.join("slaves"), below.join("holders")] {
                fs::create_dir_all(folder).unwrap();
            }
            symlink(&below, above.join("slaves").join(slave)).unwrap();
            symlink(&above, below.join("holders").join(name)).unwrap();
        }
    }

    fn register(&self, folder: &Path, name: &str, number: &str) {
        fs::create_dir_all(folder.join("queue")).unwrap();
        fs::write(folder.join("dev"), format!("{number}\n")).unwrap();
        symlink(folder, self.root().join("sys/class/block").join(name)).unwrap();
        symlink(folder, self.root().join("sys/dev/block").join(number)).unwrap();
    }

    pub(crate) fn attribute(&self, name: &str, attribute: &str, value: &str) {
        let path = self.folder(name).join(attribute);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{value}\n")).unwrap();
    }

    pub(crate) fn mount(
        &mut self,
        number: &str,
        point: &str,
        kind: &str,
        source: &str,
        options: &str,
    ) {
        self.mounts +=
            &format!("30 1 {number} / {point} rw shared:1 - {kind} {source} {options}\n");
    }

    pub(crate) fn swap(&mut self, path: &str) {
        self.swaps += &format!("{path} partition 1 0 -2\n");
    }
}
