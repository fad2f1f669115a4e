//! Stamps: hashed once, and again when — and only when — something changed.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lab_supply::{Digest, FetchError, Identity, Watch, identify, recall};

use crate::world::World;

/// A file that was not written this instant.
fn old_file(world: &World, bytes: &[u8]) -> PathBuf {
    let path = world.path("file");
    fs::write(&path, bytes).unwrap();
    set_age(&path, Duration::from_secs(60));
    path
}

fn set_age(path: &Path, age: Duration) {
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(SystemTime::now() - age)
        .unwrap();
}

fn look(world: &World, path: &Path) -> Identity {
    identify(path, &world.cache, &mut |_| {}).unwrap()
}

fn stamps(world: &World) -> Vec<PathBuf> {
    fs::read_dir(world.path("stamps"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn a_file_is_hashed_once() {
    let world = World::new();
    let path = old_file(&world, b"content");
    assert_eq!(recall(&path, &world.cache), None);
    let first = look(&world, &path);
    assert_eq!(
        first,
        Identity {
            sha256: Digest::of(b"content"),
            size: 7,
            from_stamp: false
        }
    );
    assert_eq!(
        look(&world, &path),
        Identity {
            from_stamp: true,
            ..first
        }
    );
    let [stamp] = &stamps(&world)[..] else {
        panic!()
    };
    assert_eq!(
        fs::metadata(stamp).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_changed_file_is_hashed_again_even_with_its_time_set_back() {
    let world = World::new();
    let path = old_file(&world, b"content");
    look(&world, &path);
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, b"CONTENT").unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    assert_eq!(
        look(&world, &path),
        Identity {
            sha256: Digest::of(b"CONTENT"),
            size: 7,
            from_stamp: false
        }
    );
}

#[test]
fn a_replaced_file_is_hashed_again_and_replaces_its_stamp() {
    let world = World::new();
    let path = old_file(&world, b"content");
    look(&world, &path);
    fs::write(world.path("other"), b"CONTENT").unwrap();
    fs::rename(world.path("other"), &path).unwrap();
    assert!(!look(&world, &path).from_stamp);
    assert_eq!(stamps(&world).len(), 1);
}

/// The racy case: a stamp that says that hashing began in the tick of the last change.
#[test]
fn a_stamp_made_too_close_to_the_files_time_does_not_count() {
    let world = World::new();
    let path = old_file(&world, b"content");
    look(&world, &path);
    let stamp = stamps(&world).remove(0);
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&stamp).unwrap()).unwrap();
    let changed = [
        json["shape"]["ctime"].clone(),
        json["shape"]["ctime_nsec"].clone(),
    ];
    json["hashed_at"] = serde_json::json!(changed);
    fs::write(&stamp, json.to_string()).unwrap();
    assert_eq!(recall(&path, &world.cache), None);
}

/// A file changed right after it was hashed, in what may be the same tick.
#[test]
fn quick_changes_are_never_missed() {
    let world = World::new();
    let path = world.path("file");
    for round in 0_u32..20 {
        let bytes = round.to_le_bytes();
        fs::write(&path, bytes).unwrap();
        assert_eq!(
            look(&world, &path).sha256,
            Digest::of(&bytes),
            "round {round}"
        );
        assert_eq!(
            look(&world, &path).sha256,
            Digest::of(&bytes),
            "round {round}, again"
        );
    }
}

#[test]
fn a_stamp_that_others_could_have_written_does_not_count() {
    let world = World::new();
    let path = old_file(&world, b"content");
    look(&world, &path);
    let stamp = stamps(&world).remove(0);
    for mode in [0o666, 0o620, 0o602] {
        fs::set_permissions(&stamp, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(recall(&path, &world.cache), None, "{mode:o}");
    }
    fs::set_permissions(&stamp, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(recall(&path, &world.cache).is_some());
    let elsewhere = world.path("elsewhere");
    fs::rename(&stamp, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &stamp).unwrap();
    assert_eq!(recall(&path, &world.cache), None, "through a link");
}

#[test]
fn spoilt_stamps_cost_only_a_hashing() {
    let world = World::new();
    let path = old_file(&world, b"content");
    let good = look(&world, &path);
    let stamp = stamps(&world).remove(0);
    let text = fs::read(&stamp).unwrap();
    for at in 0..text.len() {
        let mut spoilt = text.clone();
        spoilt[at] = b'7';
        fs::write(&stamp, &spoilt[..]).unwrap();
        let found = recall(&path, &world.cache);
        // A digit of the digest itself can be changed by nobody but this user.
        assert!(found.is_none_or(|found| found.size == good.size));
        fs::write(&stamp, &spoilt[..at]).unwrap();
        assert_eq!(recall(&path, &world.cache), None);
    }
}

#[test]
fn a_file_from_the_future_is_hashed_each_time_and_not_waited_for() {
    let world = World::new();
    let path = old_file(&world, b"content");
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(SystemTime::now() + Duration::from_secs(3600))
        .unwrap();
    let start = std::time::Instant::now();
    assert!(!look(&world, &path).from_stamp);
    assert!(!look(&world, &path).from_stamp);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_said_to() {
    let world = World::new();
    let path = old_file(&world, b"content");
    let watch = Watch::begin(&path).unwrap();
    File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"more")
        .unwrap();
    let error = watch
        .finish(&world.cache, Digest::of(b"content"))
        .unwrap_err();
    assert!(
        error.to_string().contains("changed while it was read"),
        "{error}"
    );
    assert_eq!(recall(&path, &world.cache), None);
}

#[test]
fn a_callers_own_hashing_is_remembered() {
    let world = World::new();
    let path = old_file(&world, b"content");
    Watch::begin(&path)
        .unwrap()
        .finish(&world.cache, Digest::of(b"content"))
        .unwrap();
    assert_eq!(
        recall(&path, &world.cache).unwrap().sha256,
        Digest::of(b"content")
    );
}

#[test]
fn what_is_no_file_is_refused_and_never_waited_for() {
    let world = World::new();
    let dir = world.path("dir");
    fs::create_dir(&dir).unwrap();
    let paths = [dir, world.path("absent"), PathBuf::from("/dev/zero")];
    for path in paths {
        let error = identify(&path, &world.cache, &mut |_| {}).unwrap_err();
        assert!(matches!(error, FetchError::Io { .. }), "{error}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn stamps_do_not_pile_up() {
    let world = World::new();
    let path = old_file(&world, b"content");
    look(&world, &path);
    for index in 0..520 {
        fs::write(world.path("stamps").join(format!("old-{index}")), b"{}").unwrap();
    }
    set_age(&path, Duration::from_secs(30));
    std::thread::sleep(Duration::from_millis(60));
    look(&world, &path);
    assert_eq!(stamps(&world).len(), 1);
}
