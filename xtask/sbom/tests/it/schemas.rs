//! Both JSON forms against the validators of their makers: CycloneDX's JSON schema 1.6
//! (strict), and SPDX's own validator of documents of 2.3.
//!
//! They come from PyPI into the folder for tests' files, once. Where they cannot be had, the
//! test says that it was not run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab_sbom::{Moment, cyclonedx, spdx};

use crate::fixture::list;

const PACKAGES: [&str; 2] = [
    "cyclonedx-python-lib[json-validation]==11.12.0",
    "spdx-tools==0.8.5",
];
/// How long pip may take, in seconds.
const PATIENCE: &str = "55";

/// The environment's interpreter, made where it is not there yet.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemas");
    let python = folder.join("bin/python3");
    let whole = folder.join("whole");
    if whole.exists() {
        return Ok(python);
    }
    done(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    let mut pip = Command::new("timeout");
    pip.arg(PATIENCE).arg(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    done(
        pip.args(["--retries", "0", "--timeout", "10"])
            .args(PACKAGES),
    )?;
    fs::write(&whole, "").map_err(|error| error.to_string())?;
    Ok(python)
}

fn done(command: &mut Command) -> Result<Output, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!(
            "{program} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
                .lines()
                .last()
                .unwrap_or_default()
        )),
    }
}

#[test]
fn both_forms_are_what_their_makers_validators_take() {
    let test = "both_forms_are_what_their_makers_validators_take";
    let python = match python() {
        Ok(python) => python,
        Err(reason) => return lab_not_run::not_run(test, &format!("no validators: {reason}")),
    };
    let moment = Moment::of_snapshot("20261128T000000Z").unwrap();
    let bom = cyclonedx(&list(), Some(&moment)).unwrap();
    let document = spdx(&list(), &moment).unwrap();
    let (sound, said) = validate(&python, &bom, &document);
    assert!(sound, "{said}");

    // Without this, a validator that looks at nothing would pass.
    let digest = crate::fixture::digest("libc6").to_string();
    let broken = |text: &str| text.replace(&digest, "no digest");
    let (sound, said) = validate(&python, &broken(&bom), &broken(&document));
    assert!(!sound && said.contains("CycloneDX: "), "{said}");
    assert!(said.contains("SPDX: "), "{said}");
}

/// Whether the validators take both, and what they say.
fn validate(python: &Path, bom: &str, document: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let files = ["bom.cdx.json", "bom.spdx.json"].map(|name| folder.path().join(name));
    fs::write(&files[0], bom).unwrap();
    fs::write(&files[1], document).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(here.join("tests/it/validate.py"))
        .args(&files)
        .arg(here.join("data/spdx.txt"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}
