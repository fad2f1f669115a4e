//! Modules, their kernels, and launches.

use std::ffi::{c_char, c_uint, c_void};

use super::{Handle, answer, ask, current, handle, put, text_of};
use crate::kernels::{Kernel, Width};
use crate::status::Status;

/// Takes a text for kernels. It must look like PTX; nothing else is asked of it.
///
/// # Safety
///
/// `module` is null, or valid for a write; `image` is null, or points to a string that ends
/// with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadData(module: *mut Handle, image: *const c_void) -> c_uint {
    answer(|| {
        current()?;
        // SAFETY: the caller's contract is that of `text_of`.
        let text = unsafe { text_of(image.cast()) }?;
        if !text.contains(".version") || !text.contains(".target") {
            return Err(Status::InvalidPtx);
        }
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(module, handle(0)) }
    })
}

/// Gives a module back.
#[unsafe(no_mangle)]
pub extern "C" fn cuModuleUnload(_module: Handle) -> c_uint {
    answer(|| current().map(|_| ()))
}

/// A kernel by its name.
///
/// # Safety
///
/// `function` is null, or valid for a write; `name` is null, or points to a string that
/// ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetFunction(
    function: *mut Handle,
    _module: Handle,
    name: *const c_char,
) -> c_uint {
    answer(|| {
        // SAFETY: the caller's contract is that of `text_of`.
        let name = unsafe { text_of(name) }?;
        let known = Kernel::handle(name).ok_or(Status::NotFound)?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(function, std::ptr::without_provenance_mut(known)) }
    })
}

/// Does a kernel's work.
///
/// # Safety
///
/// `arguments` is null, or points to as many pointers as the kernel has parameters, each of
/// which is null or valid for a read of its parameter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuLaunchKernel(
    function: Handle,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    _shared_bytes: c_uint,
    _stream: Handle,
    arguments: *mut *mut c_void,
    _extra: *mut *mut c_void,
) -> c_uint {
    answer(|| {
        let (kernel, widths) = Kernel::of(function.addr()).ok_or(Status::InvalidHandle)?;
        // SAFETY: the caller's contract is that of `read`.
        let arguments = unsafe { read(arguments, widths) }?;
        let flat = [grid_y, grid_z, block_y, block_z] == [1; 4];
        if !flat || grid_x == 0 || !(1..=1024).contains(&block_x) {
            return Err(Status::InvalidValue);
        }
        let threads = u64::from(grid_x) * u64::from(block_x);
        ask(|device| device.launch(kernel, threads, &arguments))
    })
}

/// Reads a kernel's arguments.
///
/// # Safety
///
/// `arguments` is null, or points to as many pointers as there are widths, each of which is
/// null or valid for a read of that width.
unsafe fn read(arguments: *mut *mut c_void, widths: &[Width]) -> Result<Vec<u64>, Status> {
    if arguments.is_null() {
        return Err(Status::InvalidValue);
    }
    let one = |(place, width): (usize, &Width)| {
        // SAFETY: there are as many pointers as widths by this function's contract.
        let argument = unsafe { arguments.add(place).read() };
        if argument.is_null() {
            return Err(Status::InvalidValue);
        }
        // SAFETY: not null, and valid for a read of its width by this function's contract;
        // alignment is not asked for.
        Ok(unsafe {
            match width {
                Width::Eight => argument.cast::<u64>().read_unaligned(),
                Width::Four => u64::from(argument.cast::<u32>().read_unaligned()),
            }
        })
    };
    widths.iter().enumerate().map(one).collect()
}
