//! CUDA's errors: the driver's own name and text, and what it usually means on a machine
//! of this kind.
//!
//! The names are those of `cudaError_enum` in `cuda.h`.

use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;

/// A card's memory in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// What nobody holds.
    pub(super) free: u64,
    /// All of it.
    pub(super) total: u64,
}

/// An error in CUDA's words and in plain ones: what was being done, what came, what that
/// usually means.
pub(super) fn told(doing: &str, error: DriverError, memory: Option<Memory>) -> String {
    let name = own(error.error_name()).unwrap_or_else(|| format!("CUDA error {}", error.0 as u32));
    let text = own(error.error_string()).map_or_else(String::new, |text| format!(" ({text})"));
    let meaning = match (name.as_str(), memory) {
        ("CUDA_ERROR_OUT_OF_MEMORY", Some(memory)) => short_of(memory),
        (name, _) => meaning(name).to_owned(),
    };
    format!("{doing}: {name}{text}{}", behind_colon(&meaning))
}

fn behind_colon(meaning: &str) -> String {
    match meaning {
        "" => String::new(),
        meaning => format!(": {meaning}"),
    }
}

fn own(text: Result<&std::ffi::CStr, DriverError>) -> Option<String> {
    text.ok().map(|text| text.to_string_lossy().into_owned())
}

/// Whether the card had no room.
pub(super) fn is_out_of_memory(error: DriverError) -> bool {
    error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY
}

/// Who took the memory, as far as the numbers tell.
pub(super) fn short_of(memory: Memory) -> String {
    let (free, total) = (memory.free >> 20, memory.total >> 20);
    match memory.free < memory.total / 2 {
        true => format!(
            "another program holds the card's memory, {free} of {total} MiB are free; \
             `nvidia-smi` names it"
        ),
        false => format!("{free} of {total} MiB are free, and yet the card gave none"),
    }
}

/// What an error usually means; nothing where its name says it all.
fn meaning(name: &str) -> &'static str {
    match name {
        "CUDA_ERROR_NO_DEVICE" => {
            "the driver does not show this card to CUDA: the kernel module is not loaded, \
             /dev/nvidia* are missing, or the card no longer answers on the bus"
        }
        "CUDA_ERROR_UNKNOWN" => {
            "usually the module nvidia-uvm is not loaded or /dev/nvidia-uvm is missing \
             (`sudo modprobe nvidia-uvm`); else the driver's log (`journalctl -k -g NVRM`) says more"
        }
        "CUDA_ERROR_OPERATING_SYSTEM" => {
            "a system call of the driver failed: often /dev/nvidia-uvm is missing, or this user \
             may not open it"
        }
        "CUDA_ERROR_OUT_OF_MEMORY" => {
            "usually another program holds the card's memory; `nvidia-smi` names it"
        }
        "CUDA_ERROR_ECC_UNCORRECTABLE" => {
            "the card's memory gave back a word that could not be corrected: restart, and if it \
             comes again, the card is worn out"
        }
        "CUDA_ERROR_INVALID_PTX" | "CUDA_ERROR_UNSUPPORTED_PTX_VERSION" => {
            "the driver does not take the probe's kernel: it is older than CUDA 8, or damaged"
        }
        "CUDA_ERROR_NO_BINARY_FOR_GPU" | "CUDA_ERROR_INVALID_SOURCE" => {
            "the driver cannot translate the probe's kernel for this card: it is older than Maxwell"
        }
        "CUDA_ERROR_JIT_COMPILER_NOT_FOUND" => {
            "libnvidia-ptxjitcompiler.so.1 is missing, which belongs to the driver's package \
             libnvidia-compute"
        }
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" => {
            "the kernel module and the library have different versions: the driver was updated \
             under a module that is still loaded; restart"
        }
        "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE" => {
            "a forward-compatibility library stands before the driver's own, and this card does \
             not take it"
        }
        "CUDA_ERROR_STUB_LIBRARY" => {
            "a stub of the CUDA toolkit stands in the library path before the driver's libcuda.so.1"
        }
        "CUDA_ERROR_DEVICE_UNAVAILABLE" => {
            "another program has the card for itself, or its compute mode forbids all of them \
             (`nvidia-smi -q -d COMPUTE`)"
        }
        "CUDA_ERROR_LAUNCH_TIMEOUT" => {
            "the card was busy for too long; one that drives a screen stops a kernel after seconds"
        }
        "CUDA_ERROR_LAUNCH_FAILED"
        | "CUDA_ERROR_ILLEGAL_ADDRESS"
        | "CUDA_ERROR_ILLEGAL_INSTRUCTION"
        | "CUDA_ERROR_MISALIGNED_ADDRESS"
        | "CUDA_ERROR_HARDWARE_STACK_ERROR" => {
            "the card fell over a kernel that is right: a broken card, a weak power supply or a \
             bad slot; the kernel's log has an Xid line (`journalctl -k -g Xid`)"
        }
        "CUDA_ERROR_SYSTEM_NOT_READY" => {
            "the driver waits for a service, such as nvidia-fabricmanager"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_another_program_holds_is_told_from_a_card_that_gives_none() {
        let mib = |free: u64, total: u64| Memory {
            free: free << 20,
            total: total << 20,
        };
        assert!(short_of(mib(3, 2048)).contains("another program holds"));
        assert!(short_of(mib(3, 2048)).contains("3 of 2048 MiB are free"));
        assert!(short_of(mib(2000, 2048)).contains("yet the card gave none"));
    }
}
