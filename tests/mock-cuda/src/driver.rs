//! What lies behind the ABI: the cards that a process may see, their contexts, memory and
//! clocks.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cards::{Card, CardFault, CudaFault, Machine, MachineFault};
use crate::kernels::Kernel;
use crate::memory::Memory;
use crate::status::Status;

/// The environment variable that names the file of cards.
pub const VARIABLE: &str = "MOCK_NVML";

/// The file of cards where the variable is not set.
const DEFAULT: &str = "/etc/mock-nvml.toml";

/// Which cards a process may see, as the real driver reads it.
const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

const MIB: u64 = 1 << 20;
/// What a card has for programs where the file does not say: a test's host has little.
const ROOM_MIB: u64 = 96;
/// What is left where another program holds the memory.
const LEFT_MIB: u64 = 3;

static DRIVER: Mutex<Option<Driver>> = Mutex::new(None);

/// The driver, once it was initialized.
#[derive(Debug)]
pub(crate) struct Driver {
    /// Highest CUDA version, 13000 for 13.0.
    pub(crate) version: i32,
    /// The cards that this process may see.
    pub(crate) devices: Vec<Device>,
    /// When each event was recorded, by the clock of its device in nanoseconds.
    pub(crate) events: Vec<Option<f64>>,
}

/// A card that this process may see.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) card: Card,
    pub(crate) memory: Memory,
    /// The card's clock in nanoseconds: how long what it was given takes.
    pub(crate) clock: f64,
    /// An error that every later call gives too, as CUDA does.
    pub(crate) sticky: Option<Status>,
}

fn driver() -> MutexGuard<'static, Option<Driver>> {
    // A panic elsewhere leaves numbers and vectors, each of them whole.
    DRIVER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the cards, once.
pub(crate) fn initialize() -> Result<(), Status> {
    let mut driver = driver();
    if driver.is_none() {
        *driver = Some(Driver::new()?);
    }
    Ok(())
}

/// Asks the driver.
pub(crate) fn with<T>(
    question: impl FnOnce(&mut Driver) -> Result<T, Status>,
) -> Result<T, Status> {
    question(driver().as_mut().ok_or(Status::NotInitialized)?)
}

/// Asks a card.
pub(crate) fn with_device<T>(
    ordinal: usize,
    question: impl FnOnce(&mut Device) -> Result<T, Status>,
) -> Result<T, Status> {
    with(|driver| {
        let device = driver.devices.get_mut(ordinal);
        question(device.ok_or(Status::InvalidDevice)?)
    })
}

impl Driver {
    fn new() -> Result<Self, Status> {
        let path = std::env::var_os(VARIABLE).map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from);
        let machine = Machine::read(&path).map_err(|error| {
            complain(&error);
            Status::Unknown
        })?;
        refuses(&machine)?;
        let cuda = machine.cuda_version;
        let devices = visible(machine.cards, std::env::var(VISIBLE).ok().as_deref());
        if devices.is_empty() {
            return Err(Status::NoDevice);
        }
        Ok(Driver {
            version: (cuda.major * 1000 + cuda.minor * 10).cast_signed(),
            devices,
            events: Vec::new(),
        })
    }
}

/// Why `cuInit` fails.
fn refuses(machine: &Machine) -> Result<(), Status> {
    let mut missing = machine.requires.iter().filter(|path| !path.exists());
    let is_uvm = |path: &PathBuf| path.file_name().is_some_and(|name| name == "nvidia-uvm");
    match (missing.next(), missing.next()) {
        (None, _) => {}
        // nvidia.ko is there and nvidia-uvm.ko is not: the case where nvidia-smi is well.
        (Some(path), None) if is_uvm(path) => return Err(Status::Unknown),
        (Some(_), _) => return Err(Status::NoDevice),
    }
    match machine.fault {
        None => Ok(()),
        Some(MachineFault::DriverNotLoaded) => Err(Status::NoDevice),
        Some(MachineFault::Mismatch) => Err(Status::SystemDriverMismatch),
        // Not known from a source: what a real driver says without a right to its nodes.
        Some(MachineFault::NoPermission) => Err(Status::OperatingSystem),
        Some(MachineFault::Unknown) => Err(Status::Unknown),
    }
}

/// The cards that the variable names, in its order; all where it is not set. As the real
/// driver does, nothing counts from the first one on that is not there.
fn visible(cards: Vec<Card>, named: Option<&str>) -> Vec<Device> {
    let seen: Vec<Card> = cards
        .into_iter()
        .filter(|card| card.fault != Some(CardFault::FallenOff))
        .filter(|card| card.cuda_fault != Some(CudaFault::NoDevice))
        .collect();
    let Some(named) = named else {
        return seen.into_iter().map(Device::new).collect();
    };
    named
        .split(',')
        .map_while(|name| find(&seen, name.trim()))
        .cloned()
        .map(Device::new)
        .collect()
}

fn find<'c>(cards: &'c [Card], name: &str) -> Option<&'c Card> {
    if let Ok(ordinal) = name.parse::<usize>() {
        return cards.get(ordinal);
    }
    let begins = |card: &&Card| name.len() > 4 && card.uuid.starts_with(name);
    let mut found = cards.iter().filter(begins);
    // A beginning that two cards have names none.
    found.next().filter(|_| found.next().is_none())
}

impl Device {
    fn new(card: Card) -> Self {
        let free = card.memory_total_mib - card.memory_used_mib;
        let room = free.min(card.compute_memory_mib.unwrap_or(ROOM_MIB));
        let room = match card.cuda_fault {
            Some(CudaFault::OutOfMemory) => room.min(LEFT_MIB),
            _ => room,
        };
        Device {
            memory: Memory::new(room * MIB),
            card,
            clock: 0.0,
            sticky: None,
        }
    }

    /// The error that every call gives since a kernel failed.
    pub(crate) fn well(&self) -> Result<(), Status> {
        match (self.sticky, self.card.fault) {
            (Some(status), _) => Err(status),
            // Not known from a source: what CUDA says of a card that NVML calls lost.
            (None, Some(CardFault::GpuIsLost | CardFault::Unknown)) => Err(Status::Unknown),
            (None, _) => Ok(()),
        }
    }

    /// Launches a kernel: here it is done at once.
    pub(crate) fn launch(
        &mut self,
        kernel: Kernel,
        threads: u64,
        arguments: &[u64],
    ) -> Result<(), Status> {
        self.well()?;
        let fault = self.card.cuda_fault;
        match fault {
            Some(CudaFault::Crash) => {
                complain("crashes, as it was told to");
                std::process::abort();
            }
            Some(CudaFault::Ecc) => self.sticky = Some(Status::EccUncorrectable),
            _ => {
                let done = kernel.run(&mut self.memory, threads, arguments, fault);
                // Errors of a kernel come out when somebody waits for it.
                self.sticky = done.err();
            }
        }
        Ok(())
    }

    /// Copies on the card, and lets its clock go on.
    pub(crate) fn copy(&mut self, to: u64, from: u64, bytes: usize) -> Result<(), Status> {
        self.well()?;
        self.memory.copy(to, from, bytes)?;
        // MB/s are bytes in a microsecond.
        self.clock += 2.0 * bytes as f64 / self.bandwidth_mb_s() * 1000.0;
        Ok(())
    }

    fn bandwidth_mb_s(&self) -> f64 {
        let named = self.card.cuda_bandwidth_mb_s;
        let bandwidth = named.unwrap_or_else(|| plausible(&self.card.name)).max(1) as f64;
        match self.card.cuda_fault {
            Some(CudaFault::Slow) => bandwidth / 10.0,
            _ => bandwidth,
        }
    }
}

/// Some 80 % of the vendor's figure, as far as the first machine's cards go.
fn plausible(name: &str) -> u64 {
    let specified = match name {
        name if name.contains("GT 1030") => 48_000,
        name if name.contains("K2200") => 80_000,
        name if name.contains("GTX 1050 Ti") => 112_000,
        _ => 200_000,
    };
    specified / 5 * 4
}

/// Waits for a card, for ever where it hangs. Nobody is kept from other cards meanwhile.
pub(crate) fn wait(ordinal: usize) -> Result<(), Status> {
    let hangs = with_device(ordinal, |device| {
        device.well()?;
        Ok(device.card.cuda_fault == Some(CudaFault::Hang))
    })?;
    if hangs {
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    }
    Ok(())
}

/// One line on standard error. A process that closed it hears nothing.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "mock CUDA: {text}");
}
