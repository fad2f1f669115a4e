//! A machine made of files: what the guard reads below `--root`, with stand-ins
//! for the programs that would ask the kernel. What reads a disk's content
//! (blkid, wipefs, dd) is the real thing on files.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const UDEVADM: &str = "#!/bin/sh\nfor a in \"$@\"; do case $a in --name=*) n=${a#--name=/dev/};; esac; done\nexec cat \"$LAB_BENCH/udev/$n\"\n";
const MOUNT: &str = "#!/bin/sh\ncase \" $* \" in *' ro,noload,'*) ;; *) exit 99 ;; esac\nwhile [ $# -gt 2 ]; do shift; done\n\
[ ! -e \"$1.broken\" ] || exit 32\n[ ! -d \"$1.files\" ] || cp -R \"$1.files/.\" \"$2/\"\n";
const UMOUNT: &str = "#!/bin/sh\nrm -rf \"${1:?}\"/*\n";

pub struct Bench {
    dir: TempDir,
    shell: Vec<String>,
}

impl Bench {
    /// The Z440 as it was described, started from a stick, its disk blank.
    pub fn z440(conf: &str, shell: &str) -> Self {
        let bench = Self {
            dir: tempfile::tempdir().unwrap(),
            shell: shell.split(' ').map(str::to_owned).collect(),
        };
        let templates = super::workspace().join("templates/lab");
        for name in ["guard", "facts.sh", "lay-down"] {
            bench.put(
                &format!("lab/{name}"),
                &fs::read_to_string(templates.join(name)).unwrap(),
            );
        }
        bench.put("lab/guard.conf", conf);
        for (name, text) in [("udevadm", UDEVADM), ("mount", MOUNT), ("umount", UMOUNT)] {
            bench.program(name, text);
        }
        bench.sys("class/dmi/id/sys_vendor", "Hewlett-Packard\n");
        bench.sys("class/dmi/id/product_name", "HP Z440 Workstation\n");
        bench.folder("sys/firmware/efi");
        bench.folder("run");
        bench.root(
            "proc/meminfo",
            "MemTotal:       32791312 kB\nMemFree: 1 kB\n",
        );
        bench.cmdline("BOOT_IMAGE=/casper/vmlinuz autoinstall subiquity.autoinstallpath=/cdrom/autoinstall.yaml lab.machine=gpu-server ---");
        for (slot, id) in [
            ("0000:01:00.0", "1d01"),
            ("0000:02:00.0", "13ba"),
            ("0000:03:00.0", "1c82"),
        ] {
            bench.card(slot, "10de", id);
        }
        bench.disk(
            "sda",
            488_397_168,
            "8:0",
            "Samsung_SSD_870_EVO_250GB",
            "S5STNF0R123456A",
        );
        bench.disk("sdb", 30_031_872, "8:16", "Flash_Disk", "0123456789");
        bench.partition("sdb", "sdb1", "8:17");
        bench.mounted("8:17", "/dev/sdb1", "/cdrom");
        bench
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn folder(&self, path: &str) {
        fs::create_dir_all(self.path("root").join(path)).unwrap();
    }

    pub fn put(&self, path: &str, text: &str) {
        let place = self.path(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }

    pub fn root(&self, path: &str, text: &str) {
        self.put(&format!("root/{path}"), text);
    }

    pub fn sys(&self, path: &str, text: &str) {
        self.root(&format!("sys/{path}"), text);
    }

    pub fn remove(&self, path: &str) {
        let place = self.path(path);
        if place.is_dir() {
            fs::remove_dir_all(place).unwrap();
        } else {
            fs::remove_file(place).unwrap();
        }
    }

    pub fn program(&self, name: &str, text: &str) {
        self.put(&format!("bin/{name}"), text);
        fs::set_permissions(
            self.path("bin").join(name),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
    }

    pub fn cmdline(&self, text: &str) {
        self.root("proc/cmdline", &format!("{text}\n"));
    }

    pub fn reinstall(&self, name: &str) {
        self.cmdline(&format!(
            "autoinstall lab.machine=gpu-server lab.reinstall={name} ---"
        ));
    }

    pub fn card(&self, slot: &str, vendor: &str, device: &str) {
        for (file, text) in [
            ("vendor", format!("0x{vendor}\n")),
            ("device", format!("0x{device}\n")),
            ("class", "0x030000\n".to_owned()),
        ] {
            self.sys(&format!("bus/pci/devices/{slot}/{file}"), &text);
        }
    }

    /// A disk; its content is a blank file of 1 MiB.
    pub fn disk(&self, name: &str, sectors: u64, number: &str, model: &str, serial: &str) {
        self.sys(&format!("block/{name}/size"), &format!("{sectors}\n"));
        self.sys(&format!("block/{name}/ro"), "0\n");
        self.sys(&format!("block/{name}/dev"), &format!("{number}\n"));
        self.udev(name, &format!("DEVNAME=/dev/{name}\nID_MODEL={model}\nID_SERIAL={model}_{serial}\nID_SERIAL_SHORT={serial}\n"));
        self.blank(name);
    }

    pub fn udev(&self, name: &str, text: &str) {
        self.put(&format!("udev/{name}"), text);
    }

    pub fn blank(&self, name: &str) {
        self.root(&format!("dev/{name}"), "");
        fs::File::options()
            .write(true)
            .open(self.path("root/dev").join(name))
            .unwrap()
            .set_len(1 << 20)
            .unwrap();
    }

    pub fn partition(&self, disk: &str, name: &str, number: &str) {
        self.sys(&format!("block/{disk}/{name}/partition"), "1\n");
        self.sys(&format!("block/{disk}/{name}/dev"), &format!("{number}\n"));
        self.blank(name);
    }

    pub fn mounted(&self, number: &str, source: &str, point: &str) {
        self.root("proc/self/mountinfo", &format!("21 1 0:20 / /sys rw - sysfs sysfs rw\n30 1 {number} / {point} ro,relatime shared:9 - iso9660 {source} ro\n"));
        self.root(
            "proc/mounts",
            &format!("sysfs /sys sysfs rw 0 0\n{source} {point} iso9660 ro 0 0\n"),
        );
    }

    /// Makes a filesystem on a disk or partition, with the real program.
    pub fn ext4(&self, name: &str) {
        self.blank(name);
        super::succeed(
            Command::new("mkfs.ext4")
                .args(["-q", "-F", "-b", "1024", "-O", "^has_journal"])
                .arg(self.path("root/dev").join(name)),
        );
    }

    pub fn on(&self, name: &str, file: &str) {
        self.root(&format!("dev/{name}.files/{file}"), "x\n");
    }

    pub fn run(&self, word: &str) -> Output {
        self.run_in(
            word,
            &format!(
                "{}:{}",
                self.path("bin").display(),
                std::env::var("PATH").unwrap()
            ),
        )
    }

    pub fn run_in(&self, word: &str, path: &str) -> Output {
        let (shell, rest) = self.shell.split_first().unwrap();
        let shell = which(shell);
        let mut command = Command::new(shell);
        command
            .args(rest)
            .arg(self.path("lab/guard"))
            .arg("--root")
            .arg(self.path("root"))
            .arg(word);
        command
            .env("PATH", path)
            .env("LAB_BENCH", self.dir.path())
            .output()
            .unwrap()
    }

    pub fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.path("root/dev").join(name)).unwrap_or_default()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

fn which(program: &str) -> PathBuf {
    let paths = std::env::var("PATH").unwrap();
    paths
        .split(':')
        .map(|dir| Path::new(dir).join(program))
        .find(|path| path.exists())
        .unwrap()
}
