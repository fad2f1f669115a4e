//! The outside programs that a command needs: none to build an image, some for
//! the stand-in base and for tests.

use std::path::Path;

use lab_not_run::programs::{BROWSER, CONTAINER, REMOTE, UPSTREAMS};
use lab_standin::Need;

/// One program or file, the Debian package that has it, and what needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) need: Need,
    pub(crate) package: &'static str,
    pub(crate) for_what: &'static str,
}

/// What the vm tier boots machines with.
const VM: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("sfdisk", "fdisk"),
    ("mke2fs", "e2fsprogs"),
];
/// What images are checked and compared with.
const IMAGE: &[(&str, &str)] = &[
    ("xorriso", "xorriso"),
    ("isoinfo", "genisoimage"),
    ("sgdisk", "gdisk"),
    ("mdir", "mtools"),
    ("curl", "curl"),
    ("nginx", "nginx"),
    ("gpg", "gnupg"),
];

/// What the training program is tried with; the rest of it comes by pip.
const DCGAN: &[(&str, &str)] = &[
    ("python3", "python3"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// Python's module for environments, which Debian has in a package of its own.
pub(crate) const VENV: Program = Program {
    need: Need::Program("python3"),
    package: "python3-venv",
    for_what: "test --tier dcgan",
};

/// What the tests of repositories, registries and packages use.
const SUPPLY: &[(&str, &str)] = &[
    ("apt-ftparchive", "apt-utils"),
    ("dpkg-deb", "dpkg"),
    ("docker-registry", "docker-registry"),
    ("gpg", "gnupg"),
    ("nginx", "nginx"),
    ("zstd", "zstd"),
];

/// What the tests of the USB stick use, on this computer and in a kernel of their own.
const STICK: &[(&str, &str)] = &[
    ("losetup", "mount"),
    ("dmsetup", "dmsetup"),
    ("sfdisk", "fdisk"),
    ("mkfs.ext4", "e2fsprogs"),
    ("busybox", "busybox"),
    ("qemu-system-x86_64", "qemu-system-x86"),
];

/// Everything that some command needs, by command.
pub(crate) fn all() -> Vec<Program> {
    let mut programs: Vec<Program> = lab_standin::requirements()
        .iter()
        .map(|one| Program {
            need: one.need,
            package: one.package,
            for_what: "iso --base stand-in",
        })
        .collect();
    programs.extend(lab_standin::live_requirements().iter().map(|one| Program {
        need: one.need,
        package: one.package,
        for_what: "rehearse --base stand-in",
    }));
    let tests = lab_plan::TEST_PACKAGES
        .iter()
        .map(|(program, package)| (program, package, "test --tier unit"));
    let image = IMAGE
        .iter()
        .map(|(program, package)| (program, package, "test --tier unit"));
    // Docker itself is not installed: whether a daemon shall run is for the user to say.
    let container = CONTAINER
        .iter()
        .chain(UPSTREAMS)
        .filter(|(program, _)| *program != "docker")
        .map(|(program, package)| (program, package, "test --tier container"));
    let vm = VM
        .iter()
        .map(|(program, package)| (program, package, "test --tier vm"));
    let remote = REMOTE
        .iter()
        .chain(BROWSER)
        .map(|(program, package)| (program, package, "test --tier unit"));
    let supply = SUPPLY
        .iter()
        .map(|(program, package)| (program, package, "test --tier unit"));
    let stick = STICK
        .iter()
        .map(|(program, package)| (program, package, "test --tier vm"));
    let dcgan = DCGAN
        .iter()
        .map(|(program, package)| (program, package, "test --tier dcgan"));
    let tests = tests.chain(image).chain(remote).chain(supply).chain(dcgan);
    for (program, package, for_what) in tests.chain(container).chain(vm).chain(stick) {
        programs.push(Program {
            need: Need::Program(program),
            package,
            for_what,
        });
    }
    programs.push(Program {
        need: Need::File("/usr/share/OVMF/OVMF_CODE_4M.fd"),
        package: "ovmf",
        for_what: "test --tier vm",
    });
    programs.push(Program {
        need: Need::File("/usr/lib/ipxe/qemu/efi-virtio.rom"),
        package: "ipxe-qemu",
        for_what: "test --tier vm",
    });
    programs.push(Program {
        need: Need::File("/usr/share/misc/pci.ids"),
        package: "pci.ids",
        for_what: "test --tier unit",
    });
    programs.sort_by_key(|program| program.for_what);
    let mut seen = Vec::new();
    programs.retain(|program| {
        !seen.contains(&program.need) && {
            seen.push(program.need);
            true
        }
    });
    programs
}

/// Those of `programs` that are not here.
pub(crate) fn missing(programs: &[Program]) -> Vec<Program> {
    programs
        .iter()
        .copied()
        .filter(|program| !program.need.is_met())
        .collect()
}

/// The packages of these programs, each once.
pub(crate) fn packages(programs: &[Program]) -> Vec<&'static str> {
    let mut packages: Vec<&'static str> = programs.iter().map(|program| program.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Whether this is a Debian or Ubuntu with apt, and we are root.
pub(crate) fn can_install() -> bool {
    Path::new("/usr/bin/apt-get").exists() && rustix::process::geteuid().is_root()
}
