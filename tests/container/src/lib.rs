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
mod offline;
mod programs;
mod ssh;
mod upstream;
mod world;

pub use command::{Command, Ended, Running};
pub use described::{Described, PASSWORD, PASSWORD_MACHINE};
pub use guest::{Guest, Said, Snapshot};
pub use hardware::Hardware;
pub use image::ready;
pub use installed::{account, lay_down, quoted};
pub use keys::KeyPair;
pub use lab_not_run::not_run;
pub use lab_standin::live::mirror as debian_mirror;
pub use offline::{archives, keys_of, laid_down_from_image, taken_apart};
pub use programs::{missing, missing_for_upstreams};
pub use ssh::{Answer, Ssh};
pub use upstream::{Active, DRIVER, Fault, NEW_DRIVER, Upstreams, Vendor};
pub use world::in_a_world;
