//! The form of a lock, and the questions asked of one.

use lab_lock::{
    Base, Blob, File, Image, Key, Lock, LockError, Missing, Model, Package, Repository, Sha256,
    Wanted, WantedFile, WantedImage, WantedModel, WantedPackage, missing, reasons,
};

fn digest(of: &str) -> Sha256 {
    Sha256::of(of.as_bytes())
}

fn package(name: &str, needs: &[&str]) -> Package {
    Package {
        name: name.into(),
        version: "1:2.0-3~u1".into(),
        architecture: "amd64".into(),
        repository: "ubuntu".into(),
        path: format!("pool/main/{name}_2.0.deb"),
        size: 7,
        sha256: digest(name),
        needs: needs.iter().map(|one| (*one).to_owned()).collect(),
    }
}

fn blob(of: &str) -> Blob {
    Blob {
        sha256: digest(of),
        size: of.len() as u64,
        media_type: "application/octet-stream".into(),
    }
}

fn wanted() -> Wanted {
    let package = |name: &str, unit: &str| WantedPackage {
        name: name.into(),
        version: None,
        repository: None,
        unit: unit.into(),
    };
    Wanted {
        packages: vec![package("top", "docker"), package("lib", "base")],
        files: vec![WantedFile {
            name: "mnist".into(),
            version: None,
            url: "https://example.org/mnist.npz".into(),
            sha256: digest("mnist"),
            unit: "dcgan".into(),
        }],
        models: vec![WantedModel {
            name: "tiny:1b".into(),
            url: "https://example.org/v2/library/tiny".into(),
            tag: "1b".into(),
            manifest: None,
            units: vec!["ollama".into()],
        }],
        images: vec![WantedImage {
            reference: "example.org/note:1".into(),
            digest: Some(digest("index")),
            units: vec!["jupyter".into()],
        }],
        ..Wanted::default()
    }
}

fn lock() -> Lock {
    Lock {
        format: 1,
        resolved_for: wanted().packages_digest(),
        snapshot: Some("20261128T000000Z".into()),
        base: Base {
            release: "24.04.5".into(),
            file: "base.iso".into(),
            sha256: Some(digest("base")),
            packages: digest("manifest"),
        },
        repositories: vec![Repository {
            name: "ubuntu".into(),
            uri: "http://example.org/ubuntu".into(),
            snapshot_uri: None,
        }],
        keys: vec![Key {
            name: "ubuntu".into(),
            fingerprint: "AB".repeat(20),
            url: "https://example.org/key".into(),
            size: 3,
            sha256: digest("key"),
        }],
        packages: vec![
            package("top", &["middle"]),
            package("middle", &["lib"]),
            package("lib", &[]),
        ],
        files: vec![File {
            name: "mnist".into(),
            version: None,
            url: "https://example.org/mnist.npz".into(),
            size: 5,
            sha256: digest("mnist"),
        }],
        models: vec![Model {
            name: "tiny:1b".into(),
            url: "https://example.org/v2/library/tiny".into(),
            manifest: digest("model"),
            manifest_size: 9,
            blobs: vec![blob("weights"), blob("licence")],
        }],
        images: vec![Image {
            reference: "example.org/note:1".into(),
            url: "https://example.org/v2/note".into(),
            digest: digest("index"),
            manifest: blob("manifest"),
            config: blob("config"),
            layers: vec![blob("layer"), blob("weights")],
            version: None,
            licence: Some("BSD-3-Clause".into()),
        }],
    }
}

#[test]
fn a_lock_reads_back_and_its_order_does_not_matter() {
    let one = lock();
    let text = one.to_text().unwrap();
    let mut other = one.clone();
    other.packages.reverse();
    other.sort();
    assert_eq!(other.to_text().unwrap(), text);
    let read = Lock::parse(&text).unwrap();
    assert_eq!(read.to_text().unwrap(), text);
    assert_eq!(read.digest().unwrap(), one.digest().unwrap());
}

#[test]
fn what_is_no_lock_is_refused_with_the_place() {
    let text = lock().to_text().unwrap();
    let cases = [
        ("format = 1", "format = 2", "its format is 2"),
        ("size = 7", "size = 7\nsighs = 8", "unknown field `sighs`"),
        ("needs = [\"lib\"]", "needs = [\"gone\"]", "needs gone"),
        (
            "pool/main/lib_2.0.deb",
            "pool/../../etc/passwd",
            "no plain path",
        ),
        ("pool/main/lib_2.0.deb", "/etc/passwd", "no plain path"),
        ("name = \"middle\"", "name = \"lib\"", "stands in it twice"),
        (
            "name = \"middle\"",
            "name = \"mid dle\"",
            "a name or a version",
        ),
        (
            "repository = \"ubuntu\"",
            "repository = \"elsewhere\"",
            "\"elsewhere\"",
        ),
        ("format = 1", "<<<<<<< ours\nformat = 1", "merge"),
    ];
    for (from, to, says) in cases {
        let error = Lock::parse(&text.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{from} -> {to}: {error}");
    }
    let upper = text.replacen(
        &digest("lib").to_string(),
        &digest("lib").to_string().to_uppercase(),
        1,
    );
    assert!(matches!(Lock::parse(&upper), Err(LockError::Form(_))));
}

#[test]
fn what_the_description_changed_is_what_is_missing() {
    assert_eq!(missing(&wanted(), &lock()), []);
    let mut other = wanted();
    other.packages.swap(0, 1);
    assert_eq!(
        missing(&other, &lock()),
        [],
        "the order of units means nothing"
    );
    other.packages[0].version = Some("2".into());
    other.files[0].sha256 = digest("other");
    other.models[0].manifest = Some(digest("other"));
    other.images[0].digest = Some(digest("other"));
    let wants = [
        Missing::Packages,
        Missing::File("mnist".into()),
        Missing::Model("tiny:1b".into()),
        Missing::Image("example.org/note:1".into()),
    ];
    assert_eq!(missing(&other, &lock()), wants);
}

#[test]
fn the_ways_to_a_package_are_the_shortest_from_each_unit() {
    let ways = reasons(&wanted(), &lock(), "lib");
    let said: Vec<String> = ways
        .iter()
        .map(|way| format!("{}: {}", way.unit, way.packages.join(" > ")))
        .collect();
    assert_eq!(said, ["base: lib", "docker: top > middle > lib"]);
    assert_eq!(reasons(&wanted(), &lock(), "nothing"), []);
}

#[test]
fn a_unit_has_its_packages_and_what_they_need() {
    let lock = lock();
    let names = |unit| -> Vec<String> {
        let found = lock.packages_of(&wanted(), unit);
        found.iter().map(|one| one.name.clone()).collect()
    };
    assert_eq!(names("docker"), ["top", "middle", "lib"]);
    assert_eq!(names("base"), ["lib"]);
}

#[test]
fn each_object_is_named_once() {
    let objects = lock().objects();
    assert_eq!(objects.len(), 11);
    assert_eq!(
        objects
            .iter()
            .filter(|(one, _, _)| *one == digest("weights"))
            .count(),
        1
    );
}

/// Whatever becomes of a lock on its way, reading it never panics, and what is read is
/// written the same again.
#[test]
fn mutated_locks_are_refused_or_sound() {
    let text = lock().to_text().unwrap().into_bytes();
    let mut seed: u64 = 7;
    let mut next = |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for _ in 0..2000 {
        let mut bytes = text.clone();
        for _ in 0..=next(3) {
            let at = next(bytes.len().max(1));
            if bytes.is_empty() {
                break;
            }
            match next(3) {
                0 => bytes[at] = u8::try_from(next(128)).unwrap(),
                1 => drop(bytes.drain(at..(at + next(40)).min(bytes.len()))),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let mutated = String::from_utf8_lossy(&bytes).into_owned();
        if let Ok(lock) = Lock::parse(&mutated) {
            let again = Lock::parse(&lock.to_text().unwrap()).unwrap();
            assert_eq!(again.to_text().unwrap(), lock.to_text().unwrap());
        }
    }
}
