//! Which disk is a USB stick, and how an image gets onto it.
//!
//! Anything that can erase a disk is built so that a mistake stops it. The way to a
//! write leads through types that only the step before can make:
//!
//! ```text
//! Host::survey → Survey → candidate() → Candidate → confirm() → Confirmed → open() → Stick → write()
//! ```
//!
//! [`Survey`] says what the kernel knows of each disk and what uses it. [`candidate`] refuses
//! whatever cannot be a stick, and no flag changes that. [`Candidate::confirm`] wants the
//! device's name typed back or its whole serial. [`Confirmed::open`] looks again, at the open
//! file, and refuses a stick that was swapped in between. [`write()`] writes what makes the
//! image start last, when everything else was read back.
//!
//! The crate prints nothing and reads no environment.

mod buffer;
mod confirm;
mod contents;
mod device;
mod fault;
mod host;
mod medium;
mod mounts;
mod open;
mod rules;
mod source;
mod survey;
mod trace;
mod write;

pub use confirm::{Confirmed, Consent, NotConfirmed};
pub use contents::{Contents, LabImage, Signature, contents, lab_image};
pub use device::{Device, Kind, Partition};
pub use fault::{Access, Fault};
pub use host::{DevNumber, Host};
pub use medium::{Condition, Medium};
pub use open::{OpenError, Stick};
pub use rules::{Candidate, Kinds, Refusal, candidate};
pub use survey::{Disk, Survey, SurveyError};
pub use write::{Job, Mode, Progress, Stage, Written, write};
