//! What was set and is read back by a later process: power limits and persistence modes.
//!
//! A driver keeps them in the kernel. Here a file stands for it, replaced as a whole, so
//! that a reader sees the old or the new one and never half of either.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::status::Status;

/// What was set, by UUID.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    #[serde(default)]
    power_limit_mw: BTreeMap<String, u32>,
    #[serde(default)]
    persistence_mode: BTreeMap<String, bool>,
}

/// The file that stands for the kernel's memory.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    path: PathBuf,
}

impl Store {
    /// The file at this path, which need not exist.
    pub(crate) const fn new(path: PathBuf) -> Self {
        Store { path }
    }

    /// The limit that was set for a card.
    pub(crate) fn power_limit(&self, uuid: &str) -> Result<Option<u32>, Status> {
        Ok(self.read()?.power_limit_mw.get(uuid).copied())
    }

    /// The persistence mode that was set for a card.
    pub(crate) fn persistence_mode(&self, uuid: &str) -> Result<Option<bool>, Status> {
        Ok(self.read()?.persistence_mode.get(uuid).copied())
    }

    /// Sets a card's limit.
    pub(crate) fn set_power_limit(&self, uuid: &str, limit: u32) -> Result<(), Status> {
        self.change(|state| {
            state.power_limit_mw.insert(uuid.to_owned(), limit);
        })
    }

    /// Sets a card's persistence mode.
    pub(crate) fn set_persistence_mode(&self, uuid: &str, mode: bool) -> Result<(), Status> {
        self.change(|state| {
            state.persistence_mode.insert(uuid.to_owned(), mode);
        })
    }

    fn read(&self) -> Result<State, Status> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::default()),
            Err(error) => return Err(self.failed("reading", &error)),
        };
        toml::from_str(&text).map_err(|error| {
            complain(&format!(
                "reading {}: {}",
                self.path.display(),
                error.message()
            ));
            Status::Unknown
        })
    }

    /// Reads, changes and replaces the file while no other process does the same.
    fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), Status> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let lock = File::open(folder).map_err(|error| self.failed("locking", &error))?;
        lock.lock()
            .map_err(|error| self.failed("locking", &error))?;
        let mut state = self.read()?;
        change(&mut state);
        let text = toml::to_string(&state).map_err(|_| Status::Unknown)?;
        self.replace(folder, &text)
            .map_err(|error| self.failed("writing", &error))
    }

    fn replace(&self, folder: &Path, text: &str) -> std::io::Result<()> {
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        beside.write_all(text.as_bytes())?;
        // The file stands for the kernel, which answers everybody.
        beside
            .as_file()
            .set_permissions(Permissions::from_mode(0o644))?;
        beside.persist(&self.path)?;
        Ok(())
    }

    /// What NVML calls an error of the file system.
    fn failed(&self, doing: &str, error: &std::io::Error) -> Status {
        if error.kind() == ErrorKind::PermissionDenied {
            return Status::NoPermission;
        }
        complain(&format!("{doing} {}: {error}", self.path.display()));
        Status::Unknown
    }
}

/// One line on standard error. A process that closed it hears nothing.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "mock NVML: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cards.toml.state");
        let store = Store::new(path.clone());
        assert_eq!(store.power_limit("GPU-a"), Ok(None));
        store.set_power_limit("GPU-a", 60_000).unwrap();
        store.set_persistence_mode("GPU-a", true).unwrap();
        store.set_power_limit("GPU-b", 70_000).unwrap();
        let later = Store::new(path);
        assert_eq!(later.power_limit("GPU-a"), Ok(Some(60_000)));
        assert_eq!(later.persistence_mode("GPU-a"), Ok(Some(true)));
        assert_eq!(later.persistence_mode("GPU-b"), Ok(None));
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("state"));
        std::thread::scope(|scope| {
            for number in 0..8 {
                let store = &store;
                scope.spawn(move || store.set_power_limit(&format!("GPU-{number}"), number));
            }
        });
        for number in 0..8 {
            assert_eq!(
                store.power_limit(&format!("GPU-{number}")),
                Ok(Some(number))
            );
        }
    }

    #[test]
    fn a_state_that_is_not_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        std::fs::write(&path, "what").unwrap();
        assert_eq!(Store::new(path).power_limit("GPU-a"), Err(Status::Unknown));
    }
}
