//! A confirmed disk, opened for writing: by nobody else at the same time, past the system's
//! caches, and only if it is still the disk that somebody agreed to.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FileType, FlockOperation, OFlags};
use rustix::io::Errno;

use crate::confirm::Confirmed;
use crate::device::Device;
use crate::host::{DevNumber, Host};
use crate::medium::{Condition, Medium};
use crate::rules::{Candidate, Refusal, candidate};
use crate::survey::SurveyError;

/// udev holds a shared lock while it looks at a disk that has just appeared
/// (<https://systemd.io/BLOCK_DEVICE_LOCKING>): so many times it is waited for.
const LOCK_TRIES: u32 = 30;
/// Between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// A disk that is open for writing. Only [`Confirmed::open`] makes one.
#[derive(Debug)]
pub struct Stick {
    host: Host,
    device: Device,
    file: File,
}

/// Why a confirmed disk was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It breaks a rule by now.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What is in use cannot be told any more.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// It is another disk by now.
    #[error(
        "{name} is not the disk any more that was agreed to ({was}): another stick is in its place; nothing was written"
    )]
    Swapped {
        /// The device's name.
        name: String,
        /// What it was.
        was: String,
    },
    /// Something has it open for itself.
    #[error("{name} is in use by a program or mounted out of sight (in a container, say): close it there; `lsof {}` may name it", .path.display())]
    Busy {
        /// The device's name.
        name: String,
        /// Its node.
        path: PathBuf,
    },
    /// This user may not.
    #[error("opening {}: permission denied: writing to a disk needs root", .path.display())]
    Denied {
        /// Its node.
        path: PathBuf,
    },
    /// The kernel says something else.
    #[error("opening {}: {error}", .path.display())]
    Failed {
        /// Its node.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
}

impl Confirmed {
    /// Opens the disk, after another look at it.
    ///
    /// # Errors
    ///
    /// When it is in use, was swapped, or breaks a rule by now.
    pub fn open(self, host: &Host) -> Result<Stick, OpenError> {
        let Candidate {
            device,
            need,
            kinds,
        } = self.candidate;
        let look = |host: &Host| -> Result<(), OpenError> {
            let again = candidate(&host.survey()?, &device.name, need, kinds)?;
            match again.device.is_same(&device) {
                true => Ok(()),
                false => Err(swapped(&device)),
            }
        };
        look(host)?;
        let path = host.node(&device.name);
        let file = open(&path, &device)?;
        lock(&file, &path, &device)?;
        is_node_of(&file, &path, &device)?;
        // From here on nobody can mount it, and its number cannot pass to another disk: what
        // sysfs says now, it says of the disk that is open.
        look(host)?;
        Ok(Stick {
            host: host.clone(),
            device,
            file,
        })
    }
}

fn swapped(device: &Device) -> OpenError {
    OpenError::Swapped {
        name: device.name.clone(),
        was: format!(
            "{}, {} bytes, serial {:?}",
            device.model, device.size, device.serial
        ),
    }
}

fn open(path: &Path, device: &Device) -> Result<File, OpenError> {
    // On a block device O_EXCL fails where the kernel itself uses it or a part of it, in
    // whatever mount namespace (open(2)).
    let flags = (OFlags::DIRECT | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC).bits();
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.cast_signed())
        .open(path);
    opened.map_err(|error| failed(path, device, error))
}

fn failed(path: &Path, device: &Device, error: io::Error) -> OpenError {
    let name = device.name.clone();
    let path = path.to_owned();
    match Errno::from_io_error(&error) {
        Some(Errno::BUSY | Errno::WOULDBLOCK) => OpenError::Busy { name, path },
        Some(Errno::ROFS) => Refusal::ReadOnly { name }.into(),
        Some(Errno::NOMEDIUM) => Refusal::NoMedium { name }.into(),
        Some(Errno::NOENT | Errno::NXIO | Errno::NODEV) => Refusal::Unknown { name }.into(),
        Some(Errno::ACCESS | Errno::PERM) => OpenError::Denied { path },
        _ => OpenError::Failed { path, error },
    }
}

fn lock(file: &File, path: &Path, device: &Device) -> Result<(), OpenError> {
    let mut tries = 0..LOCK_TRIES;
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if tries.next().is_some() => sleep(LOCK_PAUSE),
            Err(error) => return Err(failed(path, device, error.into())),
        }
    }
}

/// That the open file is the block device of this number and size.
fn is_node_of(mut file: &File, path: &Path, device: &Device) -> Result<(), OpenError> {
    let fail = |error| failed(path, device, error);
    let found = rustix::fs::fstat(file).map_err(|error| fail(error.into()))?;
    let is_block = FileType::from_raw_mode(found.st_mode) == FileType::BlockDevice;
    let end = file.seek(SeekFrom::End(0)).map_err(fail)?;
    match is_block && DevNumber::from(found.st_rdev) == device.number && end == device.size {
        true => Ok(()),
        false => Err(swapped(device)),
    }
}

impl Medium for Stick {
    fn name(&self) -> &str {
        &self.device.name
    }

    fn size(&self) -> u64 {
        self.device.size
    }

    fn sector(&self) -> u64 {
        self.device.sector
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, at)
    }

    fn write_at(&self, buffer: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(buffer, at)
    }

    /// On a block device this also empties the cache of the device itself.
    fn flush(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn condition(&self) -> Condition {
        match Device::read(&self.host, &self.device.name) {
            Some(now) if now.is_same(&self.device) && now.read_only => Condition::ReadOnly,
            Some(now) if now.is_same(&self.device) => Condition::Present,
            _ => Condition::Gone,
        }
    }
}
