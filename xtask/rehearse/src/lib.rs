//! An image is seen to work before the hardware does: a virtual machine made from the
//! description, QEMU that runs it, the stages that it goes through, and a report with
//! pictures.
//!
//! Invariants:
//! - the image that is started is the one that a stick would carry, unchanged and not written
//!   to: what the virtual machine needs to stand for the real one comes by its firmware;
//! - every wait has an end, and names what it waited for;
//! - what was judged on cards that are not there is marked so in every report.
//!
//! It does not prove what only the hardware can: that the firmware of the real machine starts
//! the stick, that the driver's module loads, and that a card computes.

mod accelerator;
pub mod cards;
mod console;
mod credentials;
mod disk;
mod firmware;
mod follow;
mod hardware;
mod monitor;
mod process;
mod report;
mod stage;

pub use accelerator::Accelerator;
pub use console::{Console, plain};
pub use credentials::Said;
pub use disk::{Bus, Disk};
pub use firmware::Firmware;
pub use follow::{Outcome, Patience, Told, Watch, follow};
pub use hardware::Hardware;
pub use monitor::Monitor;
pub use process::{Running, free_port, qemu_version};
pub use report::{Accepted, FORMAT, Report};
pub use stage::{Ends, FIRST_BOOT, INSTALLATION, Picture, Stage, stopped};
