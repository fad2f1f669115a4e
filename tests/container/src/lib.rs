//! What the tests of the installed system share: a Debian image with systemd as its first
//! process, a container of it that stands for the machine, the machine's files as the
//! image would carry them, and an SSH client outside.
//!
//! What this tier does not prove: the container is Debian and not Ubuntu, nothing
//! partitions a disk, no kernel starts and no GPU is there. The installer itself does not
//! run either: its last commands do, as they stand in the file that was rendered.

mod command;
mod converging;
mod described;
mod guest;
mod hardware;
pub mod harness;
mod image;
mod installed;
mod keys;
mod programs;
mod ssh;
mod upstream;

pub use command::{Command, Ended, Running};
pub use described::{Described, PASSWORD, PASSWORD_MACHINE};
pub use guest::{Guest, Said, Snapshot};
pub use hardware::Hardware;
pub use image::ready;
pub use installed::{account, lay_down, quoted};
pub use keys::KeyPair;
pub use lab_not_run::not_run;
pub use programs::{missing, missing_for_upstreams};
pub use ssh::{Answer, Ssh};
pub use upstream::{Active, DRIVER, Fault, NEW_DRIVER, Upstreams, Vendor};

/// Programs that these tests run outside the container, each with the Debian package that
/// has it. Without one of them every test reads `NOT RUN`.
pub const TEST_PACKAGES: &[(&str, &str)] = &[
    ("docker", "docker.io"),
    ("mmdebstrap", "mmdebstrap"),
    ("apt-get", "apt"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("ssh-keyscan", "openssh-client"),
];

/// What the upstreams of a converging machine need besides.
pub const UPSTREAM_PACKAGES: &[(&str, &str)] = &[
    ("apt-ftparchive", "apt-utils"),
    ("docker-registry", "docker-registry"),
    ("dpkg-deb", "dpkg"),
    ("gpg", "gpg"),
    ("curl", "curl"),
    ("nginx", "nginx"),
    ("openssl", "openssl"),
    ("zstd", "zstd"),
];
