//! A card's memory: taking it, giving it back, and copies.

use std::ffi::{c_uchar, c_uint, c_void};

use super::{Handle, answer, ask, put};
use crate::status::Status;

/// Free memory and all memory in bytes.
///
/// # Safety
///
/// `free` and `total` are null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> c_uint {
    answer(|| {
        let (unheld, all) = ask(|device| {
            device.well()?;
            Ok((device.memory.free(), device.card.memory_total_mib << 20))
        })?;
        let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        // SAFETY: the caller's contract is that of `put`.
        unsafe {
            put(free, size(unheld))?;
            put(total, size(all))
        }
    })
}

/// Takes memory.
///
/// # Safety
///
/// `address` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAlloc_v2(address: *mut u64, bytes: usize) -> c_uint {
    answer(|| {
        let taken = ask(|device| {
            device.well()?;
            device.memory.take(bytes)
        })?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(address, taken) }
    })
}

/// As [`cuMemAlloc_v2`].
///
/// # Safety
///
/// `address` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocAsync(
    address: *mut u64,
    bytes: usize,
    _stream: Handle,
) -> c_uint {
    // SAFETY: the caller's contract is the same.
    unsafe { cuMemAlloc_v2(address, bytes) }
}

/// Gives memory back.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(address: u64) -> c_uint {
    answer(|| ask(|device| device.memory.give_back(address)))
}

/// As [`cuMemFree_v2`].
#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(address: u64, _stream: Handle) -> c_uint {
    cuMemFree_v2(address)
}

/// Sets each byte of a range.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8Async(
    address: u64,
    value: c_uchar,
    bytes: usize,
    _stream: Handle,
) -> c_uint {
    answer(|| {
        ask(|device| {
            device.well()?;
            let words = device.memory.words_mut(address, bytes)?;
            words.fill(u32::from_ne_bytes([value; 4]));
            Ok(())
        })
    })
}

/// Copies on the card. Takes as long as its bandwidth says, by its own clock.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoDAsync_v2(
    to: u64,
    from: u64,
    bytes: usize,
    _stream: Handle,
) -> c_uint {
    answer(|| ask(|device| device.copy(to, from, bytes)))
}

/// Copies from the card to the host.
///
/// # Safety
///
/// `to` is null, or valid for writes of `bytes` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyDtoHAsync_v2(
    to: *mut c_void,
    from: u64,
    bytes: usize,
    _stream: Handle,
) -> c_uint {
    answer(|| {
        ask(|device| {
            device.well()?;
            let words = device.memory.words(from, bytes)?;
            if to.is_null() {
                return Err(Status::InvalidValue);
            }
            // SAFETY: `words` has `bytes` bytes, for which `to` is valid by this function's
            // contract; they are the library's own and overlap nothing of the program's.
            unsafe {
                to.cast::<u8>()
                    .copy_from_nonoverlapping(words.as_ptr().cast(), bytes);
            }
            Ok(())
        })
    })
}

/// Copies from the host to the card.
///
/// # Safety
///
/// `from` is null, or valid for reads of `bytes` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyHtoDAsync_v2(
    to: u64,
    from: *const c_void,
    bytes: usize,
    _stream: Handle,
) -> c_uint {
    answer(|| {
        ask(|device| {
            device.well()?;
            let words = device.memory.words_mut(to, bytes)?;
            if from.is_null() {
                return Err(Status::InvalidValue);
            }
            // SAFETY: `words` has `bytes` bytes, and `from` is valid for as many reads by
            // this function's contract; they are the library's own and overlap nothing.
            unsafe {
                words
                    .as_mut_ptr()
                    .cast::<u8>()
                    .copy_from_nonoverlapping(from.cast(), bytes);
            }
            Ok(())
        })
    })
}
