//! Nothing is wrong: every check claims something, and what can pass passes.

use std::collections::BTreeSet;
use std::fs;

use lab_accept::Evidence;
use lab_accept::check::all;
use lab_accept::report::{CheckResult, Outcome};

use crate::fixture::{Bench, repository};

/// Changes to the description after which every check has something to claim.
pub(crate) const STRICT: &[(&str, &str)] = &[
    ("memory_gib = 32", "memory_gib = 32\nfirmware = \"uefi\""),
    (
        "slot = \"0000:02:00.0\"",
        "slot = \"0000:02:00.0\"\npower_limit_w = 35",
    ),
    (
        "[disk]",
        "[network]\nmac = \"a0:8c:fd:01:02:03\"\naddress = \"192.168.1.20/24\"\ngateway = \"192.168.1.1\"\ndns = [\"192.168.1.1\"]\n\n\
         [updates]\nreboot = \"04:00\"\nsnapshot = \"20261101T000000Z\"\n\n[disk]\nserial = \"S6PENL0T512345X\"",
    ),
];

/// Checks that claim nothing of the first machine, because its description does not ask:
/// how it was started, power limits, a network card or address, a snapshot.
const NOT_ASKED: [&str; 4] = [
    "gpu.power-limit",
    "machine.firmware",
    "machine.network",
    "updates.snapshot",
];

/// What cannot be judged of the first machine: its cards have no ECC.
const CANNOT: [&str; 3] = ["gpu.ecc[gt1030]", "gpu.ecc[k2200]", "gpu.ecc[gtx1050ti]"];

pub(crate) fn names(results: &[CheckResult], fits: impl Fn(&Outcome) -> bool) -> BTreeSet<String> {
    let found = results.iter().filter(|one| fits(&one.outcome));
    found.map(CheckResult::name).collect()
}

pub(crate) fn failed(results: &[CheckResult]) -> BTreeSet<String> {
    names(results, |outcome| matches!(outcome, Outcome::Failed { .. }))
}

pub(crate) fn not_run(results: &[CheckResult]) -> BTreeSet<String> {
    names(results, |outcome| matches!(outcome, Outcome::NotRun { .. }))
}

pub(crate) fn set<T: ToString>(items: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    items.into_iter().map(|one| one.to_string()).collect()
}

fn silent(results: &[CheckResult]) -> BTreeSet<String> {
    let claimed: BTreeSet<&str> = results.iter().map(|one| one.id.as_str()).collect();
    set(all()
        .map(|check| check.id)
        .filter(|id| !claimed.contains(id)))
}

#[test]
fn the_first_machine_passes() {
    let bench = Bench::new();
    let results = bench.judge(&bench.evidence);
    let wrong: Vec<_> = results
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Failed { .. }))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(not_run(&results), set(CANNOT));
    assert_eq!(silent(&results), set(NOT_ASKED));
    let claims: BTreeSet<String> = results.iter().map(CheckResult::name).collect();
    assert_eq!(claims.len(), results.len(), "two claims have one name");
}

#[test]
fn a_stricter_description_has_every_check_claim_something() {
    let bench = Bench::described(STRICT);
    let results = bench.judge(&bench.evidence);
    assert_eq!(failed(&results), set::<String>([]));
    assert_eq!(not_run(&results), set(CANNOT));
    assert_eq!(silent(&results), set::<String>([]));
}

#[test]
fn a_claim_names_the_line_that_it_comes_from() {
    let bench = Bench::new();
    let results = bench.judge(&bench.evidence);
    let place = |name: &str| {
        let one = results.iter().find(|one| one.name() == name);
        let place = one.and_then(|one| one.place.clone());
        place.map(|place| (place.key, place.line))
    };
    let text = fs::read_to_string(repository().join("images/gpu-server/machine.toml")).unwrap();
    let line =
        |of: &str| u32::try_from(text.lines().position(|line| line == of).unwrap() + 1).unwrap();
    let at = |key: &str, of: &str| Some((key.to_owned(), line(of)));
    assert_eq!(
        place("gpu.on-bus[k2200]"),
        at("gpu[1].slot", "slot = \"0000:02:00.0\"")
    );
    assert_eq!(
        place("gpu.bound[gtx1050ti]"),
        at("gpu[2].pci_id", "pci_id = \"10de:1c82\"")
    );
    assert_eq!(
        place("machine.disk"),
        at("disk.model", "model = \"Samsung SSD 870 EVO 250GB\"")
    );
    assert_eq!(
        place("ollama.model[gemma3:1b]").unwrap().0,
        "ollama.models[0]"
    );
    assert_eq!(
        place("docker.sees[lab-jupyter]"),
        at("jupyter.gpus", "gpus = [\"gt1030\"]")
    );
    // What is left out stands at its section, or nowhere.
    assert_eq!(place("jupyter.loopback").unwrap().0, "jupyter");
    assert_eq!(place("docker.version"), None);
}

#[test]
fn what_is_switched_off_is_not_claimed() {
    let off = [
        ("[ollama]", "[ollama]\nenabled = false"),
        ("[jupyter]", "[jupyter]\nenabled = false"),
        ("[dcgan]", "[dcgan]\nenabled = false"),
    ];
    let bench = Bench::described(&off);
    let results = bench.judge(&bench.evidence);
    let groups: BTreeSet<&str> = results.iter().map(CheckResult::group).collect();
    assert!(
        ["ollama", "jupyter", "dcgan"]
            .iter()
            .all(|group| !groups.contains(group)),
        "{groups:?}"
    );
    assert!(
        !results
            .iter()
            .any(|one| one.subject.as_deref() == Some("lab-jupyter"))
    );
    assert_eq!(failed(&results), set::<String>([]));
}

#[test]
fn without_a_driver_no_card_is_claimed_to_compute() {
    let off = [
        ("branch = 580", "enabled = false"),
        (
            "[ollama]",
            "[docker]\nenabled = false\n\n[toolkit]\nenabled = false\n\n[ollama]\nenabled = false",
        ),
        ("[jupyter]", "[jupyter]\nenabled = false"),
        ("[dcgan]", "[dcgan]\nenabled = false"),
    ];
    let bench = Bench::described(&off);
    let results = bench.judge(&bench.evidence);
    let gpu = results.iter().filter(|one| one.group() == "gpu");
    let ids: BTreeSet<String> = set(gpu.map(|one| one.id.as_str()));
    assert_eq!(ids, set(["gpu.on-bus", "gpu.undescribed"]));
    let groups: BTreeSet<&str> = results.iter().map(CheckResult::group).collect();
    assert!(
        !groups.contains("docker") && !groups.contains("toolkit"),
        "{groups:?}"
    );
}

/// The evidence as a file: for replays, and for the tests of the reports.
#[test]
fn the_fixture_is_what_the_maker_makes() {
    let place = repository().join("xtask/accept/tests/fixtures/z440.evidence.json");
    let bench = Bench::new();
    let text = format!("{}\n", serde_json::to_string(&bench.evidence).unwrap());
    if std::env::var_os("LAB_BLESS").is_some() {
        fs::write(&place, &text).unwrap();
    }
    let there = fs::read_to_string(&place).unwrap_or_default();
    assert!(
        there == text,
        "{} is out of date: LAB_BLESS=1 cargo test -p lab-accept --test checks writes it",
        place.display()
    );
    let read: Evidence = serde_json::from_str(&there).unwrap();
    assert_eq!(read, bench.evidence);
}

/// Nothing says what should lie there: each check of the lock says so, and passes nothing.
#[test]
fn without_a_lock_nothing_of_it_is_judged() {
    let bench = Bench::new();
    let mut evidence = bench.evidence.clone();
    evidence.expected.locked = None;
    let results = bench.judge(&evidence);
    assert_eq!(failed(&results), set::<String>([]));
    let of_lock = results
        .iter()
        .filter(|one| one.id.starts_with("machine.lock"));
    let reasons: Vec<(&str, &Outcome)> =
        of_lock.map(|one| (one.id.as_str(), &one.outcome)).collect();
    assert_eq!(reasons.len(), 6, "{reasons:?}");
    for (id, outcome) in reasons {
        match outcome {
            Outcome::NotRun { reason } => assert!(reason.contains("cargo xtask lock"), "{reason}"),
            other => panic!("{id}: {other:?}"),
        }
    }
}
