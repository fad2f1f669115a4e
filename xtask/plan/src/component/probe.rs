//! The probe: the program by which acceptance looks at the machine from inside.

use anyhow::Result;

use super::Subject;
use crate::TargetTree;
use crate::unit::Unit;

/// Where it stands on the machine.
const PROGRAM: &str = "usr/lib/lab/lab-probe";

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    tree.file(PROGRAM, 0o755, subject.probe)?;
    Ok(None)
}
