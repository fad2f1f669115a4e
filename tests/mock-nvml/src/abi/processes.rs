//! What computes on a card. The three versions differ in the structure that they fill.

use std::ffi::{c_uint, c_ulonglong};

use super::layout::{ProcessInfo, ProcessInfoV1};
use super::{Handle, answer, ask, put};
use crate::cards::Process;
use crate::status::Status;

/// What NVML writes where it has no number.
const NOT_AVAILABLE: c_uint = c_uint::MAX;

/// Memory of a process in bytes, or all ones.
fn used(process: &Process) -> c_ulonglong {
    let bytes = process
        .used_mib
        .get()
        .and_then(|mib| mib.checked_mul(1 << 20));
    bytes.unwrap_or(c_ulonglong::MAX)
}

fn info(process: &Process) -> ProcessInfo {
    ProcessInfo {
        pid: process.pid,
        used_gpu_memory: used(process),
        gpu_instance_id: NOT_AVAILABLE,
        compute_instance_id: NOT_AVAILABLE,
    }
}

fn info_v1(process: &Process) -> ProcessInfoV1 {
    ProcessInfoV1 {
        pid: process.pid,
        used_gpu_memory: used(process),
    }
}

/// Writes a list as NVML does: the true length always, and the list where there is room.
///
/// # Safety
///
/// `count` is null, or valid for a read and a write; `out` is null, or valid for writes
/// of as many structures as `count` says.
unsafe fn put_list<T>(list: Vec<T>, count: *mut c_uint, out: *mut T) -> Result<(), Status> {
    if count.is_null() || !count.is_aligned() {
        return Err(Status::InvalidArgument);
    }
    // SAFETY: neither null nor misaligned, and valid by this function's contract.
    let room = unsafe { count.read() } as usize;
    let length = c_uint::try_from(list.len()).map_err(|_| Status::Unknown)?;
    if out.is_null() && room > 0 {
        return Err(Status::InvalidArgument);
    }
    // SAFETY: this function's contract is that of `put`.
    unsafe { put(count, length)? };
    if list.len() > room {
        return Err(Status::InsufficientSize);
    }
    for (place, item) in list.into_iter().enumerate() {
        // SAFETY: `place` is below `room`, for which `out` is valid.
        unsafe { put(out.add(place), item)? };
    }
    Ok(())
}

/// Functions that write a list of processes.
macro_rules! lists {
    ($($(#[$doc:meta])* fn $name:ident -> $type:ty = $info:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// `count` is null, or valid for a read and a write; `out` is null, or valid for
        /// writes of as many structures as `count` says.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            device: Handle,
            count: *mut c_uint,
            out: *mut $type,
        ) -> c_uint {
            answer(|| {
                let list = ask(device, |found| {
                    Ok(found.card.processes.iter().filter_map($info).collect())
                })?;
                // SAFETY: the caller's contract is that of `put_list`.
                unsafe { put_list::<$type>(list, count, out) }
            })
        }
    )*};
}

lists! {
    /// What computes on the card.
    fn nvmlDeviceGetComputeRunningProcesses_v3 -> ProcessInfo = |one| Some(info(one));
    /// The same in an older structure, which has the same fields.
    fn nvmlDeviceGetComputeRunningProcesses_v2 -> ProcessInfo = |one| Some(info(one));
    /// The same in the oldest structure.
    fn nvmlDeviceGetComputeRunningProcesses -> ProcessInfoV1 = |one| Some(info_v1(one));
    /// What draws on the card: nothing, since the machine has no screen.
    fn nvmlDeviceGetGraphicsRunningProcesses_v3 -> ProcessInfo = |_| None;
}
