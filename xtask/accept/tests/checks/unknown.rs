//! What is not known is never passed: each fact is taken away, one by one and all at once.

use std::collections::{BTreeMap, BTreeSet};

use lab_accept::Evidence;
use lab_accept::report::{CheckResult, Outcome};
use lab_facts::{Fact, GpuProcess};
use serde_json::{Value, json};

use crate::fixture::Bench;
use crate::good::{STRICT, failed, names, set};

const WHY: &str = "nobody could read it";

/// Facts that no check judges: they are for the report, or stand beside one that is judged.
const NOT_JUDGED: [&str; 9] = [
    "facts.is.nvidia.gpus.is.*.busy",
    "facts.is.nvidia.gpus.is.*.compute_capability",
    "facts.is.nvidia.gpus.is.*.memory_used_bytes",
    "facts.is.nvidia.gpus.is.*.power_mw",
    "facts.is.nvidia.gpus.is.*.processes",
    "facts.is.system.boot_id",
    "facts.is.system.uptime_s",
    // Root alone may read it.
    "facts.is.system.files",
    // The same facts again, of which before a restart only what passed or failed counts.
    "disruption.",
];

/// Checks that fail where a fact is unknown, because it says that something failed: CUDA's
/// own words, a workload's end, or no answer from where something listens; and where that is so
/// after a restart only.
const TELLS_A_FAILURE: [&str; 11] = [
    "lab.same-after",
    "dcgan.metrics",
    "dcgan.page",
    "gpu.compute",
    "gpu.memory-full",
    "jupyter.tensorflow-computes",
    "jupyter.token-needed",
    "monitoring.exporter",
    "ollama.answer",
    "ollama.version",
    "tools.nvtop-draws",
];

/// The paths of all facts that are known, as JSON pointers.
fn known(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if map.len() == 1 && map.contains_key("is") {
                found.push(path.to_owned());
            }
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                known(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                known(value, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn without(whole: &Value, path: &str) -> Evidence {
    let mut value = whole.clone();
    *value.pointer_mut(path).unwrap() = json!({ "unknown": WHY });
    serde_json::from_value(value).unwrap()
}

/// The path with `*` for every place in a list.
fn plain(path: &str) -> String {
    let parts = path.trim_start_matches('/').split('/');
    let parts = parts.map(|part| {
        if part.parse::<u32>().is_ok() {
            "*"
        } else {
            part
        }
    });
    parts.collect::<Vec<_>>().join(".")
}

/// What changed, where a fact was taken away; nothing may pass by other evidence.
fn hold_against(path: &str, before: &[CheckResult], after: &[CheckResult]) -> BTreeSet<String> {
    let of = |results: &[CheckResult]| -> Vec<String> {
        results.iter().map(CheckResult::name).collect()
    };
    assert_eq!(
        of(before),
        of(after),
        "{path} changes which claims there are"
    );
    let mut changed = BTreeSet::new();
    for (old, new) in before.iter().zip(after) {
        if old == new {
            continue;
        }
        changed.insert(new.name());
        match &new.outcome {
            // Secure Boot is told beside, the list can be read in two places, and what failed
            // before a restart need not pass after it.
            Outcome::Passed => assert!(
                ["machine.firmware", "machine.manifest"].contains(&new.id.as_str())
                    || new.id == "lab.same-after" && path.contains("/before/"),
                "{path} is not known, and yet: {new:?}"
            ),
            Outcome::Failed { .. } => {
                assert!(
                    TELLS_A_FAILURE.contains(&new.id.as_str()),
                    "{path} is not known, and yet: {new:?}"
                );
                assert!(
                    new.evidence.contains(WHY) || new.id == "lab.same-after",
                    "{new:?}"
                );
            }
            Outcome::NotRun { reason } => assert!(!reason.is_empty(), "{new:?}"),
        }
    }
    changed
}

#[test]
fn each_fact_that_is_taken_away_makes_what_needs_it_not_run() {
    let bench = Bench::described(STRICT);
    let mut whole = serde_json::to_value(&bench.evidence).unwrap();
    // The restarts hold the same facts twenty times over: the first is enough.
    let first = whole["disruption"]["steps"][0].clone();
    whole["disruption"]["steps"] = json!([first]);
    let evidence: Evidence = serde_json::from_value(whole.clone()).unwrap();
    let before = bench.judge(&evidence);
    let mut paths = Vec::new();
    known(&whole, "", &mut paths);
    assert!(paths.len() > 150, "{}", paths.len());
    let mut used: BTreeMap<String, bool> = BTreeMap::new();
    for path in &paths {
        let after = bench.judge(&without(&whole, path));
        let changed = hold_against(path, &before, &after);
        *used.entry(plain(path)).or_default() |= !changed.is_empty();
    }
    let idle: Vec<&String> = used
        .iter()
        .filter(|(path, used)| !**used && !NOT_JUDGED.iter().any(|known| path.starts_with(known)))
        .map(|(path, _)| path)
        .collect();
    assert!(idle.is_empty(), "no check uses {idle:#?}");
}

#[test]
fn the_reason_is_told() {
    let bench = Bench::new();
    let whole = serde_json::to_value(&bench.evidence).unwrap();
    let after = bench.judge(&without(&whole, "/facts/is/system/dmi"));
    let vendor = after.iter().find(|one| one.id == "machine.vendor").unwrap();
    assert_eq!(
        vendor.outcome,
        Outcome::NotRun {
            reason: WHY.to_owned()
        }
    );
    assert_eq!(vendor.evidence, "");
}

#[test]
fn where_nothing_is_known_nothing_passes_and_nothing_fails() {
    let bench = Bench::described(STRICT);
    let mut evidence = bench.evidence.clone();
    evidence.facts = Fact::unknown(WHY);
    evidence.root = Fact::unknown(WHY);
    evidence.differences = Fact::unknown(WHY);
    evidence.outside = Fact::unknown(WHY);
    evidence.clock_ahead_ms = Fact::unknown(WHY);
    evidence.workloads = Vec::new();
    evidence.disruption = None;
    let results = bench.judge(&evidence);
    assert_eq!(
        names(&results, |one| *one == Outcome::Passed),
        set::<String>([])
    );
    assert_eq!(failed(&results), set::<String>([]));
    let before = bench.judge(&bench.evidence);
    assert_eq!(results.len(), before.len());
}

#[test]
fn every_fact_of_a_branch_unknown_is_never_a_pass() {
    let bench = Bench::described(STRICT);
    let whole = serde_json::to_value(&bench.evidence).unwrap();
    // Each branch, its leaves taken away one by one but all together.
    for branch in [
        "/facts/is/system",
        "/facts/is/nvidia",
        "/facts/is/software",
        "/root/is",
    ] {
        let mut value = whole.clone();
        let mut paths = Vec::new();
        known(value.pointer(branch).unwrap(), branch, &mut paths);
        // From the outside in, so that each is still there.
        paths.sort_by_key(String::len);
        for path in paths {
            if let Some(there) = value.pointer_mut(&path) {
                *there = json!({ "unknown": WHY });
            }
        }
        let evidence: Evidence = serde_json::from_value(value).unwrap();
        let before = bench.judge(&bench.evidence);
        hold_against(branch, &before, &bench.judge(&evidence));
    }
}

#[test]
fn a_card_that_trains_is_not_called_slow() {
    let bench = Bench::new();
    let mut evidence = bench.evidence.clone();
    let Fact::Is(facts) = &mut evidence.facts else {
        panic!("no facts");
    };
    let (Fact::Is(gpus), Fact::Is(compute)) = (&mut facts.nvidia.gpus, &mut facts.nvidia.compute)
    else {
        panic!("no cards");
    };
    let Fact::Is(proof) = &mut compute[2].proof else {
        panic!("no proof");
    };
    proof.bandwidth_mb_s = 31_000;
    let trains = GpuProcess {
        pid: 4711,
        program: Some("python3".to_owned()),
        unit: None,
        memory_bytes: None,
    };
    gpus[2].processes = Fact::Is(vec![trains]);
    let results = bench.judge(&evidence);
    assert_eq!(failed(&results), set::<String>([]));
    let one = results
        .iter()
        .find(|one| one.id == "gpu.bandwidth" && one.subject.as_deref() == Some("gtx1050ti"));
    match &one.unwrap().outcome {
        Outcome::NotRun { reason } => assert!(reason.contains("python3"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_not_asked_for_is_not_run_with_the_word_that_asks() {
    let bench = Bench::new();
    let mut evidence = bench.evidence.clone();
    evidence.workloads = Vec::new();
    evidence.workloads_asked = false;
    evidence.disruption = None;
    let results = bench.judge(&evidence);
    assert_eq!(failed(&results), set::<String>([]));
    let reason = |id: &str| {
        let one = results.iter().find(|one| one.id == id).unwrap();
        match &one.outcome {
            Outcome::NotRun { reason } => reason.clone(),
            other => panic!("{id}: {other:?}"),
        }
    };
    assert!(reason("ollama.answer").contains("--workloads"));
    assert!(reason("dcgan.used").contains("--workloads"));
    assert!(reason("lab.comes-back").contains("--disruptive"));
    assert!(reason("docker.survives-restart").contains("--disruptive"));
}
