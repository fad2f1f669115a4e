//! Events: points of a card's own time.

use std::ffi::c_uint;

use super::{Handle, answer, ask, current, handle, number, put};
use crate::driver;
use crate::status::Status;

/// Makes an event that was not recorded yet.
///
/// # Safety
///
/// `event` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventCreate(event: *mut Handle, _flags: c_uint) -> c_uint {
    answer(|| {
        current()?;
        let place = driver::with(|driver| {
            driver.events.push(None);
            Ok(driver.events.len() - 1)
        })?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(event, handle(place)) }
    })
}

/// Gives an event back: here it stays, for handles are not used again.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(event: Handle) -> c_uint {
    answer(|| recorded(event).map(|_| ()))
}

/// Notes the card's time.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: Handle, _stream: Handle) -> c_uint {
    answer(|| {
        let clock = ask(|device| device.well().map(|()| device.clock))?;
        let place = number(event)?;
        driver::with(|driver| {
            let event = driver.events.get_mut(place).ok_or(Status::InvalidHandle)?;
            *event = Some(clock);
            Ok(())
        })
    })
}

/// Waits for an event.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(event: Handle) -> c_uint {
    answer(|| {
        recorded(event)?;
        driver::wait(current()?)
    })
}

/// Whether an event came: all of them have.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventQuery(event: Handle) -> c_uint {
    answer(|| recorded(event).map(|_| ()))
}

/// The time between two events in milliseconds.
///
/// # Safety
///
/// `milliseconds` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventElapsedTime(
    milliseconds: *mut f32,
    begin: Handle,
    end: Handle,
) -> c_uint {
    answer(|| {
        let begin = recorded(begin)?.ok_or(Status::InvalidHandle)?;
        let end = recorded(end)?.ok_or(Status::InvalidHandle)?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(milliseconds, ((end - begin) / 1e6) as f32) }
    })
}

/// As [`cuEventElapsedTime`], by the name of CUDA 12.8.
///
/// # Safety
///
/// `milliseconds` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventElapsedTime_v2(
    milliseconds: *mut f32,
    begin: Handle,
    end: Handle,
) -> c_uint {
    // SAFETY: the caller's contract is the same.
    unsafe { cuEventElapsedTime(milliseconds, begin, end) }
}

/// When an event was recorded, in nanoseconds.
pub(super) fn recorded(event: Handle) -> Result<Option<f64>, Status> {
    let place = number(event)?;
    driver::with(|driver| {
        let event = driver.events.get(place).copied();
        event.ok_or(Status::InvalidHandle)
    })
}
