//! Acceptance of a machine: evidence over SSH, checks of every claim, reports.
//!
//! Three steps, each of which stands alone: [`gather`] asks the machine and
//! writes down what it saw as [`Evidence`]; [`judge`] holds that against the description,
//! without a machine, a network or a clock; [`report`] shows what came of it. Evidence is
//! kept as a file, so a report can be drawn again, and a failure that a user saw becomes a
//! test.
//!
//! Invariants:
//! - what the description says is expected of it here and nowhere said again;
//! - what could not be found out is not run, with the reason, and never passed;
//! - a check that fails says what was seen, what most likely causes that, and what to do.

pub mod ask;
pub mod check;
pub mod draft;
mod evidence;
pub mod gather;
mod judge;
pub mod report;
mod smi;

pub use evidence::{
    Difference, Disruption, EVIDENCE_FORMAT, Evidence, Expected, ExpectedPackage, ExpectedUnit,
    Locked, LockedFile, LockedImage, LockedModel, LockedPackage, Outside, PortTried, Stage, Step,
};
pub use smi::nvidia_from_smi;

pub use judge::{Check, Claims, Effort, Judgement, NotRun, Seen, Select, Subject, judge};
