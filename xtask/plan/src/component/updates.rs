//! What changes by itself, and when.

use anyhow::Result;
use lab_catalog::Catalog;
use lab_lock::Wanted;
use lab_machine::Machine;
use tera::Context;

use super::Subject;
use crate::TargetTree;
use crate::template::render;
use crate::unit::Unit;

/// How the names begin that security updates leave alone on a machine with NVIDIA's driver.
pub(crate) const LEFT_ALONE: [&str; 4] = [
    "nvidia-",
    "libnvidia-",
    "xserver-xorg-video-nvidia-",
    "linux-",
];

pub(crate) fn wants(machine: &Machine, _: &Catalog, wanted: &mut Wanted) -> Result<()> {
    wanted.snapshot = machine.updates.snapshot.as_ref().map(ToString::to_string);
    Ok(())
}

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let updates = &machine.updates;
    let mut context = Context::new();
    context.insert("periodic", if updates.security { "1" } else { "0" });
    context.insert(
        "reboot",
        if updates.reboot.is_some() {
            "true"
        } else {
            "false"
        },
    );
    context.insert(
        "reboot_time",
        &updates.reboot.as_ref().map(ToString::to_string),
    );
    context.insert("hold_driver", &machine.driver.enabled);
    context.insert("left_alone", &LEFT_ALONE);
    context.insert(
        "snapshot",
        &updates.snapshot.as_ref().map(ToString::to_string),
    );
    let name = "etc/apt/apt.conf.d/52lab-updates";
    tree.file(name, 0o644, render(name, &context)?)?;
    Ok(None)
}
