//! What goes wrong at a machine, rehearsed: the image of images/gpu-server, with changes to
//! its description, on virtual machines that are not what it was made for, or that lose their
//! power, or whose stick was left in.
//!
//! The base is the live stand-in with the stand-in for the installer; what these do not prove
//! stands in the heads of `tests/standin` and `tests/installer`. Nothing of the lab's own
//! packages is installed here: that is `cargo xtask rehearse`.

mod disks;
mod stage;
mod stops;
mod whole;
