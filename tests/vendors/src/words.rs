//! What NVML calls its outcomes and addresses.

use nvml_wrapper::error::NvmlError;

/// What `nvmlErrorString` says of an error, and the status that `nvidia-smi` ends with.
pub fn of(error: &NvmlError) -> (&'static str, u8) {
    match error {
        NvmlError::Uninitialized => ("Uninitialized", 1),
        NvmlError::InvalidArg => ("Invalid Argument", 2),
        NvmlError::NotSupported => ("Not Supported", 3),
        NvmlError::NoPermission => ("Insufficient Permissions", 4),
        NvmlError::NotFound => ("Not Found", 6),
        NvmlError::DriverNotLoaded => ("Driver Not Loaded", 9),
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => {
            ("NVML Shared Library Not Found", 12)
        }
        NvmlError::GpuLost => ("GPU is lost", 15),
        NvmlError::LibRmVersionMismatch => ("Driver/library version mismatch", 18),
        _ => ("Unknown Error", 255),
    }
}

/// The address of a card as other programs than `nvidia-smi` write it: `0000:03:00.0`.
pub fn short_bus_id(long: &str) -> String {
    let short = long.strip_prefix("0000").unwrap_or(long);
    short.to_ascii_lowercase()
}
