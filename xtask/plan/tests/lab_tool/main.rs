//! `lab`, the login message and the exporter, run as they lie on the target, on a
//! machine of files below `LAB_ROOT`.
//!
//! systemctl, journalctl, nvidia-smi and agetty are stand-ins that say what a file
//! says: this does not prove that systemd says it in these words.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod bench;
mod commands;
#[path = "../common/mod.rs"]
mod common;
mod exporter;
mod tool;

use std::process::Command;

use bench::{EXPORTER, LAB, MOTD, STATE};
use common::{have, workspace};

#[test]
fn the_scripts_are_clean() {
    if !have("the_scripts_are_clean", &["shellcheck"]) {
        return;
    }
    let scripts = [LAB, STATE, EXPORTER, MOTD].map(|path| format!("templates/{path}"));
    // What a script loads is named from the root of the repository.
    let mut shellcheck = Command::new("shellcheck");
    common::succeed(shellcheck.current_dir(workspace()).arg("-x").args(scripts));
}
