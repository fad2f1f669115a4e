//! Block devices made for a test and taken away after it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::run;

/// Held while a loop device is made or changed, so that no other test takes its number.
static MAKING: Mutex<()> = Mutex::new(());

/// A loop device over a file.
pub(crate) struct Loop {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Loop {
    /// One of this size; `None`, and the test is said not to have run, where there are none.
    pub(crate) fn new(test: &str, size: u64, options: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk");
        std::fs::File::create(&file).unwrap().set_len(size).unwrap();
        let name = attach(&file, options);
        if name.is_none() {
            lab_not_run::not_run(
                test,
                "losetup makes no loop device here: it needs root and a kernel with them",
            );
        }
        Some(Self {
            name: name?,
            file,
            _dir: dir,
        })
    }

    pub(crate) fn node(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }

    /// Takes the file out and puts another of the same size in, as somebody swaps a stick.
    pub(crate) fn swap(&self) {
        let _turn = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let node = self.node();
        let node = node.to_str().unwrap();
        run("losetup", &["-d", node]);
        run("losetup", &[node, self.file.to_str().unwrap()]);
    }
}

/// The name of a new loop device over a file.
fn attach(file: &Path, options: &[&str]) -> Option<String> {
    let _turn = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    // Of two programs that ask for a free one at the same time, one has to ask again.
    for _ in 0..20 {
        let made = Command::new("losetup")
            .args(["--find", "--show"])
            .args(options)
            .arg(file)
            .output()
            .ok()?;
        if made.status.success() {
            let node = String::from_utf8(made.stdout).ok()?;
            return node.trim().strip_prefix("/dev/").map(str::to_owned);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    None
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("-d").arg(self.node()).output();
    }
}

/// A device of device-mapper.
pub(crate) struct Mapped {
    /// The kernel's name, as `dm-0`.
    pub(crate) name: String,
    label: String,
}

impl Mapped {
    /// One with this table; `None`, and the test is said not to have run, where the kernel has
    /// no device-mapper or not the target.
    pub(crate) fn new(test: &str, target: &str, table: &str) -> Option<Self> {
        let missing = |why: &str| lab_not_run::not_run(test, why);
        let has_target = Command::new("dmsetup").arg("targets").output();
        let targets = has_target.map_or_else(
            |_| String::new(),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        );
        if !targets.lines().any(|line| line.starts_with(target)) {
            missing(&format!(
                "device-mapper's target {target} is not in this kernel, or dmsetup is not installed"
            ));
            return None;
        }
        let label = format!("lab-{test}-{}", std::process::id());
        run("dmsetup", &["create", &label, "--table", table]);
        let number = run(
            "dmsetup",
            &["info", "-c", "--noheadings", "-o", "minor", &label],
        );
        Some(Self {
            name: format!("dm-{number}"),
            label,
        })
    }

    pub(crate) fn node(&self) -> PathBuf {
        let node = Path::new("/dev").join(&self.name);
        assert!(node.exists(), "devtmpfs has {}", node.display());
        node
    }

    /// Puts another table in its place, as a device that changes its ways.
    pub(crate) fn becomes(&self, table: &str) {
        run("dmsetup", &["load", &self.label, "--table", table]);
        run("dmsetup", &["resume", &self.label]);
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let _ = Command::new("dmsetup")
            .args(["remove", "--retry", &self.label])
            .output();
    }
}
