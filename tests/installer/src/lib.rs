//! What stands in for Ubuntu's installer where Ubuntu's image is not to be had.
//!
//! It runs as root in a Debian live system that was started from an image of this
//! project, reads the autoinstall file as its documentation says, and installs. It is an
//! independent reading: it knows none of this project's types, so that a key that the
//! project renders wrongly is refused or does what it says, and not what was meant.
//!
//! Where the real installer is silent about a mistake (an unknown key below the top, a
//! match key with a slip in it, a layout that ignores its passphrase) this one refuses,
//! with the key's path, what was found and what was expected.
//!
//! # What it does not prove
//!
//! - That Ubuntu's installer does the same. It plays the keys that this project renders
//!   and refuses the others; what it does follows the documentation, the source code of
//!   subiquity and notes of its behaviour, and was never run beside it.
//! - Ubuntu's packages, kernel, shim and GRUB, casper and snapd: the live system and what
//!   it installs are Debian's.
//! - curtin's own steps. Partitions have its sizes and names, made by sfdisk, lvm and
//!   mkfs, and GRUB is installed by grub-install; options that curtin gives may differ.
//! - The archive. Packages come from the image's pool even where there is a network, and
//!   whether an archive is in reach is asked of the live system's sources, not of Ubuntu's.
//! - That the stick is asked back before the restart, as casper does.
//!
//! Two things are done twice for sturdiness where the real one leaves them to cloud-init's
//! first run: netplan's file is there before it, and so are the time zone and the language.
//!
//! # Tests
//!
//! Everything lies below a root that tests choose, and every program is found by `PATH`,
//! so that a whole installation runs in a folder with programs that only write down that
//! they were called. The planning of a disk ([`layout`]) touches nothing.

pub mod autoinstall;
pub mod boot;
pub mod cloud;
pub mod disk;
pub mod events;
pub mod extract;
pub mod glob;
pub mod install;
pub mod layout;
pub mod live;
mod network;
mod partition;
pub mod postinstall;
pub mod programs;
pub mod search;
mod target;
pub mod value;
pub mod yaml;
