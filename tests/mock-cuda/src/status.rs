//! `CUresult`: how a call ends, and what `cuGetErrorName` and `cuGetErrorString` say of it.

use std::ffi::{CStr, c_uint};

/// An error of CUDA, with the number that `cuda.h` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// A null pointer, a range past the end, an attribute that is not known here.
    InvalidValue = 1,
    /// The card has no room.
    OutOfMemory = 2,
    /// `cuInit` was not called.
    NotInitialized = 3,
    /// No card can be seen.
    NoDevice = 100,
    /// There is no such card.
    InvalidDevice = 101,
    /// The thread has no context.
    InvalidContext = 201,
    /// An error of the memory that was not corrected.
    EccUncorrectable = 214,
    /// The text of the kernels is not PTX.
    InvalidPtx = 218,
    /// A system call of the driver failed.
    OperatingSystem = 304,
    /// A handle that was never given out.
    InvalidHandle = 400,
    /// There is no kernel of this name.
    NotFound = 500,
    /// A kernel went past the end of its memory.
    IllegalAddress = 700,
    /// The kernel module and this library have different versions.
    SystemDriverMismatch = 803,
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

/// Name and text of a number, in the words of the real library; none for one that is not
/// known.
pub(crate) const fn words(code: c_uint) -> Option<(&'static CStr, &'static CStr)> {
    Some(match code {
        SUCCESS => (c"CUDA_SUCCESS", c"no error"),
        1 => (c"CUDA_ERROR_INVALID_VALUE", c"invalid argument"),
        2 => (c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory"),
        3 => (c"CUDA_ERROR_NOT_INITIALIZED", c"initialization error"),
        100 => (
            c"CUDA_ERROR_NO_DEVICE",
            c"no CUDA-capable device is detected",
        ),
        101 => (c"CUDA_ERROR_INVALID_DEVICE", c"invalid device ordinal"),
        201 => (c"CUDA_ERROR_INVALID_CONTEXT", c"invalid device context"),
        214 => (
            c"CUDA_ERROR_ECC_UNCORRECTABLE",
            c"uncorrectable ECC error encountered",
        ),
        218 => (c"CUDA_ERROR_INVALID_PTX", c"a PTX JIT compilation failed"),
        304 => (
            c"CUDA_ERROR_OPERATING_SYSTEM",
            c"OS call failed or operation not supported on this OS",
        ),
        400 => (c"CUDA_ERROR_INVALID_HANDLE", c"invalid resource handle"),
        500 => (c"CUDA_ERROR_NOT_FOUND", c"named symbol not found"),
        700 => (
            c"CUDA_ERROR_ILLEGAL_ADDRESS",
            c"an illegal memory access was encountered",
        ),
        803 => (
            c"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
            c"system has unsupported display driver / cuda driver combination",
        ),
        999 => (c"CUDA_ERROR_UNKNOWN", c"unknown error"),
        _ => return None,
    })
}
