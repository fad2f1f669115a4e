//! All disks and what uses each. A table that cannot be read, or a line of it that is not
//! understood, is an error: no disk is then known to be free.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::device::Device;
use crate::host::{Host, names};
use crate::mounts::{self, Mount};
use crate::trace::{Tracer, family};

/// What the running system lives in.
const SYSTEM: &[&str] = &[
    "/",
    "/boot",
    "/boot/efi",
    "/boot/firmware",
    "/bin",
    "/efi",
    "/etc",
    "/home",
    "/lib",
    "/nix",
    "/nix/store",
    "/opt",
    "/root",
    "/sbin",
    "/srv",
    "/sysroot",
    "/usr",
    "/usr/local",
    "/var",
    "/var/lib",
    "/var/log",
    "/cdrom",
    "/rofs",
    "/run/live/medium",
];

/// All disks of a computer.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The disks, by name.
    pub disks: Vec<Disk>,
    /// What the running system needs and nobody could trace to a disk: then any disk may be it.
    pub untraced: Option<String>,
}

/// A disk and what uses it.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The disk.
    pub device: Device,
    /// The places of the running system that lie on it, `swap` among them.
    pub system: Vec<String>,
    /// Where it, or what is made of it, is mounted.
    pub mounted: Vec<PathBuf>,
    /// What holds it: device-mapper, MD and the like.
    pub holders: Vec<String>,
}

/// Why there is no list of disks.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// A table of the kernel cannot be read.
    #[error("reading {}: {error}: without it no disk is known to be free", .path.display())]
    Unreadable {
        /// The table.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A line of it has another form than proc(5) says.
    #[error("{} has a line that is not understood, so that no disk is known to be free: {line:?}", .path.display())]
    Strange {
        /// The table.
        path: PathBuf,
        /// The line.
        line: String,
    },
    /// sysfs lists no block device.
    #[error("{} lists no disk: is sysfs mounted?", .path.display())]
    NoSysfs {
        /// Where they should be.
        path: PathBuf,
    },
}

impl Host {
    /// Looks at all disks.
    ///
    /// # Errors
    ///
    /// When what is mounted or swapped to cannot be told.
    pub fn survey(&self) -> Result<Survey, SurveyError> {
        let mounts = read(self, "proc/self/mountinfo", mounts::parse)?;
        let swaps = read_swaps(self)?;
        let folder = self.path("sys/block");
        let all = names(&folder);
        if all.is_empty() {
            return Err(SurveyError::NoSysfs { path: folder });
        }
        let used = Used::of(self, &mounts, &swaps);
        // Parts of another disk (NVMe multipath) have no node of their own.
        let shown = |name: &&String| crate::host::flag(&folder.join(name), "hidden") != Some(true);
        let devices = all
            .iter()
            .filter(shown)
            .filter_map(|name| Device::read(self, name));
        Ok(Survey {
            disks: devices
                .map(|device| used.disk(self, &mounts, device))
                .collect(),
            untraced: used.untraced,
        })
    }
}

impl Survey {
    /// The disk of this name.
    pub fn disk(&self, name: &str) -> Option<&Disk> {
        self.disks.iter().find(|disk| disk.device.name == name)
    }

    /// The disk that a partition of this name belongs to.
    pub fn disk_of_partition(&self, name: &str) -> Option<&Disk> {
        let has = |disk: &&Disk| disk.device.partitions.iter().any(|part| part.name == name);
        self.disks.iter().find(has)
    }
}

fn read<T>(
    host: &Host,
    below: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, SurveyError> {
    let path = host.path(below);
    match host.table(below) {
        Ok(table) => parse(&table).map_err(|line| SurveyError::Strange { path, line }),
        Err(error) => Err(SurveyError::Unreadable { path, error }),
    }
}

/// A kernel without swapping has no such table.
fn read_swaps(host: &Host) -> Result<Vec<PathBuf>, SurveyError> {
    match read(host, "proc/swaps", mounts::swaps) {
        Err(SurveyError::Unreadable { error, .. })
            if error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(Vec::new())
        }
        other => other,
    }
}

/// What is in use, traced down to the disks.
struct Used {
    /// By disk: where it is used, and whether that is the running system.
    places: BTreeMap<String, BTreeSet<(String, bool)>>,
    untraced: Option<String>,
}

impl Used {
    fn of(host: &Host, mounts: &[Mount], swaps: &[PathBuf]) -> Self {
        let tracer = Tracer { host, mounts };
        let mut used = Self {
            places: BTreeMap::new(),
            untraced: None,
        };
        for mount in mounts {
            let system = is_system(&mount.point);
            used.add(
                &mount.point.display().to_string(),
                system,
                tracer.mount(mount),
            );
        }
        for swap in swaps {
            used.add("swap", true, tracer.swap(swap));
        }
        used
    }

    fn add(&mut self, place: &str, system: bool, traced: Result<BTreeSet<String>, String>) {
        match traced {
            Ok(disks) => {
                for disk in disks {
                    self.places
                        .entry(disk)
                        .or_default()
                        .insert((place.to_owned(), system));
                }
            }
            // What is not the system's is claimed in the kernel all the same: opening the
            // disk for ourselves alone then fails.
            Err(why) if system => self.untraced = Some(why),
            Err(_) => {}
        }
    }

    fn disk(&self, host: &Host, mounts: &[Mount], device: Device) -> Disk {
        let (numbers, holders) = family(host, device.number);
        let places = self.places.get(&device.name).into_iter().flatten();
        let (system, other): (Vec<_>, Vec<_>) = places.partition(|(_, system)| *system);
        let above = mounts
            .iter()
            .filter(|mount| numbers.contains(&mount.number));
        let mut mounted: BTreeSet<PathBuf> = above.map(|mount| mount.point.clone()).collect();
        mounted.extend(other.into_iter().map(|(place, _)| PathBuf::from(place)));
        Disk {
            system: system.into_iter().map(|(place, _)| place.clone()).collect(),
            mounted: mounted.into_iter().collect(),
            holders: holders.into_iter().collect(),
            device,
        }
    }
}

fn is_system(point: &Path) -> bool {
    SYSTEM.iter().any(|system| point == Path::new(system))
}
