//! What a program does wrong, and the layout of what crosses the ABI.
//!
//! The symbols and structures are those of `nvml-wrapper-sys`, which are made from
//! NVIDIA's header.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod library;

use std::ffi::{CStr, c_char, c_int};
use std::mem::{offset_of, size_of};
use std::ptr::{null, null_mut};

use lab_mock_nvml::Status;
use lab_mock_nvml::abi::{Memory, MemoryV2, PciInfo, ProcessInfo, ProcessInfoV1, Utilization};
use library::{Z440, alone, file, name_cards};
use nvml_wrapper_sys::bindings::{
    NvmlLib, nvmlDevice_t, nvmlMemory_t, nvmlMemory_v2_t, nvmlPciInfo_t, nvmlProcessInfo_v1_t,
    nvmlProcessInfo_v2_t, nvmlUtilization_t,
};

/// Calls a function of the library.
macro_rules! call {
    ($library:expr, $name:ident($($argument:expr),*)) => {{
        let function = $library.$name.as_ref().unwrap();
        // SAFETY: the prototype is that of NVIDIA's header, and each pointer is null, not
        // a pointer at all where the library must not follow it, or to a local value.
        unsafe { function($($argument),*) }
    }};
}

const INVALID: u32 = Status::InvalidArgument.code();

fn load() -> NvmlLib {
    // SAFETY: the library has no code that runs when it is loaded.
    unsafe { NvmlLib::new(file()) }.unwrap()
}

/// The library over the three cards, initialized.
fn over_z440() -> (NvmlLib, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let cards = folder.path().join("cards.toml");
    std::fs::write(&cards, Z440).unwrap();
    name_cards(&cards);
    let library = load();
    assert_eq!(call!(library, nvmlInit_v2()), 0);
    (library, folder)
}

fn third_card(library: &NvmlLib) -> nvmlDevice_t {
    let mut device = null_mut();
    let index = call!(library, nvmlDeviceGetHandleByIndex_v2(2, &raw mut device));
    assert_eq!(index, 0);
    device
}

#[test]
fn the_structures_have_the_right_layout() {
    macro_rules! same {
        ($ours:ty, $theirs:ty $(, $our:ident = $their:ident)*) => {
            assert_eq!(size_of::<$ours>(), size_of::<$theirs>());
            assert_eq!(align_of::<$ours>(), align_of::<$theirs>());
            $(assert_eq!(offset_of!($ours, $our), offset_of!($theirs, $their));)*
        };
    }
    same!(
        PciInfo,
        nvmlPciInfo_t,
        domain = domain,
        pci_device_id = pciDeviceId,
        pci_sub_system_id = pciSubSystemId,
        bus_id = busId,
        bus_id_legacy = busIdLegacy
    );
    same!(
        Memory,
        nvmlMemory_t,
        total = total,
        free = free,
        used = used
    );
    same!(
        MemoryV2,
        nvmlMemory_v2_t,
        version = version,
        reserved = reserved,
        free = free,
        used = used
    );
    same!(Utilization, nvmlUtilization_t, gpu = gpu, memory = memory);
    same!(
        ProcessInfo,
        nvmlProcessInfo_v2_t,
        pid = pid,
        used_gpu_memory = usedGpuMemory,
        gpu_instance_id = gpuInstanceId,
        compute_instance_id = computeInstanceId
    );
    same!(
        ProcessInfoV1,
        nvmlProcessInfo_v1_t,
        used_gpu_memory = usedGpuMemory
    );
}

#[test]
fn nothing_answers_before_the_beginning_and_after_the_end() {
    let _alone = alone();
    let (library, _folder) = over_z440();
    assert_eq!(call!(library, nvmlInit_v2()), 0);
    let mut count = 0;
    assert_eq!(call!(library, nvmlShutdown()), 0);
    // Begun twice, ended once: still open.
    assert_eq!(call!(library, nvmlDeviceGetCount_v2(&raw mut count)), 0);
    assert_eq!(call!(library, nvmlShutdown()), 0);
    let uninitialized = Status::Uninitialized.code();
    assert_eq!(
        call!(library, nvmlDeviceGetCount_v2(&raw mut count)),
        uninitialized
    );
    assert_eq!(call!(library, nvmlShutdown()), uninitialized);
}

#[test]
fn null_pointers_are_errors() {
    let _alone = alone();
    let (library, _folder) = over_z440();
    let card = third_card(&library);
    let mut number: c_int = 0;
    let mut count = 1;
    let calls = [
        call!(library, nvmlDeviceGetCount_v2(null_mut())),
        call!(library, nvmlSystemGetDriverVersion(null_mut(), 80)),
        call!(library, nvmlSystemGetCudaDriverVersion_v2(null_mut())),
        call!(library, nvmlDeviceGetHandleByIndex_v2(0, null_mut())),
        call!(library, nvmlDeviceGetHandleByUUID(null(), null_mut())),
        call!(
            library,
            nvmlDeviceGetHandleByPciBusId_v2(null(), null_mut())
        ),
        call!(library, nvmlDeviceGetName(card, null_mut(), 96)),
        call!(library, nvmlDeviceGetPciInfo_v3(card, null_mut())),
        call!(library, nvmlDeviceGetMemoryInfo(card, null_mut())),
        call!(library, nvmlDeviceGetMemoryInfo_v2(card, null_mut())),
        call!(library, nvmlDeviceGetTemperature(card, 0, null_mut())),
        call!(library, nvmlDeviceGetFanSpeed_v2(card, 0, null_mut())),
        call!(library, nvmlDeviceGetClockInfo(card, 0, null_mut())),
        call!(
            library,
            nvmlDeviceGetCudaComputeCapability(card, &raw mut number, null_mut())
        ),
        call!(
            library,
            nvmlDeviceGetPowerManagementLimitConstraints(card, null_mut(), null_mut())
        ),
        call!(
            library,
            nvmlDeviceGetComputeRunningProcesses_v3(card, null_mut(), null_mut())
        ),
        call!(
            library,
            nvmlDeviceGetComputeRunningProcesses_v3(card, &raw mut count, null_mut())
        ),
    ];
    assert_eq!(calls, [INVALID; 17]);
    call!(library, nvmlShutdown());
}

#[test]
fn handles_that_were_never_given_out_are_errors() {
    let _alone = alone();
    let (library, _folder) = over_z440();
    let mut index = 0;
    for wrong in [0, 4, 4711, usize::MAX] {
        let device = std::ptr::without_provenance_mut(wrong);
        let answer = call!(library, nvmlDeviceGetIndex(device, &raw mut index));
        assert_eq!(answer, INVALID, "{wrong}");
    }
    call!(library, nvmlShutdown());
}

#[test]
fn numbers_out_of_range_are_errors() {
    let _alone = alone();
    let (library, _folder) = over_z440();
    let card = third_card(&library);
    let mut out = 0;
    let calls = [
        call!(library, nvmlDeviceGetTemperature(card, 1, &raw mut out)),
        call!(library, nvmlDeviceGetFanSpeed_v2(card, 1, &raw mut out)),
        call!(library, nvmlDeviceGetClockInfo(card, 4, &raw mut out)),
        call!(library, nvmlDeviceSetPersistenceMode(card, 2)),
        call!(library, nvmlDeviceSetPowerManagementLimit(card, 59_999)),
        call!(
            library,
            nvmlDeviceGetHandleByPciBusId_v2(c"zz".as_ptr(), null_mut())
        ),
        call!(
            library,
            nvmlDeviceGetHandleByUUID(c"\xff".as_ptr(), null_mut())
        ),
    ];
    assert_eq!(calls, [INVALID; 7]);
    call!(library, nvmlShutdown());
}

#[test]
fn a_buffer_that_is_too_small_is_not_written_to() {
    let _alone = alone();
    let (library, _folder) = over_z440();
    let card = third_card(&library);
    let name = c"NVIDIA GeForce GTX 1050 Ti";
    let length = u32::try_from(name.to_bytes_with_nul().len()).unwrap();
    let mut buffer: [c_char; 96] = [7; 96];
    for small in [0, length - 1] {
        let answer = call!(library, nvmlDeviceGetName(card, buffer.as_mut_ptr(), small));
        assert_eq!(answer, Status::InsufficientSize.code());
        assert!(buffer.iter().all(|byte| *byte == 7));
    }
    let answer = call!(
        library,
        nvmlDeviceGetName(card, buffer.as_mut_ptr(), length)
    );
    assert_eq!(answer, 0);
    // SAFETY: the call wrote a string that ends with a NUL.
    assert_eq!(unsafe { CStr::from_ptr(buffer.as_ptr()) }, name);
    assert_eq!(buffer[length as usize], 7);
    call!(library, nvmlShutdown());
}

#[test]
fn the_version_of_a_structure_is_looked_at() {
    let _alone = alone();
    let (library, _folder) = over_z440();
    let card = third_card(&library);
    let mut memory = nvmlMemory_v2_t {
        version: 1,
        total: 0,
        reserved: 0,
        free: 0,
        used: 0,
    };
    let mut ask = |version| {
        memory.version = version;
        call!(library, nvmlDeviceGetMemoryInfo_v2(card, &raw mut memory))
    };
    assert_eq!(ask(1), Status::ArgumentVersionMismatch.code());
    assert_eq!(ask(MemoryV2::VERSION), 0);
    assert_eq!(memory.total, 4096 << 20);
    call!(library, nvmlShutdown());
}

#[test]
fn every_number_has_a_text() {
    let library = load();
    for (code, text) in [
        (0, c"Success"),
        (3, c"Not Supported"),
        (9, c"Driver Not Loaded"),
        (15, c"GPU is lost"),
        (18, c"Driver/library version mismatch"),
        (999, c"Unknown Error"),
        (12345, c"Unknown Error"),
    ] {
        let said = call!(library, nvmlErrorString(code));
        // SAFETY: the texts are constants of the library, which is loaded.
        let said = unsafe { CStr::from_ptr(said) };
        assert_eq!(said, text);
    }
}

#[test]
fn the_library_has_the_name_that_programs_ask_for() {
    let bytes = std::fs::read(file()).unwrap();
    let name = b"libnvidia-ml.so.1\0";
    assert!(bytes.windows(name.len()).any(|window| window == name));
}

#[test]
fn what_nvtop_asks_for_has_an_answer() {
    let (library, _folder) = over_z440();
    let device = third_card(&library);
    let (mut percent, mut sampled) = (9, 0);
    for busy in [
        call!(
            library,
            nvmlDeviceGetEncoderUtilization(device, &raw mut percent, &raw mut sampled)
        ),
        call!(
            library,
            nvmlDeviceGetDecoderUtilization(device, &raw mut percent, &raw mut sampled)
        ),
        call!(
            library,
            nvmlDeviceGetPcieThroughput(device, 1, &raw mut percent)
        ),
    ] {
        assert_eq!((busy, percent), (0, 0));
    }
    assert!(sampled > 0);
    let nowhere = call!(library, nvmlDeviceGetPcieThroughput(device, 1, null_mut()));
    assert_eq!(nowhere, INVALID);
}
