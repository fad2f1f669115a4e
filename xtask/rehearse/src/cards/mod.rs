//! Cards that are not there: what stands on the bus of a virtual machine in their place.
//!
//! QEMU has no NVIDIA cards. A function of its own stands in each described slot, and in the
//! guest a script lays over `/sys/bus/pci/devices` what a card would show there: vendor,
//! device, subsystem. A stand-in for `modprobe` makes the device nodes when the driver's
//! package is installed, and the driver's libraries are those of `tests/mock-nvml`, which
//! read a file of cards.
//!
//! It proves that the lab finds its cards by slot and id and gives each workload its own. It
//! does not prove that a module loads, that a card computes, or how fast.

use std::fmt::Write as _;

use lab_machine::{Card, Machine};
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

/// Lays cards on the bus of a virtual machine.
pub(crate) const BUS: &str = include_str!("bus");
/// In place of `modprobe`, for NVIDIA's modules alone.
pub const MODPROBE: &str = include_str!("modprobe");
/// In place of `modinfo`, for NVIDIA's modules alone.
pub const MODINFO: &str = include_str!("modinfo");
/// In place of `lsmod`: what the other two pretend.
pub const LSMOD: &str = include_str!("lsmod");

/// The maker of a board that nobody described: MSI.
const SUBSYSTEM: (&str, &str) = ("1462", "0000");

/// What one card shows on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnBus {
    /// Its address, such as `0000:01:00.0`.
    pub address: String,
    /// Vendor and device, four digits each.
    pub id: (String, String),
}

impl OnBus {
    /// The files of sysfs for it, by their names, each with one line.
    #[must_use]
    pub fn files(&self) -> [(&'static str, String); 5] {
        let (vendor, device) = &self.id;
        [
            ("vendor", format!("0x{vendor}\n")),
            ("device", format!("0x{device}\n")),
            ("class", "0x030000\n".to_owned()),
            ("subsystem_vendor", format!("0x{}\n", SUBSYSTEM.0)),
            ("subsystem_device", format!("0x{}\n", SUBSYSTEM.1)),
        ]
    }
}

/// The described cards, each in its slot; a card without one gets the first free of the
/// slots `0000:01:00.0`, `0000:02:00.0` and so on.
#[must_use]
pub fn on_bus(machine: &Machine) -> Vec<OnBus> {
    let taken: Vec<String> = machine
        .cards
        .iter()
        .filter_map(|card| card.slot.as_ref().map(ToString::to_string))
        .collect();
    let mut free = (1..=0xff_u32)
        .map(|bus| format!("0000:{bus:02x}:00.0"))
        .filter(|address| !taken.contains(address));
    let mut all = Vec::new();
    for card in &machine.cards {
        let own = card.slot.as_ref().map(ToString::to_string);
        let Some(address) = own.or_else(|| free.next()) else {
            break;
        };
        let id = card.pci_id.to_string();
        let (vendor, device) = id.split_once(':').unwrap_or_default();
        all.push(OnBus {
            address,
            id: (vendor.to_owned(), device.to_owned()),
        });
    }
    all
}

/// The file of cards that the mock libraries read, by what the catalog knows of each.
///
/// Names, ids, memory, generation and bandwidth are the catalog's; temperatures, clocks and
/// identifiers are invented and only of the right form.
#[must_use]
pub fn file(machine: &Machine, on_bus: &[OnBus]) -> String {
    let mut all = Table::new();
    all.insert("driver_version".into(), driver(machine).into());
    all.insert("cuda_version".into(), "13.0".into());
    all.insert("state".into(), "/run/mock-nvml.state".into());
    let needs = ["/sys/module/nvidia/version", "/dev/nvidiactl"].map(Value::from);
    all.insert("requires".into(), Value::from(needs.to_vec()));
    let mut cards: Vec<(&OnBus, Table)> = machine
        .cards
        .iter()
        .zip(on_bus)
        .map(|(card, place)| (place, entry(card, place)))
        .collect();
    // The library knows them in the order of their addresses.
    cards.sort_by(|one, other| one.0.address.cmp(&other.0.address));
    let cards: Vec<Value> = cards.into_iter().map(|(_, card)| card.into()).collect();
    all.insert("card".into(), cards.into());
    all.to_string()
}

/// A version of the described branch; modprobe's stand-in writes the installed one over it.
fn driver(machine: &Machine) -> String {
    format!("{}.0", machine.driver.branch)
}

fn entry(card: &Card, place: &OnBus) -> Table {
    const ABSENT: &str = "not-supported";
    let mut entry = Table::new();
    let mut put = |key: &str, value: Value| {
        entry.insert(key.to_owned(), value);
    };
    let model = card.model.clone().unwrap_or_else(|| "a card".to_owned());
    let geforce = model.starts_with("GeForce");
    let name = match geforce {
        true => format!("NVIDIA {model}"),
        false => model,
    };
    put("name", name.into());
    put("uuid", uuid(place).into());
    put("pci_bus_id", place.address.clone().into());
    put("pci_id", card.pci_id.to_string().into());
    put(
        "pci_subsystem_id",
        format!("{}:{}", SUBSYSTEM.0, SUBSYSTEM.1).into(),
    );
    if let Some(architecture) = card.architecture {
        put(
            "architecture",
            architecture.to_string().to_lowercase().into(),
        );
    }
    if let Some(capability) = card.compute_capability {
        put("compute_capability", capability.to_string().into());
    }
    put("brand", if geforce { "geforce" } else { "quadro" }.into());
    put(
        "memory_total_mib",
        i64::from(card.vram_mib.unwrap_or(2048)).into(),
    );
    put("memory_used_mib", 3.into());
    put("temperature_c", 38.into());
    put("slowdown_c", 101.into());
    put("persistence_mode", false.into());
    put("performance_state", 8.into());
    put("throttle_reasons", 1.into());
    let pair = |one: i64, other: i64| Value::from(vec![Value::from(one), other.into()]);
    put("utilization_percent", pair(0, 0));
    put("pcie_now", pair(1, 16));
    put("pcie_max", pair(3, 16));
    for key in [
        "power_draw_mw",
        "power_limits_mw",
        "fan_percent",
        "ecc",
        "ecc_errors",
        "serial",
    ] {
        put(key, ABSENT.into());
    }
    if let Some(watts) = card.board_power_w {
        let limit = i64::from(watts) * 1000;
        put("power_limit_mw", limit.into());
        put("power_default_limit_mw", limit.into());
    }
    if let Some(most) = card.memory_bandwidth_gbps {
        // What a copy reaches of the maker's figure.
        put("cuda_bandwidth_mb_s", (i64::from(most) * 850).into());
    }
    // What computes is the virtual machine's processor.
    put("compute_memory_mib", 32.into());
    entry
}

/// One in the form of NVIDIA's, the same for the same card in the same slot.
fn uuid(place: &OnBus) -> String {
    let seed = format!("{} {}:{}", place.address, place.id.0, place.id.1);
    let digits = hex::encode(Sha256::digest(seed));
    let mut text = String::from("GPU");
    let mut from = 0;
    for length in [8, 4, 4, 4, 12] {
        let part = digits.get(from..from + length).unwrap_or_default();
        let _ = write!(text, "-{part}");
        from += length;
    }
    text
}
