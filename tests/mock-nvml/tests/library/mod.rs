//! The library as a program gets it: the built file, loaded by the dynamic loader.

#![allow(dead_code, reason = "each test uses its own part")]

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

/// The cards of the first machine.
pub(crate) const Z440: &str = include_str!("../../cards/z440.toml");

/// The loader gives every test the same copy of the library, and the environment is one
/// for all: so one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The file that the build made: beside the tests' own.
pub(crate) fn file() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let name = "liblab_mock_nvml.so";
    let beside = test.parent().unwrap().join(name);
    assert!(beside.exists(), "{} was not built", beside.display());
    beside
}

/// A library that was initialized, with its file of cards and the right to use it.
pub(crate) struct Loaded {
    nvml: Nvml,
    cards: PathBuf,
    _folder: Option<tempfile::TempDir>,
    _alone: MutexGuard<'static, ()>,
}

impl Loaded {
    /// The file of cards.
    pub(crate) fn cards(&self) -> &Path {
        &self.cards
    }

    /// Initializes the library once more, over the same file.
    pub(crate) fn again(&self) -> Nvml {
        let file = file();
        Nvml::builder().lib_path(file.as_os_str()).init().unwrap()
    }
}

impl Deref for Loaded {
    type Target = Nvml;

    fn deref(&self) -> &Nvml {
        &self.nvml
    }
}

/// Nobody else uses the library as long as the guard lives.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names the file of cards to the library. The caller is [`alone`].
pub(crate) fn name_cards(cards: &Path) {
    // SAFETY: the environment of these tests is written here only, and read through the
    // standard library, whose lock keeps writer and reader apart, or by the library under
    // test, which is asked by one test at a time only.
    unsafe { std::env::set_var(lab_mock_nvml::VARIABLE, cards) };
}

/// Loads the library over this text.
pub(crate) fn with_cards(text: &str) -> Result<Loaded, NvmlError> {
    let folder = tempfile::tempdir().unwrap();
    let cards = folder.path().join("cards.toml");
    std::fs::write(&cards, text).unwrap();
    let mut loaded = with_file(&cards)?;
    loaded._folder = Some(folder);
    Ok(loaded)
}

/// Loads the library over this file.
pub(crate) fn with_file(cards: &Path) -> Result<Loaded, NvmlError> {
    let alone = alone();
    name_cards(cards);
    Ok(Loaded {
        nvml: Nvml::builder().lib_path(file().as_os_str()).init()?,
        cards: cards.to_owned(),
        _folder: None,
        _alone: alone,
    })
}
