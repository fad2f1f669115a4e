//! The functions that programs find in the library, with the names and types of `nvml.h`.
//!
//! Each of them looks at its pointers before it writes through them, and lets no panic
//! out. A handle is a card's place in the file plus one, dressed as a pointer: it is
//! never followed, so a wrong one is an error and nothing worse.

mod device;
mod layout;
mod limits;
mod processes;
mod system;
mod traffic;

use std::ffi::{CStr, c_char, c_uint};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::session::{self, Found};
use crate::status::{SUCCESS, Status};

pub use device::*;
pub use layout::*;
pub use limits::*;
pub use processes::*;
pub use system::*;
pub use traffic::*;

/// `nvmlDevice_t`: opaque to the program, and never followed here.
pub type Handle = *mut std::ffi::c_void;

/// Ends a call: the number of its outcome, also where it panicked.
fn answer(call: impl FnOnce() -> Result<(), Status>) -> c_uint {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => SUCCESS,
        Ok(Err(status)) => status.code(),
        Err(_) => Status::Unknown.code(),
    }
}

/// The handle of the card at a place of the file.
fn handle(place: usize) -> Handle {
    std::ptr::without_provenance_mut(place + 1)
}

/// Asks the card that a handle stands for.
fn ask<T>(
    device: Handle,
    question: impl FnOnce(&Found<'_>) -> Result<T, Status>,
) -> Result<T, Status> {
    let session = session::current()?;
    let place = device
        .addr()
        .checked_sub(1)
        .ok_or(Status::InvalidArgument)?;
    question(&session.card(place)?)
}

/// Writes an answer where the program wants it.
///
/// # Safety
///
/// `out` is null, or valid for a write of a `T`.
unsafe fn put<T>(out: *mut T, value: T) -> Result<(), Status> {
    if out.is_null() || !out.is_aligned() {
        return Err(Status::InvalidArgument);
    }
    // SAFETY: neither null nor misaligned, and valid by this function's contract.
    unsafe { out.write(value) };
    Ok(())
}

/// Writes a text with its NUL where the program wants it.
///
/// # Safety
///
/// `out` is null, or valid for writes of `length` bytes.
unsafe fn put_text(out: *mut c_char, length: c_uint, text: &str) -> Result<(), Status> {
    if out.is_null() {
        return Err(Status::InvalidArgument);
    }
    if text.len() >= length as usize {
        return Err(Status::InsufficientSize);
    }
    // SAFETY: the text and its NUL fit into `length` bytes, for which `out` is valid by
    // this function's contract; the text is the library's own and overlaps nothing.
    unsafe {
        out.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
        out.add(text.len()).write(0);
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
        return Err(Status::InvalidArgument);
    }
    // SAFETY: not null, and a string that ends with a NUL by this function's contract.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Status::InvalidArgument)
}
