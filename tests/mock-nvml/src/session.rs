//! What lies between `nvmlInit` and `nvmlShutdown`: the cards as they were read, and how
//! often they were asked for.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cards::{Card, CardFault, Machine, MachineFault};
use crate::state::{Store, complain};
use crate::status::Status;

/// The environment variable that names the file of cards.
pub const VARIABLE: &str = "MOCK_NVML";

/// The file of cards where the variable is not set.
const DEFAULT: &str = "/etc/mock-nvml.toml";

static SESSION: Mutex<Option<Session>> = Mutex::new(None);

/// The cards of a library that was initialized.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) machine: Machine,
    pub(crate) store: Store,
    count: u64,
}

/// A card, its place in the file, and where what is set for it is kept.
pub(crate) struct Found<'s> {
    pub(crate) session: &'s Session,
    pub(crate) place: usize,
    pub(crate) card: &'s Card,
}

fn session() -> MutexGuard<'static, Option<Session>> {
    // A session is replaced as a whole, so a panic elsewhere leaves it in order.
    SESSION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the cards and begins, or counts one more.
pub(crate) fn begin() -> Result<(), Status> {
    let path = std::env::var_os(VARIABLE).map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from);
    let machine = Machine::read(&path).map_err(|error| {
        complain(&error);
        Status::Unknown
    })?;
    pause(machine.slow_ms);
    if let Some(status) = refuses(&machine) {
        return Err(status);
    }
    let mut session = session();
    let count = session.as_ref().map_or(1, |session| session.count + 1);
    *session = Some(Session {
        store: Store::new(state_path(&machine, &path)),
        machine,
        count,
    });
    Ok(())
}

/// Ends the session that was begun last.
pub(crate) fn end() -> Result<(), Status> {
    let mut session = session();
    let Some(open) = session.as_mut() else {
        return Err(Status::Uninitialized);
    };
    open.count -= 1;
    if open.count == 0 {
        *session = None;
    }
    Ok(())
}

/// Where what is set is kept.
fn state_path(machine: &Machine, file: &Path) -> PathBuf {
    machine.state.clone().unwrap_or_else(|| {
        let mut path = file.as_os_str().to_owned();
        path.push(".state");
        PathBuf::from(path)
    })
}

/// Why `nvmlInit` fails.
fn refuses(machine: &Machine) -> Option<Status> {
    if !machine.requires.iter().all(|path| path.exists()) {
        return Some(Status::DriverNotLoaded);
    }
    machine.fault.map(|fault| match fault {
        MachineFault::DriverNotLoaded => Status::DriverNotLoaded,
        MachineFault::Mismatch => Status::LibRmVersionMismatch,
        MachineFault::NoPermission => Status::NoPermission,
        MachineFault::Unknown => Status::Unknown,
    })
}

/// The session as it is now. A copy, so that a slow card holds up nobody else.
pub(crate) fn current() -> Result<Session, Status> {
    session().clone().ok_or(Status::Uninitialized)
}

impl Session {
    /// The cards that the driver sees, with their places in the file.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (usize, &Card)> {
        self.machine
            .cards
            .iter()
            .enumerate()
            .filter(|(_, card)| card.fault != Some(CardFault::FallenOff))
    }

    /// The card at a place of the file, unless it fails.
    pub(crate) fn card(&self, place: usize) -> Result<Found<'_>, Status> {
        let card = self
            .machine
            .cards
            .get(place)
            .ok_or(Status::InvalidArgument)?;
        pause(card.slow_ms);
        match card.fault {
            None => Ok(Found {
                session: self,
                place,
                card,
            }),
            Some(CardFault::GpuIsLost | CardFault::FallenOff) => Err(Status::GpuIsLost),
            Some(CardFault::Unknown) => Err(Status::Unknown),
        }
    }
}

impl Found<'_> {
    /// The card's number among those that the driver sees.
    pub(crate) fn index(&self) -> usize {
        let before = |(place, _): &(usize, &Card)| *place < self.place;
        self.session.seen().take_while(before).count()
    }

    /// The power limit: what was set, else what the file says.
    pub(crate) fn power_limit(&self) -> Result<u32, Status> {
        let own = self.card.power_limit_mw.get().ok_or(Status::NotSupported)?;
        let set = self.session.store.power_limit(&self.card.uuid)?;
        Ok(set.unwrap_or(own))
    }

    /// Sets the power limit.
    pub(crate) fn set_power_limit(&self, limit: u32) -> Result<(), Status> {
        let [least, most] = self
            .card
            .power_limits_mw
            .get()
            .ok_or(Status::NotSupported)?;
        if !(least..=most).contains(&limit) {
            return Err(Status::InvalidArgument);
        }
        self.session.store.set_power_limit(&self.card.uuid, limit)
    }

    /// The persistence mode: what was set, else what the file says.
    pub(crate) fn persistence_mode(&self) -> Result<bool, Status> {
        let own = self
            .card
            .persistence_mode
            .get()
            .ok_or(Status::NotSupported)?;
        let set = self.session.store.persistence_mode(&self.card.uuid)?;
        Ok(set.unwrap_or(own))
    }

    /// Sets the persistence mode.
    pub(crate) fn set_persistence_mode(&self, mode: bool) -> Result<(), Status> {
        self.persistence_mode()?;
        self.session
            .store
            .set_persistence_mode(&self.card.uuid, mode)
    }
}

/// A card or a driver that is slow on purpose.
fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }
}
