//! What the tests of whole images share: bases to compose onto, programs that judge the
//! result, and an emulated machine to boot it in.
//!
//! The tests are in two tiers. `tests/image.rs` reads composed images with programs that
//! others wrote; `tests/vm.rs` boots them in QEMU. A test that lacks a program says so by
//! [`not_run`] and is neither a pass nor a failure.

mod bases;
mod disk;
mod guest;
mod lab;
mod machine;
mod programs;

pub use bases::{Added, base, composed, composed_of, scratch};
pub use disk::{blank_disk, disk_with_boot_partition};
pub use guest::Guest;
pub use lab::{Described, PASSPHRASE, sha256};
pub use lab_not_run::not_run;
pub use lab_rehearse::{Console, Firmware, plain};
pub use machine::{Machine, Medium};
pub use programs::{guest_programs, have, run, run_in};
