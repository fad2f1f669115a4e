//! The library, its errors and its cards.

use std::ffi::{c_char, c_int, c_uint};

use super::{answer, put, put_text};
use crate::driver::{self, Device};
use crate::status::{self, Status};

/// Reads the file of cards; fails as it says.
#[unsafe(no_mangle)]
pub extern "C" fn cuInit(flags: c_uint) -> c_uint {
    answer(|| match flags {
        0 => driver::initialize(),
        _ => Err(Status::InvalidValue),
    })
}

/// The name of an error.
///
/// # Safety
///
/// `name` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(error: c_uint, name: *mut *const c_char) -> c_uint {
    answer(|| {
        let (known, _) = status::words(error).ok_or(Status::InvalidValue)?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(name, known.as_ptr()) }
    })
}

/// What an error means.
///
/// # Safety
///
/// `text` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(error: c_uint, text: *mut *const c_char) -> c_uint {
    answer(|| {
        let (_, known) = status::words(error).ok_or(Status::InvalidValue)?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(text, known.as_ptr()) }
    })
}

/// The highest CUDA version of the driver: 13000 is 13.0.
///
/// # Safety
///
/// `version` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> c_uint {
    answer(|| {
        let known = driver::with(|driver| Ok(driver.version))?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(version, known) }
    })
}

/// How many cards this process may see.
///
/// # Safety
///
/// `count` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> c_uint {
    answer(|| {
        let seen = driver::with(|driver| Ok(driver.devices.len()))?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(count, c_int::try_from(seen).unwrap_or(c_int::MAX)) }
    })
}

/// A card by its number among those that this process may see.
///
/// # Safety
///
/// `device` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> c_uint {
    answer(|| {
        with(ordinal, |_| Ok(()))?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(device, ordinal) }
    })
}

/// A card's name.
///
/// # Safety
///
/// `name` is null, or valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetName(
    name: *mut c_char,
    length: c_int,
    device: c_int,
) -> c_uint {
    answer(|| {
        let known = with(device, |device| Ok(device.card.name.clone()))?;
        // SAFETY: the caller's contract is that of `put_text`.
        unsafe { put_text(name, usize::try_from(length).unwrap_or(0), &known) }
    })
}

/// A card's UUID: sixteen bytes, in the order of their digits.
///
/// # Safety
///
/// `uuid` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetUuid(uuid: *mut [u8; 16], device: c_int) -> c_uint {
    answer(|| {
        let text = with(device, |device| Ok(device.card.uuid.clone()))?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(uuid, bytes(&text).ok_or(Status::Unknown)?) }
    })
}

/// As [`cuDeviceGetUuid`]: there is no MIG here.
///
/// # Safety
///
/// `uuid` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], device: c_int) -> c_uint {
    // SAFETY: the caller's contract is the same.
    unsafe { cuDeviceGetUuid(uuid, device) }
}

/// All memory of a card in bytes.
///
/// # Safety
///
/// `bytes` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) -> c_uint {
    answer(|| {
        let mib = with(device, |device| Ok(device.card.memory_total_mib))?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(bytes, usize::try_from(mib << 20).unwrap_or(usize::MAX)) }
    })
}

/// A number about a card. Those of `CUdevice_attribute` that somebody asks for.
///
/// # Safety
///
/// `value` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetAttribute(
    value: *mut c_int,
    attribute: c_uint,
    device: c_int,
) -> c_uint {
    answer(|| {
        let known = with(device, |device| attribute_of(device, attribute))?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(value, known.cast_signed()) }
    })
}

fn attribute_of(device: &Device, attribute: c_uint) -> Result<u32, Status> {
    let capability = device.card.compute_capability.get();
    let capability = capability.ok_or(Status::InvalidValue);
    match attribute {
        // MAX_THREADS_PER_BLOCK, WARP_SIZE
        1 => Ok(1024),
        10 => Ok(32),
        // PCI_BUS_ID, PCI_DEVICE_ID, PCI_DOMAIN_ID
        33 => Ok(device.card.pci_bus_id.bus),
        34 => Ok(device.card.pci_bus_id.device),
        50 => Ok(device.card.pci_bus_id.domain),
        // L2_CACHE_SIZE: Pascal's smallest has half a MiB.
        38 => Ok(512 << 10),
        // COMPUTE_CAPABILITY_MAJOR, _MINOR
        75 => capability.map(|pair| pair.major),
        76 => capability.map(|pair| pair.minor),
        // MEMORY_POOLS_SUPPORTED
        115 => Ok(1),
        _ => Err(Status::InvalidValue),
    }
}

fn with<T>(
    device: c_int,
    question: impl FnOnce(&mut Device) -> Result<T, Status>,
) -> Result<T, Status> {
    let ordinal = usize::try_from(device).map_err(|_| Status::InvalidDevice)?;
    driver::with_device(ordinal, question)
}

/// The bytes of a UUID.
fn bytes(uuid: &str) -> Option<[u8; 16]> {
    let digits = uuid.strip_prefix("GPU-")?.replace('-', "");
    let number = u128::from_str_radix(&digits, 16).ok()?;
    Some(number.to_be_bytes())
}
