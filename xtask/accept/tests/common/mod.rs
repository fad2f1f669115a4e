//! A report of the Z440, as an acceptance of it could end: three cards, every group of checks,
//! a few failures, and workloads with what the cards did meanwhile.
//!
//! It is made up, so it proves nothing of checks or probe: only how a report of that shape is
//! drawn. The picture is drawn by hand, and no GAN's.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

mod claims;
mod results;

use base64::Engine as _;
use lab_accept::report::Report;
use lab_accept::{EVIDENCE_FORMAT, Evidence, Expected, Stage, Subject};
use lab_catalog::Catalog;
use lab_facts::{
    DcganRun, Fact, Facts, Generated, GpuProcess, GpuSample, Loaded, Proof, Sample, Seen, Worked,
    Workload, WorkloadRequest,
};
use lab_machine::Sources;
use serde_json::{Value, json};

pub const MACHINE: &str = include_str!("../../../../images/gpu-server/machine.toml");
const DIGITS: &[u8] = include_bytes!("digits.png");

/// The UUIDs of the Z440's cards: `gt1030`, `k2200`, `gtx1050ti`.
pub const UUIDS: [&str; 3] = [
    "GPU-1e52a94c-7f1d-4a38-b2ce-0c93d1170fa1",
    "GPU-83b7d0f2-55a9-0e6c-9d21-6b40a2c5e7d8",
    "GPU-c4f6e1ab-2d90-f7b3-8a15-e29d7730b4c6",
];

/// The report.
pub fn report() -> Report {
    report_of(&evidence())
}

/// The same of other evidence.
pub fn report_of(evidence: &Evidence) -> Report {
    drawn_up(MACHINE, evidence)
}

/// The same of another description.
pub fn drawn_up(description: &str, evidence: &Evidence) -> Report {
    let sources = Sources::single("images/gpu-server/machine.toml", description);
    let catalog = Catalog::builtin();
    let read = lab_machine::read(&sources, catalog, None);
    let subject = Subject {
        machine: read.machine.as_ref().unwrap(),
        read: &read,
        sources: &sources,
        catalog,
        evidence,
    };
    let results = results::results(&subject);
    Report::new(&subject, results, 187_400)
}

pub fn evidence() -> Evidence {
    let stage = |(name, took_ms): (&str, u64)| Stage {
        name: name.to_owned(),
        took_ms,
    };
    let stages = [
        ("connect", 212),
        ("probe", 38),
        ("facts", 1_904),
        ("root facts", 846),
        ("differences", 411),
        ("ports", 655),
        ("ollama", 22_000),
        ("memory", 14_250),
        ("dcgan", 120_250),
        ("tensorflow", 26_730),
    ];
    Evidence {
        format: EVIDENCE_FORMAT,
        lab: "0.1.0".to_owned(),
        host: "admin@gpu-server".to_owned(),
        taken_unix_ms: 1_795_432_723_000,
        description: Vec::new(),
        expected: Expected {
            description: "sha256:4be1a07f9c3de2b80f51".to_owned() + &"6".repeat(44),
            manifest: String::new(),
            units: Vec::new(),
            locked: None,
        },
        facts: Fact::Is(facts()),
        root: Fact::unknown("not asked"),
        differences: Fact::unknown("not asked"),
        outside: Fact::unknown("not asked"),
        clock_ahead_ms: Fact::unknown("not asked"),
        workloads: vec![ollama(), memory(), dcgan(), tensorflow()],
        workloads_asked: true,
        disruption: None,
        stages: stages.into_iter().map(stage).collect(),
    }
}

fn facts() -> Facts {
    let no = json!({ "unknown": "not asked" });
    let is = |value: Value| json!({ "is": value });
    let gpu = |index: usize,
               name: &str,
               id: &str,
               address: &str,
               capability: &str,
               celsius: u32| {
        json!({
            "uuid": UUIDS[index], "name": name, "address": address, "pci_id": id,
            "compute_capability": is(json!(capability)),
            "memory_total_bytes": is(json!([2_147_483_648_u64, 4_294_967_296, 4_294_967_296][index])),
            "memory_used_bytes": no, "temperature_c": is(json!(celsius)), "slowdown_c": no,
            "power_mw": no, "power_limit_mw": no, "persistence": no, "pcie": no, "busy": no,
            "ecc_uncorrected": no, "throttle": no, "processes": no,
        })
    };
    let computed = |index: usize, bandwidth: u64| {
        json!({ "uuid": UUIDS[index], "proof": is(json!({
            "computed": 1_048_576, "wrong": 0, "filled_bytes": 268_435_456_u64, "wrong_words": 0,
            "bandwidth_mb_s": bandwidth, "took_ms": 180,
        }))})
    };
    let facts = json!({
        "format": 1, "probe": "lab-probe 0.1.0", "taken_unix_ms": 1_795_432_724_000_u64,
        "took_ms": 1_700,
        "system": {
            "hostname": is(json!("gpu-server")),
            "dmi": is(json!({ "vendor": "Hewlett-Packard", "product": "HP Z440 Workstation", "bios": "M60 v02.61" })),
            "cpu": is(json!({ "model": "Intel(R) Xeon(R) CPU E5-1650 v4 @ 3.60GHz", "threads": 12 })),
            "memory_kib": is(json!(32_806_912)), "memory_errors": no, "firmware": no, "secure_boot": no,
            "os": is(json!({ "id": "ubuntu", "version_id": "24.04", "pretty_name": "Ubuntu 24.04.5 LTS" })),
            "kernel": is(json!({ "release": "6.8.0-91-generic", "machine": "x86_64", "command_line": "" })),
            "uptime_s": no, "boot_id": no, "clock": { "synchronized": no, "timezone": no },
            "root": no, "spaces": {}, "disks": no, "nics": no, "systemd": no, "units": no,
            "reboot_required": no, "listeners": no, "files": {},
        },
        "nvidia": {
            "pci": no, "module": no, "nouveau": no, "nodes": no,
            "library": is(json!({ "driver": "580.173.02", "cuda": "13.0" })),
            // NVML's order is not the description's.
            "gpus": is(json!([
                gpu(2, "NVIDIA GeForce GTX 1050 Ti", "10de:1c82", "0000:03:00.0", "6.1", 41),
                gpu(0, "NVIDIA GeForce GT 1030", "10de:1d01", "0000:01:00.0", "6.1", 38),
                gpu(1, "Quadro K2200", "10de:13ba", "0000:02:00.0", "5.0", 44),
            ])),
            "compute": is(json!([computed(0, 38_412), computed(1, 46_250), computed(2, 96_880)])),
            "cdi": no,
        },
        "software": {
            "packages": no, "held": no, "apt_sources": no, "apt_config": no, "release": no,
            "lab_status": no, "lab_gpus": no, "ollama": no, "jupyter_without_token": no,
            "dcgan_page": no, "exporter": no, "nvtop": no, "nvidia_ctk": no,
        },
    });
    serde_json::from_value(facts).unwrap()
}

/// Numbers that look like chance and are the same every time (Knuth's MMIX generator).
pub struct Dice(pub u64);

impl Dice {
    pub fn up_to(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % (most + 1)
    }
}

/// Four samples a second; `busy` says of a moment and a card how busy it is and what it holds.
fn samples(seconds: f64, busy: impl Fn(f64, usize) -> (u32, u64)) -> Vec<Sample> {
    let mut dice = Dice(7);
    let mut heat = [38.0_f64, 44.0, 41.0];
    let count = (seconds * 4.0) as u64;
    let sample = |index: u64| {
        let at = index as f64 / 4.0;
        let gpus = (0..3).map(|card| {
            let (percent, memory_mib) = busy(at, card);
            let percent = percent.saturating_sub(dice.up_to(6 * percent.min(1)));
            let warm = 36.0 + f64::from(percent) * [0.22, 0.33, 0.29][card];
            heat[card] += (warm - heat[card]) * 0.02;
            let watt = 2_600 + percent * 365 + dice.up_to(900);
            GpuSample {
                uuid: UUIDS[card].to_owned(),
                busy_percent: Some(percent),
                // NVML once did not answer in time.
                memory_mib: (!(30..36).contains(&index)).then_some(memory_mib),
                temperature_c: Some(heat[card] as u32),
                power_mw: (card == 1).then_some(watt),
            }
        });
        Sample {
            at_ms: index * 250,
            gpus: gpus.collect(),
        }
    };
    (0..count).map(sample).collect()
}

fn seen(card: usize, pid: u32, program: &str, unit: &str, memory_mib: u64) -> Seen {
    Seen {
        uuid: UUIDS[card].to_owned(),
        process: GpuProcess {
            pid,
            program: Some(program.to_owned()),
            unit: Some(unit.to_owned()),
            memory_bytes: Some(memory_mib << 20),
        },
    }
}

fn ollama() -> Workload {
    Workload {
        request: WorkloadRequest::Ollama {
            address: "127.0.0.1:11434".to_owned(),
            model: "gemma3:1b".to_owned(),
            prompt: "Why is the sky blue?".to_owned(),
            tokens: 400,
            limit_s: 120,
        },
        took_ms: 22_000,
        samples: samples(22.0, |at, card| match (card, at) {
            (1, 2.0..6.0) => (12, 300 + (at * 160.0) as u64),
            (1, 6.0..20.5) => (97, 1_262),
            (1, 20.5..) => (0, 1_262),
            _ => (0, 4),
        }),
        seen: vec![seen(1, 4_711, "ollama", "ollama.service", 1_258)],
        worked: Fact::Is(Worked::Ollama(Generated {
            text: "The sky is blue because air scatters short waves of light more than long ones. \
                   Sunlight holds all colours; the blue part of it reaches the eye from every side."
                .to_owned(),
            tokens: 387,
            took_ns: 14_212_000_000,
            load_ns: 4_090_000_000,
            loaded: vec![Loaded {
                name: "gemma3:1b".to_owned(),
                size: 1_292_476_416,
                size_vram: 1_292_476_416,
            }],
        })),
    }
}

fn memory() -> Workload {
    let proof = |card: usize, filled_mib: u64, bandwidth_mb_s: u64| {
        let proof = Proof {
            computed: 1_048_576,
            wrong: 0,
            filled_bytes: filled_mib << 20,
            wrong_words: 0,
            bandwidth_mb_s,
            took_ms: 4_300,
        };
        (UUIDS[card].to_owned(), Fact::Is(proof))
    };
    Workload {
        request: WorkloadRequest::Memory { limit_s: 120 },
        took_ms: 14_250,
        samples: samples(14.25, |at, card| {
            let begin = 0.5 + 4.5 * card as f64;
            match at >= begin && at < begin + 4.3 {
                true => (99, [1_980, 2_690, 3_940][card]),
                false => (0, [4, 1_262, 4][card]),
            }
        }),
        seen: vec![seen(0, 5_120, "lab-probe", "session-4.scope", 1_976)],
        worked: Fact::Is(Worked::Memory(vec![
            proof(0, 1_976, 38_390),
            proof(1, 2_686, 46_180),
            proof(2, 3_936, 96_720),
        ])),
    }
}

fn dcgan() -> Workload {
    let mut dice = Dice(11);
    let mut chance = || f64::from(dice.up_to(1000)) / 1000.0 - 0.5;
    let epoch = |epoch: u32| {
        let settle = (-f64::from(epoch) / 9.0).exp();
        json!({
            "epoch": epoch,
            "seconds": if epoch == 1 { 30.5 } else { 18.2 + chance() },
            "images_per_second": 3_290.0 + 80.0 * chance(),
            "generator_loss": 0.86 - 0.18 * settle + 0.09 * chance(),
            "discriminator_loss": 1.29 - 0.32 * settle + 0.08 * chance(),
        })
        .to_string()
    };
    Workload {
        request: WorkloadRequest::Dcgan {
            folder: "/var/lib/lab/dcgan".to_owned(),
            watch_s: 120,
        },
        took_ms: 120_250,
        samples: samples(120.0, |at, card| match card {
            2 if at % 18.2 < 1.4 => (21, 2_310),
            2 => (96, 2_310),
            1 => (0, 1_262),
            _ => (0, 4),
        }),
        seen: vec![seen(2, 6_032, "python3", "lab-dcgan", 2_306)],
        worked: Fact::Is(Worked::Dcgan(DcganRun {
            metrics: (1..=34).map(epoch).collect(),
            checkpoints: vec!["epoch-0015.ckpt".to_owned(), "epoch-0030.ckpt".to_owned()],
            gif_bytes: None,
            picture: Some(base64::engine::general_purpose::STANDARD.encode(DIGITS)),
        })),
    }
}

fn tensorflow() -> Workload {
    Workload {
        request: WorkloadRequest::TensorFlow {
            container: "lab-jupyter".to_owned(),
            limit_s: 120,
        },
        took_ms: 26_730,
        samples: Vec::new(),
        seen: Vec::new(),
        worked: Fact::unknown("the container lab-jupyter does not run (exit status 137)"),
    }
}
