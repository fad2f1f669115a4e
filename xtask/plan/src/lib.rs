//! A machine as what is installed on it: files, units, the installer's file, and
//! the image's menu.
//!
//! Two trees come out of a [`Machine`](lab_machine::Machine): the [`overlay`]
//! that lands on the installed system (with the units that
//! make it work there), and the [`image_tree`] of everything that
//! stands on the image, which carries the overlay along. [`lint`] goes the other
//! way: it reads what stands on an image and says whether it is safe. Nothing in
//! here touches a disk, a network or a clock.

pub mod autoinstall;
mod base;
mod bundle;
mod cloud;
mod component;
mod container;
mod drift;
mod guard;
mod image;
pub mod lint;
mod locked;
mod manifest;
mod menu;
mod payload;
mod placed;
mod secrets;
mod source;
mod template;
mod tree;
mod unit;
mod wanted;

pub use base::BaseFacts;
pub use bundle::bundle;
pub use cloud::{Cloud, cloud, seed};
pub use component::{Overlay, Subject, overlay};
pub use drift::{Difference, Drift, Part, drift, survey};
pub use image::{Enclosed, image_tree};
pub use lint::{Finding, LintReport, Status, lint};
pub use locked::{digest_file, fixed};
pub use manifest::{Carried, CarriedFile, FORMAT as MANIFEST_FORMAT, Manifest};
pub use payload::{Payload, PayloadFile};
pub use placed::{Placed, PlacedFile, PlacedImage, PlacedModel, placed};
pub use secrets::{HostKey, Secrets};
pub use tree::{File, ImageFiles, Landing, TargetTree};
pub use unit::{LaidUnit, Package};
pub use wanted::wanted;

/// Debian packages whose programs this crate's tests hold its files against.
/// Without one of them the test reads `NOT RUN`.
pub const TEST_PACKAGES: &[(&str, &str)] = &[
    ("shellcheck", "shellcheck"),
    ("dash", "dash"),
    ("busybox", "busybox"),
    ("visudo", "sudo"),
    ("grub-script-check", "grub-common"),
    ("systemd-analyze", "systemd"),
    ("netplan", "netplan.io"),
    ("sshd", "openssh-server"),
    ("ssh-keygen", "openssh-client"),
    ("apt-config", "apt"),
    ("wipefs", "util-linux"),
    ("mkfs.ext4", "e2fsprogs"),
    ("python3", "python3-yaml"),
    ("blkid", "util-linux"),
    ("nft", "nftables"),
    ("mcopy", "mtools"),
    ("apt-get", "apt"),
    ("apt-ftparchive", "apt-utils"),
    ("dpkg", "dpkg"),
    ("dpkg-deb", "dpkg"),
    ("gpg", "gnupg"),
    ("gpgv", "gpgv"),
    ("flock", "util-linux"),
    ("jq", "jq"),
    ("tar", "tar"),
    ("gzip", "gzip"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
];

/// Where things lie on the image, and what the menu and the installer call them.
pub mod place {
    /// The installer's file, on the image.
    pub const AUTOINSTALL: &str = "autoinstall.yaml";
    /// The installer's file for the entry that shows what a machine is.
    pub const INSPECT: &str = "lab/inspect.yaml";
    /// The installer's file for the entry that is Ubuntu's own installer.
    pub const ORDINARY: &str = "lab/ordinary.yaml";
    /// The guard.
    pub const GUARD: &str = "lab/guard";
    /// What the guard compares the machine with.
    pub const GUARD_CONF: &str = "lab/guard.conf";
    /// What the guard reads the machine with.
    pub const GUARD_FACTS: &str = "lab/facts.sh";
    /// The script of the late-commands.
    pub const LAY_DOWN: &str = "lab/lay-down";
    /// What the script of the late-commands lays down, with modes and digests.
    pub const OVERLAY_LIST: &str = "lab/overlay.list";
    /// The overlay's files, laid out as they land.
    pub const OVERLAY: &str = "lab/overlay/";
    /// What the machine needs from outside, where the image carries it.
    pub const OFFLINE: &str = "lab/offline/";
    /// Its files with modes and digests, as the script of the late-commands reads it.
    pub const OFFLINE_LIST: &str = "lab/offline.list";
    /// The file of [`OFFLINE`] that says which lock it is of.
    pub const OFFLINE_DIGEST: &str = "digest";
    /// The software bill of materials, which is not made here.
    pub const SBOM: &str = "lab/sbom.json";
    /// What goes into the marker on /boot.
    pub const MARKER: &str = "lab/marker";
    /// The list of everything that the lab put on the image.
    pub const MANIFEST: &str = "lab/manifest.json";
    /// GRUB's menu.
    pub const GRUB_CFG: &str = "boot/grub/grub.cfg";
    /// GRUB's menu where the image is booted as a file on another disk.
    pub const LOOPBACK_CFG: &str = "boot/grub/loopback.cfg";
    /// Where the installer finds the image's files.
    pub const CDROM: &str = "/cdrom/";
    /// The machine's private host key, on the machine.
    pub const HOST_KEY: &str = "etc/ssh/ssh_host_ed25519_key";
}
