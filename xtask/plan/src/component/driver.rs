//! NVIDIA's driver, as far as the first start needs it: nouveau stays away.

use anyhow::Result;
use lab_machine::Machine;

use super::Subject;
use crate::TargetTree;
use crate::template::verbatim;

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<()> {
    if !subject.machine.driver.enabled {
        return Ok(());
    }
    let name = "etc/modprobe.d/lab-nvidia.conf";
    tree.file(name, 0o644, verbatim(name)?)
}

/// Words that the installer's kernel line carries over to the installed system's
/// (curtin takes those behind `---`). The initramfs was made before the overlay
/// is laid down and knows nothing of modprobe.d.
pub(crate) fn carried_words(machine: &Machine) -> Vec<&'static str> {
    if machine.driver.enabled {
        vec!["modprobe.blacklist=nouveau"]
    } else {
        Vec::new()
    }
}
