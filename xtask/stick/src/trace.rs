//! From a mount or a swap area down to the disks below it, through partitions, device-mapper
//! (LVM, LUKS, multipath), MD, bcache, loop devices, and file systems over several disks.
//!
//! What the system itself needs and what cannot be traced makes every disk suspect.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::host::{DevNumber, Host, attribute, names};
use crate::mounts::{Mount, holding};

/// Layers of block devices on each other; real ones have a handful.
const MAX_DEPTH: usize = 32;

/// File systems over no local disk. Overlays are among them: what they lie on is traced by
/// their options as far as it can be seen, and is a mount of its own where it can.
const WITHOUT_DISK: &[&str] = &[
    "9p", "afs", "autofs", "bpf", "cephfs", "cgroup", "cgroup2", "cifs", "devtmpfs", "ecryptfs",
    "fuse", "nfs", "nfs4", "nsfs", "overlay", "proc", "ramfs", "rootfs", "smb3", "sysfs", "tmpfs",
    "virtiofs",
];

/// Why something could not be traced, in words.
pub(crate) type Untraced = String;

/// Finds the disks below something.
pub(crate) struct Tracer<'a> {
    pub(crate) host: &'a Host,
    pub(crate) mounts: &'a [Mount],
}

impl Tracer<'_> {
    /// The names of the disks below a mount.
    pub(crate) fn mount(&self, mount: &Mount) -> Result<BTreeSet<String>, Untraced> {
        let mut disks = BTreeSet::new();
        self.add_mount(mount, &mut disks, 0)?;
        Ok(disks)
    }

    /// The names of the disks below a file or device that is swapped to.
    pub(crate) fn swap(&self, path: &Path) -> Result<BTreeSet<String>, Untraced> {
        let mut disks = BTreeSet::new();
        match self.named(path) {
            Some(folder) => self.add_device(&folder, &mut disks, 0)?,
            None => self.add_file(path, &mut disks, 0)?,
        }
        Ok(disks)
    }

    fn add_mount(
        &self,
        mount: &Mount,
        disks: &mut BTreeSet<String>,
        depth: usize,
    ) -> Result<(), Untraced> {
        if !mount.number.is_anonymous() {
            let folder = self.host.folder(mount.number).ok_or_else(|| {
                format!(
                    "sysfs has no device {}, which {} is on",
                    mount.number,
                    mount.point.display()
                )
            })?;
            return self.add_device(&folder, disks, depth);
        }
        if mount.kind == "overlay" {
            return self.add_layers(mount, disks, depth);
        }
        let sources = self.sources(mount);
        let without = mount
            .kind
            .split('.')
            .next()
            .is_some_and(|kind| WITHOUT_DISK.contains(&kind));
        if sources.is_empty() && !without {
            return Err(format!(
                "{} is on {} ({}), which shows no disk below it",
                mount.point.display(),
                mount.kind,
                mount.source
            ));
        }
        sources
            .iter()
            .try_for_each(|folder| self.add_device(folder, disks, depth))
    }

    /// The devices that a file system over several names: bcachefs joins their paths by colons,
    /// Btrfs names one of them, and has all in `/sys/fs/btrfs/UUID/devices`.
    fn sources(&self, mount: &Mount) -> Vec<PathBuf> {
        let named = mount.source.split(':').map(Path::new);
        let mut found: Vec<PathBuf> = named.filter_map(|path| self.named(path)).collect();
        let btrfs = self.host.path("sys/fs/btrfs");
        for uuid in names(&btrfs) {
            let links = btrfs.join(uuid).join("devices");
            let devices = names(&links)
                .into_iter()
                .map(|name| std::fs::canonicalize(links.join(name)));
            let all: Vec<PathBuf> = devices.flatten().collect();
            if mount.kind == "btrfs" && all.iter().any(|one| found.contains(one)) {
                found.extend(all);
            }
        }
        found
    }

    fn add_layers(
        &self,
        mount: &Mount,
        disks: &mut BTreeSet<String>,
        depth: usize,
    ) -> Result<(), Untraced> {
        let keys = ["lowerdir", "upperdir", "workdir", "datadir"];
        let layers = keys
            .into_iter()
            .flat_map(|key| mount.option(key))
            .flat_map(|value| value.split(':'));
        for layer in layers.map(Path::new).filter(|path| path.is_absolute()) {
            // Often named as they were before this overlay covered them: then they are not
            // to be seen from here, and what they lie on is only known as in use.
            let below = holding(self.mounts, layer).filter(|below| below.kind != "overlay");
            if let Some(below) = below {
                self.deeper(depth, &mount.point)?;
                self.add_mount(below, disks, depth + 1)?;
            }
        }
        Ok(())
    }

    fn add_file(
        &self,
        path: &Path,
        disks: &mut BTreeSet<String>,
        depth: usize,
    ) -> Result<(), Untraced> {
        self.deeper(depth, path)?;
        let mount = holding(self.mounts, path)
            .ok_or_else(|| format!("no mount holds {}", path.display()))?;
        self.add_mount(mount, disks, depth + 1)
    }

    /// Adds the disks below a device, which are itself where it is one.
    fn add_device(
        &self,
        folder: &Path,
        disks: &mut BTreeSet<String>,
        depth: usize,
    ) -> Result<(), Untraced> {
        self.deeper(depth, folder)?;
        if folder.join("partition").exists() {
            let disk = folder.parent().unwrap_or(folder);
            return self.add_device(disk, disks, depth + 1);
        }
        // The layers are named too: a disk that is in use as one is in use.
        disks.extend(
            folder
                .file_name()
                .map(|name| name.to_string_lossy().into_owned()),
        );
        if let Some(file) = attribute(folder, "loop/backing_file") {
            let file = file.trim_end_matches(" (deleted)");
            return self.add_file(Path::new(file), disks, depth + 1);
        }
        for name in names(&folder.join("slaves")) {
            let below = std::fs::canonicalize(folder.join("slaves").join(&name))
                .map_err(|error| format!("{}/slaves/{name}: {error}", folder.display()))?;
            self.add_device(&below, disks, depth + 1)?;
        }
        Ok(())
    }

    fn deeper(&self, depth: usize, what: &Path) -> Result<(), Untraced> {
        match depth < MAX_DEPTH {
            true => Ok(()),
            false => Err(format!(
                "{} lies on itself, or below {MAX_DEPTH} layers",
                what.display()
            )),
        }
    }

    /// The folder in sysfs of the device that a path names.
    fn named(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix("/dev").ok()?;
        let name = std::fs::canonicalize(self.host.path("dev").join(below))
            .ok()
            .and_then(|node| {
                node.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
            })
            .or_else(|| below.to_str().map(str::to_owned))?;
        self.by_name(&name)
    }

    fn by_name(&self, name: &str) -> Option<PathBuf> {
        let blocks = self.host.path("sys/class/block");
        let named = std::fs::canonicalize(blocks.join(name)).ok();
        named
            .filter(|folder| folder.join("dev").exists())
            .or_else(|| self.mapped(name))
    }

    /// `/dev/mapper/NAME`, where it is a node and not a link to dm-N.
    fn mapped(&self, name: &str) -> Option<PathBuf> {
        let name = name.strip_prefix("mapper/").unwrap_or(name);
        let blocks = self.host.path("sys/class/block");
        let fits = |one: &PathBuf| attribute(one, "dm/name").as_deref() == Some(name);
        let all = names(&blocks).into_iter().map(|one| blocks.join(one));
        all.filter(fits)
            .find_map(|one| std::fs::canonicalize(one).ok())
    }
}

/// What uses a disk from above: its own number, its partitions', and those of everything that
/// holds one of them.
pub(crate) fn family(host: &Host, number: DevNumber) -> (BTreeSet<DevNumber>, BTreeSet<String>) {
    let (mut numbers, mut holders) = (BTreeSet::new(), BTreeSet::new());
    let mut todo: Vec<PathBuf> = host.folder(number).into_iter().collect();
    while let Some(folder) = todo.pop() {
        let number = attribute(&folder, "dev").and_then(|text| text.parse().ok());
        if number.is_none_or(|number| !numbers.insert(number)) {
            continue;
        }
        for name in names(&folder.join("holders")) {
            todo.extend(std::fs::canonicalize(folder.join("holders").join(&name)));
            let label = attribute(&host.path("sys/class/block").join(&name), "dm/name");
            holders.insert(label.map_or(name.clone(), |label| format!("{name} ({label})")));
        }
        let parts = names(&folder).into_iter().map(|name| folder.join(name));
        todo.extend(parts.filter(|part| part.join("partition").exists()));
    }
    (numbers, holders)
}
