//! What is in the store stays right, and goes when nobody wants it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use lab_supply::store::{Prune, Pruned, prune, verify};
use lab_supply::{Digest, FetchError};

use super::fetch::server_of;
use super::{World, names, wanted};
use crate::world::content;

#[test]
fn what_was_put_in_is_there_and_can_be_read() {
    let (world, bytes) = (World::new(), content(1, 70_000));
    let digest = world.store.put(&bytes).unwrap();
    assert_eq!(digest, Digest::of(&bytes));
    assert!(world.holds(&bytes));
    let mut read = Vec::new();
    world
        .store
        .open_object(digest)
        .unwrap()
        .read_to_end(&mut read)
        .unwrap();
    assert!(read == bytes);
    let other = content(2, 600_000);
    let file = world.dir.path().join("file");
    fs::write(&file, &other).unwrap();
    assert_eq!(
        world.store.adopt(&file).unwrap(),
        (Digest::of(&other), 600_000)
    );
    assert!(world.holds(&other) && file.exists());
    assert!(!world.store.contains(digest, Some(1)).unwrap());
    assert!(!world.store.contains(Digest([7; 32]), None).unwrap());
    assert_eq!(world.unfinished(), [""; 0]);
}

#[test]
fn an_object_that_somebody_changed_does_not_count_and_is_replaced() {
    let (world, bytes) = (World::new(), content(1, 70_000));
    let place = world.store.place(world.store.put(&bytes).unwrap());
    let mut changed = bytes.clone();
    changed[35_000] ^= 1;
    fs::write(&place, &changed).unwrap();
    assert!(!world.holds(&bytes));
    let server = server_of(std::slice::from_ref(&bytes));
    world
        .fetch(&[wanted("a", &bytes, &[server.url("/0")])])
        .unwrap();
    assert!(world.holds(&bytes));
    assert_eq!(names(&world.dir.path().join("cache/objects/bad")).len(), 1);
    // A link that somebody put there is not followed.
    let away = world.dir.path().join("away");
    fs::rename(&place, &away).unwrap();
    symlink(&away, &place).unwrap();
    assert!(!world.store.contains(Digest::of(&bytes), None).unwrap());
    world.store.open_object(Digest::of(&bytes)).unwrap_err();
}

#[test]
fn an_object_that_somebody_put_there_by_hand_counts_once_it_is_hashed() {
    let (world, bytes) = (World::new(), content(1, 70_000));
    let place = world.store.place(Digest::of(&bytes));
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, &bytes).unwrap();
    assert!(world.holds(&bytes));
}

#[test]
fn verify_finds_what_the_disk_has_changed_and_sets_it_aside() {
    let world = World::new();
    let files: Vec<_> = (0..8).map(|n| content(n, 50_000)).collect();
    for bytes in &files {
        world.store.put(bytes).unwrap();
    }
    let place = world.store.place(Digest::of(&files[3]));
    let mut changed = files[3].clone();
    changed[1] ^= 1;
    fs::write(&place, changed).unwrap();
    fs::write(place.with_file_name("stray"), "x").unwrap();
    let verified = verify(&world.store, &|_, _| {}).unwrap();
    assert_eq!((verified.good, verified.bytes), (7, 350_000));
    assert_eq!(verified.bad.len(), 2);
    let bad = verified.bad.iter().find(|bad| bad.path == place).unwrap();
    assert!(bad.moved_to.as_ref().is_some_and(|to| to.exists()) && !place.exists());
    assert!(!world.holds(&files[3]));
    assert_eq!(verify(&world.store, &|_, _| {}).unwrap().good, 7);
}

/// A flipped bit does not change a file's times: its stamp says that all is well.
#[test]
fn verify_does_not_believe_a_stamp() {
    let (world, bytes) = (World::new(), content(1, 50_000));
    let digest = world.store.put(&bytes).unwrap();
    let (place, name) = (world.store.place(digest), digest.to_string());
    // Both stand for what a disk does, which cannot be done here: other bytes, and a
    // stamp that fits what they look like.
    let other = Digest::of(b"another file");
    world.store.put(b"another file").unwrap();
    let stamps = world.dir.path().join("cache/objects/stamps");
    let stamp = |digest: &str| stamps.join(&digest[..2]).join(digest);
    let text = fs::read_to_string(stamp(&other.to_string())).unwrap();
    fs::rename(world.store.place(other), &place).unwrap();
    let (old, now) = (other.to_string(), ctime(&place));
    let text = text.replace(&old, &name);
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["shape"]["ctime"] = now.0.into();
    value["shape"]["ctime_nsec"] = now.1.into();
    value["hashed_at"] = serde_json::json!([now.0 + 1, 0]);
    fs::write(stamp(&name), value.to_string()).unwrap();
    fs::set_permissions(
        stamp(&name),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    assert!(
        world.store.contains(digest, None).unwrap(),
        "the stage is not set"
    );
    assert_eq!(verify(&world.store, &|_, _| {}).unwrap().bad.len(), 1);
    assert!(!world.store.contains(digest, None).unwrap());
}

fn ctime(path: &std::path::Path) -> (i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    let meta = fs::metadata(path).unwrap();
    (meta.ctime(), meta.ctime_nsec())
}

pub(super) fn pruning(keep: &BTreeSet<Digest>, dry_run: bool) -> Prune<'_> {
    Prune {
        keep,
        older_than: Duration::from_secs(3600),
        now: SystemTime::now(),
        dry_run,
        wait: Duration::ZERO,
    }
}

#[test]
fn prune_keeps_what_is_wanted_and_removes_the_rest() {
    let world = World::new();
    let (kept, gone) = (content(1, 4000), content(2, 5000));
    let keep = BTreeSet::from([world.store.put(&kept).unwrap()]);
    world.store.put(&gone).unwrap();
    let expected = Pruned {
        count: 1,
        bytes: 5000,
    };
    assert_eq!(
        prune(&world.store, &pruning(&keep, true)).unwrap(),
        expected
    );
    assert!(world.holds(&gone));
    assert_eq!(
        prune(&world.store, &pruning(&keep, false)).unwrap(),
        expected
    );
    assert!(world.holds(&kept) && !world.holds(&gone));
    assert_eq!(
        prune(&world.store, &pruning(&keep, false)).unwrap(),
        Pruned::default()
    );
}

#[test]
fn prune_leaves_young_partial_files_and_removes_old_ones() {
    let (world, keep) = (World::new(), BTreeSet::new());
    let dir = world.dir.path().join("cache/objects/partial");
    let name = Digest([1; 32]).to_string();
    for ending in ["partial", "partial.json", "lock"] {
        let mut file = fs::File::create(dir.join(format!("{name}.{ending}"))).unwrap();
        file.write_all(b"1234").unwrap();
    }
    prune(&world.store, &pruning(&keep, false)).unwrap();
    assert_eq!(world.unfinished().len(), 2);
    let later = Prune {
        now: SystemTime::now() + Duration::from_secs(7200),
        ..pruning(&keep, false)
    };
    assert_eq!(prune(&world.store, &later).unwrap().count, 2);
    assert_eq!(world.unfinished(), [""; 0]);
}

#[test]
fn nothing_is_removed_while_somebody_uses_the_store() {
    let (world, keep) = (World::new(), BTreeSet::new());
    let bytes = content(1, 4000);
    world.store.put(&bytes).unwrap();
    let hold = world.store.hold(Duration::ZERO).unwrap();
    let error = prune(&world.store, &pruning(&keep, false)).unwrap_err();
    assert!(matches!(error, FetchError::Busy { .. }), "{error}");
    assert!(world.holds(&bytes));
    prune(&world.store, &pruning(&keep, true)).unwrap();
    drop(hold);
    prune(&world.store, &pruning(&keep, false)).unwrap();
    assert!(!world.holds(&bytes));
}
