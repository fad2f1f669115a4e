//! From evidence to the machine at a glance.

use lab_facts::Fact;

use crate::common::{MACHINE, UUIDS, drawn_up, evidence, report, report_of};

#[test]
fn each_card_is_found_by_its_slot_whatever_the_order_of_nvml() {
    let cards = report().glance.cards;
    let seen: Vec<_> = cards
        .iter()
        .map(|one| (one.name.as_str(), one.uuid.as_str()))
        .collect();
    let names = ["gt1030", "k2200", "gtx1050ti"];
    let expected: Vec<_> = names.into_iter().zip(UUIDS).collect();
    assert_eq!(seen, expected);
    assert_eq!(cards[1].compute_capability, "5.0");
    assert_eq!(cards[0].memory_mib, Some(2048));
    assert_eq!(cards[2].bandwidth_mb_s, Some(96_880));
    assert_eq!(cards[2].bandwidth_described_mb_s, Some(112_000));
    let used: Vec<_> = cards.iter().map(|one| one.used_by.join(" ")).collect();
    assert_eq!(used, ["jupyter", "ollama", "dcgan"]);
}

#[test]
fn the_machine_is_said_in_words() {
    let glance = report().glance;
    assert_eq!(glance.product, "Hewlett-Packard HP Z440 Workstation");
    assert_eq!(
        glance.cpu,
        "Intel(R) Xeon(R) CPU E5-1650 v4 @ 3.60GHz, 12 threads"
    );
    assert_eq!(glance.memory_mib, Some(32_038));
    assert_eq!(
        (glance.driver.as_str(), glance.cuda.as_str()),
        ("580.173.02", "13.0")
    );
    assert_eq!(glance.description, "4be1a07f9c3d");
}

#[test]
fn without_a_slot_a_card_is_found_by_what_it_is() {
    let description = MACHINE.replace("slot = \"0000:01:00.0\"\n", "");
    let cards = drawn_up(&description, &evidence()).glance.cards;
    assert_eq!(
        (cards[0].uuid.as_str(), cards[0].address.as_str()),
        (UUIDS[0], "0000:01:00.0")
    );
}

#[test]
fn a_card_that_is_not_seen_has_no_values_of_another() {
    let mut evidence = evidence();
    let Fact::Is(facts) = &mut evidence.facts else {
        panic!("no facts")
    };
    let Fact::Is(gpus) = &mut facts.nvidia.gpus else {
        panic!("no cards")
    };
    gpus.retain(|gpu| gpu.uuid != UUIDS[0]);
    let cards = report_of(&evidence).glance.cards;
    assert_eq!(cards[0].uuid, "");
    assert_eq!((cards[0].memory_mib, cards[0].bandwidth_mb_s), (None, None));
    assert_eq!(cards[0].address, "0000:01:00.0");
    assert_eq!(cards[2].uuid, UUIDS[2]);
}

#[test]
fn bandwidth_comes_from_the_memory_workload_where_the_small_task_failed() {
    let mut evidence = evidence();
    let Fact::Is(facts) = &mut evidence.facts else {
        panic!("no facts")
    };
    facts.nvidia.compute = Fact::unknown("CUDA_ERROR_OUT_OF_MEMORY");
    assert_eq!(
        report_of(&evidence).glance.cards[1].bandwidth_mb_s,
        Some(46_180)
    );
}

#[test]
fn what_is_not_known_stays_empty() {
    let mut evidence = evidence();
    evidence.facts = Fact::unknown("the probe did not run");
    let glance = report_of(&evidence).glance;
    assert_eq!((glance.product.as_str(), glance.memory_mib), ("", None));
    assert_eq!(glance.cards.len(), 3);
    assert!(
        glance
            .cards
            .iter()
            .all(|card| card.uuid.is_empty() && card.memory_mib.is_none())
    );
}
