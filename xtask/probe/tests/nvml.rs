//! What the probe makes of NVML, over the mock library.
//!
//! It does not prove what a driver or a card says, which the mock's own head tells of.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod running;

use std::time::{Duration, Instant};

use lab_facts::{Fact, Facts, Gpu, Nvidia, Workload};
use running::{Mock, answer};

const Z440: &str = include_str!("../../../tests/mock-nvml/cards/z440.toml");
const NOT_SUPPORTED: &str = "NotSupported";

fn look(cards: &str) -> Nvidia {
    let output = answer(&mut Mock::with(cards).probe("facts"), "{}");
    let facts: Facts = serde_json::from_slice(&output.stdout).unwrap();
    facts.nvidia
}

fn gpus(cards: &str) -> Vec<Gpu> {
    look(cards).gpus.get().unwrap().clone()
}

/// The three cards, with lines more for the last.
fn last(lines: &str) -> String {
    format!("{Z440}\n{lines}\n")
}

#[test]
fn the_three_cards() {
    let nvidia = look(Z440);
    let library = nvidia.library.get().unwrap();
    assert_eq!(
        (library.driver.as_str(), library.cuda.as_str()),
        ("580.173.02", "13.0")
    );
    let gpus = nvidia.gpus.get().unwrap();
    let seen: Vec<_> = gpus
        .iter()
        .map(|gpu| {
            (
                gpu.address.as_str(),
                gpu.pci_id.as_str(),
                gpu.compute_capability.known().unwrap().as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("0000:01:00.0", "10de:1d01", "6.1"),
            ("0000:02:00.0", "10de:13ba", "5.0"),
            ("0000:03:00.0", "10de:1c82", "6.1"),
        ]
    );
}

#[test]
fn each_value_of_a_card() {
    let card = &gpus(&last(
        "[[card.process]]\npid = 1\nname = \"x\"\nused_mib = 900",
    ))[2];
    assert_eq!(card.name, "NVIDIA GeForce GTX 1050 Ti");
    assert_eq!(card.uuid, "GPU-9a431050-1050-4c82-a1d0-c0ffee000003");
    assert_eq!(card.memory_total_bytes, Fact::Is(4096 << 20));
    assert_eq!(card.temperature_c, Fact::Is(34));
    assert_eq!(card.power_mw, Fact::unknown(NOT_SUPPORTED));
    assert_eq!(card.power_limit_mw, Fact::Is(120_000));
    assert_eq!(card.persistence, Fact::Is(false));
    assert_eq!(card.ecc_uncorrected, Fact::unknown(NOT_SUPPORTED));
    let link = card.pcie.get().unwrap();
    assert_eq!(
        (
            link.generation,
            link.generation_max,
            link.width,
            link.width_max
        ),
        (1, 3, 16, 16)
    );
    let busy = card.busy.get().unwrap();
    assert_eq!((busy.gpu_percent, busy.memory_percent), (0, 0));
    let process = &card.processes.get().unwrap()[0];
    assert_eq!((process.pid, process.memory_bytes), (1, Some(900 << 20)));
    let comm = std::fs::read_to_string("/proc/1/comm").unwrap();
    assert_eq!(process.program.as_deref(), Some(comm.trim()));
}

#[test]
fn a_driver_that_does_not_answer_is_said_in_nvmls_words() {
    let why = |fault: &str| {
        let nvidia = look(&format!("fault = \"{fault}\"\n{Z440}"));
        assert_eq!(
            nvidia.library.get().unwrap_err(),
            nvidia.gpus.get().unwrap_err()
        );
        nvidia.gpus.get().unwrap_err().to_owned()
    };
    assert!(why("driver-not-loaded").contains("driver is not loaded; the kernel module nvidia"));
    assert!(why("mismatch").contains("Driver/library version mismatch"));
    assert!(why("no-permission").contains("permission"));
    assert!(why("unknown").contains("internal driver error"));
}

#[test]
fn a_card_that_is_lost_is_not_among_them() {
    assert_eq!(gpus(&last("fault = \"gpu-is-lost\"")).len(), 2);
    let all = Z440.replace("[[card]]\n", "[[card]]\nfault = \"gpu-is-lost\"\n");
    assert!(
        look(&all)
            .gpus
            .get()
            .unwrap_err()
            .contains("fell off the bus")
    );
}

#[test]
fn a_driver_that_hangs_does_not_hang_the_probe() {
    let start = Instant::now();
    let nvidia = look(&format!("slow_ms = 600000\n{Z440}"));
    let took = start.elapsed();
    assert!(nvidia.gpus.get().unwrap_err().contains("the driver hangs"));
    assert!(
        took > Duration::from_secs(9) && took < Duration::from_secs(12),
        "{took:?}"
    );
}

#[test]
fn without_cards_compute_is_not_known() {
    let mock = Mock::with(&format!("fault = \"driver-not-loaded\"\n{Z440}"));
    let output = answer(&mut mock.probe("facts"), "{\"compute\":true}");
    let facts: Facts = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        facts
            .nvidia
            .compute
            .get()
            .unwrap_err()
            .contains("not loaded")
    );
}

#[test]
fn the_cards_are_watched_while_something_runs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("metrics.jsonl"), "{\"epoch\":1}\n").unwrap();
    let request = format!(
        "{{\"workload\":\"dcgan\",\"folder\":{:?},\"watch_s\":2}}",
        folder.path().display().to_string()
    );
    let cards = last("[[card.process]]\npid = 1\nname = \"x\"\nused_mib = 900");
    let mock = Mock::with(&cards);
    let output = answer(&mut mock.probe("workload"), &request);
    let workload: Workload = serde_json::from_slice(&output.stdout).unwrap();
    assert!((2000..4000).contains(&workload.took_ms));
    let samples = &workload.samples;
    assert!((5..=11).contains(&samples.len()), "{}", samples.len());
    assert!(samples.is_sorted_by_key(|sample| sample.at_ms));
    assert_eq!(samples[0].gpus.len(), 3);
    assert_eq!(samples[0].gpus[1].power_mw, Some(1120));
    assert_eq!(samples[0].gpus[2].power_mw, None);
    assert_eq!(workload.seen.len(), 1);
    assert_eq!(workload.seen[0].process.pid, 1);
    assert!(workload.worked.known().is_some());
}
