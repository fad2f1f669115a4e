//! `accept`, over SSH, on the virtual machine.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use lab_rehearse::{Accepted, Hardware};
use serde_json::Value;

use super::image::Image;
use crate::failure::Failure;

/// Seen from this computer, other ports than SSH's are this computer's own.
const FROM_OUTSIDE: &str = "access.outside";

/// On the stand-in Docker's packages are Debian's under the vendor's name, and so is their
/// version; its kernel is Debian's too.
const STAND_IN: [&str; 4] = ["--skip", "docker.version", "--skip", "machine.kernel"];

/// Where there is no network there is no time server.
const OFFLINE: [&str; 2] = ["--skip", "machine.time-sync"];

/// In every form of its report.
const CALLED: &str = "a rehearsal, with mock cards in place of the real ones";

pub(super) fn accept(
    image: &Image,
    hardware: &Hardware,
    folder: &Path,
) -> Result<Accepted, Failure> {
    let place = folder.join("accept");
    let host = format!("127.0.0.1:{}", hardware.ssh_port);
    let report = place.to_str().context("the report's folder is no UTF-8")?;
    let mut words = vec!["accept", "--host", &host, "--report", report, "--wait"];
    words.extend(["--skip", FROM_OUTSIDE, "--called", CALLED]);
    if image.stand_in {
        words.extend(STAND_IN);
    }
    if !hardware.online {
        words.extend(OFFLINE);
    }
    let status = image
        .command(&words)
        .status()
        .context("running accept on the virtual machine")?;
    match status.code() {
        Some(0 | 1) => read(&place.join("report.json")),
        _ => Err(Failure::Environment(anyhow::anyhow!(
            "accept could not run on the virtual machine, see above ({status})"
        ))),
    }
}

/// Counts what the report says.
fn read(place: &Path) -> Result<Accepted, Failure> {
    let doing = || format!("reading {}", place.display());
    let text = fs::read_to_string(place).with_context(doing)?;
    let report: Value = serde_json::from_str(&text).with_context(doing)?;
    let results = report.get("results").and_then(Value::as_array);
    let results = results.with_context(doing)?;
    let mut accepted = Accepted {
        passed: 0,
        failed: Vec::new(),
        not_run: 0,
        on_mock_cards: 0,
    };
    for one in results {
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
        let id = text("id");
        match text("outcome") {
            "passed" => {
                accepted.passed += 1;
                accepted.on_mock_cards += usize::from(id.starts_with("gpu."));
            }
            "failed" => accepted.failed.push(match text("subject") {
                "" => id.to_owned(),
                subject => format!("{id}[{subject}]"),
            }),
            _ => accepted.not_run += 1,
        }
    }
    Ok(accepted)
}
