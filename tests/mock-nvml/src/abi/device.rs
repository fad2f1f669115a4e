//! Finding a card, and what one can ask of it.

use std::ffi::{c_char, c_int, c_uint, c_ulonglong};

use super::layout::{Memory, MemoryV2, PciInfo, Utilization, bus_ids};
use super::{Handle, answer, ask, handle, put, put_text, text_of};
use crate::cards::{BusId, Card};
use crate::session::{self, Found};
use crate::status::Status;

/// Functions that write one number: what each of them asks the card.
macro_rules! numbers {
    ($($(#[$doc:meta])* fn $name:ident($card:ident) -> $type:ty = $question:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// `out` is null, or valid for a write.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(device: Handle, out: *mut $type) -> c_uint {
            answer(|| {
                let value = ask(device, |$card| $question)?;
                // SAFETY: the caller's contract is that of `put`.
                unsafe { put(out, value) }
            })
        }
    )*};
}
pub(super) use numbers;

/// Functions that write a text: what each of them asks the card.
macro_rules! texts {
    ($($(#[$doc:meta])* fn $name:ident($card:ident) = $question:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// `out` is null, or valid for writes of `length` bytes.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            device: Handle,
            out: *mut c_char,
            length: c_uint,
        ) -> c_uint {
            answer(|| {
                let text: String = ask(device, |$card| $question)?;
                // SAFETY: the caller's contract is that of `put_text`.
                unsafe { put_text(out, length, &text) }
            })
        }
    )*};
}

/// A value of the card, or that it has none.
fn supported<T>(value: Option<T>) -> Result<T, Status> {
    value.ok_or(Status::NotSupported)
}

/// A number that fits in what NVML has for it.
fn count(number: usize) -> Result<c_uint, Status> {
    c_uint::try_from(number).map_err(|_| Status::Unknown)
}

/// How many cards the driver sees.
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(out: *mut c_uint) -> c_uint {
    answer(|| {
        let seen = count(session::current()?.seen().count())?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, seen) }
    })
}

/// As [`nvmlDeviceGetCount_v2`].
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount(out: *mut c_uint) -> c_uint {
    // SAFETY: the caller's contract is the same.
    unsafe { nvmlDeviceGetCount_v2(out) }
}

/// The handle of the first card that the driver sees and that is the one.
fn find(absent: Status, is: impl Fn(usize, &Card) -> bool) -> Result<Handle, Status> {
    let session = session::current()?;
    let (_, (place, _)) = session
        .seen()
        .enumerate()
        .find(|(index, (_, card))| is(*index, card))
        .ok_or(absent)?;
    session.card(place)?;
    Ok(handle(place))
}

/// The card with this number.
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, out: *mut Handle) -> c_uint {
    answer(|| {
        let device = find(Status::InvalidArgument, |number, _| {
            number == index as usize
        })?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, device) }
    })
}

/// As [`nvmlDeviceGetHandleByIndex_v2`].
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex(index: c_uint, out: *mut Handle) -> c_uint {
    // SAFETY: the caller's contract is the same.
    unsafe { nvmlDeviceGetHandleByIndex_v2(index, out) }
}

/// The card at this PCI address.
///
/// # Safety
///
/// `bus_id` is null or ends with a NUL; `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByPciBusId_v2(
    bus_id: *const c_char,
    out: *mut Handle,
) -> c_uint {
    answer(|| {
        // SAFETY: the caller's contract is that of `text_of`.
        let text = unsafe { text_of(bus_id) }?;
        let wanted = BusId::parse(text).ok_or(Status::InvalidArgument)?;
        let device = find(Status::NotFound, |_, card| card.pci_bus_id == wanted)?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, device) }
    })
}

/// The card with this UUID.
///
/// # Safety
///
/// `uuid` is null or ends with a NUL; `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByUUID(
    uuid: *const c_char,
    out: *mut Handle,
) -> c_uint {
    answer(|| {
        // SAFETY: the caller's contract is that of `text_of`.
        let wanted = unsafe { text_of(uuid) }?;
        let device = find(Status::NotFound, |_, card| {
            card.uuid.eq_ignore_ascii_case(wanted)
        })?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, device) }
    })
}

texts! {
    /// Name.
    fn nvmlDeviceGetName(found) = Ok(found.card.name.clone());
    /// UUID.
    fn nvmlDeviceGetUUID(found) = Ok(found.card.uuid.clone());
    /// Serial number of the board.
    fn nvmlDeviceGetSerial(found) = supported(found.card.serial.get());
    /// Version of the VBIOS.
    fn nvmlDeviceGetVbiosVersion(found) = supported(found.card.vbios_version.get());
}

numbers! {
    /// Number among the cards that the driver sees.
    fn nvmlDeviceGetIndex(found) -> c_uint = count(found.index());
    /// N of `/dev/nvidiaN`.
    fn nvmlDeviceGetMinorNumber(found) -> c_uint = match found.card.minor_number {
        Some(number) => Ok(number),
        None => count(found.place),
    };
    /// Where it sits and what it is.
    fn nvmlDeviceGetPciInfo_v3(found) -> PciInfo = Ok(pci_info(found));
    /// Memory.
    fn nvmlDeviceGetMemoryInfo(found) -> Memory = Ok(memory(found.card));
    /// Architecture.
    fn nvmlDeviceGetArchitecture(found) -> c_uint =
        supported(found.card.architecture.get()).map(|value| value as c_uint);
    /// Brand.
    fn nvmlDeviceGetBrand(found) -> c_uint =
        supported(found.card.brand.get()).map(|value| value as c_uint);
    /// Power draw in mW.
    fn nvmlDeviceGetPowerUsage(found) -> c_uint = supported(found.card.power_draw_mw.get());
    /// Fan speed in percent.
    fn nvmlDeviceGetFanSpeed(found) -> c_uint = supported(found.card.fan_percent.get());
    /// Fans: one where it has a speed.
    fn nvmlDeviceGetNumFans(found) -> c_uint =
        Ok(c_uint::from(found.card.fan_percent.get().is_some()));
    /// Utilization in percent.
    fn nvmlDeviceGetUtilizationRates(found) -> Utilization =
        supported(found.card.utilization_percent.get())
            .map(|[gpu, memory]| Utilization { gpu, memory });
    /// PCIe generation now.
    fn nvmlDeviceGetCurrPcieLinkGeneration(found) -> c_uint =
        supported(found.card.pcie_now.get()).map(|[generation, _]| generation);
    /// PCIe width now.
    fn nvmlDeviceGetCurrPcieLinkWidth(found) -> c_uint =
        supported(found.card.pcie_now.get()).map(|[_, width]| width);
    /// Highest PCIe generation.
    fn nvmlDeviceGetMaxPcieLinkGeneration(found) -> c_uint =
        supported(found.card.pcie_max.get()).map(|[generation, _]| generation);
    /// Highest PCIe width.
    fn nvmlDeviceGetMaxPcieLinkWidth(found) -> c_uint =
        supported(found.card.pcie_max.get()).map(|[_, width]| width);
    /// Performance state.
    fn nvmlDeviceGetPerformanceState(found) -> c_uint =
        supported(found.card.performance_state.get());
}

fn pci_info(found: &Found<'_>) -> PciInfo {
    let id = found.card.pci_bus_id;
    let (bus_id_legacy, bus_id) = bus_ids(id);
    PciInfo {
        bus_id_legacy,
        domain: id.domain,
        bus: id.bus,
        device: id.device,
        pci_device_id: found.card.pci_id.packed(),
        pci_sub_system_id: found.card.pci_subsystem_id.packed(),
        bus_id,
    }
}

fn memory(card: &Card) -> Memory {
    let (total, used) = (card.memory_total_mib << 20, card.memory_used_mib << 20);
    Memory {
        total,
        free: total - used,
        used,
    }
}

/// Memory, with what the driver keeps apart: here nothing.
///
/// # Safety
///
/// `out` is null, or points to a structure whose version is filled in.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(device: Handle, out: *mut MemoryV2) -> c_uint {
    answer(|| {
        let Memory { total, free, used } = ask(device, |found| Ok(memory(found.card)))?;
        if out.is_null() || !out.is_aligned() {
            return Err(Status::InvalidArgument);
        }
        // SAFETY: neither null nor misaligned, and filled in by the caller's contract.
        let version = unsafe { (*out).version };
        if version != MemoryV2::VERSION {
            return Err(Status::ArgumentVersionMismatch);
        }
        let answer = MemoryV2 {
            version,
            total,
            reserved: 0,
            free,
            used,
        };
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, answer) }
    })
}

/// Temperature in degrees Celsius, of the only sensor there is.
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTemperature(
    device: Handle,
    sensor: c_uint,
    out: *mut c_uint,
) -> c_uint {
    answer(|| {
        let value = ask(device, |found| match sensor {
            0 => supported(found.card.temperature_c.get()),
            _ => Err(Status::InvalidArgument),
        })?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, value) }
    })
}

/// Speed of a fan in percent.
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetFanSpeed_v2(
    device: Handle,
    fan: c_uint,
    out: *mut c_uint,
) -> c_uint {
    answer(|| {
        let value = ask(device, |found| match fan {
            0 => supported(found.card.fan_percent.get()),
            _ => Err(Status::InvalidArgument),
        })?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, value) }
    })
}

/// Compute capability.
///
/// # Safety
///
/// `major` and `minor` are null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCudaComputeCapability(
    device: Handle,
    major: *mut c_int,
    minor: *mut c_int,
) -> c_uint {
    answer(|| {
        let pair = ask(device, |found| {
            supported(found.card.compute_capability.get())
        })?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe {
            put(major, pair.major.cast_signed())?;
            put(minor, pair.minor.cast_signed())
        }
    })
}

/// One of four clocks in MHz.
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetClockInfo(
    device: Handle,
    clock: c_uint,
    out: *mut c_uint,
) -> c_uint {
    answer(|| {
        let clocks = ask(device, |found| supported(found.card.clocks_mhz.get()))?;
        let value = clocks.get(clock as usize).ok_or(Status::InvalidArgument)?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, *value) }
    })
}

/// The highest of one of four clocks in MHz.
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMaxClockInfo(
    device: Handle,
    clock: c_uint,
    out: *mut c_uint,
) -> c_uint {
    answer(|| {
        let clocks = ask(device, |found| supported(found.card.clocks_max_mhz.get()))?;
        let value = clocks.get(clock as usize).ok_or(Status::InvalidArgument)?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, *value) }
    })
}

/// Whether ECC is on, and whether it will be after a reboot: here the same.
///
/// # Safety
///
/// `now` and `pending` are null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetEccMode(
    device: Handle,
    now: *mut c_uint,
    pending: *mut c_uint,
) -> c_uint {
    answer(|| {
        let mode = c_uint::from(ask(device, |found| supported(found.card.ecc.get()))?);
        // SAFETY: the caller's contract is that of `put`.
        unsafe {
            put(now, mode)?;
            put(pending, mode)
        }
    })
}

/// Errors that ECC saw: 0 corrected, 1 uncorrected; the same since boot and ever.
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTotalEccErrors(
    device: Handle,
    kind: c_uint,
    counter: c_uint,
    out: *mut c_ulonglong,
) -> c_uint {
    answer(|| {
        let errors = ask(device, |found| supported(found.card.ecc_errors.get()))?;
        let value = errors
            .get(kind as usize)
            .filter(|_| counter < 2)
            .ok_or(Status::InvalidArgument)?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, *value) }
    })
}
