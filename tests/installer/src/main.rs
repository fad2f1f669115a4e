//! `lab-installer [--root DIR] [--loop-devices]`: installs this machine.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use lab_installer::{install, live::Live};

const USAGE: &str = "usage: lab-installer [--root DIR] [--loop-devices]\n\n\
    Reads the autoinstall file of the live system, and erases and installs the disk\n\
    that it names. --root is a folder that stands for the live system, and with\n\
    --loop-devices loop devices count as disks: both are for tests.";

fn main() -> ExitCode {
    match start() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lab-installer: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn start() -> Result<bool> {
    let mut root = PathBuf::from("/");
    let mut loop_devices = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--root" => root = words.next().context("--root wants a folder")?.into(),
            "--loop-devices" => loop_devices = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(true);
            }
            other => bail!("`{other}` is not known\n{USAGE}"),
        }
    }
    Ok(install::run(&Live::new(&root, loop_devices)?))
}
