//! What a machine wants from outside, and what it gets of a lock.

#![allow(clippy::unwrap_used)]

mod common;

use common::lock::{SNAPSHOT, lock_of};
use common::{GPU_SERVER, base, machine, secrets, variants};
use lab_catalog::Catalog;
use lab_lock::{Lock, Sha256, Wanted};
use lab_machine::Machine;
use lab_plan::{Landing, Overlay, Payload, PayloadFile, Subject};

fn wanted(machine: &Machine) -> Wanted {
    lab_plan::wanted(machine, Catalog::builtin()).unwrap()
}

/// What is laid down with this lock.
fn with_lock(machine: &Machine, lock: Option<&Lock>) -> anyhow::Result<Overlay> {
    let secrets = secrets(machine);
    lab_plan::overlay(&subject(machine, &secrets, lock))
}

fn subject<'a>(
    machine: &'a Machine,
    secrets: &'a lab_plan::Secrets,
    lock: Option<&'a Lock>,
) -> Subject<'a> {
    Subject {
        machine,
        catalog: Catalog::builtin(),
        secrets,
        description: &[],
        probe: b"probe",
        lock,
    }
}

fn text(overlay: &Overlay, path: &str) -> String {
    match overlay.tree.get(path) {
        Some(Landing::File { bytes, .. }) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("{path}: {other:?}"),
    }
}

/// A shell variable of a unit.
fn variable(overlay: &Overlay, unit: &str, name: &str) -> Option<String> {
    let conf = text(overlay, &format!("etc/lab/units/{unit}.conf"));
    let head = format!("{name}=");
    let value = conf.lines().find_map(|line| line.strip_prefix(&head))?;
    Some(value.trim_matches('\'').to_owned())
}

#[test]
fn everything_from_outside_is_wanted_by_its_unit() {
    let wanted = wanted(&machine(GPU_SERVER));
    assert_eq!(wanted.base.release, "24.04.5");
    assert!(wanted.base.sha256.is_some());
    let repositories: Vec<(&str, bool, bool)> = wanted
        .repositories
        .iter()
        .map(|one| (one.name.as_str(), one.own, one.key.is_some()))
        .collect();
    let expected = [
        ("ubuntu", true, false),
        ("docker", false, true),
        ("nvidia-container-toolkit", false, true),
    ];
    assert_eq!(repositories, expected);
    let from = |unit: &str| {
        let of_unit = wanted.packages.iter().filter(|one| one.unit == unit);
        let from: Vec<_> = of_unit.map(|one| one.repository.as_deref()).collect();
        (from.len(), from.first().copied().flatten())
    };
    assert_eq!(from("base"), (8, None));
    assert_eq!(from("driver"), (5, None));
    assert_eq!(from("docker"), (5, Some("docker")));
    assert_eq!(from("toolkit"), (4, Some("nvidia-container-toolkit")));
    let files: Vec<&str> = wanted.files.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(files, ["ollama", "mnist"]);
    assert_eq!(wanted.models[0].units, ["ollama"]);
    assert_eq!(wanted.images[0].units, ["jupyter", "dcgan"]);
    assert_eq!(wanted.models[0].name, "gemma3:1b");
    assert!(wanted.models[0].manifest.is_some());
    // Two units use it.
    assert_eq!(wanted.images.len(), 1);
}

/// A unit that installs packages without a word of it here would get none of the lock.
#[test]
fn what_the_units_install_is_what_is_wanted() {
    for (name, text) in variants() {
        let machine = machine(&text);
        let wanted = wanted(&machine);
        let overlay = with_lock(&machine, None).unwrap();
        let units = overlay.units.iter().flat_map(|unit| {
            let package = |one: &lab_plan::Package| {
                (unit.name.clone(), one.name.clone(), one.version.clone())
            };
            unit.packages.iter().map(package).collect::<Vec<_>>()
        });
        let asked = wanted
            .packages
            .iter()
            .map(|one| (one.unit.clone(), one.name.clone(), one.version.clone()));
        assert_eq!(
            units.collect::<Vec<_>>(),
            asked.collect::<Vec<_>>(),
            "{name}"
        );
    }
}

#[test]
fn what_is_switched_off_is_not_wanted() {
    let (_, text) = variants()
        .into_iter()
        .find(|one| one.0 == "no-driver")
        .unwrap();
    let wanted = wanted(&machine(&text));
    assert!(wanted.files.is_empty() && wanted.models.is_empty() && wanted.images.is_empty());
    assert!(wanted.packages.iter().all(|one| one.unit != "driver"));
    assert_eq!(wanted.snapshot.as_deref(), Some(SNAPSHOT));
}

#[test]
fn a_lock_reaches_the_machine() {
    let machine = machine(GPU_SERVER);
    let lock = lock_of(&wanted(&machine));
    let overlay = with_lock(&machine, Some(&lock)).unwrap();
    let digest = lock.digest().unwrap();
    assert_eq!(text(&overlay, "etc/lab/lock/digest"), format!("{digest}\n"));
    assert!(text(&overlay, "etc/lab/release").ends_with(&format!("\nLAB_LOCK={digest}\n")));
    assert_eq!(
        text(&overlay, "etc/lab/lock/snapshot"),
        format!("{SNAPSHOT}\n")
    );
    assert_eq!(
        Lock::parse(&text(&overlay, "etc/lab/machine.lock"))
            .unwrap()
            .digest()
            .unwrap(),
        digest
    );
    let list = text(&overlay, "etc/lab/lock/toolkit.packages");
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.contains(&"libneeded") && names.len() == 5, "{list}");
    assert!(
        list.lines().all(|line| line.split(' ').count() == 5),
        "{list}"
    );
    // The vendor's server keeps no states of the past.
    assert!(text(&overlay, "etc/lab/apt/docker.sources").contains("Snapshot: disable\n"));
}

#[test]
fn held_packages_are_exact_and_others_are_free_to_be_mended() {
    let machine = machine(GPU_SERVER);
    let lock = lock_of(&wanted(&machine));
    let overlay = with_lock(&machine, Some(&lock)).unwrap();
    for unit in &overlay.units {
        let exact = unit.packages.iter().all(|one| one.version.is_some());
        let free = unit.packages.iter().all(|one| one.version.is_none());
        assert!(if unit.held { exact } else { free }, "{unit:?}");
    }
}

#[test]
fn keys_models_and_images_are_known_by_digest() {
    let machine = machine(GPU_SERVER);
    let lock = lock_of(&wanted(&machine));
    let overlay = with_lock(&machine, Some(&lock)).unwrap();
    for (index, unit) in ["docker", "toolkit"].into_iter().enumerate() {
        let key = variable(&overlay, unit, "key_sha256");
        assert_eq!(key, Some(lock.keys[index].sha256.to_string()));
    }
    let image = &lock.images[0];
    let name = "quay.io/jupyter/tensorflow-notebook";
    for unit in ["jupyter", "dcgan"] {
        let value = |name| variable(&overlay, unit, name).unwrap();
        assert_eq!(value("image"), image.reference);
        let locked = format!("{name}@sha256:{}", image.manifest.sha256);
        assert_eq!(value("image_locked"), locked);
        assert_eq!(value("image_tag"), image.reference);
        assert_eq!(value("image_config"), image.config.sha256.to_string());
        assert_eq!(value("image_manifest"), image.manifest.sha256.to_string());
    }
    let models = text(&overlay, "etc/lab/ollama/models");
    assert!(
        models.contains(&lock.models[0].manifest.to_string()),
        "{models}"
    );
}

#[test]
fn without_a_lock_nothing_speaks_of_one() {
    let machine = machine(GPU_SERVER);
    let overlay = with_lock(&machine, None).unwrap();
    assert!(
        overlay
            .tree
            .entries()
            .all(|(path, _)| !path.contains("lock"))
    );
    assert_eq!(variable(&overlay, "docker", "key_sha256"), None);
    assert_eq!(variable(&overlay, "jupyter", "image_locked"), None);
}

/// Another version of one package of a unit's closure runs that unit again, and those
/// that need it.
#[test]
fn what_is_locked_is_an_input() {
    let machine = machine(GPU_SERVER);
    let one = lock_of(&wanted(&machine));
    let mut other = one.clone();
    let toolkit = other
        .packages
        .iter_mut()
        .find(|one| one.name == "libnvidia-container1");
    toolkit.unwrap().sha256 = Sha256::of(b"another build");
    let keys = |lock: &Lock| {
        let overlay = with_lock(&machine, Some(lock)).unwrap();
        overlay
            .units
            .into_iter()
            .map(|unit| (unit.name, unit.key))
            .collect::<Vec<_>>()
    };
    let (before, after) = (keys(&one), keys(&other));
    let both = before
        .iter()
        .zip(&after)
        .filter(|(one, other)| one != other);
    let changed: Vec<&str> = both.map(|(one, _)| one.0.as_str()).collect();
    assert_eq!(changed, ["toolkit", "jupyter", "dcgan"]);
}

#[test]
fn a_lock_that_lacks_something_is_refused_by_name() {
    let machine = machine(GPU_SERVER);
    let whole = lock_of(&wanted(&machine));
    type Spoil = fn(&mut Lock);
    let cases: [(&str, Spoil); 4] = [
        ("the packages were resolved for another", |lock| {
            lock.resolved_for = Sha256::of(b"x");
        }),
        ("the file mnist", |lock| {
            lock.files.retain(|one| one.name != "mnist");
        }),
        ("the model gemma3:1b", |lock| lock.models.clear()),
        ("the image quay.io/jupyter/", |lock| lock.images.clear()),
    ];
    for (expected, spoil) in cases {
        let mut lock = whole.clone();
        spoil(&mut lock);
        let why = format!("{:#}", with_lock(&machine, Some(&lock)).unwrap_err());
        assert!(
            why.contains(expected) && why.contains("`cargo xtask lock`"),
            "{why}"
        );
    }
}

#[test]
fn a_payload_is_listed_on_the_image() {
    let machine = machine(GPU_SERVER);
    let lock = lock_of(&wanted(&machine));
    let secrets = secrets(&machine);
    let subject = subject(&machine, &secrets, Some(&lock));
    let digest = lab_plan::digest_file(&lock).unwrap();
    let file = |path: &str, bytes: &[u8]| PayloadFile {
        path: path.to_owned(),
        size: bytes.len() as u64,
        sha256: Sha256::of(bytes),
    };
    let payload = Payload {
        files: vec![
            file("apt/InRelease", b"x"),
            file("digest", digest.as_bytes()),
        ],
    };
    let image = lab_plan::image_tree(&subject, &base(), with(&payload)).unwrap();
    let text = |path: &str| String::from_utf8(image.get(path).unwrap().bytes.clone()).unwrap();
    assert_eq!(text("lab/offline.list"), payload.list());
    assert!(text("autoinstall.yaml").contains("offline"));
    let manifest: lab_plan::Manifest = serde_json::from_str(&text("lab/manifest.json")).unwrap();
    let carried = manifest.payload.unwrap();
    assert_eq!((carried.count, carried.bytes), (2, 66));
    let none = lab_plan::image_tree(&subject, &base(), lab_plan::Enclosed::default()).unwrap();
    assert!(none.get("lab/offline.list").is_none());
    let installer = String::from_utf8(none.get("autoinstall.yaml").unwrap().bytes.clone());
    assert!(!installer.unwrap().contains("/lab/lay-down, offline"));
}

/// That payload, and nothing else besides.
fn with(payload: &lab_plan::Payload) -> lab_plan::Enclosed<'_> {
    lab_plan::Enclosed {
        payload: Some(payload),
        inventory: None,
    }
}

/// Whoever looks on a machine for what a lock names finds it where the units put it.
#[test]
fn everything_locked_has_its_place() {
    let machine = machine(GPU_SERVER);
    let lock = lock_of(&wanted(&machine));
    let overlay = with_lock(&machine, Some(&lock)).unwrap();
    let placed = lab_plan::placed(&lock);
    assert_eq!(placed.keys.len(), lock.keys.len());
    for key in &placed.keys {
        let source = text(&overlay, &format!("etc/lab/apt/{}.sources", key.name));
        let line = format!("Signed-By: {}\n", key.path);
        assert!(source.contains(&line), "{source}");
    }
    assert_eq!(placed.files.len(), lock.files.len());
    let file = |name: &str| placed.files.iter().find(|one| one.name == name).unwrap();
    let data = variable(&overlay, "dcgan", "data");
    assert_eq!(data.as_ref(), Some(&file("mnist").path));
    let version = variable(&overlay, "ollama", "version").unwrap();
    let record = format!("/opt/ollama/{version}/archive.sha256");
    assert_eq!(file("ollama").path, record);
    let archive = variable(&overlay, "ollama", "archive_sha256").unwrap();
    let text_of_record = format!("{archive}\n");
    assert_eq!(file("ollama").sha256, Sha256::of(text_of_record.as_bytes()));
    let model = &placed.models[0];
    let store = text(&overlay, "etc/lab/ollama/environment");
    let store = store
        .lines()
        .find_map(|line| line.strip_prefix("OLLAMA_MODELS="));
    let store = store.unwrap();
    let manifest = format!("{store}/manifests/registry.ollama.ai/library/gemma3/1b");
    assert_eq!(model.files[0].path, manifest);
    let blob = &lock.models[0].blobs[0];
    assert_eq!(
        model.files[1].path,
        format!("{store}/blobs/sha256-{}", blob.sha256)
    );
    let image = &placed.images[0];
    assert_eq!(
        variable(&overlay, "jupyter", "image_tag").as_ref(),
        Some(&image.tag)
    );
}

/// What a held unit needs stays where nothing moves it; a library of the system's does not.
#[test]
fn what_a_held_unit_needs_stays_where_no_update_comes_to_it() {
    let machine = machine(GPU_SERVER);
    let wanted = wanted(&machine);
    let mut lock = lock_of(&wanted);
    for (name, repository) in [("libnvidia-extra", "ubuntu"), ("vendors-own", "docker")] {
        let mut more = lock.package("libneeded").unwrap().clone();
        more.name = name.to_owned();
        more.repository = repository.to_owned();
        lock.packages.push(more);
    }
    let needs = ["libneeded", "libnvidia-extra", "vendors-own"].map(str::to_owned);
    for one in &mut lock.packages {
        if one.needs == ["libneeded"] {
            one.needs = needs.to_vec();
        }
    }
    let overlay = with_lock(&machine, Some(&lock)).unwrap();
    let fixed = lab_plan::fixed(&lock, &wanted, &overlay.units);
    for unit in overlay.units.iter().filter(|unit| unit.held) {
        assert!(unit.packages.iter().all(|one| fixed.contains(&one.name)));
    }
    assert!(fixed.contains("libnvidia-extra") && fixed.contains("vendors-own"));
    assert!(
        !fixed.contains("libneeded") && !fixed.contains("nvtop"),
        "{fixed:?}"
    );
    let settings = text(&overlay, "etc/apt/apt.conf.d/52lab-updates");
    assert!(settings.contains("\n    \"libnvidia-\";\n"), "{settings}");
}
