//! `nvidia-persistenced` over the mock: sets the mode, and takes it back at the end.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod lab;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use lab::{Lab, Z440};

const DAEMON: &str = env!("CARGO_BIN_EXE_nvidia-persistenced");
const SMI: &str = env!("CARGO_BIN_EXE_nvidia-smi");

/// Starts it and waits until it says so.
fn start(lab: &Lab, words: &[&str]) -> Child {
    let mut child = lab
        .command(DAEMON)
        .env("RUNTIME_DIRECTORY", lab.path("run"))
        .args(words)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let started = lines.any(|line| line.unwrap().contains("Started"));
    assert!(started);
    child
}

fn end(mut child: Child) {
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(killed.success());
    assert!(child.wait().unwrap().success());
}

fn modes(lab: &Lab) -> String {
    let words = ["--query-gpu=persistence_mode", "--format=csv,noheader"];
    lab.run(SMI, &words).well()
}

#[test]
fn the_mode_is_on_as_long_as_it_runs() {
    let lab = Lab::z440();
    let child = start(&lab, &["--user", "nvidia-persistenced", "--verbose"]);
    assert!(lab.path("run/socket").exists());
    assert_eq!(modes(&lab), "Enabled\nEnabled\nEnabled\n");
    end(child);
    assert_eq!(modes(&lab), "Disabled\nDisabled\nDisabled\n");
    assert!(!lab.path("run/socket").exists());
}

#[test]
fn the_mode_may_be_left_alone() {
    let lab = Lab::z440();
    let child = start(&lab, &["--no-persistence-mode"]);
    assert_eq!(modes(&lab), "Disabled\nDisabled\nDisabled\n");
    end(child);
}

#[test]
fn without_a_driver_it_does_not_start() {
    let lab = Lab::new(&format!("fault = \"driver-not-loaded\"\n{Z440}"));
    let mut child = lab
        .command(DAEMON)
        .env("RUNTIME_DIRECTORY", lab.path("run"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert!(
        said.contains("nvidia-persistenced failed to initialize"),
        "{said}"
    );
}
