//! What the live system must have, each program with its Debian package.

/// Programs that every installation runs in the live system.
pub const LIVE: &[(&str, &str)] = &[
    ("blkid", "util-linux"),
    ("chmod", "coreutils"),
    ("chroot", "coreutils"),
    ("cp", "coreutils"),
    ("fallocate", "util-linux"),
    ("journalctl", "systemd"),
    ("lsblk", "util-linux"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkswap", "util-linux"),
    ("mount", "mount"),
    ("sfdisk", "fdisk"),
    ("sync", "coreutils"),
    ("systemctl", "systemd"),
    ("timeout", "coreutils"),
    ("udevadm", "udev"),
    ("umount", "mount"),
    ("wipefs", "util-linux"),
];

/// For the layout `lvm`.
pub const LVM: &[(&str, &str)] = &[
    ("lvcreate", "lvm2"),
    ("pvcreate", "lvm2"),
    ("pvs", "lvm2"),
    ("vgchange", "lvm2"),
    ("vgcreate", "lvm2"),
];

/// For a passphrase.
pub const LUKS: &[(&str, &str)] = &[("cryptsetup", "cryptsetup-bin")];

/// On UEFI.
pub const UEFI: &[(&str, &str)] = &[("mkfs.vfat", "dosfstools")];

/// Used where they are there: a network, and what cloud-init was given.
pub const OPTIONAL: &[(&str, &str)] = &[
    ("apt-get", "apt"),
    ("cloud-init", "cloud-init"),
    ("netplan", "netplan.io"),
];

/// What the system to install must have, in its layers or in the image's pool.
pub const TARGET: &[&str] = &[
    "apt",
    "cloud-init",
    "initramfs-tools",
    "locales",
    "openssh-server",
    "passwd",
    "tzdata",
    "lvm2 (with the layout `lvm`)",
    "cryptsetup-initramfs (with a passphrase)",
    "grub-pc, or grub-pc-bin with grub2-common (on a BIOS)",
    "grub-efi-amd64-signed, shim-signed and grub2-common (on UEFI)",
    "wpasupplicant (with `wifis`)",
    "the package that `kernel.package` names, which brings /boot/vmlinuz-*",
];
