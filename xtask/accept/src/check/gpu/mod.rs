//! `gpu`: each described card, from the bus to a computed result.

mod bus;
mod compute;
mod driver;
mod health;

use super::Group;

pub(super) static GROUP: Group = Group {
    name: "gpu",
    about: "Each described card: that it is where it should be, that the right driver has it, that it is sound, and that it computes.",
    checks: &[bus::CHECKS, driver::CHECKS, health::CHECKS, compute::CHECKS],
};
