//! `machine.lock` beside a description: read, made, written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use lab_image::Image;
use lab_lock::{Lock, Wanted};
use lab_machine::Machine;
use lab_resolve::{Change, InstalledList, Update, World};

use crate::failure::Failure;
use crate::lab::{self, Described};
use crate::outside::{self, Outside};
use crate::ui;

/// No lock is longer: a thousand packages take some 300 KiB.
const MAX_LOCK: u64 = 16 << 20;
/// No list of what a base system has is longer.
const MAX_LIST: u64 = 16 << 20;

/// Where the list of what the installed system has stands on Ubuntu's server image. The
/// first is that of the source that the installer's file names (`ubuntu-server`); the second,
/// that of images of one layer.
const LISTS: [&str; 2] = [
    "casper/ubuntu-server-minimal.ubuntu-server.manifest",
    "casper/filesystem.manifest",
];

/// The lock's file of a description.
pub(crate) fn path(described: &Described) -> PathBuf {
    described.path.with_file_name(lab_lock::FILE_NAME)
}

/// The lock of a description, where it has one.
pub(crate) fn read(described: &Described) -> Result<Option<Lock>, Failure> {
    let path = path(described);
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(because(error.into(), &path)),
        Ok(found) if found.len() > MAX_LOCK => {
            return Err(Failure::input(format!(
                "{} has {} bytes, more than any lock",
                path.display(),
                found.len()
            )));
        }
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(&path).map_err(|error| because(error.into(), &path))?;
    let lock = Lock::parse(&text)
        .map_err(|why| Failure::input(format!("{} is no lock: {why}", path.display())))?;
    Ok(Some(lock))
}

fn because(error: anyhow::Error, path: &Path) -> Failure {
    Failure::Environment(error.context(format!("reading {}", path.display())))
}

/// The lock of a description, which must have one.
pub(crate) fn must(described: &Described) -> Result<Lock, Failure> {
    read(described)?.ok_or_else(|| {
        Failure::input(format!(
            "{} is not there: `cargo xtask lock` makes it",
            path(described).display()
        ))
    })
}

/// The lock of a description for rendering what it has: none where nothing is locked, an error
/// where the lock no longer fits.
pub(crate) fn fitting(described: &Described, machine: &Machine) -> Result<Option<Lock>, Failure> {
    let Some(lock) = read(described)? else {
        return Ok(None);
    };
    refuse_stale(described, &wanted(machine)?, &lock)?;
    Ok(Some(lock))
}

/// What the description asks for.
pub(crate) fn wanted(machine: &Machine) -> Result<Wanted, Failure> {
    Ok(lab_plan::wanted(machine, lab::catalog()?)?)
}

/// An error where the lock lacks something.
pub(crate) fn refuse_stale(
    described: &Described,
    wanted: &Wanted,
    lock: &Lock,
) -> Result<(), Failure> {
    let lacks = lab_lock::missing(wanted, lock);
    if lacks.is_empty() {
        return Ok(());
    }
    let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
    Err(Failure::input(format!(
        "{} no longer fits {}: {}; run `cargo xtask lock`",
        path(described).display(),
        described.path.display(),
        lacks.join("; ")
    )))
}

/// What a system has before the lab comes.
pub(crate) enum Installed {
    /// A file that the user named.
    File(PathBuf),
    /// What stands in the base image.
    Base(PathBuf),
}

impl Installed {
    /// The list's bytes.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::File(path) => {
                let found = std::fs::metadata(path).map_err(|error| because(error.into(), path))?;
                if found.len() > MAX_LIST {
                    return Err(Failure::input(format!(
                        "{} is longer than any list of packages",
                        path.display()
                    )));
                }
                std::fs::read(path).map_err(|error| because(error.into(), path))
            }
            Self::Base(path) => from_base(path),
        }
    }
}

fn from_base(path: &Path) -> Result<Vec<u8>, Failure> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| because(error.into(), path))?;
    let mut image = Image::open(BufReader::new(file), &name).map_err(Failure::Input)?;
    for list in LISTS {
        if let Some(bytes) = image.read(list, MAX_LIST).map_err(Failure::Input)? {
            return Ok(bytes);
        }
    }
    Err(Failure::input(format!(
        "{name} does not say what the system that it installs has: expected /{} on it. \
         Name a list yourself: `cargo xtask lock --installed FILE` (the file /var/lib/dpkg/status of such a system, or a manifest)",
        LISTS.join(" or /")
    )))
}

/// What came of locking.
pub(crate) struct Locked {
    /// The lock.
    pub(crate) lock: Lock,
    /// What differs from the one before.
    pub(crate) changes: Vec<Change>,
}

/// Resolves what is missing or named, and writes the lock where something changed.
pub(crate) fn make(
    described: &Described,
    machine: &Machine,
    installed: &Installed,
    names: Option<&[String]>,
) -> Result<Locked, Failure> {
    let wanted = wanted(machine)?;
    let old = read(described)?;
    let update = match names {
        None => Update::Nothing,
        Some(names) => Update::of(names, old.as_ref()).map_err(Failure::input)?,
    };
    if let Some(old) = &old
        && update == Update::Nothing
        && lab_lock::missing(&wanted, old).is_empty()
    {
        return Ok(Locked {
            lock: old.clone(),
            changes: Vec::new(),
        });
    }
    let list = installed.read()?;
    let lock = resolve(&wanted, &InstalledList::of(&list), old.as_ref(), &update)?;
    let changes = lab_resolve::changes(old.as_ref(), &lock);
    write(&lock, &path(described))?;
    Ok(Locked { lock, changes })
}

/// Resolves without writing anything.
pub(crate) fn resolve(
    wanted: &Wanted,
    installed: &InstalledList<'_>,
    old: Option<&Lock>,
    update: &Update,
) -> Result<Lock, Failure> {
    let outside = Outside::configured()?;
    let store = lab::store()?;
    let keys = keys(wanted)?;
    let now = outside::now()?;
    let keep = |bytes: &[u8]| store.put(bytes).map(drop).map_err(anyhow::Error::from);
    let resolved = outside.with(|network| {
        let world = World {
            network,
            keys: &keys,
            now,
            keep: &keep,
            say: &|what| ui::step(what),
        };
        lab_resolve::resolve(&world, wanted, installed, old, update)
    });
    resolved.map_err(|error| {
        let at_fault = error
            .downcast_ref::<lab_supply::ResolveError>()
            .is_some_and(lab_supply::ResolveError::input_at_fault);
        match at_fault {
            true => Failure::Input(error),
            false => Failure::Environment(error),
        }
    })
}

/// The bytes of the archives' own keys, by fingerprint.
fn keys(wanted: &Wanted) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let catalog = lab::catalog()?;
    let mut keys = BTreeMap::new();
    for text in wanted.repositories.iter().flat_map(|one| &one.signed_by) {
        let fingerprint = text
            .parse()
            .map_err(|why| Failure::input(format!("the catalog's fingerprint {text}: {why}")))?;
        if let Some(key) = catalog.public_key(fingerprint) {
            keys.insert(text.clone(), key.bytes.clone());
        }
    }
    Ok(keys)
}

/// Beside it first: a lock that is half written must not be found under its name.
fn write(lock: &Lock, path: &Path) -> Result<(), Failure> {
    let text = lock.to_text().context("writing the lock")?;
    let doing = || format!("writing {}", path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(doing)?;
    file.write_all(text.as_bytes()).with_context(doing)?;
    super::cmd::render::open_to_all(file.as_file())?;
    file.as_file().sync_all().with_context(doing)?;
    file.persist(path).with_context(doing)?;
    Ok(())
}
