//! What the tests of the installed system share: a Debian image with systemd as its first
//! process, a container of it that stands for the machine, the machine's files as the
//! image would carry them, and an SSH client outside.
//!
//! What this tier does not prove: the container is Debian and not Ubuntu, nothing
//! partitions a disk, no kernel starts and no GPU is there. The installer itself does not
//! run either: its last commands do, as they stand in the file that was rendered.

mod described;
mod guest;
mod image;
mod keys;
mod programs;
mod ssh;

pub use described::{Described, PASSWORD, PASSWORD_MACHINE};
pub use guest::{Guest, Said};
pub use image::ready;
pub use keys::KeyPair;
pub use lab_not_run::not_run;
pub use programs::missing;
pub use ssh::{Answer, Ssh};

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
