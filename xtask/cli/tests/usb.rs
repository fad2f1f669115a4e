//! `usb` as a user and a script run it, with a loop device for a stick.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The image's size in bytes.
const SIZE: u64 = 9 << 20;

/// An image, and a loop device that goes away with it.
struct Desk {
    folder: tempfile::TempDir,
    node: String,
}

impl Desk {
    /// `None`, and the test is said not to have run, where no loop device can be made.
    fn new(test: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..SIZE).map(|at| (at >> 7) as u8).collect();
        fs::write(folder.path().join("lab.iso"), bytes).unwrap();
        let disk = folder.path().join("disk");
        fs::File::create(&disk).unwrap().set_len(SIZE).unwrap();
        let made = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&disk)
            .output();
        let Some(made) = made.ok().filter(|made| made.status.success()) else {
            lab_not_run::not_run(test, "losetup makes no loop device here: it needs root");
            return None;
        };
        let node = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        Some(Self { folder, node })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `usb` with nobody at the terminal; the exit code and all that was printed.
    fn usb(&self, more: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["usb", "--image"])
            .arg(self.path("lab.iso"))
            .args(more)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!text.contains("panicked"), "{text}");
        (output.status.code(), text)
    }

    fn is_untouched(&self) -> bool {
        fs::read(self.path("disk"))
            .unwrap()
            .iter()
            .all(|byte| *byte == 0)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.node]).output();
    }
}

#[test]
fn nothing_is_written_without_a_yes() {
    let Some(desk) = Desk::new("usb_without_a_yes") else {
        return;
    };
    let device = ["--loop-device", "--device", &desk.node];
    let cases: [(&[&str], i32, &str); 5] = [
        (&[], 1, "standard input is no terminal"),
        (&["--yes"], 2, "--serial"),
        (&["--serial", "x"], 2, "--yes"),
        (&["--yes", "--serial", "x"], 1, "nothing was written"),
        (&["--yes", "--serial", ""], 1, "nothing was written"),
    ];
    for (more, code, text) in cases {
        let (found, said) = desk.usb(&[&device, more].concat());
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(text), "{text}: {said}");
    }
    let (code, said) = desk.usb(&["--device", &desk.node]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is no USB stick"), "{said}");
    assert!(desk.is_untouched());
}

#[test]
fn a_script_writes_it() {
    let Some(desk) = Desk::new("usb_script") else {
        return;
    };
    let serial = desk.path("disk");
    let yes = [
        "--loop-device",
        "--yes",
        "--serial",
        serial.to_str().unwrap(),
        "--device",
        &desk.node,
    ];
    let (code, said) = desk.usb(&yes);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("read back and compared") && said.contains("It is safe to pull"),
        "{said}"
    );
    assert_eq!(
        fs::read(desk.path("disk")).unwrap(),
        fs::read(desk.path("lab.iso")).unwrap()
    );
}

/// Every flag there is, and the disk that this runs on.
#[test]
fn the_disk_of_the_running_system_is_refused() {
    let Some(desk) = Desk::new("usb_running_system") else {
        return;
    };
    let found = Command::new("findmnt")
        .args(["-n", "-o", "SOURCE", "/"])
        .output();
    let source = found.map_or_else(
        |_| String::new(),
        |out| String::from_utf8_lossy(&out.stdout).trim().to_owned(),
    );
    if !source.starts_with("/dev/") {
        return lab_not_run::not_run("usb_running_system", "findmnt names no disk for /");
    }
    let flags = [
        "--loop-device",
        "--yes",
        "--serial",
        "x",
        "--device",
        &source,
    ];
    let (code, said) = desk.usb(&flags);
    assert_eq!(code, Some(1), "{said}");
    let named = ["holds the running system", "is a partition"];
    assert!(named.iter().any(|text| said.contains(text)), "{said}");
}

#[test]
fn an_image_and_a_device_that_are_not_there() {
    let Some(desk) = Desk::new("usb_not_there") else {
        return;
    };
    let (code, said) = desk.usb(&["--device", "/dev/nothing"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("there is no device /dev/nothing"), "{said}");
    fs::remove_file(desk.path("lab.iso")).unwrap();
    let (code, said) = desk.usb(&["--device", &desk.node]);
    assert_eq!(code, Some(1));
    assert!(said.contains("cargo xtask iso"), "{said}");
}
