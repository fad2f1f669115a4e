//! A machine with the mock of NVML, in a folder: its cards, the library under the name
//! that programs ask for, and the programs.

#![allow(dead_code, reason = "each test uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The cards of the first machine.
pub(crate) const Z440: &str = include_str!("../../../mock-nvml/cards/z440.toml");

/// The UUIDs of its cards.
pub(crate) const GT1030: &str = "GPU-5f1c30aa-1030-4d01-8a10-c0ffee000001";
pub(crate) const K2200: &str = "GPU-2e7b2200-2200-13ba-9b20-c0ffee000002";
pub(crate) const GTX1050TI: &str = "GPU-9a431050-1050-4c82-a1d0-c0ffee000003";

/// A folder for a machine.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    /// A machine with these cards.
    pub(crate) fn new(cards: &str) -> Self {
        static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
        let library = LIBRARY.get_or_init(|| lab_vendors::nvml_library().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let lib = folder.path().join("lib");
        std::fs::create_dir(&lib).unwrap();
        std::fs::copy(library, lib.join("libnvidia-ml.so.1")).unwrap();
        let lab = Lab { folder };
        std::fs::write(lab.path("cards.toml"), cards).unwrap();
        lab
    }

    /// The first machine.
    pub(crate) fn z440() -> Self {
        Self::new(Z440)
    }

    /// A file of the machine.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program on this machine.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("MOCK_NVML", self.path("cards.toml"))
            .env("LD_LIBRARY_PATH", self.path("lib"))
            .env_remove("CUDA_VISIBLE_DEVICES");
        command
    }

    /// Runs it.
    pub(crate) fn run(&self, program: &str, words: &[&str]) -> Said {
        Said::from(self.command(program).args(words).output().unwrap())
    }
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Said {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Said {
    /// Standard output of a program that must have succeeded.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!(self.status, Some(0), "{self:?}");
        self.out
    }
}

/// A path as a word of a command line.
pub(crate) fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}
