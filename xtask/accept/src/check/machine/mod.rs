//! `machine`: the iron, the system on it, and whether it is what was laid down.

mod hardware;
mod locked;
mod reached;
mod record;
mod system;

use lab_machine::Machine;

use super::Group;

pub(crate) use record::MANIFEST;

pub(super) static GROUP: Group = Group {
    name: "machine",
    about: "The machine itself: that it is the described one, that its parts are sound, and that the system on it is what was laid down.",
    checks: &[
        hardware::CHECKS,
        system::CHECKS,
        record::CHECKS,
        locked::CHECKS,
        reached::CHECKS,
    ],
};

/// The folders on whose file systems the lab needs room.
pub(super) fn spaces(machine: &Machine) -> Vec<String> {
    let mut spaces = vec!["/".to_owned()];
    if machine.docker.enabled {
        spaces.push(machine.docker.data_root.to_string());
    }
    spaces
}
