//! The outside programs that a command needs: none to build an image, some for
//! the stand-in base and for tests.

use std::path::Path;

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
/// What the container tier makes its machine with. Docker itself is not among
/// them: whether a daemon shall run is for the user to say.
const CONTAINER: &[(&str, &str)] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("ssh", "openssh-client"),
    ("apt-ftparchive", "apt-utils"),
    ("docker-registry", "docker-registry"),
    ("dpkg-deb", "dpkg"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("zstd", "zstd"),
    ("nginx", "nginx"),
    ("gpg", "gpg"),
    ("mcopy", "mtools"),
];
/// What commands over SSH are tried with: a server, an agent, networks that lose
/// packets, and sudo that asks.
const REMOTE: &[(&str, &str)] = &[
    ("sshd", "openssh-server"),
    ("ssh-agent", "openssh-client"),
    ("sudo", "sudo"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
];
/// What images are checked and compared with.
const IMAGE: &[(&str, &str)] = &[
    ("xorriso", "xorriso"),
    ("isoinfo", "genisoimage"),
    ("sgdisk", "gdisk"),
    ("mdir", "mtools"),
    ("nginx", "nginx"),
    ("gpg", "gnupg"),
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
    let tests = lab_plan::TEST_PACKAGES
        .iter()
        .map(|(program, package)| (program, package, "test --tier unit"));
    let image = IMAGE
        .iter()
        .map(|(program, package)| (program, package, "test --tier unit"));
    let container = CONTAINER
        .iter()
        .map(|(program, package)| (program, package, "test --tier container"));
    let vm = VM
        .iter()
        .map(|(program, package)| (program, package, "test --tier vm"));
    let remote = REMOTE
        .iter()
        .map(|(program, package)| (program, package, "test --tier unit"));
    let tests = tests.chain(image).chain(remote);
    for (program, package, for_what) in tests.chain(container).chain(vm) {
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
