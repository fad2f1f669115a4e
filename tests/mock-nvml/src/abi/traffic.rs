//! What the video engines and the bus carry: nothing, here. nvtop draws no card of a library
//! that lacks these functions.

use std::ffi::c_uint;

use super::{Handle, answer, ask, put};

/// How long a video engine is looked at for one figure, in microseconds, as drivers say it.
const SAMPLING_US: c_uint = 167_000;

/// How busy a video engine is, in percent, and over how many microseconds.
macro_rules! engines {
    ($($(#[$doc:meta])* fn $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// `percent` and `sampled_us` are null, or valid for a write.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            device: Handle,
            percent: *mut c_uint,
            sampled_us: *mut c_uint,
        ) -> c_uint {
            answer(|| {
                ask(device, |_| Ok(()))?;
                // SAFETY: the caller's contract is that of `put`.
                unsafe { put(percent, 0)? };
                // SAFETY: the same.
                unsafe { put(sampled_us, SAMPLING_US) }
            })
        }
    )*};
}

engines! {
    /// How busy the encoder is.
    fn nvmlDeviceGetEncoderUtilization;
    /// How busy the decoder is.
    fn nvmlDeviceGetDecoderUtilization;
}

/// KB/s over the bus; `_counter` says in which direction.
///
/// # Safety
///
/// `out` is null, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPcieThroughput(
    device: Handle,
    _counter: c_uint,
    out: *mut c_uint,
) -> c_uint {
    answer(|| {
        ask(device, |_| Ok(()))?;
        // SAFETY: the caller's contract is that of `put`.
        unsafe { put(out, 0) }
    })
}
