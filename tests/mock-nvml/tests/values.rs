//! What a program reads through `nvml-wrapper`: every value of the three cards, what is
//! set and read back, and each fault.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod library;

use library::{Z440, with_cards, with_file};
use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{
    Brand, Clock, EccCounter, MemoryError, PerformanceState, TemperatureSensor,
};
use nvml_wrapper::enums::device::{DeviceArchitecture, UsedGpuMemory};
use nvml_wrapper::error::NvmlError;

#[test]
fn the_machine() {
    let nvml = with_cards(Z440).unwrap();
    assert_eq!(nvml.sys_driver_version().unwrap(), "580.173.02");
    assert_eq!(nvml.sys_nvml_version().unwrap(), "13.580.173.02");
    assert_eq!(nvml.sys_cuda_driver_version().unwrap(), 13_000);
    assert_eq!(nvml.device_count().unwrap(), 3);
    let past = nvml.device_by_index(3);
    assert!(matches!(past, Err(NvmlError::InvalidArg)));
}

#[test]
fn a_card_is_found_in_three_ways() {
    let nvml = with_cards(Z440).unwrap();
    for index in 0..3 {
        let card = nvml.device_by_index(index).unwrap();
        assert_eq!(card.index().unwrap(), index);
        assert_eq!(card.minor_number().unwrap(), index);
        let by_uuid = nvml.device_by_uuid(card.uuid().unwrap()).unwrap();
        assert_eq!(by_uuid.index().unwrap(), index);
        let bus = card.pci_info().unwrap().bus_id;
        let by_bus = nvml.device_by_pci_bus_id(bus).unwrap();
        assert_eq!(by_bus.index().unwrap(), index);
    }
    let unknown = nvml.device_by_uuid("GPU-00000000-0000-0000-0000-000000000000");
    assert!(matches!(unknown, Err(NvmlError::NotFound)));
    let empty = nvml.device_by_pci_bus_id("0000:09:00.0");
    assert!(matches!(empty, Err(NvmlError::NotFound)));
}

#[test]
fn the_gt_1030() {
    let nvml = with_cards(Z440).unwrap();
    let card = nvml.device_by_index(0).unwrap();
    assert_eq!(card.name().unwrap(), "NVIDIA GeForce GT 1030");
    let pci = card.pci_info().unwrap();
    assert_eq!(pci.bus_id, "00000000:01:00.0");
    assert_eq!((pci.domain, pci.bus, pci.device), (0, 1, 0));
    assert_eq!(pci.pci_device_id, 0x1d01_10de);
    assert_eq!(card.brand().unwrap(), Brand::GeForce);
    assert_eq!(card.memory_info().unwrap().total, 2048 << 20);
    not_supported(card.fan_speed(0));
    assert_eq!(card.num_fans().unwrap(), 0);
    not_supported(card.power_usage());
    assert_eq!(card.power_management_limit().unwrap(), 30_000);
    not_supported(card.power_management_limit_constraints());
    not_supported(card.serial());
}

#[test]
fn the_quadro_k2200() {
    let nvml = with_cards(Z440).unwrap();
    let card = nvml.device_by_index(1).unwrap();
    assert_eq!(card.name().unwrap(), "Quadro K2200");
    assert_eq!(card.brand().unwrap(), Brand::Quadro);
    assert_eq!(card.architecture().unwrap(), DeviceArchitecture::Maxwell);
    let capability = card.cuda_compute_capability().unwrap();
    assert_eq!((capability.major, capability.minor), (5, 0));
    let pci = card.pci_info().unwrap();
    assert_eq!(pci.pci_device_id, 0x13ba_10de);
    assert_eq!(pci.pci_sub_system_id, Some(0x1097_103c));
    assert_eq!(card.power_usage().unwrap(), 1_120);
    assert_eq!(card.enforced_power_limit().unwrap(), 39_000);
    assert_eq!(card.serial().unwrap(), "0421914000001");
    assert_eq!(card.vbios_version().unwrap(), "82.07.5a.00.01");
}

#[test]
fn the_gtx_1050_ti() {
    let nvml = with_cards(Z440).unwrap();
    let card = nvml.device_by_index(2).unwrap();
    assert_eq!(card.name().unwrap(), "NVIDIA GeForce GTX 1050 Ti");
    assert_eq!(card.architecture().unwrap(), DeviceArchitecture::Pascal);
    let memory = card.memory_info().unwrap();
    assert_eq!(
        (memory.total, memory.used, memory.free),
        (4096 << 20, 4 << 20, 4092 << 20)
    );
    assert_eq!(card.temperature(TemperatureSensor::Gpu).unwrap(), 34);
    assert_eq!(card.fan_speed(0).unwrap(), 35);
    let used = card.utilization_rates().unwrap();
    assert_eq!((used.gpu, used.memory), (0, 0));
    assert_eq!(card.performance_state().unwrap(), PerformanceState::Eight);
    links_and_clocks(&card);
    not_supported(card.power_usage());
    not_supported(card.is_ecc_enabled());
    not_supported(card.total_ecc_errors(MemoryError::Corrected, EccCounter::Volatile));
}

fn links_and_clocks(card: &Device<'_>) {
    assert_eq!(card.current_pcie_link_gen().unwrap(), 1);
    assert_eq!(card.current_pcie_link_width().unwrap(), 16);
    assert_eq!(card.max_pcie_link_gen().unwrap(), 3);
    assert_eq!(card.max_pcie_link_width().unwrap(), 16);
    assert_eq!(card.clock_info(Clock::Graphics).unwrap(), 139);
    assert_eq!(card.clock_info(Clock::Memory).unwrap(), 405);
    assert_eq!(card.max_clock_info(Clock::Memory).unwrap(), 3504);
}

#[test]
fn ecc_where_a_card_has_it() {
    let text = Z440.replace("ecc = \"not-supported\"", "ecc = true");
    let text = text.replace("ecc_errors = \"not-supported\"", "ecc_errors = [5, 1]");
    let nvml = with_cards(&text).unwrap();
    let card = nvml.device_by_index(1).unwrap();
    assert!(card.is_ecc_enabled().unwrap().currently_enabled);
    let count = |kind| card.total_ecc_errors(kind, EccCounter::Aggregate).unwrap();
    assert_eq!(count(MemoryError::Corrected), 5);
    assert_eq!(count(MemoryError::Uncorrected), 1);
}

#[test]
fn what_computes_on_a_card() {
    let text = format!(
        "{Z440}\n[[card.process]]\npid = 4711\nname = \"/usr/bin/ollama\"\nused_mib = 900\n\
         [[card.process]]\npid = 4712\nname = \"python3\"\n"
    );
    let nvml = with_cards(&text).unwrap();
    let idle = nvml.device_by_index(0).unwrap();
    assert_eq!(idle.running_compute_processes().unwrap(), []);
    let card = nvml.device_by_index(2).unwrap();
    let found = card.running_compute_processes().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].used_gpu_memory, UsedGpuMemory::Used(900 << 20));
    assert_eq!(found[1].used_gpu_memory, UsedGpuMemory::Unavailable);
    assert_eq!(found[0].gpu_instance_id, None);
    let name = nvml.sys_process_name(4711, 64).unwrap();
    assert_eq!(name, "/usr/bin/ollama");
    assert!(card.running_graphics_processes().unwrap().is_empty());
}

#[test]
fn a_limit_that_was_set_is_read_back_by_the_next() {
    let nvml = with_cards(Z440).unwrap();
    let mut card = nvml.device_by_index(2).unwrap();
    let range = card.power_management_limit_constraints().unwrap();
    assert_eq!((range.min_limit, range.max_limit), (60_000, 120_000));
    card.set_power_management_limit(75_000).unwrap();
    card.set_persistent(true).unwrap();
    assert_eq!(card.power_management_limit().unwrap(), 75_000);
    let too_much = card.set_power_management_limit(200_000);
    assert!(matches!(too_much, Err(NvmlError::InvalidArg)));

    let later = nvml.again();
    let card = later.device_by_index(2).unwrap();
    assert_eq!(card.power_management_limit().unwrap(), 75_000);
    assert_eq!(card.enforced_power_limit().unwrap(), 75_000);
    assert_eq!(card.power_management_limit_default().unwrap(), 120_000);
    assert!(card.is_in_persistent_mode().unwrap());
    let other = later.device_by_index(1).unwrap();
    assert!(!other.is_in_persistent_mode().unwrap());
    assert_eq!(other.power_management_limit().unwrap(), 39_000);
}

#[test]
fn a_limit_that_cannot_be_set() {
    let nvml = with_cards(Z440).unwrap();
    let mut card = nvml.device_by_index(0).unwrap();
    not_supported(card.set_power_management_limit(20_000));
}

#[test]
fn what_was_set_can_be_kept_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("kernel");
    let text = format!("state = {:?}\n{Z440}", state.display().to_string());
    let nvml = with_cards(&text).unwrap();
    nvml.device_by_index(2)
        .unwrap()
        .set_persistent(true)
        .unwrap();
    assert!(state.exists());
    assert!(!nvml.cards().with_extension("toml.state").exists());
}

#[test]
fn each_fault_of_the_machine() {
    let fails = |fault: &str| {
        with_cards(&format!("fault = \"{fault}\"\n{Z440}"))
            .err()
            .unwrap()
    };
    assert!(matches!(
        fails("driver-not-loaded"),
        NvmlError::DriverNotLoaded
    ));
    assert!(matches!(fails("mismatch"), NvmlError::LibRmVersionMismatch));
    assert!(matches!(fails("no-permission"), NvmlError::NoPermission));
    assert!(matches!(fails("unknown"), NvmlError::Unknown));
    // A fault that is not known makes the file ill-formed.
    assert!(matches!(fails("melted"), NvmlError::Unknown));
}

#[test]
fn the_driver_is_loaded_once_its_files_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("nvidia");
    let text = format!("requires = [{:?}]\n{Z440}", module.display().to_string());
    let before = with_cards(&text).err().unwrap();
    assert!(matches!(before, NvmlError::DriverNotLoaded));
    std::fs::write(&module, "").unwrap();
    assert_eq!(with_cards(&text).unwrap().device_count().unwrap(), 3);
}

#[test]
fn a_card_that_is_lost_is_counted() {
    let nvml = with_cards(&last_card("fault = \"gpu-is-lost\"")).unwrap();
    assert_eq!(nvml.device_count().unwrap(), 3);
    let lost = nvml.device_by_index(2);
    assert!(matches!(lost, Err(NvmlError::GpuLost)));
    let lost = nvml.device_by_pci_bus_id("0000:03:00.0");
    assert!(matches!(lost, Err(NvmlError::GpuLost)));
    assert!(nvml.device_by_index(1).is_ok());
}

#[test]
fn a_card_that_fell_off_is_not_counted() {
    let text = Z440.replacen("[[card]]\n", "[[card]]\nfault = \"fallen-off\"\n", 1);
    let nvml = with_cards(&text).unwrap();
    assert_eq!(nvml.device_count().unwrap(), 2);
    let first = nvml.device_by_index(0).unwrap();
    assert_eq!(first.name().unwrap(), "Quadro K2200");
    assert_eq!(
        (first.index().unwrap(), first.minor_number().unwrap()),
        (0, 1)
    );
    let gone = nvml.device_by_pci_bus_id("0000:01:00.0");
    assert!(matches!(gone, Err(NvmlError::NotFound)));
}

#[test]
fn a_card_that_fails_without_a_reason() {
    let nvml = with_cards(&last_card("fault = \"unknown\"")).unwrap();
    assert!(matches!(nvml.device_by_index(2), Err(NvmlError::Unknown)));
}

#[test]
fn slow_on_purpose() {
    let start = std::time::Instant::now();
    let nvml = with_cards(&format!("slow_ms = 150\n{}", last_card("slow_ms = 50"))).unwrap();
    assert!(start.elapsed().as_millis() >= 150);
    let start = std::time::Instant::now();
    let card = nvml.device_by_index(2).unwrap();
    card.name().unwrap();
    assert!(start.elapsed().as_millis() >= 100);
}

#[test]
fn a_file_that_is_missing_or_ill_formed() {
    let missing = with_file("/nowhere/cards.toml".as_ref()).err().unwrap();
    assert!(matches!(missing, NvmlError::Unknown));
    let ill_formed = with_cards("cards = what").err().unwrap();
    assert!(matches!(ill_formed, NvmlError::Unknown));
}

/// The three cards, with a line more for the last.
fn last_card(line: &str) -> String {
    format!("{Z440}\n{line}\n")
}

#[track_caller]
fn not_supported<T: std::fmt::Debug>(answer: Result<T, NvmlError>) {
    match answer {
        Err(NvmlError::NotSupported) => {}
        other => panic!("{other:?} is not NotSupported"),
    }
}
