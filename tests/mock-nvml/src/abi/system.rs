//! The library itself and the machine: beginning and end, versions, the names of errors
//! and of processes.

use std::ffi::{c_char, c_int, c_uint};

use super::{answer, put, put_text};
use crate::session;
use crate::status::{self, Status};

/// Reads the file of cards; fails as it says.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> c_uint {
    answer(session::begin)
}

/// As [`nvmlInit_v2`].
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit() -> c_uint {
    nvmlInit_v2()
}

/// As [`nvmlInit_v2`]; no flag changes what the mock does.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> c_uint {
    nvmlInit_v2()
}

/// Ends what the last `nvmlInit` began.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> c_uint {
    answer(session::end)
}

/// What a number means. Never null.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(result: c_uint) -> *const c_char {
    status::text(result).as_ptr()
}

/// The driver's version.
///
/// # Safety
///
/// `version` is null, or valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(
    version: *mut c_char,
    length: c_uint,
) -> c_uint {
    answer(|| {
        let text = session::current()?.machine.driver_version;
        // SAFETY: the caller's contract is that of `put_text`.
        unsafe { put_text(version, length, &text) }
    })
}

/// The library's version.
///
/// # Safety
///
/// `version` is null, or valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetNVMLVersion(version: *mut c_char, length: c_uint) -> c_uint {
    answer(|| {
        let text = session::current()?.machine.library_version();
        // SAFETY: the caller's contract is that of `put_text`.
        unsafe { put_text(version, length, &text) }
    })
}

/// The highest CUDA version of the driver: 13000 is 13.0.
///
/// # Safety
///
/// `version` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) -> c_uint {
    answer(|| {
        let cuda = session::current()?.machine.cuda_version;
        let number = (cuda.major * 1000 + cuda.minor * 10).cast_signed();
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(version, number) }
    })
}

/// As [`nvmlSystemGetCudaDriverVersion_v2`].
///
/// # Safety
///
/// `version` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetCudaDriverVersion(version: *mut c_int) -> c_uint {
    // SAFETY: the caller's contract is the same.
    unsafe { nvmlSystemGetCudaDriverVersion_v2(version) }
}

/// The name of a process that computes on one of the cards.
///
/// # Safety
///
/// `name` is null, or valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetProcessName(
    pid: c_uint,
    name: *mut c_char,
    length: c_uint,
) -> c_uint {
    answer(|| {
        let session = session::current()?;
        let process = session
            .seen()
            .flat_map(|(_, card)| &card.processes)
            .find(|process| process.pid == pid)
            .ok_or(Status::NotFound)?;
        // SAFETY: the caller's contract is that of `put_text`.
        unsafe { put_text(name, length, &process.name) }
    })
}
