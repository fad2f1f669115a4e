//! What the machine is made of: firmware, processor and memory.

use lab_facts::{Cpu, Dmi, Firmware, MemoryErrors};

use crate::root::Root;

/// Where the firmware's variables show (efivarfs).
const EFI: &str = "/sys/firmware/efi";

/// The variable `SecureBoot` of the UEFI specification, section 3.3.
const SECURE_BOOT: &str = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// The most that is read of `/proc/cpuinfo`, which grows with the processors.
const CPUINFO: u64 = 8 << 20;

/// What the firmware says that the machine is.
pub(crate) fn dmi(root: &Root) -> Result<Dmi, String> {
    let value = |name: &str| root.line(&format!("/sys/class/dmi/id/{name}"));
    let optional = |name: &str| value(name).unwrap_or_default();
    Ok(Dmi {
        vendor: value("sys_vendor")?,
        product: value("product_name")?,
        bios: format!("{} {}", optional("bios_version"), optional("bios_date"))
            .trim()
            .to_owned(),
    })
}

/// The processor by `/proc/cpuinfo`.
pub(crate) fn cpu(root: &Root) -> Result<Cpu, String> {
    let text = root.text("/proc/cpuinfo", CPUINFO)?;
    let values = |name: &'static str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .filter(move |(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
    };
    let model = values("model name").next();
    let threads = u32::try_from(values("processor").count()).unwrap_or(u32::MAX);
    match model {
        Some(model) if threads > 0 => Ok(Cpu {
            model: model.to_owned(),
            threads,
        }),
        _ => Err("/proc/cpuinfo names no processor and its model".to_owned()),
    }
}

/// `MemTotal` of `/proc/meminfo`.
pub(crate) fn memory_kib(root: &Root) -> Result<u64, String> {
    let text = root.text("/proc/meminfo", crate::root::SMALL)?;
    text.lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse().ok())
        .ok_or_else(|| "/proc/meminfo has no `MemTotal: … kB`".to_owned())
}

/// The counters of the memory controllers (Documentation/admin-guide/ras.rst).
pub(crate) fn memory_errors(root: &Root) -> Result<MemoryErrors, String> {
    const CONTROLLERS: &str = "/sys/devices/system/edac/mc";
    let mut errors = MemoryErrors {
        controllers: 0,
        corrected: 0,
        uncorrected: 0,
    };
    let names = match root.names(CONTROLLERS) {
        Err(error) if error.missing() => return Ok(errors),
        names => names?,
    };
    let controller = |name: &&String| {
        let number = name.strip_prefix("mc").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    for name in names.iter().filter(controller) {
        let count = |counter: &str| root.number(&format!("{CONTROLLERS}/{name}/{counter}"));
        errors.controllers += 1;
        errors.corrected = errors.corrected.saturating_add(count("ce_count")?);
        errors.uncorrected = errors.uncorrected.saturating_add(count("ue_count")?);
    }
    Ok(errors)
}

/// How the machine was started: the kernel has that folder under UEFI alone.
pub(crate) fn firmware(root: &Root) -> Firmware {
    match root.exists(EFI) {
        true => Firmware::Uefi,
        false => Firmware::Bios,
    }
}

/// Whether Secure Boot is on: four bytes of attributes, then one that is 0 or 1.
pub(crate) fn secure_boot(root: &Root) -> Result<Option<bool>, String> {
    if firmware(root) == Firmware::Bios {
        return Ok(None);
    }
    let variables = format!("{EFI}/efivars");
    match root.bytes(&format!("{variables}/{SECURE_BOOT}"), 64) {
        Ok(bytes) => match bytes.as_slice() {
            [_, _, _, _, on @ (0 | 1)] => Ok(Some(*on == 1)),
            other => Err(format!(
                "the variable SecureBoot is {} bytes that say neither on nor off",
                other.len()
            )),
        },
        Err(error) if error.missing() => match root.names(&variables) {
            Ok(names) if !names.is_empty() => Ok(Some(false)),
            _ => Err(format!("{variables} shows no variables of the firmware")),
        },
        Err(error) => Err(error.into()),
    }
}
