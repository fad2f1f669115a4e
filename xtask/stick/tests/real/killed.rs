//! A writer that is killed with SIGKILL: what is left is no image to anybody, and the next
//! run completes it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use lab_stick::{Host, Mode, Stage, contents};

use crate::device::Loop;
use crate::{Image, put};

const SIZE: usize = 32 << 20;

/// The program that is killed, in this same executable: told by these variables what to do.
const DEVICE: &str = "LAB_STICK_TEST_DEVICE";
const IMAGE: &str = "LAB_STICK_TEST_IMAGE";

#[test]
#[ignore = "the program that another test kills"]
fn writes_slowly() {
    let (Ok(name), Ok(path)) = (std::env::var(DEVICE), std::env::var(IMAGE)) else {
        return;
    };
    let path = PathBuf::from(path);
    let bytes = std::fs::read(&path).unwrap();
    let stick = crate::agreed(&name, bytes.len() as u64)
        .unwrap()
        .open(&Host::this())
        .unwrap();
    let mut progress = |now: lab_stick::Progress| {
        println!("at {} {}", now.done, now.stage == Stage::Verify);
        std::io::stdout().flush().unwrap();
        std::thread::sleep(Duration::from_millis(100));
        ControlFlow::Continue(())
    };
    let job = lab_stick::Job {
        image: &path,
        mode: Mode::Changes,
        note: "",
        progress: &mut progress,
    };
    lab_stick::write(&stick, job).unwrap();
}

#[test]
fn killed_in_the_middle_it_is_no_image_and_goes_on() {
    for (place, verifying) in [(4 << 20, false), (20 << 20, false), (8 << 20, true)] {
        let Some(device) = Loop::new("stick_killed", SIZE as u64, &[]) else {
            return;
        };
        let mut image = Image::new(SIZE);
        // An earlier build stands there whole.
        put(&device.name, &image, Mode::Whole).unwrap();
        image.bytes[(1 << 20)..(31 << 20)].fill(7);
        image.edit(0, b"");
        kill_at(&device, &image, &format!("at {place} {verifying}"));

        let survey = Host::this().survey().unwrap();
        let found = contents(
            &Host::this(),
            &survey.disk(&device.name).unwrap().device,
            None,
        );
        assert!(found.unfinished && found.image.is_none());
        let head = std::fs::read(device.node()).unwrap();
        assert!(head[22..510].iter().all(u8::is_ascii));
        assert!(
            head[510..128 << 10].iter().all(|byte| *byte == 0),
            "neither MBR, GPT nor volume"
        );
        let rest = put(&device.name, &image, Mode::Changes).unwrap();
        image.stands_on(&device.node());
        assert!(verifying || rest.written < SIZE as u64 - place, "{rest:?}");
    }
}

/// Starts the writer and kills it when it says this line.
fn kill_at(device: &Loop, image: &Image, wanted: &str) {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "killed::writes_slowly",
            "--ignored",
            "--nocapture",
        ])
        .env(DEVICE, &device.name)
        .env(IMAGE, &image.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    // The harness says its own things on the same line.
    let found = lines
        .map_while(Result::ok)
        .any(|line| line.ends_with(wanted));
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(found, "the writer came to {wanted:?}");
}
