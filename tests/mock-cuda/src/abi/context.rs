//! Contexts and streams. A card has one context, which is there as long as the process.

use std::ffi::{c_int, c_uint};

use super::{CURRENT, Handle, answer, current, handle, put};
use crate::driver;
use crate::status::Status;

/// The card's context.
///
/// # Safety
///
/// `context` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Handle, device: c_int) -> c_uint {
    answer(|| {
        let ordinal = usize::try_from(device).map_err(|_| Status::InvalidDevice)?;
        driver::with_device(ordinal, |device| device.well())?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(context, handle(ordinal)) }
    })
}

/// Lets go of the card's context: here it stays.
#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(device: c_int) -> c_uint {
    answer(|| {
        let ordinal = usize::try_from(device).map_err(|_| Status::InvalidDevice)?;
        driver::with_device(ordinal, |_| Ok(()))
    })
}

/// The context of the thread; null for none.
///
/// # Safety
///
/// `context` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetCurrent(context: *mut Handle) -> c_uint {
    answer(|| {
        driver::with(|_| Ok(()))?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(context, CURRENT.get()) }
    })
}

/// Gives the thread a context, or takes it away.
#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: Handle) -> c_uint {
    answer(|| {
        if let Some(ordinal) = context.addr().checked_sub(1) {
            driver::with_device(ordinal, |_| Ok(())).map_err(|_| Status::InvalidContext)?;
        }
        CURRENT.set(context);
        Ok(())
    })
}

/// Waits for the card.
#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSynchronize() -> c_uint {
    answer(|| driver::wait(current()?))
}

/// Waits for the card: it has one stream, whatever the handle.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(_stream: Handle) -> c_uint {
    cuCtxSynchronize()
}

/// Lets a stream wait for an event, which is done already.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamWaitEvent(_stream: Handle, event: Handle, _flags: c_uint) -> c_uint {
    answer(|| super::event::recorded(event).map(|_| ()))
}
