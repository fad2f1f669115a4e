//! What is printed: the table, the list, the two queries and the versions.

use lab_vendors::words;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};

use crate::arguments::Format;
use crate::failure::Failure;
use crate::fields::{self, Field};
use crate::say;

/// `nvidia-smi -L`.
pub(crate) fn list(cards: &[Device<'_>], out: &mut String) -> Result<(), Failure> {
    for card in cards {
        let (index, name, uuid) = (card.index()?, card.name()?, card.uuid()?);
        say!(out, "GPU {index}: {name} (UUID: {uuid})");
    }
    Ok(())
}

/// `nvidia-smi --version`.
pub(crate) fn version(nvml: &Nvml, out: &mut String) -> Result<(), Failure> {
    let driver = nvml.sys_driver_version()?;
    say!(out, "NVIDIA-SMI version  : {driver}");
    say!(
        out,
        "NVML version        : {}",
        short(&nvml.sys_nvml_version()?)
    );
    say!(out, "DRIVER version      : {driver}");
    say!(out, "CUDA Version        : {}", cuda(nvml)?);
    Ok(())
}

/// The library's version without CUDA's number before it and the last behind it.
fn short(version: &str) -> String {
    let numbers: Vec<&str> = version.split('.').skip(1).take(2).collect();
    numbers.join(".")
}

fn cuda(nvml: &Nvml) -> Result<String, NvmlError> {
    let version = nvml.sys_cuda_driver_version()?;
    Ok(format!(
        "{}.{}",
        nvml_wrapper::cuda_driver_version_major(version),
        nvml_wrapper::cuda_driver_version_minor(version)
    ))
}

/// `nvidia-smi --query-gpu=…`.
pub(crate) fn query(
    nvml: &Nvml,
    cards: &[Device<'_>],
    names: &[String],
    format: &Format,
    out: &mut String,
) -> Result<(), Failure> {
    let fields = fields::known(names)?;
    if !format.noheader {
        let columns: Vec<String> = fields.iter().map(|field| column(field, format)).collect();
        say!(out, "{}", columns.join(", "));
    }
    for card in cards {
        let values: Vec<String> = fields
            .iter()
            .map(|field| cell((field.read)(nvml, card), field.unit, format))
            .collect();
        say!(out, "{}", values.join(", "));
    }
    Ok(())
}

fn column(field: &Field, format: &Format) -> String {
    if field.unit.is_empty() || format.nounits {
        return field.name.to_owned();
    }
    format!("{} [{}]", field.name, field.unit)
}

/// A value with its unit, or in brackets why there is none.
fn cell(value: Result<String, NvmlError>, unit: &str, format: &Format) -> String {
    match value {
        Ok(text) if unit.is_empty() || format.nounits => text,
        Ok(text) => format!("{text} {unit}"),
        Err(NvmlError::NotSupported) => "[N/A]".to_owned(),
        Err(error) => format!("[{}]", words::of(&error).0),
    }
}

/// `nvidia-smi --query-compute-apps=…`.
pub(crate) fn processes(
    nvml: &Nvml,
    cards: &[Device<'_>],
    names: &[String],
    format: &Format,
    out: &mut String,
) -> Result<(), Failure> {
    let columns = names
        .iter()
        .map(|name| process_column(name, format))
        .collect::<Result<Vec<_>, _>>()?;
    if !format.noheader {
        say!(out, "{}", columns.join(", "));
    }
    for card in cards {
        for process in card.running_compute_processes()? {
            let values: Vec<String> = names
                .iter()
                .map(|name| process_cell(nvml, card, &process, name, format))
                .collect();
            say!(out, "{}", values.join(", "));
        }
    }
    Ok(())
}

fn process_column(name: &str, format: &Format) -> Result<String, Failure> {
    match name {
        "gpu_uuid" | "gpu_name" | "gpu_bus_id" | "pid" | "process_name" | "name" => {
            Ok(name.to_owned())
        }
        "used_memory" | "used_gpu_memory" if format.nounits => Ok(name.to_owned()),
        "used_memory" | "used_gpu_memory" => Ok("used_gpu_memory [MiB]".to_owned()),
        _ => Err(Failure::usage(&format!(
            "Field \"{name}\" is not a valid field to query.\n"
        ))),
    }
}

fn process_cell(
    nvml: &Nvml,
    card: &Device<'_>,
    process: &ProcessInfo,
    name: &str,
    format: &Format,
) -> String {
    let text = |value| cell(value, "", format);
    match name {
        "gpu_uuid" => text(card.uuid()),
        "gpu_name" => text(card.name()),
        "gpu_bus_id" => text(fields::bus_id(card)),
        "pid" => process.pid.to_string(),
        "process_name" | "name" => nvml
            .sys_process_name(process.pid, 256)
            .unwrap_or_else(|_| "[Not Found]".to_owned()),
        _ => match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => cell(Ok(fields::mib(bytes)), "MiB", format),
            UsedGpuMemory::Unavailable => "[N/A]".to_owned(),
        },
    }
}

/// `nvidia-smi` alone: versions, and a line a card.
pub(crate) fn table(nvml: &Nvml, cards: &[Device<'_>], out: &mut String) -> Result<(), Failure> {
    let driver = nvml.sys_driver_version()?;
    let line = format!("+{}+", "-".repeat(98));
    say!(out, "{line}");
    say!(
        out,
        "| NVIDIA-SMI {driver:<24} Driver Version: {driver:<22} CUDA Version: {:<7} |",
        cuda(nvml)?
    );
    say!(out, "{line}");
    for card in cards {
        say!(out, "| {:<96} |", row(card)?);
    }
    say!(out, "{line}");
    Ok(())
}

fn row(card: &Device<'_>) -> Result<String, NvmlError> {
    let or_none = |value: Result<String, NvmlError>| value.unwrap_or_else(|_| "N/A".to_owned());
    let memory = card.memory_info()?;
    Ok(format!(
        "{:>3}  {:<28} {}  {:>4}  {:>6}W / {:>6}W  {:>5}MiB / {:>5}MiB",
        card.index()?,
        card.name()?,
        fields::bus_id(card)?,
        or_none(fields::pstate(card)),
        or_none(fields::watts(card.power_usage())),
        or_none(fields::watts(card.power_management_limit())),
        fields::mib(memory.used),
        fields::mib(memory.total),
    ))
}
