//! What can be set and read back: power limits and persistence mode.

use std::ffi::{c_uint, c_ulonglong};

use super::device::numbers;
use super::{Handle, answer, ask, put};
use crate::status::Status;

numbers! {
    /// Power limit in mW.
    fn nvmlDeviceGetPowerManagementLimit(found) -> c_uint = found.power_limit();
    /// Power limit in mW that is in force: here the same.
    fn nvmlDeviceGetEnforcedPowerLimit(found) -> c_uint = found.power_limit();
    /// Power limit in mW with which the card starts.
    fn nvmlDeviceGetPowerManagementDefaultLimit(found) -> c_uint =
        found.card.power_default_limit_mw.get().ok_or(Status::NotSupported);
    /// Why the clocks are held down, a bit a reason.
    fn nvmlDeviceGetCurrentClocksThrottleReasons(found) -> c_ulonglong =
        found.card.throttle_reasons.get().ok_or(Status::NotSupported);
    /// Whether the driver stays with the card when nobody uses it.
    fn nvmlDeviceGetPersistenceMode(found) -> c_uint = found.persistence_mode().map(c_uint::from);
}

/// Temperature in degrees Celsius from where on the card slows itself down. The other
/// thresholds are not known of any card here.
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTemperatureThreshold(
    device: Handle,
    threshold: c_uint,
    out: *mut c_uint,
) -> c_uint {
    /// `NVML_TEMPERATURE_THRESHOLD_SLOWDOWN`.
    const SLOWDOWN: c_uint = 1;
    answer(|| {
        let value = ask(device, |found| match threshold {
            SLOWDOWN => found.card.slowdown_c.get().ok_or(Status::NotSupported),
            _ => Err(Status::NotSupported),
        })?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, value) }
    })
}

/// Lowest and highest power limit in mW.
///
/// # Safety
///
/// `least` and `most` are null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPowerManagementLimitConstraints(
    device: Handle,
    least: *mut c_uint,
    most: *mut c_uint,
) -> c_uint {
    answer(|| {
        let [low, high] = ask(device, |found| {
            found.card.power_limits_mw.get().ok_or(Status::NotSupported)
        })?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe {
            put(least, low)?;
            put(most, high)
        }
    })
}

/// Sets the power limit in mW. A later process reads it back.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetPowerManagementLimit(device: Handle, limit: c_uint) -> c_uint {
    answer(|| ask(device, |found| found.set_power_limit(limit)))
}

/// Sets the persistence mode. A later process reads it back.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetPersistenceMode(device: Handle, mode: c_uint) -> c_uint {
    answer(|| {
        ask(device, |found| match mode {
            0 | 1 => found.set_persistence_mode(mode == 1),
            _ => Err(Status::InvalidArgument),
        })
    })
}
