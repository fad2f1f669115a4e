//! Real block devices: loop devices here, device-mapper's and USB sticks wherever this
//! program runs with a kernel that has them; `guest` boots one for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod device;
mod guest;
mod killed;
mod loops;
mod mapper;
mod refused;
mod usb;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab_stick::{
    Candidate, Confirmed, Consent, Fault, Host, Job, Kinds, Mode, Progress, Refusal, Stick,
    Written, candidate, write,
};

/// What a test may write to: loop devices and device-mapper's count as sticks.
const TEST: Kinds = Kinds { test_devices: true };

/// An image in a folder that goes away with it.
struct Image {
    _dir: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Image {
    /// Bytes that differ everywhere, and what makes a disk start where an image has it. The
    /// file system is as ISO 9660 as `blkid` wants it.
    fn new(size: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lab.iso");
        let mut bytes: Vec<u8> = (0..size as u64)
            .map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8)
            .collect();
        bytes[..32768].fill(0);
        bytes[510..512].copy_from_slice(b"\x55\xaa");
        bytes[16 * 2048..16 * 2048 + 7].copy_from_slice(b"\x01CD001\x01");
        bytes[16 * 2048 + 40..16 * 2048 + 72].copy_from_slice(b"A LAB                           ");
        std::fs::write(&path, &bytes).unwrap();
        Self {
            _dir: dir,
            path,
            bytes,
        }
    }

    fn edit(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        let beside = self.path.with_extension("partial");
        std::fs::write(&beside, &self.bytes).unwrap();
        std::fs::rename(&beside, &self.path).unwrap();
    }

    /// That the image stands on a device, byte for byte.
    #[track_caller]
    fn stands_on(&self, node: &Path) {
        let found = Command::new("cmp")
            .arg("-n")
            .arg(self.bytes.len().to_string())
            .arg(&self.path)
            .arg(node)
            .output();
        let output = found.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// All steps up to a yes.
fn agreed(name: &str, need: u64) -> Result<Confirmed, Refusal> {
    let survey = Host::this().survey().unwrap();
    let found: Candidate = candidate(&survey, name, need, TEST)?;
    Ok(found
        .confirm(&Consent::Typed(name.to_owned()), &survey)
        .unwrap())
}

/// All steps up to the open device.
fn opened(name: &str, image: &Image) -> Stick {
    agreed(name, image.bytes.len() as u64)
        .unwrap()
        .open(&Host::this())
        .unwrap()
}

fn put(name: &str, image: &Image, mode: Mode) -> Result<Written, Fault> {
    watched(name, image, mode, &mut |_| ControlFlow::Continue(()))
}

fn watched(
    name: &str,
    image: &Image,
    mode: Mode,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Written, Fault> {
    let stick = opened(name, image);
    write(
        &stick,
        Job {
            image: &image.path,
            mode,
            note: "machine: test",
            progress,
        },
    )
}

/// Runs a program that must succeed, and returns its output.
#[track_caller]
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Whether a program is there.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}
