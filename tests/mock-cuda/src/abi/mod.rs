//! The functions that programs find in the library, with the names and types of `cuda.h`.
//!
//! Each of them looks at its pointers before it writes through them, and lets no panic
//! out. A handle is a small number dressed as a pointer: it is never followed, so a wrong
//! one is an error and nothing worse. There is one stream for each card, and all is done
//! when a call returns.

mod context;
mod device;
mod event;
mod memory;
mod module;

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::driver::{self, Device};
use crate::status::{SUCCESS, Status};

pub use context::*;
pub use device::*;
pub use event::*;
pub use memory::*;
pub use module::*;

/// `CUcontext`, `CUmodule`, `CUfunction`, `CUevent` and `CUstream`: opaque to the program,
/// and never followed here.
pub type Handle = *mut c_void;

thread_local! {
    /// The context of the thread: the card's number plus one, and null for none.
    static CURRENT: Cell<Handle> = const { Cell::new(std::ptr::null_mut()) };
}

/// Ends a call: the number of its outcome, also where it panicked.
fn answer(call: impl FnOnce() -> Result<(), Status>) -> c_uint {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => SUCCESS,
        Ok(Err(status)) => status.code(),
        Err(_) => Status::Unknown.code(),
    }
}

/// A handle that stands for a number.
fn handle(number: usize) -> Handle {
    std::ptr::without_provenance_mut(number + 1)
}

/// The number that a handle stands for.
fn number(handle: Handle) -> Result<usize, Status> {
    handle.addr().checked_sub(1).ok_or(Status::InvalidHandle)
}

/// The card of the thread's context.
fn current() -> Result<usize, Status> {
    number(CURRENT.get()).map_err(|_| Status::InvalidContext)
}

/// Asks the card of the thread's context.
fn ask<T>(question: impl FnOnce(&mut Device) -> Result<T, Status>) -> Result<T, Status> {
    driver::with_device(current()?, question)
}

/// Writes an answer where the program wants it.
///
/// # Safety
///
/// `out` is null, or valid for a write of a `T`.
unsafe fn put<T>(out: *mut T, value: T) -> Result<(), Status> {
    if out.is_null() || !out.is_aligned() {
        return Err(Status::InvalidValue);
    }
    // SAFETY: neither null nor misaligned, and valid by this function's contract.
    unsafe { out.write(value) };
    Ok(())
}

/// Writes the beginning of a text, and its NUL, where the program wants it.
///
/// # Safety
///
/// `out` is null, or valid for writes of `length` bytes.
unsafe fn put_text(out: *mut c_char, length: usize, text: &str) -> Result<(), Status> {
    if out.is_null() || length == 0 {
        return Err(Status::InvalidValue);
    }
    let kept = text.len().min(length - 1);
    // SAFETY: what is kept and its NUL fit into `length` bytes, for which `out` is valid by
    // this function's contract; the text is the library's own and overlaps nothing.
    unsafe {
        out.copy_from_nonoverlapping(text.as_ptr().cast(), kept);
        out.add(kept).write(0);
    }
    Ok(())
}

/// The text that a program passes in.
///
/// # Safety
///
/// `text` is null, or points to a string that ends with a NUL.
unsafe fn text_of<'p>(text: *const c_char) -> Result<&'p str, Status> {
    if text.is_null() {
        return Err(Status::InvalidValue);
    }
    // SAFETY: not null, and a string that ends with a NUL by this function's contract.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Status::InvalidValue)
}
