//! How the program ends when something is wrong: in the real one's words, with its status.

use lab_vendors::words;
use nvml_wrapper::error::NvmlError;

/// What is printed, and the exit status.
pub(crate) struct Failure {
    pub(crate) text: String,
    pub(crate) status: u8,
}

impl Failure {
    /// A command line that is not understood.
    pub(crate) fn usage(text: &str) -> Self {
        Failure {
            text: text.to_owned(),
            status: 2,
        }
    }

    /// There is no card, or not this one.
    pub(crate) fn no_devices() -> Self {
        Failure {
            text: "No devices were found".to_owned(),
            status: 6,
        }
    }

    /// The library cannot be begun with.
    pub(crate) fn of_init(error: &NvmlError) -> Self {
        let (words, status) = words::of(error);
        let text = match status {
            9 => "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA \
                  driver. Make sure that the latest NVIDIA driver is installed and running.\n"
                .to_owned(),
            12 => "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please \
                   make sure that the NVIDIA Display Driver is properly installed and present \
                   in your system.\nPlease also try adding directory that contains \
                   libnvidia-ml.so to your system PATH."
                .to_owned(),
            _ => format!("Failed to initialize NVML: {words}"),
        };
        Failure { text, status }
    }

    /// A card does not answer.
    pub(crate) fn of_handle(card: &str, error: &NvmlError) -> Self {
        let (words, status) = words::of(error);
        match error {
            NvmlError::NotFound | NvmlError::InvalidArg => Self::no_devices(),
            NvmlError::GpuLost => Failure {
                text: format!(
                    "Unable to determine the device handle for GPU{card}: GPU is lost.  \
                     Reboot the system to recover this GPU"
                ),
                status,
            },
            _ => Failure {
                text: format!("Unable to determine the device handle for GPU{card}: {words}"),
                status,
            },
        }
    }
}

impl From<NvmlError> for Failure {
    fn from(error: NvmlError) -> Self {
        let (text, status) = words::of(&error);
        Failure {
            text: text.to_owned(),
            status,
        }
    }
}
