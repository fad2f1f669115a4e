//! What NVML says of the cards. This runs in a process of its own (`lab-probe nvml`).

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use lab_facts::{Fact, Gpu, GpuProcess, GpuSample, GpuUse, Library, PcieLink};
use nvml_wrapper::enum_wrappers::device::{
    EccCounter, MemoryError, TemperatureSensor, TemperatureThreshold,
};
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use serde::{Deserialize, Serialize};

use super::process;
use crate::root::Root;

/// What NVML says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The library and the driver below it.
    pub(crate) library: Fact<Library>,
    /// The cards.
    pub(crate) gpus: Fact<Vec<Gpu>>,
}

impl Answer {
    /// The cards by their UUIDs.
    pub(crate) fn uuids(&self) -> Result<Vec<String>, String> {
        let gpus = self.gpus.get()?;
        Ok(gpus.iter().map(|gpu| gpu.uuid.clone()).collect())
    }
}

/// The cards at one moment, and what runs on them; a line of `lab-probe nvml-watch`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// Each card.
    pub(crate) gpus: Vec<GpuSample>,
    /// The programs, by the UUID of their card.
    pub(crate) processes: Vec<(String, GpuProcess)>,
}

/// What NVML says now.
pub(crate) fn look() -> Answer {
    match Nvml::init() {
        Ok(nvml) => Answer {
            library: library(&nvml).map_err(|error| in_words(&error)).into(),
            gpus: gpus(&nvml).map_err(|error| in_words(&error)).into(),
        },
        Err(error) => Answer {
            library: Fact::unknown(in_words(&error)),
            gpus: Fact::unknown(in_words(&error)),
        },
    }
}

/// Prints the cards about four times a second, until nobody reads it any more.
pub(crate) fn watch() {
    const PAUSE: Duration = Duration::from_millis(250);
    let Ok(nvml) = Nvml::init() else {
        return;
    };
    loop {
        let Ok(mut line) = serde_json::to_vec(&moment(&nvml)) else {
            return;
        };
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        if out.write_all(&line).and_then(|()| out.flush()).is_err() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// NVML's own words, and what they mean for the machine.
fn in_words(error: &NvmlError) -> String {
    let meaning = match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => {
            "the driver's library libnvidia-ml.so.1 is not installed, or not for this system"
        }
        NvmlError::DriverNotLoaded => {
            "the kernel module nvidia is not loaded, or found no card that it drives"
        }
        NvmlError::LibRmVersionMismatch => {
            "Driver/library version mismatch: packages of the driver were changed below the module \
             that is loaded, and the machine was not started again"
        }
        NvmlError::NoPermission => "this user may not open the driver's device nodes",
        NvmlError::GpuLost => "a card fell off the bus: power, seat or heat",
        NvmlError::NotSupported => return "NotSupported".to_owned(),
        _ => return format!("NVML: {error}"),
    };
    format!("NVML: {error}; {meaning}")
}

fn library(nvml: &Nvml) -> Result<Library, NvmlError> {
    let cuda = nvml.sys_cuda_driver_version()?;
    Ok(Library {
        driver: nvml.sys_driver_version()?,
        cuda: format!("{}.{}", cuda / 1000, cuda % 1000 / 10),
    })
}

/// The cards that answer. One that is lost has no UUID any more, and is not among them.
fn gpus(nvml: &Nvml) -> Result<Vec<Gpu>, NvmlError> {
    let mut gpus = Vec::new();
    let mut failed = None;
    for index in 0..nvml.device_count()? {
        match nvml.device_by_index(index).and_then(|device| gpu(&device)) {
            Ok(gpu) => gpus.push(gpu),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if gpus.is_empty() => Err(error),
        _ => Ok(gpus),
    }
}

fn gpu(device: &Device<'_>) -> Result<Gpu, NvmlError> {
    let pci = device.pci_info()?;
    let id = pci.pci_device_id;
    let memory = device.memory_info();
    Ok(Gpu {
        uuid: device.uuid()?,
        name: device.name()?,
        address: address(&pci.bus_id),
        pci_id: format!("{:04x}:{:04x}", id & 0xffff, id >> 16),
        compute_capability: fact(
            device
                .cuda_compute_capability()
                .map(|one| format!("{}.{}", one.major, one.minor)),
        ),
        memory_total_bytes: fact(memory.as_ref().map(|memory| memory.total)),
        memory_used_bytes: fact(memory.as_ref().map(|memory| memory.used)),
        temperature_c: fact(device.temperature(TemperatureSensor::Gpu)),
        slowdown_c: fact(device.temperature_threshold(TemperatureThreshold::Slowdown)),
        power_mw: fact(device.power_usage()),
        power_limit_mw: fact(
            device
                .enforced_power_limit()
                .or_else(|_| device.power_management_limit()),
        ),
        persistence: fact(device.is_in_persistent_mode()),
        pcie: fact(pcie(device)),
        busy: fact(busy(device)),
        ecc_uncorrected: fact(
            device.total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile),
        ),
        throttle: fact(throttle(device)),
        processes: fact(processes(device)),
    })
}

fn fact<T, E: std::borrow::Borrow<NvmlError>>(answer: Result<T, E>) -> Fact<T> {
    answer.map_err(|error| in_words(error.borrow())).into()
}

/// `00000000:03:00.0` as the kernel writes it: `0000:03:00.0`.
pub(crate) fn address(bus_id: &str) -> String {
    let lower = bus_id.to_ascii_lowercase();
    match lower.split_once(':') {
        Some((domain, rest)) => {
            let domain = domain.trim_start_matches('0');
            format!("{domain:0>4}:{rest}")
        }
        None => lower,
    }
}

fn pcie(device: &Device<'_>) -> Result<PcieLink, NvmlError> {
    Ok(PcieLink {
        generation: device.current_pcie_link_gen()?,
        generation_max: device.max_pcie_link_gen()?,
        width: device.current_pcie_link_width()?,
        width_max: device.max_pcie_link_width()?,
    })
}

fn busy(device: &Device<'_>) -> Result<GpuUse, NvmlError> {
    let rates = device.utilization_rates()?;
    Ok(GpuUse {
        gpu_percent: rates.gpu,
        memory_percent: rates.memory,
    })
}

fn throttle(device: &Device<'_>) -> Result<Vec<String>, NvmlError> {
    let reasons = device.current_throttle_reasons()?;
    let names = reasons
        .iter_names()
        .map(|(name, _)| name.to_ascii_lowercase());
    Ok(names.collect())
}

fn processes(device: &Device<'_>) -> Result<Vec<GpuProcess>, NvmlError> {
    let root = Root::new(Path::new("/"));
    let processes = device.running_compute_processes()?.into_iter();
    Ok(processes
        .map(|one| GpuProcess {
            pid: one.pid,
            program: process::program(&root, one.pid),
            unit: process::unit(&root, one.pid),
            memory_bytes: match one.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            },
        })
        .collect())
}

/// The cards at this moment; one that does not answer is left out.
fn moment(nvml: &Nvml) -> Moment {
    let mut moment = Moment {
        gpus: Vec::new(),
        processes: Vec::new(),
    };
    for index in 0..nvml.device_count().unwrap_or(0) {
        let card = nvml.device_by_index(index);
        let Ok((uuid, device)) = card.and_then(|device| Ok((device.uuid()?, device))) else {
            continue;
        };
        let processes = processes(&device).unwrap_or_default();
        let of_card = processes.into_iter().map(|one| (uuid.clone(), one));
        moment.processes.extend(of_card);
        moment.gpus.push(sample(&device, uuid));
    }
    moment
}

fn sample(device: &Device<'_>, uuid: String) -> GpuSample {
    GpuSample {
        uuid,
        busy_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
        memory_mib: device.memory_info().ok().map(|memory| memory.used >> 20),
        temperature_c: device.temperature(TemperatureSensor::Gpu).ok(),
        power_mw: device.power_usage().ok(),
    }
}
