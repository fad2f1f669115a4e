//! The payload from the medium onto the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab_lock::Sha256;
use lab_plan::{Payload, PayloadFile};
use tempfile::TempDir;

use crate::common::{have, not_run, succeed, workspace};

/// A medium with a payload, and a system to lay it down on.
struct Medium {
    dir: TempDir,
    shell: &'static str,
}

impl Medium {
    fn new(shell: &'static str, files: &[(&str, &[u8])]) -> Self {
        let medium = Self {
            dir: tempfile::tempdir().unwrap(),
            shell,
        };
        fs::create_dir_all(medium.target().join("etc")).unwrap();
        let script = workspace().join("templates/lab/lay-down");
        medium.put("lab/lay-down", &fs::read(script).unwrap());
        let file = |(path, bytes): &(&str, &[u8])| {
            medium.put(&format!("lab/offline/{path}"), bytes);
            PayloadFile {
                path: (*path).to_owned(),
                size: bytes.len() as u64,
                sha256: Sha256::of(bytes),
            }
        };
        let files = files.iter().map(file).collect();
        medium.put("lab/offline.list", Payload { files }.list().as_bytes());
        medium
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let place = self.dir.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    fn run(&self) -> Output {
        let mut command = Command::new(self.shell);
        command.args((self.shell == "busybox").then_some("sh"));
        command
            .arg(self.dir.path().join("lab/lay-down"))
            .arg("offline")
            .arg(self.target());
        command.output().unwrap()
    }

    /// What lies on the target, by path.
    fn laid(&self) -> Vec<String> {
        let offline = self.target().join("var/lib/lab/offline");
        let found = succeed(
            Command::new("find")
                .arg(offline)
                .args(["-type", "f", "-printf", "%P\n"]),
        );
        let mut found: Vec<String> = found.lines().map(str::to_owned).collect();
        found.sort();
        found
    }
}

const FILES: [(&str, &[u8]); 4] = [
    ("apt.asc", b"key"),
    ("apt/pool/a_1~2_all.deb", b"deb"),
    ("blobs/01", b"weights"),
    ("digest", b"4444\n"),
];

fn shells(test: &str) -> Vec<&'static str> {
    if succeed(Command::new("id").arg("-u")).trim() != "0" {
        not_run(test, "only root may give files to root");
        return Vec::new();
    }
    ["dash", "busybox"]
        .into_iter()
        .filter(|shell| have(test, &[shell]))
        .collect()
}

fn words(run: &Output) -> String {
    String::from_utf8_lossy(&run.stderr).into_owned()
}

#[test]
fn everything_is_copied_and_only_that_stays() {
    for shell in shells("everything_is_copied_and_only_that_stays") {
        let medium = Medium::new(shell, &FILES);
        let first = medium.run();
        assert!(first.status.success(), "{}", words(&first));
        let expected: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(medium.laid(), expected);
        let offline = medium.target().join("var/lib/lab/offline");
        fs::write(offline.join("blobs/old"), "of before").unwrap();
        fs::write(offline.join("blobs/.lab-01"), "half").unwrap();
        fs::write(offline.join("apt.asc"), "other").unwrap();
        let again = medium.run();
        assert!(again.status.success(), "{}", words(&again));
        assert_eq!(medium.laid(), expected);
        assert_eq!(fs::read(offline.join("apt.asc")).unwrap(), b"key");
    }
}

/// Cut off in the middle, it goes on: what is there and right is not written again.
#[test]
fn a_copy_goes_on_where_it_was_cut_off() {
    use std::os::unix::fs::MetadataExt as _;
    for shell in shells("a_copy_goes_on_where_it_was_cut_off") {
        let medium = Medium::new(shell, &FILES);
        let blob = medium.target().join("var/lib/lab/offline/blobs/01");
        fs::create_dir_all(blob.parent().unwrap()).unwrap();
        fs::write(&blob, b"weights").unwrap();
        let before = fs::metadata(&blob).unwrap().ino();
        assert!(medium.run().status.success());
        assert_eq!(fs::metadata(&blob).unwrap().ino(), before);
    }
}

#[test]
fn what_is_damaged_on_the_medium_is_named_and_nothing_counts() {
    for shell in shells("what_is_damaged_on_the_medium_is_named_and_nothing_counts") {
        let medium = Medium::new(shell, &FILES);
        medium.put("lab/offline/blobs/01", b"weightz");
        let run = medium.run();
        assert!(!run.status.success());
        assert!(
            words(&run).contains("blobs/01 is not what was written"),
            "{}",
            words(&run)
        );
        assert!(
            medium
                .laid()
                .iter()
                .all(|path| !path.contains("01") && path != "digest")
        );
        fs::remove_file(medium.dir.path().join("lab/offline/blobs/01")).unwrap();
        let run = medium.run();
        assert!(
            words(&run).contains("blobs/01 is missing on the medium"),
            "{}",
            words(&run)
        );
    }
}

#[test]
fn a_disk_without_room_is_said_in_one_line() {
    const TEST: &str = "a_disk_without_room_is_said_in_one_line";
    for shell in shells(TEST) {
        let large = vec![7; 3 << 20];
        let medium = Medium::new(shell, &[("blobs/01", &large), ("digest", b"4444\n")]);
        let Some(_small) = Small::mounted(&medium.target().join("var")) else {
            not_run(TEST, "no file system can be mounted here");
            return;
        };
        let run = medium.run();
        assert!(!run.status.success());
        assert_eq!(words(&run).lines().count(), 1, "{}", words(&run));
        assert!(
            words(&run).contains("needs 4 MiB, and 2 MiB are free"),
            "{}",
            words(&run)
        );
        assert_eq!(medium.laid(), Vec::<String>::new());
    }
}

/// A file system of 2 MiB.
struct Small(PathBuf);

impl Small {
    fn mounted(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let run = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(at)
            .output();
        run.is_ok_and(|run| run.status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}
