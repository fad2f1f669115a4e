//! The columns of `--query-gpu`, by the real program's names.

use nvml_wrapper::enum_wrappers::device::{PerformanceState, TemperatureSensor};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use crate::failure::Failure;

/// A column: its name, its unit, and where its value comes from.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) read: fn(&Nvml, &Device<'_>) -> Result<String, NvmlError>,
}

/// All columns that this stand-in has.
pub(crate) const FIELDS: &[Field] = &[
    text("index", |_, card| number(card.index())),
    text("name", |_, card| card.name()),
    text("gpu_name", |_, card| card.name()),
    text("uuid", |_, card| card.uuid()),
    text("gpu_uuid", |_, card| card.uuid()),
    text("pci.bus_id", |_, card| bus_id(card)),
    text("gpu_bus_id", |_, card| bus_id(card)),
    text("driver_version", |nvml, _| nvml.sys_driver_version()),
    text("count", |nvml, _| number(nvml.device_count())),
    field("memory.total", "MiB", |_, card| {
        Ok(mib(card.memory_info()?.total))
    }),
    field("memory.used", "MiB", |_, card| {
        Ok(mib(card.memory_info()?.used))
    }),
    field("memory.free", "MiB", |_, card| {
        Ok(mib(card.memory_info()?.free))
    }),
    text("temperature.gpu", |_, card| {
        number(card.temperature(TemperatureSensor::Gpu))
    }),
    field("power.draw", "W", |_, card| watts(card.power_usage())),
    field("power.limit", "W", |_, card| {
        watts(card.power_management_limit())
    }),
    field("enforced.power.limit", "W", |_, card| {
        watts(card.enforced_power_limit())
    }),
    field("power.default_limit", "W", |_, card| {
        watts(card.power_management_limit_default())
    }),
    field("power.min_limit", "W", |_, card| {
        let range = card.power_management_limit_constraints();
        watts(range.map(|range| range.min_limit))
    }),
    field("power.max_limit", "W", |_, card| {
        let range = card.power_management_limit_constraints();
        watts(range.map(|range| range.max_limit))
    }),
    text("persistence_mode", |_, card| {
        enabled(card.is_in_persistent_mode())
    }),
    field("utilization.gpu", "%", |_, card| {
        number(card.utilization_rates().map(|used| used.gpu))
    }),
    field("utilization.memory", "%", |_, card| {
        number(card.utilization_rates().map(|used| used.memory))
    }),
    field("fan.speed", "%", |_, card| number(card.fan_speed(0))),
    text("pcie.link.gen.current", |_, card| {
        number(card.current_pcie_link_gen())
    }),
    text("pcie.link.gen.max", |_, card| {
        number(card.max_pcie_link_gen())
    }),
    text("pcie.link.width.current", |_, card| {
        number(card.current_pcie_link_width())
    }),
    text("pcie.link.width.max", |_, card| {
        number(card.max_pcie_link_width())
    }),
    text("compute_cap", |_, card| {
        let capability = card.cuda_compute_capability()?;
        Ok(format!("{}.{}", capability.major, capability.minor))
    }),
    text("pstate", |_, card| pstate(card)),
    text("ecc.mode.current", |_, card| {
        enabled(card.is_ecc_enabled().map(|ecc| ecc.currently_enabled))
    }),
    text("vbios_version", |_, card| card.vbios_version()),
    text("serial", |_, card| card.serial()),
];

const fn field(
    name: &'static str,
    unit: &'static str,
    read: fn(&Nvml, &Device<'_>) -> Result<String, NvmlError>,
) -> Field {
    Field { name, unit, read }
}

const fn text(
    name: &'static str,
    read: fn(&Nvml, &Device<'_>) -> Result<String, NvmlError>,
) -> Field {
    field(name, "", read)
}

/// The columns of these names.
pub(crate) fn known(names: &[String]) -> Result<Vec<&'static Field>, Failure> {
    names
        .iter()
        .map(|name| {
            let found = FIELDS.iter().find(|field| field.name == name);
            found.ok_or_else(|| {
                Failure::usage(&format!(
                    "Field \"{name}\" is not a valid field to query.\n"
                ))
            })
        })
        .collect()
}

/// The address as the real program prints it, with eight digits of domain.
pub(crate) fn bus_id(card: &Device<'_>) -> Result<String, NvmlError> {
    Ok(card.pci_info()?.bus_id)
}

pub(crate) fn pstate(card: &Device<'_>) -> Result<String, NvmlError> {
    match card.performance_state()? {
        PerformanceState::Unknown => Err(NvmlError::NotSupported),
        state => Ok(format!("P{}", state.as_c())),
    }
}

pub(crate) fn watts(milliwatts: Result<u32, NvmlError>) -> Result<String, NvmlError> {
    Ok(format!("{:.2}", f64::from(milliwatts?) / 1000.0))
}

pub(crate) fn mib(bytes: u64) -> String {
    (bytes >> 20).to_string()
}

fn number(value: Result<u32, NvmlError>) -> Result<String, NvmlError> {
    Ok(value?.to_string())
}

fn enabled(value: Result<bool, NvmlError>) -> Result<String, NvmlError> {
    Ok(if value? { "Enabled" } else { "Disabled" }.to_owned())
}
