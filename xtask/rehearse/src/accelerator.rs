//! What runs the guest's instructions: the processor itself, or QEMU.

use std::env;
use std::fs;

/// How a guest is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor, by Linux's KVM.
    Kvm,
    /// QEMU's translation (TCG): some ten times slower.
    Tcg,
}

impl Accelerator {
    /// KVM where it works, else emulation; `LAB_ACCELERATOR` (`kvm`, `tcg`) overrules.
    ///
    /// The device node alone says nothing: inside some containers it can be opened and then
    /// runs no guest. The processor's flag decides too.
    #[must_use]
    pub fn here() -> Self {
        let kvm = match env::var("LAB_ACCELERATOR").ok().as_deref() {
            Some(name) => name == "kvm",
            None => able() && openable(),
        };
        if kvm { Self::Kvm } else { Self::Tcg }
    }

    /// QEMU's words for it.
    #[must_use]
    pub const fn arguments(self) -> &'static str {
        match self {
            Self::Kvm => "-accel kvm -cpu host",
            Self::Tcg => "-accel tcg,thread=multi -cpu max",
        }
    }

    /// What a report calls it.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Tcg => "emulated (TCG), some ten times slower than a real machine",
        }
    }
}

fn able() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    flags
        .split_whitespace()
        .any(|word| word == "vmx" || word == "svm")
}

fn openable() -> bool {
    let opened = fs::File::options().read(true).write(true).open("/dev/kvm");
    opened.is_ok()
}
