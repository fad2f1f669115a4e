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
mod archive;
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
pub use archive::Archive;
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

const GPUS: &str = include_str!("../data/gpus.toml");

/// Everything the lab knows about the world: [`Catalog::builtin`], or that with some
/// files replaced.
#[derive(Debug, Default)]
pub struct Catalog {
    chips: OnceLock<gpu::ChipsFile>,
    cards: OnceLock<gpu::Cards>,
    drivers: OnceLock<driver::DriversFile>,
    toolkit: OnceLock<toolkit::ToolkitFile>,
    apt: OnceLock<BTreeMap<String, AptRepository>>,
    archives: OnceLock<archive::ArchivesFile>,
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

    /// A catalog in which these data files, by name such as `apt.toml`, replace the
    /// built-in ones: for tests, and for labs with their own mirror.
    ///
    /// # Errors
    ///
    /// When a name is none of a data file or comes twice, or when a text is no sound
    /// file of its kind.
    pub fn with_files(files: &[(&str, &str)]) -> Result<Self, String> {
        let catalog = Self::default();
        for (name, text) in files {
            if files.iter().filter(|(other, _)| other == name).count() > 1 {
                return Err(format!("the catalog's {name} is given twice"));
            }
            catalog.replace(name, text)?;
        }
        // A card names its chip: the two files are sound together only.
        let named = |wanted: &str| files.iter().find(|(name, _)| *name == wanted);
        if named("chips.toml").or(named("gpus.toml")).is_some() {
            let text = named("gpus.toml").map_or(GPUS, |(_, text)| text);
            let file = read::<gpu::GpusFile>("gpus.toml", text)?;
            let cards = gpu::resolve(&file, &catalog.chips().chip)?;
            set(&catalog.cards, Ok(cards))?;
        }
        Ok(catalog)
    }

    fn replace(&self, name: &str, text: &str) -> Result<(), String> {
        match name {
            "chips.toml" => set(&self.chips, read(name, text)),
            // Read when all files are there.
            "gpus.toml" => Ok(()),
            "drivers.toml" => set(&self.drivers, read(name, text)),
            "toolkit.toml" => set(&self.toolkit, read(name, text)),
            "apt.toml" => set(&self.apt, read(name, text).map(apt::resolve)),
            "archives.toml" => set(&self.archives, read(name, text)),
            "tensorflow.toml" => set(&self.tensorflow, read(name, text)),
            "notebooks.toml" => set(&self.notebooks, read(name, text)),
            "ollama.toml" => set(&self.ollama, read(name, text)),
            "ubuntu.toml" => set(&self.ubuntu, read(name, text)),
            "pins.toml" => set(&self.pins, read(name, text)),
            "workstations.toml" => set(&self.workstations, read(name, text)),
            _ => Err(format!("the catalog has no file {name}")),
        }
    }

    pub(crate) fn chips(&self) -> &gpu::ChipsFile {
        self.chips
            .get_or_init(|| sound(read("chips.toml", include_str!("../data/chips.toml"))))
    }

    pub(crate) fn cards(&self) -> &gpu::Cards {
        self.cards.get_or_init(|| {
            let file = read::<gpu::GpusFile>("gpus.toml", GPUS);
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

    pub(crate) fn archives_file(&self) -> &archive::ArchivesFile {
        self.archives.get_or_init(|| {
            let text = include_str!("../data/archives.toml");
            sound(read("archives.toml", text))
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

/// Puts what was read of a file in its place, where nothing is yet.
fn set<T>(place: &OnceLock<T>, read: Result<T, String>) -> Result<(), String> {
    // The place is of a catalog that nobody else has seen.
    let _ = place.set(read?);
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::{Catalog, GPUS};

    const CHIPS: &str = include_str!("../data/chips.toml");
    const OLLAMA: &str = include_str!("../data/ollama.toml");

    #[test]
    fn a_file_that_is_given_replaces_the_built_in_one() {
        let text = OLLAMA.replace("size = 1439658961", "size = 7");
        let catalog = Catalog::with_files(&[("ollama.toml", &text)]).unwrap();
        let version = "0.35.1".parse().unwrap();
        assert_eq!(catalog.ollama_release(version).unwrap().size, Some(7));
        let builtin = Catalog::builtin();
        assert_ne!(builtin.ollama_release(version).unwrap().size, Some(7));
        assert!(catalog.apt_repositories().eq(builtin.apt_repositories()));
    }

    #[test]
    fn cards_and_chips_are_sound_together() {
        let gpus = ("gpus.toml", GPUS);
        assert!(Catalog::with_files(&[gpus, ("chips.toml", CHIPS)]).is_ok());
        let fewer = CHIPS.replace("GM107 =", "GM999 =");
        let error = Catalog::with_files(&[("chips.toml", &fewer)]).unwrap_err();
        assert!(error.contains("GM107"), "{error}");
    }

    #[test]
    fn what_is_no_file_of_the_catalog_is_refused() {
        let refused = |files: &[(&str, &str)]| Catalog::with_files(files).unwrap_err();
        assert!(refused(&[("ap.toml", "")]).contains("no file ap.toml"));
        assert!(refused(&[("apt.toml", "meta = 1")]).contains("reading the catalog's apt.toml"));
        assert!(refused(&[("ollama.toml", OLLAMA), ("ollama.toml", OLLAMA)]).contains("twice"));
        assert!(refused(&[("gpus.toml", GPUS), ("gpus.toml", GPUS)]).contains("twice"));
    }
}
