//! `nvmlReturn_t`: how a call ends, and what `nvmlErrorString` says of it.

use std::ffi::{CStr, c_uint};

/// An error of NVML, with the number that `nvml.h` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// `nvmlInit` was not called, or the last `nvmlShutdown` was.
    Uninitialized = 1,
    /// A null pointer, a handle that was never given out, an index past the end.
    InvalidArgument = 2,
    /// The card does not have this.
    NotSupported = 3,
    /// Only root may do this, or the device nodes may not be opened.
    NoPermission = 4,
    /// There is no such card or process.
    NotFound = 6,
    /// The buffer is too small.
    InsufficientSize = 7,
    /// The kernel module is not loaded.
    DriverNotLoaded = 9,
    /// The card no longer answers.
    GpuIsLost = 15,
    /// The kernel module and this library have different versions.
    LibRmVersionMismatch = 18,
    /// The structure that was passed in is of another version.
    ArgumentVersionMismatch = 25,
    /// None of the others.
    Unknown = 999,
}

/// What a call that succeeded returns.
pub(crate) const SUCCESS: c_uint = 0;

impl Status {
    /// The number that crosses the ABI.
    pub const fn code(self) -> c_uint {
        self as c_uint
    }
}

/// What the library says of a number, in the words of the real one.
pub(crate) const fn text(code: c_uint) -> &'static CStr {
    match code {
        SUCCESS => c"Success",
        1 => c"Uninitialized",
        2 => c"Invalid Argument",
        3 => c"Not Supported",
        4 => c"Insufficient Permissions",
        6 => c"Not Found",
        7 => c"Insufficient Size",
        9 => c"Driver Not Loaded",
        15 => c"GPU is lost",
        18 => c"Driver/library version mismatch",
        25 => c"Argument version mismatch",
        _ => c"Unknown Error",
    }
}
