//! What goes wrong while a stick is written, one clear line each: where, what the kernel said,
//! and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::medium::{Condition, Medium};

/// What was being done to the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Waiting until it is stored.
    Flush,
}

/// Why a stick does not hold the image. It then does not start as one either: what makes it
/// start is written last.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It is no longer there.
    #[error(
        "{name} is gone, at byte {at}: it was pulled, or its port gave way; plug it in again, best into another port, and run this again: it goes on where it was"
    )]
    Gone {
        /// The device.
        name: String,
        /// How far it was, in bytes.
        at: u64,
    },
    /// It takes no writes.
    #[error(
        "{name} is read-only (noticed at byte {at}): move its switch; a stick without one turns so when it has worn out: take another"
    )]
    ReadOnly {
        /// The device.
        name: String,
        /// How far it was, in bytes.
        at: u64,
    },
    /// A block cannot be read or written.
    #[error(
        "{name} fails at byte {at} while {access}: {error}; the stick or its port is bad: try another port, then another stick"
    )]
    BadBlock {
        /// The device.
        name: String,
        /// The first byte that cannot be read or written.
        at: u64,
        /// What was being done.
        access: Access,
        /// The kernel's error.
        error: io::Error,
    },
    /// A block failed once and worked when it was tried again.
    #[error(
        "{name} failed between the bytes {at} and {end} while {access} ({error}), and then did not: do not rely on it; try another port, then another stick"
    )]
    Unsteady {
        /// The device.
        name: String,
        /// Where the access began.
        at: u64,
        /// Where it ended.
        end: u64,
        /// What was being done.
        access: Access,
        /// The kernel's error.
        error: io::Error,
    },
    /// It ends before the size that it claims, or does not keep what is written far out.
    #[error(
        "{name} claims {claimed} bytes but does not hold what is written at byte {at}: its capacity is a lie; throw it away"
    )]
    Lies {
        /// The device.
        name: String,
        /// The size that it claims, in bytes.
        claimed: u64,
        /// Where it was found out.
        at: u64,
    },
    /// What is read back is not what was written.
    #[error(
        "{name} does not give back what was written, at byte {at}: its flash is worn out or its capacity a lie; take another stick"
    )]
    Differs {
        /// The device.
        name: String,
        /// The first byte that differs.
        at: u64,
    },
    /// The image does not fit.
    #[error("{name} has {size} bytes, the image needs {need}: take a larger one")]
    TooSmall {
        /// The device.
        name: String,
        /// Its size in bytes.
        size: u64,
        /// The image's.
        need: u64,
    },
    /// The image cannot be read.
    #[error("reading the image {} at byte {at}: {error}", .path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// Where.
        at: u64,
        /// Why.
        error: io::Error,
    },
    /// The image is not the file it was at the start.
    #[error("the image {} changed while it was written: wait until its build has ended and run this again", .path.display())]
    ImageChanged {
        /// The image.
        path: PathBuf,
    },
    /// The caller asked to stop.
    #[error(
        "stopped at byte {at} of {total}: {name} does not start as it is; run this again, and it goes on where it was"
    )]
    Stopped {
        /// The device.
        name: String,
        /// How far it was, in bytes.
        at: u64,
        /// How far it had to go.
        total: u64,
    },
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "reading",
            Self::Write => "writing",
            Self::Flush => "storing what was written",
        })
    }
}

impl Fault {
    /// What an error of the medium at a place means.
    pub(crate) fn of(medium: &dyn Medium, access: Access, at: u64, error: io::Error) -> Self {
        let name = medium.name().to_owned();
        let errno = Errno::from_io_error(&error);
        let gone = [Errno::NODEV, Errno::NXIO, Errno::NOMEDIUM];
        let read_only = [Errno::ROFS, Errno::PERM, Errno::ACCESS];
        let beyond = [Errno::NOSPC, Errno::FBIG];
        let short = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::WriteZero
        );
        let is = |list: &[Errno]| errno.is_some_and(|errno| list.contains(&errno));
        match medium.condition() {
            Condition::Gone => Self::Gone { name, at },
            _ if is(&gone) => Self::Gone { name, at },
            Condition::ReadOnly if access != Access::Read => Self::ReadOnly { name, at },
            _ if is(&read_only) => Self::ReadOnly { name, at },
            _ if short || is(&beyond) => Self::Lies {
                name,
                claimed: medium.size(),
                at,
            },
            _ => Self::BadBlock {
                name,
                at,
                access,
                error,
            },
        }
    }
}
