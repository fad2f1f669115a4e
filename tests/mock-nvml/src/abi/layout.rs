//! The structures that cross the ABI, as `nvml.h` lays them out.

use std::ffi::{c_char, c_uint, c_ulonglong};

use crate::cards::BusId;

/// `nvmlPciInfo_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct PciInfo {
    /// `0000:01:00.0`.
    pub bus_id_legacy: [c_char; 16],
    /// Domain.
    pub domain: c_uint,
    /// Bus.
    pub bus: c_uint,
    /// Device.
    pub device: c_uint,
    /// Device and vendor.
    pub pci_device_id: c_uint,
    /// Device and vendor of the board's maker.
    pub pci_sub_system_id: c_uint,
    /// `00000000:01:00.0`.
    pub bus_id: [c_char; 32],
}

/// `nvmlMemory_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// All of it in bytes.
    pub total: c_ulonglong,
    /// Free.
    pub free: c_ulonglong,
    /// In use.
    pub used: c_ulonglong,
}

/// `nvmlMemory_v2_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct MemoryV2 {
    /// Size and version of this structure; the program fills it in.
    pub version: c_uint,
    /// All of it in bytes.
    pub total: c_ulonglong,
    /// Kept by the driver.
    pub reserved: c_ulonglong,
    /// Free.
    pub free: c_ulonglong,
    /// In use.
    pub used: c_ulonglong,
}

impl MemoryV2 {
    /// What [`MemoryV2::version`] must be.
    pub const VERSION: c_uint = size_of::<MemoryV2>() as c_uint | (2 << 24);
}

/// `nvmlUtilization_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Utilization {
    /// Of the GPU in percent.
    pub gpu: c_uint,
    /// Of its memory's bus in percent.
    pub memory: c_uint,
}

/// `nvmlProcessInfo_v1_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ProcessInfoV1 {
    /// Its id.
    pub pid: c_uint,
    /// Memory that it uses in bytes, or all ones.
    pub used_gpu_memory: c_ulonglong,
}

/// `nvmlProcessInfo_v2_t`, which is also `nvmlProcessInfo_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ProcessInfo {
    /// Its id.
    pub pid: c_uint,
    /// Memory that it uses in bytes, or all ones.
    pub used_gpu_memory: c_ulonglong,
    /// All ones without MIG.
    pub gpu_instance_id: c_uint,
    /// All ones without MIG.
    pub compute_instance_id: c_uint,
}

/// The two forms of an address, each in a buffer of its own size.
pub(crate) fn bus_ids(id: BusId) -> ([c_char; 16], [c_char; 32]) {
    let BusId {
        domain,
        bus,
        device,
        function,
    } = id;
    (
        buffer(&format!("{domain:04X}:{bus:02X}:{device:02X}.{function:X}")),
        buffer(&format!("{domain:08X}:{bus:02X}:{device:02X}.{function:X}")),
    )
}

/// A text in a buffer, cut off where it would leave no room for the NUL.
fn buffer<const N: usize>(text: &str) -> [c_char; N] {
    let mut buffer = [0; N];
    for (to, from) in buffer.iter_mut().take(N - 1).zip(text.bytes()) {
        *to = from.cast_signed();
    }
    buffer
}
