//! What is true of hardware and software, as data with source and date.
//!
//! The facts stand as TOML under `data/` and are part of the program: nothing is
//! read at run time, no clock is asked, and whoever wants to know how long
//! something is supported passes the day in. Each file is parsed when it is first
//! asked for, so that a command pays only for the facts it uses.
//!
//! ```
//! use lab_catalog::{Architecture, Catalog};
//!
//! let catalog = Catalog::builtin();
//! let card = catalog.gpu("10de:13ba".parse()?).expect("the Quadro K2200 is known");
//! assert_eq!(card.architecture, Architecture::Maxwell);
//! # Ok::<(), lab_catalog::ValueError>(())
//! ```

mod apt;
mod driver;
mod gpu;
mod notebook;
mod ollama;
mod pci_chips;
mod pin;
mod tensorflow;
mod toolkit;
mod ubuntu;
mod value;
mod workstation;

pub use apt::{AptRepository, PinnedPackage};
pub use driver::{Availability, Branch, BranchStatus, CudaFloor, DriverBranch, KernelModule};
pub use gpu::{Architecture, Chip, Gpu, OpenModule, ProductLine};
pub use notebook::{NotebookImage, Reason};
pub use ollama::{Blob, DriverFloor, Model, OllamaRelease};
pub use pin::{PinnedFile, PinnedImage};
pub use tensorflow::TensorFlow;
pub use toolkit::{ToolkitRelease, Vulnerability};
pub use ubuntu::{KernelFlavour, PublicKey, UbuntuImage, UbuntuRelease};
pub use value::{ComputeCapability, Date, DottedVersion, Fingerprint, PciId, Sha256, ValueError};
pub use workstation::Workstation;

use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeMap, sync::OnceLock};

/// Where the facts of a file are from, and when they were looked up. An entry
/// may carry its own and then does not inherit these.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meta {
    pub(crate) source: String,
    pub(crate) date: Date,
}

/// Everything the lab knows about the world. There is one: [`Catalog::builtin`].
#[derive(Debug, Default)]
pub struct Catalog {
    chips: OnceLock<gpu::ChipsFile>,
    cards: OnceLock<gpu::Cards>,
    drivers: OnceLock<driver::DriversFile>,
    toolkit: OnceLock<toolkit::ToolkitFile>,
    apt: OnceLock<BTreeMap<String, AptRepository>>,
    tensorflow: OnceLock<tensorflow::TensorFlowFile>,
    notebooks: OnceLock<notebook::NotebooksFile>,
    ollama: OnceLock<ollama::OllamaFile>,
    ubuntu: OnceLock<ubuntu::UbuntuFile>,
    pins: OnceLock<pin::PinsFile>,
    workstations: OnceLock<workstation::WorkstationsFile>,
}

impl Catalog {
    /// The facts that are built into the program.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Catalog> = OnceLock::new();
        BUILTIN.get_or_init(Self::default)
    }

    pub(crate) fn chips(&self) -> &gpu::ChipsFile {
        self.chips
            .get_or_init(|| sound(read("chips.toml", include_str!("../data/chips.toml"))))
    }

    pub(crate) fn cards(&self) -> &gpu::Cards {
        self.cards.get_or_init(|| {
            let file = read::<gpu::GpusFile>("gpus.toml", include_str!("../data/gpus.toml"));
            sound(file.and_then(|file| gpu::resolve(&file, &self.chips().chip)))
        })
    }

    pub(crate) fn drivers(&self) -> &driver::DriversFile {
        self.drivers
            .get_or_init(|| sound(read("drivers.toml", include_str!("../data/drivers.toml"))))
    }

    pub(crate) fn toolkit_file(&self) -> &toolkit::ToolkitFile {
        self.toolkit
            .get_or_init(|| sound(read("toolkit.toml", include_str!("../data/toolkit.toml"))))
    }

    pub(crate) fn apt(&self) -> &BTreeMap<String, AptRepository> {
        self.apt.get_or_init(|| {
            sound(read("apt.toml", include_str!("../data/apt.toml")).map(apt::resolve))
        })
    }

    pub(crate) fn tensorflow_file(&self) -> &tensorflow::TensorFlowFile {
        self.tensorflow.get_or_init(|| {
            let text = include_str!("../data/tensorflow.toml");
            sound(read("tensorflow.toml", text))
        })
    }

    pub(crate) fn notebooks(&self) -> &notebook::NotebooksFile {
        self.notebooks.get_or_init(|| {
            sound(read(
                "notebooks.toml",
                include_str!("../data/notebooks.toml"),
            ))
        })
    }

    pub(crate) fn ollama_file(&self) -> &ollama::OllamaFile {
        self.ollama
            .get_or_init(|| sound(read("ollama.toml", include_str!("../data/ollama.toml"))))
    }

    pub(crate) fn ubuntu_file(&self) -> &ubuntu::UbuntuFile {
        self.ubuntu
            .get_or_init(|| sound(read("ubuntu.toml", include_str!("../data/ubuntu.toml"))))
    }

    pub(crate) fn pins(&self) -> &pin::PinsFile {
        self.pins
            .get_or_init(|| sound(read("pins.toml", include_str!("../data/pins.toml"))))
    }

    pub(crate) fn workstations_file(&self) -> &workstation::WorkstationsFile {
        self.workstations.get_or_init(|| {
            let text = include_str!("../data/workstations.toml");
            sound(read("workstations.toml", text))
        })
    }
}

/// Reads one of the files under `data/`.
fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| format!("reading the catalog's {name}: {error}"))
}

/// The one place that may panic: the text is part of the program and does not
/// change after it is built, and a test reads every file.
#[expect(
    clippy::expect_used,
    reason = "the data is built in, and a test reads all of it"
)]
fn sound<T>(read: Result<T, String>) -> T {
    read.expect("the catalog's built-in data is sound")
}
