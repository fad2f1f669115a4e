//! What stands on the PCI bus, and the kernel's drivers for it.

use lab_facts::{Fact, Kind, Module, PciDevice};

use crate::program::Program;
use crate::root::{Root, SMALL, Unread, short};

const DEVICES: &str = "/sys/bus/pci/devices";

/// Display controllers: class 03 of the PCI Code and ID Assignment Specification.
pub(crate) fn display_controllers(root: &Root) -> Result<Vec<PciDevice>, Unread> {
    let addresses = match root.names(DEVICES) {
        // A machine without such a bus.
        Err(error) if error.missing() => Vec::new(),
        addresses => addresses?,
    };
    Ok(addresses
        .iter()
        .filter_map(|address| display_controller(root, address))
        .collect())
}

fn display_controller(root: &Root, address: &str) -> Option<PciDevice> {
    let number = |file: &str| hexadecimal(&root.line(&format!("{DEVICES}/{address}/{file}")).ok()?);
    let pair = |vendor: &str, device: &str| {
        let (vendor, device) = (number(vendor)?, number(device)?);
        Some(format!("{vendor:04x}:{device:04x}"))
    };
    if number("class")? >> 16 != 0x03 {
        return None;
    }
    Some(PciDevice {
        address: address.to_ascii_lowercase(),
        id: pair("vendor", "device")?,
        subsystem: pair("subsystem_vendor", "subsystem_device").unwrap_or_default(),
        driver: root.link_name(&format!("{DEVICES}/{address}/driver")),
    })
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The kernel module that is loaded.
pub(crate) fn module(root: &Root) -> Result<Option<Module>, String> {
    if !root.exists("/sys/module/nvidia") {
        return Ok(None);
    }
    Ok(Some(Module {
        version: root.line("/sys/module/nvidia/version")?,
        kind: kind(root).into(),
        uvm: root.exists("/sys/module/nvidia_uvm"),
    }))
}

/// Which kind of module: as it says itself, and else by its license (`modinfo`).
fn kind(root: &Root) -> Result<Kind, String> {
    const SAYS: &str = "/proc/driver/nvidia/version";
    let said = match root.text(SAYS, SMALL) {
        Ok(text) => return kind_of_banner(&text).ok_or(format!("{SAYS} says `{}`", short(&text))),
        Err(error) => error.to_string(),
    };
    let license = Program::new("modinfo", ["-F", "license", "nvidia"]).text();
    match license.as_deref().map(str::trim) {
        Ok("NVIDIA") => Ok(Kind::Closed),
        Ok(open) if open.contains("GPL") => Ok(Kind::Open),
        Ok(other) => Err(format!(
            "{said}, and the module's license is `{}`",
            short(other)
        )),
        Err(why) => Err(format!("{said}, and {why}")),
    }
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.…`, or `NVIDIA UNIX Open Kernel
/// Module for x86_64  580.…`.
pub(crate) fn kind_of_banner(text: &str) -> Option<Kind> {
    let line = text
        .lines()
        .find(|line| line.starts_with("NVRM version:"))?;
    match line.contains("Open Kernel Module") {
        true => Some(Kind::Open),
        false if line.contains("Kernel Module") => Some(Kind::Closed),
        false => None,
    }
}

/// The driver's device nodes.
pub(crate) fn nodes(root: &Root) -> Fact<Vec<String>> {
    let nodes = |names: Vec<String>| {
        let node = |name: &String| {
            let folder = root.path(&format!("/dev/{name}")).is_dir();
            (name.starts_with("nvidia") && !folder).then(|| format!("/dev/{name}"))
        };
        names.iter().filter_map(node).collect()
    };
    root.names("/dev").map(nodes).into()
}
