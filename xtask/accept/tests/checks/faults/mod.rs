//! The table of faults: what each planted fault turns red, and nothing else.

mod board;
mod cards;
mod locked;
mod programs;
mod restarts;
mod services;
mod training;

use std::collections::{BTreeMap, BTreeSet};

use lab_accept::check::all;
use lab_accept::{Difference, Evidence, Step};
use lab_facts::{
    Container, DockerFacts, Fact, Facts, Gpu, Listener, Nvidia, Protocol, RootFacts, Software,
    System, Worked, Workload, WorkloadRequest,
};

use crate::fixture::Bench;
use crate::good::{STRICT, failed, set};

/// A fault, and what it turns red.
pub(crate) struct Fault {
    /// What was done to the machine.
    what: &'static str,
    /// How the description differs from the first machine's.
    described: &'static [(&'static str, &'static str)],
    /// Plants it.
    plant: fn(&mut Evidence),
    /// The names of the claims that fail.
    red: &'static [&'static str],
}

/// A fault of the first machine.
const fn fault(
    what: &'static str,
    plant: fn(&mut Evidence),
    red: &'static [&'static str],
) -> Fault {
    Fault {
        what,
        described: &[],
        plant,
        red,
    }
}

/// A fault of a machine with the stricter description.
const fn strict(
    what: &'static str,
    plant: fn(&mut Evidence),
    red: &'static [&'static str],
) -> Fault {
    Fault {
        described: STRICT,
        ..fault(what, plant, red)
    }
}

type Benches = BTreeMap<&'static [(&'static str, &'static str)], Bench>;

/// The good machine of a fault: one for each description.
fn bench<'b>(benches: &'b mut Benches, fault: &Fault) -> &'b Bench {
    let make = || Bench::described(fault.described);
    benches.entry(fault.described).or_insert_with(make)
}

fn table() -> impl Iterator<Item = &'static Fault> {
    [
        board::FAULTS,
        locked::FAULTS,
        cards::FAULTS,
        programs::FAULTS,
        training::FAULTS,
        services::FAULTS,
        restarts::FAULTS,
    ]
    .into_iter()
    .flatten()
}

#[test]
fn each_fault_turns_red_what_it_should_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut benches = BTreeMap::new();
    for fault in table() {
        let bench = bench(&mut benches, fault);
        let good = bench.judge(&bench.evidence);
        assert_eq!(failed(&good), set::<String>([]), "{}", fault.what);
        let mut evidence = bench.evidence.clone();
        (fault.plant)(&mut evidence);
        assert_ne!(evidence, bench.evidence, "{} changes nothing", fault.what);
        let red = failed(&bench.judge(&evidence));
        let expected = set(fault.red);
        if red != expected {
            wrong.push(format!(
                "{}: red is {red:?}, expected {expected:?}",
                fault.what
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_check_is_shown_failing() {
    let red = table().flat_map(|fault| fault.red);
    let shown: BTreeSet<&str> = red.map(|name| name.split('[').next().unwrap()).collect();
    let missing: Vec<&str> = all()
        .map(|check| check.id)
        .filter(|id| !shown.contains(id))
        .collect();
    assert!(missing.is_empty(), "no fault turns these red: {missing:?}");
}

#[test]
fn what_fails_says_what_was_seen_and_what_to_do() {
    let mut benches = BTreeMap::new();
    for fault in table() {
        let bench = bench(&mut benches, fault);
        let mut evidence = bench.evidence.clone();
        (fault.plant)(&mut evidence);
        for one in bench.judge(&evidence) {
            if let lab_accept::report::Outcome::Failed {
                cause,
                remedy,
                reference,
            } = &one.outcome
            {
                let texts = [&one.claim, &one.evidence, cause, remedy, reference];
                assert!(texts.iter().all(|text| !text.trim().is_empty()), "{one:?}");
                assert!(one.evidence.len() < 600, "{}", one.evidence);
            }
        }
    }
}

// What the faults reach into.

fn known<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Is(value) => value,
        Fact::Unknown(why) => panic!("{why}"),
    }
}

fn facts(evidence: &mut Evidence) -> &mut Facts {
    known(&mut evidence.facts)
}

fn root(evidence: &mut Evidence) -> &mut RootFacts {
    known(&mut evidence.root)
}

fn system(evidence: &mut Evidence) -> &mut System {
    &mut facts(evidence).system
}

fn nvidia(evidence: &mut Evidence) -> &mut Nvidia {
    &mut facts(evidence).nvidia
}

fn software(evidence: &mut Evidence) -> &mut Software {
    &mut facts(evidence).software
}

fn docker(evidence: &mut Evidence) -> &mut DockerFacts {
    known(&mut root(evidence).docker)
}

fn unit(evidence: &mut Evidence, name: &str, active: &str) {
    let units = known(&mut system(evidence).units);
    active.clone_into(&mut units.get_mut(name).unwrap().active);
}

/// A card as NVML sees it: 0 is the GT 1030, 1 the K2200, 2 the GTX 1050 Ti.
fn gpu(evidence: &mut Evidence, index: usize) -> &mut Gpu {
    &mut known(&mut nvidia(evidence).gpus)[index]
}

fn container<'e>(evidence: &'e mut Evidence, name: &str) -> &'e mut Container {
    let all = docker(evidence).containers.iter_mut();
    let mut found: Vec<&mut Container> = all.filter(|one| one.name == name).collect();
    found.remove(0)
}

fn listener(evidence: &mut Evidence, port: u16) -> &mut Listener {
    let all = known(&mut system(evidence).listeners).iter_mut();
    let mut found: Vec<&mut Listener> = all
        .filter(|one| one.port == port && one.protocol == Protocol::Tcp)
        .collect();
    found.remove(0)
}

fn silence(evidence: &mut Evidence, port: u16) {
    known(&mut system(evidence).listeners).retain(|one| one.port != port);
}

fn text(to: &str) -> String {
    to.to_owned()
}

fn workload(evidence: &mut Evidence, fits: fn(&WorkloadRequest) -> bool) -> &mut Workload {
    let all = evidence.workloads.iter_mut();
    let mut found: Vec<&mut Workload> = all.filter(|one| fits(&one.request)).collect();
    found.remove(0)
}

fn worked(evidence: &mut Evidence, fits: fn(&WorkloadRequest) -> bool) -> &mut Worked {
    known(&mut workload(evidence, fits).worked)
}

fn step<'e>(evidence: &'e mut Evidence, name: &str) -> &'e mut Step {
    let steps = evidence.disruption.as_mut().unwrap().steps.iter_mut();
    let mut found: Vec<&mut Step> = steps.filter(|one| one.name == name).collect();
    found.remove(0)
}

fn difference(part: &str, name: &str, is: &str, should: &str) -> Difference {
    Difference {
        part: text(part),
        name: text(name),
        is: text(is),
        should: text(should),
    }
}
