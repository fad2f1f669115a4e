//! Calling the program, with programs of the test's own before those of the machine.

#![allow(dead_code, reason = "each test uses its own part")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program with a command.
pub(crate) fn probe(command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lab-probe"));
    program
        .args([command].iter().filter(|word| !word.is_empty()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

/// What it says to a question.
pub(crate) fn ask(command: &str, question: &str) -> Output {
    answer(&mut probe(command), question)
}

/// What a command says to a question.
pub(crate) fn answer(command: &mut Command, question: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // It may have ended before it read all of it.
    let _ = child.stdin.take().unwrap().write_all(question.as_bytes());
    child.wait_with_output().unwrap()
}

/// Waits, not for long, until something is so.
pub(crate) fn until(so: impl Fn() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(10), "it never is");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs; one that ended and that nobody waited for does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().unwrap_or_default();
    !state.is_empty() && !state.starts_with('Z')
}

/// A folder of programs.
pub(crate) struct Bin(tempfile::TempDir);

impl Bin {
    /// Without any.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// With a program for the shell.
    pub(crate) fn program(&self, name: &str, text: &str) -> &Self {
        let path = self.folder().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// The probe, to which these programs come first.
    pub(crate) fn probe(&self, command: &str) -> Command {
        let mut probe = probe(command);
        let path = std::env::var("PATH").unwrap();
        probe.env("PATH", format!("{}:{path}", self.folder().display()));
        probe
    }
}

/// A folder with the mock of `libnvidia-ml.so.1`, and a file of cards.
pub(crate) struct Mock {
    folder: tempfile::TempDir,
    cards: PathBuf,
}

impl Mock {
    /// The mock over these cards.
    pub(crate) fn with(cards: &str) -> Self {
        let test = std::env::current_exe().unwrap();
        // Beside the tests' own, where a build of a dependency lays it.
        let library = test.parent().unwrap().join("liblab_mock_nvml.so");
        assert!(library.exists(), "{} was not built", library.display());
        let folder = tempfile::tempdir().unwrap();
        symlink(library, folder.path().join("libnvidia-ml.so.1")).unwrap();
        let file = folder.path().join("cards.toml");
        fs::write(&file, cards).unwrap();
        Self {
            cards: file,
            folder,
        }
    }

    /// The probe, which finds that library.
    pub(crate) fn probe(&self, command: &str) -> Command {
        let mut probe = probe(command);
        probe
            .env("LD_LIBRARY_PATH", self.folder.path())
            .env("MOCK_NVML", &self.cards);
        probe
    }
}
