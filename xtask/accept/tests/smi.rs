//! The cards by `nvidia-smi -q -x`.
//!
//! `data/nvidia-smi-580.xml` was written by hand after the form of driver 580, for three
//! cards that were never asked: it proves the reading, and not what those cards say.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

use lab_accept::nvidia_from_smi;
use lab_facts::{Fact, Gpu, GpuProcess, Nvidia};

const Z440: &str = include_str!("data/nvidia-smi-580.xml");
const NOT_SUPPORTED: &str = "NotSupported";

fn read(xml: &str) -> Nvidia {
    nvidia_from_smi(xml).unwrap()
}

fn gpus(nvidia: &Nvidia) -> &[Gpu] {
    nvidia.gpus.known().unwrap()
}

#[test]
fn the_three_cards() {
    let nvidia = read(Z440);
    let library = nvidia.library.known().unwrap();
    assert_eq!(
        (library.driver.as_str(), library.cuda.as_str()),
        ("580.173.02", "13.0")
    );
    let cards: Vec<_> = gpus(&nvidia)
        .iter()
        .map(|gpu| (gpu.name.as_str(), gpu.address.as_str(), gpu.pci_id.as_str()))
        .collect();
    assert_eq!(
        cards,
        [
            ("NVIDIA GeForce GT 1030", "0000:01:00.0", "10de:1d01"),
            ("Quadro K2200", "0000:02:00.0", "10de:13ba"),
            ("NVIDIA GeForce GTX 1050 Ti", "0000:03:00.0", "10de:1c82"),
        ]
    );
}

#[test]
fn each_value_of_a_card() {
    let nvidia = read(Z440);
    let card = &gpus(&nvidia)[1];
    assert_eq!(card.uuid, "GPU-2e7b2200-2200-13ba-9b20-c0ffee000002");
    assert_eq!(card.memory_total_bytes, Fact::Is(4096 << 20));
    assert_eq!(card.memory_used_bytes, Fact::Is(4 << 20));
    assert_eq!(card.temperature_c, Fact::Is(41));
    assert_eq!(card.slowdown_c, Fact::Is(101));
    assert_eq!(card.power_mw, Fact::Is(1120));
    assert_eq!(card.power_limit_mw, Fact::Is(39_000));
    assert_eq!(card.persistence, Fact::Is(true));
    let link = card.pcie.known().unwrap();
    assert_eq!(
        (
            link.generation,
            link.generation_max,
            link.width,
            link.width_max
        ),
        (1, 2, 16, 16)
    );
    let busy = card.busy.known().unwrap();
    assert_eq!((busy.gpu_percent, busy.memory_percent), (0, 1));
    assert_eq!(card.throttle, Fact::Is(vec!["gpu_idle".to_owned()]));
    assert_eq!(card.processes, Fact::Is(Vec::new()));
    assert_eq!(card.ecc_uncorrected, Fact::unknown(NOT_SUPPORTED));
    assert_eq!(gpus(&nvidia)[0].power_mw, Fact::unknown(NOT_SUPPORTED));
    assert_eq!(gpus(&nvidia)[0].persistence, Fact::Is(false));
}

#[test]
fn who_computes_and_who_only_draws() {
    let nvidia = read(Z440);
    let ollama = GpuProcess {
        pid: 4711,
        program: Some("ollama".to_owned()),
        unit: None,
        memory_bytes: Some(900 << 20),
    };
    assert_eq!(gpus(&nvidia)[2].processes, Fact::Is(vec![ollama]));
}

#[test]
fn what_it_does_not_say_is_not_known() {
    let nvidia = read(Z440);
    let why = "the probe could not run, and nvidia-smi does not say it";
    assert_eq!(nvidia.compute, Fact::unknown(why));
    assert_eq!(nvidia.pci, Fact::unknown(why));
    assert_eq!(nvidia.module, Fact::unknown(why));
    assert_eq!(gpus(&nvidia)[0].compute_capability, Fact::unknown(why));
    let without = Z440.replace("slow_threshold", "other_threshold");
    assert_eq!(gpus(&read(&without))[0].slowdown_c, Fact::unknown(why));
}

#[test]
fn what_a_card_says_instead_of_a_number_is_the_reason() {
    let says = |text: &str| Z440.replace("<gpu_temp>41 C<", &format!("<gpu_temp>{text}<"));
    let temperature = |text: &str| gpus(&read(&says(text)))[1].temperature_c.clone();
    assert_eq!(temperature("[N/A]"), Fact::unknown(NOT_SUPPORTED));
    for words in [
        "Requested functionality has been deprecated",
        "GPU is lost",
        "99999999999 C",
    ] {
        match temperature(words) {
            Fact::Unknown(why) => assert!(why.contains(words.trim_end_matches(" C")), "{why}"),
            Fact::Is(value) => panic!("{words} was read as {value}"),
        }
    }
}

#[test]
fn the_names_of_other_drivers() {
    let newer = Z440
        .replace("driver_version>", "kmd_version>")
        .replace("cuda_version>", "cuda_umd_version>");
    assert_eq!(read(&newer).library, read(Z440).library);
    let older = Z440
        .replace("clocks_event_reason", "clocks_throttle_reason")
        .replace("gpu_power_readings", "power_readings")
        .replace("average_power_draw", "power_draw")
        .replace("current_power_limit", "enforced_power_limit");
    assert_eq!(gpus(&read(&older)), gpus(&read(Z440)));
}

#[test]
fn errors_of_memory_are_counted_in_both_forms() {
    let counted = Z440.replace("<dram_uncorrectable>N/A<", "<dram_uncorrectable>3<");
    assert_eq!(gpus(&read(&counted))[1].ecc_uncorrected, Fact::Is(3));
    let older = Z440.replace(
        "<volatile>",
        "<volatile><double_bit><total>2</total></double_bit>",
    );
    assert_eq!(gpus(&read(&older))[1].ecc_uncorrected, Fact::Is(2));
}

#[test]
fn its_own_words_are_in_the_error() {
    let said =
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580";
    let error = format!("{:#}", nvidia_from_smi(said).unwrap_err());
    assert!(error.contains("Driver/library version mismatch"), "{error}");
    assert!(nvidia_from_smi("").is_err());
    assert!(nvidia_from_smi("<other/>").is_err());
    assert!(nvidia_from_smi(&" ".repeat(20 << 20)).is_err());
    let nameless = Z440
        .replace("<uuid>", "<nouuid>")
        .replace("</uuid>", "</nouuid>");
    assert!(format!("{:#}", nvidia_from_smi(&nameless).unwrap_err()).contains("uuid"));
}

#[test]
fn nothing_that_is_broken_stops_the_reader() {
    // A linear congruential generator: the same bytes each time.
    let mut state = 1_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..300 {
        let mut bytes = Z440.as_bytes().to_vec();
        bytes.truncate(next() % (bytes.len() + 1));
        for _ in 0..next() % 20 {
            let length = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(next() % length) {
                *byte = next() as u8;
            }
        }
        let _ = nvidia_from_smi(&String::from_utf8_lossy(&bytes));
    }
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
                <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">\
                <!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;\">]>\
                <nvidia_smi_log>&f;&f;&f;&f;&f;</nvidia_smi_log>";
    let _ = nvidia_from_smi(bomb);
}
