//! Trees of files that stand for a machine, for tests, and bytes that stand for nothing.

use std::fs;
use std::os::unix::fs::symlink;

use crate::root::Root;

/// A folder that stands for `/`, and is gone after the test.
pub(crate) struct Tree(tempfile::TempDir);

impl Tree {
    /// Nothing at all.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// What reads it.
    pub(crate) fn root(&self) -> Root {
        Root::new(self.0.path())
    }

    /// With a file.
    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.root().path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// With a folder.
    pub(crate) fn folder(&self, path: &str) -> &Self {
        fs::create_dir_all(self.root().path(path)).unwrap();
        self
    }

    /// With a symbolic link.
    pub(crate) fn link(&self, path: &str, to: &str) -> &Self {
        let path = self.root().path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(to, path).unwrap();
        self
    }

    /// With a file of a gigabyte of nothing.
    pub(crate) fn huge(&self, path: &str) -> &Self {
        self.file(path, "");
        let file = fs::File::options().write(true).open(self.root().path(path));
        file.unwrap().set_len(1 << 30).unwrap();
        self
    }

    /// An HP Z440 with Ubuntu 24.04 on LVM, and three cards. The values are of the right
    /// form; the file names and links are those of a kernel 6.8.
    pub(crate) fn z440() -> Self {
        let tree = Self::new();
        tree.firmware().kernel().disks().cards();
        tree
    }

    fn firmware(&self) -> &Self {
        let dmi = "/sys/class/dmi/id";
        let secure = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
        self.file(&format!("{dmi}/sys_vendor"), "Hewlett-Packard\n")
            .file(&format!("{dmi}/product_name"), "HP Z440 Workstation\n")
            .file(&format!("{dmi}/bios_version"), "M60 v02.62\n")
            .file(&format!("{dmi}/bios_date"), "02/01/2024\n")
            .file(secure, [6, 0, 0, 0, 1])
            .file("/sys/devices/system/edac/mc/mc0/ce_count", "2\n")
            .file("/sys/devices/system/edac/mc/mc0/ue_count", "0\n")
            .folder("/sys/devices/system/edac/mc/power")
    }

    fn kernel(&self) -> &Self {
        let cpu = |number| {
            format!(
                "processor\t: {number}\nmodel name\t: Intel(R) Xeon(R) CPU E5-1620 v3 @ 3.50GHz\n\n"
            )
        };
        let mounts = "22 29 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
                      29 1 252:0 / / rw,relatime shared:1 - ext4 /dev/mapper/ubuntu--vg-ubuntu--lv rw\n\
                      31 29 8:2 / /boot rw,relatime shared:2 - ext4 /dev/sda2 rw\n";
        let os = "PRETTY_NAME=\"Ubuntu 24.04.5 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nID=ubuntu\n";
        self.file("/proc/cpuinfo", (0..8).map(cpu).collect::<String>())
            .file(
                "/proc/meminfo",
                "MemTotal:       32763748 kB\nMemFree: 1 kB\n",
            )
            .file(
                "/proc/cmdline",
                "BOOT_IMAGE=/vmlinuz-6.8.0-90-generic root=/dev/mapper/ubuntu--vg-ubuntu--lv ro\n",
            )
            .file("/proc/uptime", "91234.56 700000.00\n")
            .file("/proc/sys/kernel/hostname", "gpu-server\n")
            .file("/proc/sys/kernel/osrelease", "6.8.0-90-generic\n")
            .file(
                "/proc/sys/kernel/random/boot_id",
                "f8daf30a-05ff-4a2a-9c81-0f9661564b2b\n",
            )
            .file("/proc/self/mountinfo", mounts)
            .file("/proc/net/tcp", TCP)
            .file("/proc/net/tcp6", TCP6)
            .file("/proc/net/udp", "header\n")
            .file("/etc/os-release", os)
            .link("/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin")
    }

    fn disks(&self) -> &Self {
        let sda = "/sys/devices/pci0000:00/0000:00:11.4/ata1/host0/target0:0:0/0:0:0:0/block/sda";
        let dm = "/sys/devices/virtual/block/dm-0";
        for part in ["sda1", "sda2", "sda3"] {
            let number = &part[3..];
            self.file(&format!("{sda}/{part}/partition"), number);
            self.link(
                &format!("/sys/class/block/{part}"),
                &format!("../..{}/{part}", &sda[4..]),
            );
            self.link(
                &format!("/sys/dev/block/8:{number}"),
                &format!("../..{}/{part}", &sda[4..]),
            );
        }
        let udev = "S:disk/by-id/ata-Samsung\nE:ID_MODEL=Samsung_SSD_870_EVO_250GB\n\
                    E:ID_MODEL_ENC=Samsung\\x20SSD\\x20870\\x20EVO\\x20250GB\\x20\\x20\\x20\n\
                    E:ID_SERIAL=Samsung_SSD_870_EVO_250GB_S6PENL0T123456A\n\
                    E:ID_SERIAL_SHORT=S6PENL0T123456A\n";
        self.file(&format!("{sda}/dev"), "8:0\n")
            .file(&format!("{sda}/size"), "488397168\n")
            .file(&format!("{sda}/removable"), "0\n")
            .folder(&format!("{sda}/device"))
            .file(&format!("{dm}/dev"), "252:0\n")
            .link(
                &format!("{dm}/slaves/sda3"),
                &format!("../../../..{}/sda3", &sda[12..]),
            )
            .file("/sys/devices/virtual/block/loop0/size", "8\n")
            .link("/sys/block/sda", &format!("..{}", &sda[4..]))
            .link("/sys/block/dm-0", "../devices/virtual/block/dm-0")
            .link("/sys/block/loop0", "../devices/virtual/block/loop0")
            .link("/sys/class/block/sda", &format!("../..{}", &sda[4..]))
            .link("/sys/class/block/dm-0", "../../devices/virtual/block/dm-0")
            .link("/sys/dev/block/252:0", "../../devices/virtual/block/dm-0")
            .file("/run/udev/data/b8:0", udev)
    }

    fn cards(&self) -> &Self {
        let cards = [
            ("0000:01:00.0", "0x1d01", "0x1458", "0x375c"),
            ("0000:02:00.0", "0x13ba", "0x103c", "0x1097"),
            ("0000:03:00.0", "0x1c82", "0x1043", "0x85d6"),
        ];
        for (address, device, maker, board) in cards {
            let at = |file: &str| format!("/sys/bus/pci/devices/{address}/{file}");
            self.file(&at("class"), "0x030000\n")
                .file(&at("vendor"), "0x10de\n")
                .file(&at("device"), format!("{device}\n"))
                .file(&at("subsystem_vendor"), format!("{maker}\n"))
                .file(&at("subsystem_device"), format!("{board}\n"))
                .link(&at("driver"), "../../../../bus/pci/drivers/nvidia");
        }
        self.file("/sys/bus/pci/devices/0000:00:19.0/class", "0x020000\n")
            .file("/sys/module/nvidia/version", "580.173.02\n")
            .folder("/sys/module/nvidia_uvm")
            .file("/proc/driver/nvidia/version", BANNER)
            .file("/dev/nvidia0", "")
            .file("/dev/nvidia-uvm", "")
            .folder("/dev/nvidia-caps")
    }
}

/// What the proprietary module says of itself.
pub(crate) const BANNER: &str = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.173.02  \
                                 Tue Aug  4 10:00:00 UTC 2026\nGCC version:  gcc version 13.3.0\n";

const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   997        0 4001 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4002 1 0 100 0 0 10 0
   2: 0A01A8C0:0016 1401A8C0:D2F0 01 00000000:00000000 02:00000000 00000000     0        0 4003 4 0 20 4 30 10 -1
";

const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4004 1 0 100 0 0 10 0
   1: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4005 1 0 100 0 0 10 0
";

/// Runs a reader over many texts that are broken in the same way each time: pieces of
/// `sound`, in another order, with other bytes in them, and bytes alone.
pub(crate) fn broken(sound: &str, read: impl Fn(&[u8])) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize
    };
    for round in 0..400 {
        let mut bytes = sound.as_bytes().to_vec();
        if round % 4 == 0 {
            bytes = (0..next() % 500).map(|_| next() as u8).collect();
        }
        if !bytes.is_empty() {
            let length = bytes.len();
            bytes.rotate_left(if round % 3 == 0 { next() % length } else { 0 });
            for _ in 0..next() % 12 {
                bytes[next() % length] = next() as u8;
            }
            bytes.truncate(next() % (length + 1));
        }
        read(&bytes);
    }
}
