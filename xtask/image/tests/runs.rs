//! How an image is written: again and again, by several at once, killed in the
//! middle, onto a full disk, over its own base.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod common;

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{
    Base, Recipe, UBUNTU, assert_sound, base, contents, make, names, noise, not_run, open,
    small_tree,
};
use lab_image::{BaseDigest, ComposeError, Content, Entry, Job, Kind, Tree, compose};
use sha2::{Digest as _, Sha256};

/// What a child of this very program shall do; see [`child`].
const CHILD: &str = "LAB_IMAGE_TEST_CHILD";

fn sha256(path: &Path) -> [u8; 32] {
    Sha256::digest(std::fs::read(path).unwrap()).into()
}

fn edited() -> Tree {
    let mut tree = Tree::new();
    for (path, entry) in small_tree().entries() {
        let mut entry = entry.clone();
        if path.as_str() == "autoinstall.yaml" {
            // Longer by some sectors: what lies behind it moves.
            entry.content = Content::Bytes(b"autoinstall: {version: 1}\n".repeat(400));
        }
        tree.insert(path.clone(), entry).unwrap();
    }
    tree
}

/// A rebuild must leave what a first build would have made.
fn assert_like_first(base: &Base, out: &Path, tree: &Tree) {
    let fresh = base.path("fresh.iso");
    make(&base.iso, &fresh, tree, None).unwrap();
    assert!(std::fs::read(out).unwrap() == std::fs::read(&fresh).unwrap());
    std::fs::remove_file(&fresh).unwrap();
}

#[test]
fn a_rebuild_writes_little_and_makes_the_same() {
    let large = Recipe {
        large: 9 << 20,
        joliet: true,
        ..UBUNTU
    };
    let Some(base) = base("a_rebuild_writes_little_and_makes_the_same", large) else {
        return;
    };
    let (out, state) = (base.path("out.iso"), base.path("state"));
    let first = make(&base.iso, &out, &small_tree(), Some(&state)).unwrap();
    assert_eq!((first.kind, first.sha256), (Kind::First, sha256(&out)));
    assert_eq!(first.base_sha256, sha256(&base.iso));
    let again = make(&base.iso, &out, &small_tree(), Some(&state)).unwrap();
    assert_eq!((again.kind, again.bytes_written), (Kind::Unchanged, 0));
    assert_eq!(again.sha256, first.sha256);
    let rebuilt = make(&base.iso, &out, &edited(), Some(&state)).unwrap();
    assert_eq!(
        (rebuilt.kind, rebuilt.sha256),
        (Kind::Rebuilt, sha256(&out))
    );
    assert!(rebuilt.bytes_written < 1 << 20, "{}", rebuilt.bytes_written);
    assert_like_first(&base, &out, &edited());
    assert_sound(&out);
    let mode = out.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

fn payload(base: &Base, name: &str, len: usize, seed: u64) -> Content {
    let path = base.path(name);
    std::fs::write(&path, noise(len, seed)).unwrap();
    Content::File {
        path,
        len: len as u64,
        sha256: None,
    }
}

/// A tree with files of the given names and contents.
fn tree_of(files: &[(&str, &Content)]) -> Tree {
    let mut tree = small_tree();
    for (path, content) in files {
        let entry = Entry {
            content: (*content).clone(),
            mode: 0o444,
            listed: true,
        };
        tree.insert(path.parse().unwrap(), entry).unwrap();
    }
    tree
}

#[test]
fn every_kind_of_edit_ends_as_a_first_build_would() {
    let Some(base) = base("every_kind_of_edit_ends_as_a_first_build_would", UBUNTU) else {
        return;
    };
    let (out, state) = (base.path("out.iso"), base.path("state"));
    let [a, b, c] = [1, 2, 3].map(|seed| payload(&base, &format!("p{seed}"), 2_000_001, seed));
    let long = payload(&base, "long", 9_000_000, 9);
    let edits = [
        tree_of(&[("lab/a", &a), ("lab/b", &b)]),
        // One of the same length, the second stays.
        tree_of(&[("lab/a", &c), ("lab/b", &b)]),
        // The tail grows by a step, and shrinks again.
        tree_of(&[("lab/a", &c), ("lab/b", &b), ("lab/c", &long)]),
        tree_of(&[("lab/a", &c)]),
        // All gone.
        Tree::new(),
        small_tree(),
        tree_of(&[("lab/z", &a)]),
    ];
    for (number, tree) in edits.iter().enumerate() {
        let composed = make(&base.iso, &out, tree, Some(&state)).unwrap();
        let kind = if number == 0 {
            Kind::First
        } else {
            Kind::Rebuilt
        };
        assert_eq!(composed.kind, kind, "edit {number}");
        assert_eq!(composed.sha256, sha256(&out), "edit {number}");
        assert_like_first(&base, &out, tree);
        assert_sound(&out);
    }
}

#[test]
fn an_unchanged_payload_is_not_read_again() {
    let Some(base) = base("an_unchanged_payload_is_not_read_again", UBUNTU) else {
        return;
    };
    let (out, state) = (base.path("out.iso"), base.path("state"));
    let bytes = noise(3_000_000, 8);
    let known = Content::File {
        path: base.path("payload"),
        len: bytes.len() as u64,
        sha256: Some(Sha256::digest(&bytes).into()),
    };
    std::fs::write(base.path("payload"), &bytes).unwrap();
    let mut tree = tree_of(&[("lab/payload", &known)]);
    make(&base.iso, &out, &tree, Some(&state)).unwrap();
    // Same length, other bytes: reading it again would show.
    std::fs::write(base.path("payload"), noise(3_000_000, 9)).unwrap();
    tree.insert("lab/new".parse().unwrap(), Entry::bytes("new"))
        .unwrap();
    let rebuilt = make(&base.iso, &out, &tree, Some(&state)).unwrap();
    assert_eq!(rebuilt.kind, Kind::Rebuilt);
    assert!(rebuilt.bytes_written < 1 << 20, "{}", rebuilt.bytes_written);
    assert_eq!(contents(&mut open(&out), 0)["lab/payload"], bytes);
    assert_eq!(rebuilt.sha256, sha256(&out));
    assert_sound(&out);
    // A first build reads it and finds it out.
    let error = make(&base.iso, &base.path("new.iso"), &tree, None).unwrap_err();
    assert!(matches!(error, ComposeError::Tree(_)), "{error}");
    assert!(!base.path("new.iso").exists());
}

#[test]
fn a_touched_output_is_made_anew() {
    let Some(base) = base("a_touched_output_is_made_anew", UBUNTU) else {
        return;
    };
    let (out, state) = (base.path("out.iso"), base.path("state"));
    let first = make(&base.iso, &out, &small_tree(), Some(&state)).unwrap();
    // Times are as fine as the kernel's tick.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let mut bytes = std::fs::read(&out).unwrap();
    bytes[100_000] ^= 1;
    std::fs::write(&out, bytes).unwrap();
    let second = make(&base.iso, &out, &edited(), Some(&state)).unwrap();
    assert_eq!(second.kind, Kind::First);
    assert_ne!(second.sha256, first.sha256);
    assert_like_first(&base, &out, &edited());
}

#[test]
fn the_base_is_held_against_its_digest() {
    let Some(base) = base("the_base_is_held_against_its_digest", UBUNTU) else {
        return;
    };
    let (out, state) = (base.path("out.iso"), base.path("state"));
    let before = sha256(&base.iso);
    let tree = small_tree();
    for state in [None, Some(state.as_path()), Some(state.as_path())] {
        for (expected, right) in [([7; 32], false), (before, true)] {
            let result = compose(Job {
                base: &base.iso,
                out: &out,
                tree: &tree,
                base_digest: BaseDigest::Expect(expected),
                state_dir: state,
                mode: 0o644,
                progress: &mut |_| {},
            });
            match result {
                Ok(_) => assert!(right),
                Err(ComposeError::DigestMismatch { found, .. }) => {
                    assert!(!right);
                    assert_eq!(found, before);
                }
                Err(other) => panic!("{other}"),
            }
            let left = names(base.dir.path());
            assert!(
                !left.iter().any(|name| name.ends_with(".partial")),
                "{left:?}"
            );
        }
    }
    assert_eq!(sha256(&base.iso), before);
}

#[test]
fn the_base_is_never_the_output() {
    let Some(base) = base("the_base_is_never_the_output", UBUNTU) else {
        return;
    };
    let before = sha256(&base.iso);
    let (hard, soft) = (base.path("hard.iso"), base.path("soft.iso"));
    std::fs::hard_link(&base.iso, &hard).unwrap();
    std::os::unix::fs::symlink(&base.iso, &soft).unwrap();
    let listed = names(base.dir.path());
    for out in [&base.iso, &hard, &soft] {
        let error = make(&base.iso, out, &small_tree(), None).unwrap_err();
        assert!(error.is_input_fault(), "{error}");
        assert!(
            error.to_string().contains("is the base image itself"),
            "{error}"
        );
    }
    assert_eq!(names(base.dir.path()), listed);
    assert_eq!(sha256(&base.iso), before);
}

#[test]
fn a_truncated_base_leaves_nothing() {
    let Some(base) = base("a_truncated_base_leaves_nothing", UBUNTU) else {
        return;
    };
    let bytes = std::fs::read(&base.iso).unwrap();
    for len in [
        0,
        1,
        511,
        32_768,
        34_816,
        100_000,
        bytes.len() / 2,
        bytes.len() - 1,
    ] {
        let cut = base.path("cut.iso");
        std::fs::write(&cut, &bytes[..len]).unwrap();
        let error = make(&cut, &base.path("out.iso"), &small_tree(), None).unwrap_err();
        assert!(error.is_input_fault(), "{len}: {error}");
        assert!(error.to_string().contains("cut.iso"), "{len}: {error}");
        std::fs::remove_file(&cut).unwrap();
        assert!(
            names(base.dir.path())
                .iter()
                .all(|name| !name.contains("out"))
        );
    }
}

/// Runs as a child: composes what the environment says, slowly.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let dir = Path::new(&folder);
    let tree = match dir.join("edit").exists() {
        true => edited(),
        false => small_tree(),
    };
    let mut said = false;
    let composed = compose(Job {
        base: &dir.join("base.iso"),
        out: &dir.join("out.iso"),
        tree: &tree,
        base_digest: BaseDigest::Unknown,
        state_dir: Some(&dir.join("state")),
        mode: 0o600,
        progress: &mut |progress| {
            // Wherever it is killed, something is written and something not.
            if !said && progress.done * 2 > progress.total {
                said = true;
                println!("\nhalfway");
            }
            if said && dir.join("slow").exists() {
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
        },
    })
    .unwrap();
    println!("\nsha256 {}", hex::encode(composed.sha256));
}

/// Starts [`child`] in another place of the world; returns it once halfway.
fn start_child(dir: &Path) -> Child {
    let mut command = Command::new("/bin/sh");
    command
        .args([
            "-c",
            "umask 077; exec \"$0\" --exact child --nocapture --test-threads=1",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, dir)
        .env("TZ", "Asia/Kathmandu")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

fn wait_halfway(child: &mut Child) {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    assert!(lines.any(|line| line == "halfway"));
}

#[test]
fn the_surroundings_do_not_show() {
    let Some(base) = base("the_surroundings_do_not_show", UBUNTU) else {
        return;
    };
    let there = start_child(base.dir.path()).wait_with_output().unwrap();
    let text = String::from_utf8(there.stdout).unwrap();
    let here = make(&base.iso, &base.path("other name.iso"), &small_tree(), None).unwrap();
    assert!(
        text.contains(&format!("sha256 {}", hex::encode(here.sha256))),
        "{text}"
    );
}

#[test]
fn a_killed_run_is_made_good_by_the_next() {
    let large = Recipe {
        large: 8 << 20,
        ..UBUNTU
    };
    let Some(base) = base("a_killed_run_is_made_good_by_the_next", large) else {
        return;
    };
    let (out, state) = (base.path("out.iso"), base.path("state"));
    std::fs::write(base.path("slow"), "").unwrap();
    for edit in [false, true] {
        if edit {
            // Killed while the output of a first build is being edited.
            std::fs::write(base.path("edit"), "").unwrap();
        }
        let mut child = start_child(base.dir.path());
        wait_halfway(&mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!out.exists(), "half an image must not have the name");
        assert!(base.path(".out.iso.partial").exists());
        let tree = if edit { edited() } else { small_tree() };
        let composed = make(&base.iso, &out, &tree, Some(&state)).unwrap();
        assert_eq!(composed.kind, Kind::First);
        assert!(
            composed
                .notes
                .iter()
                .any(|note| note.contains("did not finish"))
        );
        assert!(!base.path(".out.iso.partial").exists());
        assert_eq!(composed.sha256, sha256(&out));
        assert_like_first(&base, &out, &tree);
    }
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let Some(base) = base("two_runs_at_once_do_not_meet", UBUNTU) else {
        return;
    };
    let (out, state) = (base.path("out.iso"), base.path("state"));
    std::fs::write(base.path("slow"), "").unwrap();
    let mut child = start_child(base.dir.path());
    wait_halfway(&mut child);
    let error = make(&base.iso, &out, &small_tree(), Some(&state)).unwrap_err();
    assert!(matches!(error, ComposeError::Busy { .. }), "{error}");
    assert!(!error.is_input_fault());
    std::fs::remove_file(base.path("slow")).unwrap();
    assert!(child.wait().unwrap().success());
    assert_like_first(&base, &out, &small_tree());
}

/// A small disk of its own, gone with the value.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(test: &str, bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"])
            .arg(dir.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        not_run(test, "a small file system cannot be mounted here");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_one_clear_error() {
    const TEST: &str = "a_full_disk_is_one_clear_error";
    let Some(base) = base(TEST, UBUNTU) else {
        return;
    };
    let size = std::fs::metadata(&base.iso).unwrap().len();
    let Some(disk) = Disk::new(TEST, size / 2) else {
        return;
    };
    let out = disk.0.path().join("out.iso");
    let error = make(&base.iso, &out, &small_tree(), None).unwrap_err();
    assert!(matches!(error, ComposeError::NoSpace { .. }), "{error}");
    assert!(names(disk.0.path()).is_empty());
}

#[test]
fn an_edit_that_does_not_fit_leaves_the_image() {
    const TEST: &str = "an_edit_that_does_not_fit_leaves_the_image";
    let Some(base) = base(TEST, UBUNTU) else {
        return;
    };
    let Some(disk) = Disk::new(TEST, 8 << 20) else {
        return;
    };
    let (out, state) = (disk.0.path().join("out.iso"), base.path("state"));
    let first = make(&base.iso, &out, &small_tree(), Some(&state)).unwrap();
    let payload = payload(&base, "payload", 12 << 20, 1);
    let tree = tree_of(&[("lab/payload", &payload)]);
    let error = make(&base.iso, &out, &tree, Some(&state)).unwrap_err();
    assert!(matches!(error, ComposeError::NoSpace { .. }), "{error}");
    assert_eq!(sha256(&out), first.sha256);
    assert_eq!(names(disk.0.path()), ["out.iso"]);
}
