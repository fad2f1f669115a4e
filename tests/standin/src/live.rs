//! A live system for the stand-in: real layers where filler lies otherwise.
//!
//! The lowest layer is Debian 13, made by mmdebstrap from the mirror that apt uses here: what
//! an installed machine has, with a kernel. It is kept in the cache under a digest of its
//! recipe, because making it takes minutes. The layers above it hold what is Ubuntu's own,
//! what the installer needs, and a mark.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::Live;
use crate::contents::LAYERS;
use crate::program::{Workplace, constant_shell, run, words};
use crate::tree::{Source, Tree};

/// Raise it when a hook changes and the lists do not show it.
const RECIPE: &str = "live recipe 4";

/// Debian 13.
pub const SUITE: &str = "trixie";

/// What an installed server has before the lab comes, as Debian packages; the containers of
/// `tests/container` have it too.
pub const SERVER: &[&str] = &[
    "ca-certificates",
    "cloud-init",
    "curl",
    "dbus",
    "gnupg",
    "iproute2",
    "kmod",
    "netplan.io",
    "nftables",
    "openssh-server",
    "pciutils",
    "procps",
    "python3-apt",
    "sudo",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "unattended-upgrades",
];

/// What installs a server and starts it.
const STARTED: &[&str] = &[
    // A kernel, and how it finds its root.
    "cryptsetup-initramfs",
    "initramfs-tools",
    "linux-image-amd64",
    "lvm2",
    // How it is started.
    "efibootmgr",
    "grub-efi-amd64-bin",
    "grub-efi-amd64-signed",
    "grub-pc-bin",
    "grub2-common",
    "shim-signed",
    // What an installer calls.
    "dosfstools",
    "e2fsprogs",
    "fdisk",
    "gdisk",
    "locales",
    "parted",
    "tzdata",
    "udev",
];

/// What nobody reads in a test makes up a third of a system.
pub const READING_MATTER: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
];

/// Modules for what no virtual machine has.
const LEFT_OUT: &[&str] = &[
    "path-exclude=/usr/lib/modules/*/kernel/sound/*",
    "path-exclude=/usr/lib/modules/*/kernel/drivers/gpu/*",
    "path-exclude=/usr/lib/modules/*/kernel/drivers/iio/*",
    "path-exclude=/usr/lib/modules/*/kernel/drivers/infiniband/*",
    "path-exclude=/usr/lib/modules/*/kernel/drivers/isdn/*",
    "path-exclude=/usr/lib/modules/*/kernel/drivers/media/*",
    "path-exclude=/usr/lib/modules/*/kernel/drivers/net/wireless/*",
    "path-exclude=/usr/lib/modules/*/kernel/drivers/staging/*",
    "path-exclude=/usr/lib/modules/*/kernel/drivers/net/ethernet/*",
    "path-include=/usr/lib/modules/*/kernel/drivers/net/ethernet/intel/*",
];

fn packages() -> Vec<&'static str> {
    SERVER.iter().chain(STARTED).copied().collect()
}

/// What finds a virtual machine's root. All modules that might find one somewhere would make
/// an initial RAM disk ten times as large, which an emulated processor packs and unpacks.
const BOOT_MODULES: &str =
    "ahci sd_mod nvme virtio_blk virtio_pci ext4 dm_mod dm_crypt xts aesni_intel";

/// The kernel of the list, under the name that Ubuntu's installer asks for.
const KERNEL_PACKAGE: &str = "Package: linux-generic\nVersion: 6.8.0-0\nArchitecture: all\n\
    Maintainer: stand-in <nobody@example.invalid>\nDepends: linux-image-amd64\n\
    Description: a stand-in for Ubuntu's package that depends on its kernel\n";

/// zstd's third level: it is unpacked by an emulated processor.
const COMPRESSION: &[&str] = &["-comp", "zstd", "-Xcompression-level", "3"];

/// The lowest layer, in the cache.
pub(crate) struct Base {
    folder: PathBuf,
}

impl Base {
    /// The one in the cache, else a new one.
    pub(crate) fn ready(cache_dir: &Path) -> Result<Self> {
        let recipe = format!(
            "{RECIPE}\n{:?}\n{READING_MATTER:?}{LEFT_OUT:?}\n{BOOT_MODULES}\n{KERNEL_PACKAGE}\n{COMPRESSION:?}",
            packages()
        );
        let digest = hex::encode(Sha256::digest(recipe));
        let short = digest.get(..16).unwrap_or(&digest);
        let folder = cache_dir.join(format!("live-{short}"));
        if !folder.is_dir() {
            make(cache_dir, &folder).context("making the live system of the stand-in")?;
        }
        Ok(Self { folder })
    }

    /// The kernel with its modules, and what starts it on UEFI, as unpacked packages have
    /// them.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.folder.join("kernel")
    }

    /// Puts the layers into the tree of the image.
    pub(crate) fn layers(&self, live: &Live, work: &Workplace, tree: &mut Tree) -> Result<()> {
        let staged = [
            ("server", server(work)?),
            ("installer", installer(live, work)?),
            ("generic", generic(work)?),
        ];
        let mut files = vec![self.folder.join("layer.squashfs")];
        for (name, folder) in staged {
            let file = work.file(&format!("{name}.squashfs"));
            squash(work, &folder, &file)?;
            files.push(file);
        }
        let manifest = fs::read_to_string(self.folder.join("manifest"))
            .context("reading the list of the layer's packages")?;
        for (layer, file) in LAYERS.iter().zip(files) {
            let size = fs::metadata(&file)
                .with_context(|| format!("looking at {}", file.display()))?
                .len();
            tree.add(format!("casper/{layer}.squashfs"), Source::File(file));
            tree.text(format!("casper/{layer}.size"), format!("{size}\n"));
            tree.text(format!("casper/{layer}.manifest"), manifest.clone());
        }
        Ok(())
    }
}

/// Makes the layer; `target` appears only when all of it is there.
fn make(cache_dir: &Path, target: &Path) -> Result<()> {
    let work = tempfile::Builder::new()
        .prefix(".live-")
        .tempdir_in(cache_dir)
        .with_context(|| format!("making a folder for work in {}", cache_dir.display()))?;
    let place = |name: &str| work.path().join(name);
    let package = kernel_package(work.path())?;
    let root = place("root.tar");
    let shell = constant_shell()?;
    let mut arguments: Vec<String> = words!["--quiet", "--variant=apt"].into();
    arguments.push(format!("--include={}", packages().join(",")));
    arguments.push("--aptopt=APT::Install-Recommends \"false\"".to_owned());
    arguments.extend(
        READING_MATTER
            .iter()
            .map(|what| format!("--dpkgopt=path-exclude={what}")),
    );
    arguments.extend(LEFT_OUT.iter().map(|what| format!("--dpkgopt={what}")));
    for hook in [
        format!("copy-in {} /var/tmp", package.display()),
        "chroot \"$1\" dpkg --install /var/tmp/linux-generic.deb".to_owned(),
        "rm \"$1\"/var/tmp/linux-generic.deb".to_owned(),
        format!("printf '%s\\n' {BOOT_MODULES} >>\"$1\"/etc/initramfs-tools/modules"),
        "sed -i 's/^MODULES=.*/MODULES=list/' \"$1\"/etc/initramfs-tools/initramfs.conf".to_owned(),
        "chroot \"$1\" update-initramfs -u -k all".to_owned(),
        "rm -f \"$1\"/etc/ssh/ssh_host_*".to_owned(),
        "mkdir \"$1\"/cdrom".to_owned(),
        format!(
            "chroot \"$1\" dpkg-query -W -f '${{Package}}\\t${{Version}}\\n' >'{}'",
            place("manifest").display()
        ),
    ] {
        arguments.push(format!("--customize-hook={hook}"));
    }
    arguments.push(SUITE.to_owned());
    arguments.push(root.display().to_string());
    arguments.extend(mirror()?);
    run(&shell, "making a Debian system", "mmdebstrap", &arguments)?;
    fs::create_dir(place("kernel")).context("making a folder for the kernel")?;
    run(
        &shell,
        "taking the kernel and its loaders out of the system",
        "tar",
        &words![
            "--extract",
            format!("--file={}", root.display()),
            format!("--directory={}", place("kernel").display()),
            "--wildcards",
            "./boot/vmlinuz-*",
            "./usr/lib/modules/*",
            "./usr/lib/shim/*",
            "./usr/lib/grub/x86_64-efi-signed/*",
        ],
    )?;
    let layer = place("layer.squashfs");
    run(
        &shell,
        "packing the system",
        "sh",
        &words![
            "-c",
            format!(
                "exec mksquashfs - \"$1\" -tar -no-progress -quiet {} <\"$0\"",
                COMPRESSION.join(" ")
            ),
            root.display(),
            layer.display(),
        ],
    )?;
    fs::remove_file(&root).context("removing what was packed")?;
    fs::rename(work.keep(), target)
        .with_context(|| format!("moving the live system to {}", target.display()))
}

/// The mirror of Debian that apt uses here. Where there is none, as on Ubuntu, mmdebstrap takes
/// Debian's own.
///
/// # Errors
///
/// When apt cannot be asked.
pub fn mirror() -> Result<Option<String>> {
    let list = run(
        &constant_shell()?,
        "asking apt for its mirror",
        "apt-get",
        &words!["indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"],
    )?;
    let mirror = list
        .lines()
        .find_map(|line| line.strip_prefix("Debian|Debian|"));
    Ok(mirror.map(str::to_owned))
}

/// The package that depends on the kernel.
fn kernel_package(work: &Path) -> Result<PathBuf> {
    let folder = work.join("linux-generic");
    let control = folder.join("DEBIAN/control");
    write(&control, KERNEL_PACKAGE)?;
    let package = work.join("linux-generic.deb");
    run(
        &constant_shell()?,
        "making the package linux-generic",
        "dpkg-deb",
        &words![
            "--root-owner-group",
            "--build",
            folder.display(),
            package.display()
        ],
    )?;
    Ok(package)
}

/// What is Ubuntu's own.
fn server(work: &Workplace) -> Result<PathBuf> {
    let folder = work.file("server");
    write(&folder.join("usr/lib/os-release"), OS_RELEASE)?;
    Ok(folder)
}

const OS_RELEASE: &str = "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n\
    VERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\nVERSION=\"24.04.5 LTS (Noble Numbat)\"\n\
    PRETTY_NAME=\"Ubuntu 24.04.5 LTS\"\n";

/// The installer and its unit; no login but its own, no SSH, no waiting for a network that
/// may not be there.
fn installer(live: &Live, work: &Workplace) -> Result<PathBuf> {
    let folder = work.file("installer");
    let program = folder.join("usr/bin/lab-installer");
    write(&program, "")?;
    fs::copy(&live.installer, &program)
        .with_context(|| format!("copying {}", live.installer.display()))?;
    let units = folder.join("etc/systemd/system");
    write(&units.join("lab-installer.service"), UNIT)?;
    link(
        "../lab-installer.service",
        &units.join("cloud-init.target.wants/lab-installer.service"),
    )?;
    for name in MASKED {
        link("/dev/null", &units.join(name))?;
    }
    write(&folder.join("etc/hostname"), "ubuntu-server\n")?;
    write(
        &folder.join("etc/cloud/cloud.cfg.d/90-live.cfg"),
        "datasource_list: [NoCloud, None]\n",
    )?;
    Ok(folder)
}

const MASKED: &[&str] = &[
    "getty@tty1.service",
    "ssh.service",
    "ssh.socket",
    "systemd-networkd-wait-online.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "unattended-upgrades.service",
];

const UNIT: &str = "[Unit]\nDescription=Stand-in for Ubuntu's installer\nAfter=cloud-final.service\n\n\
    [Service]\nExecStart=/usr/bin/lab-installer\nStandardInput=tty-force\nTTYPath=/dev/tty1\n\
    StandardOutput=journal+console\nStandardError=journal+console\n";

fn generic(work: &Workplace) -> Result<PathBuf> {
    let folder = work.file("generic");
    write(&folder.join("usr/share/lab-standin/flavour"), "generic\n")?;
    Ok(folder)
}

fn squash(work: &Workplace, folder: &Path, to: &Path) -> Result<()> {
    let mut arguments: Vec<String> = words![folder.display(), to.display()].into();
    arguments.extend(words!["-no-progress", "-quiet", "-all-root", "-noappend"]);
    arguments.extend(COMPRESSION.iter().map(ToString::to_string));
    work.run("packing a layer", "mksquashfs", &arguments)?;
    Ok(())
}

fn write(place: &Path, text: &str) -> Result<()> {
    let folder = place.parent().context("a file without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(place, text).with_context(|| format!("writing {}", place.display()))
}

fn link(target: &str, place: &Path) -> Result<()> {
    let folder = place.parent().context("a link without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    std::os::unix::fs::symlink(target, place)
        .with_context(|| format!("making the link {}", place.display()))
}
