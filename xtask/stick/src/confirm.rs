//! The question before a disk is erased. There is no answer that counts as yes by default:
//! the name is typed back in full, or a script brings the device's whole serial.

use crate::device::Device;
use crate::rules::Candidate;
use crate::survey::Survey;

/// How somebody agrees to a disk being erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// What was typed at the question: it must be the device's name.
    Typed(String),
    /// The serial that a script was given: it must be the device's whole serial.
    Serial(String),
}

/// A disk that somebody agreed to have erased. Only [`Candidate::confirm`] makes one.
#[derive(Debug, Clone)]
pub struct Confirmed {
    pub(crate) candidate: Candidate,
}

impl Confirmed {
    /// The disk.
    pub fn device(&self) -> &Device {
        self.candidate.device()
    }
}

/// Why an answer is not an agreement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConfirmed {
    /// Something else was typed.
    #[error("{typed:?} is not {name:?}: nothing was written")]
    OtherName {
        /// What was typed.
        typed: String,
        /// The device's name.
        name: String,
    },
    /// The device has no serial to name it by.
    #[error(
        "{name} has no serial, so that no script can name it for sure: run this at a terminal and type its name"
    )]
    NoSerial {
        /// The device's name.
        name: String,
    },
    /// It is another device's serial, or only a part of this one's.
    #[error("{name} has the serial {found:?}, not {given:?}: nothing was written")]
    OtherSerial {
        /// The device's name.
        name: String,
        /// What was given.
        given: String,
        /// The device's serial.
        found: String,
    },
    /// The serial names several devices.
    #[error(
        "{name} and {other} have one and the same serial: pull one of them out; nothing was written"
    )]
    SameSerial {
        /// The device's name.
        name: String,
        /// Another one that has its serial.
        other: String,
    },
}

impl Candidate {
    /// Takes an answer, compared to the letter.
    ///
    /// # Errors
    ///
    /// When the answer does not name this device and no other.
    pub fn confirm(self, consent: &Consent, survey: &Survey) -> Result<Confirmed, NotConfirmed> {
        match consent {
            Consent::Typed(typed) => check_name(&self.device, typed)?,
            Consent::Serial(given) => check_serial(&self.device, given, survey)?,
        }
        Ok(Confirmed { candidate: self })
    }
}

fn check_name(device: &Device, typed: &str) -> Result<(), NotConfirmed> {
    let typed = typed.trim_end_matches(['\n', '\r']);
    match typed == device.name {
        true => Ok(()),
        false => Err(NotConfirmed::OtherName {
            typed: typed.to_owned(),
            name: device.name.clone(),
        }),
    }
}

fn check_serial(device: &Device, given: &str, survey: &Survey) -> Result<(), NotConfirmed> {
    let name = device.name.clone();
    if device.serial.is_empty() {
        return Err(NotConfirmed::NoSerial { name });
    }
    if device.serial != given {
        return Err(NotConfirmed::OtherSerial {
            name,
            given: given.to_owned(),
            found: device.serial.clone(),
        });
    }
    let twin = |other: &&Device| other.serial == device.serial && other.name != device.name;
    match survey.disks.iter().map(|disk| &disk.device).find(twin) {
        Some(other) => Err(NotConfirmed::SameSerial {
            name,
            other: other.name.clone(),
        }),
        None => Ok(()),
    }
}
