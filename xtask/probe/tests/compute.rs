//! The proof that cards compute, against the mock CUDA: whole cards, and each fault with
//! what is said of it.
//!
//! What it does not prove: that a real card takes the kernels. The mock does not look at
//! their PTX.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../src/compute/mod.rs"]
#[allow(dead_code, reason = "the program's own way in is not used here")]
mod compute;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use compute::{Asking, ask_each};
use lab_facts::{Fact, Proof};
use tempfile::TempDir;

const GT_1030: &str = "GPU-5f1c30aa-1030-4d01-8a10-c0ffee000001";
const K2200: &str = "GPU-2e7b2200-2200-13ba-9b20-c0ffee000002";
const GTX_1050_TI: &str = "GPU-9a431050-1050-4c82-a1d0-c0ffee000003";
const NOWHERE: &str = "GPU-00000000-0000-4000-8000-000000000000";

const CARDS: &str = include_str!("../../../tests/mock-nvml/cards/z440.toml");

/// Ample for a slow machine; where a card hangs the test takes its own.
const LIMIT: Duration = Duration::from_secs(60);

/// A machine with the mock library and a file of cards.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// The three cards, with something more said of the second one, and of the machine.
    fn new(of_machine: &str, of_second: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(library(), folder.path().join("libcuda.so.1")).unwrap();
        let second = "name = \"Quadro K2200\"\n";
        assert!(CARDS.contains(second));
        let cards = CARDS.replace(second, &format!("{second}{of_second}\n"));
        let cards = format!("{of_machine}\n{cards}");
        // Little memory, so that the tests are quick.
        let total = "memory_total_mib";
        let cards = cards.replace(total, &format!("compute_memory_mib = 40\n{total}"));
        std::fs::write(folder.path().join("cards.toml"), cards).unwrap();
        Machine { folder }
    }

    fn cards(&self) -> PathBuf {
        self.folder.path().join("cards.toml")
    }

    fn ask(&self, uuids: &[&str], whole: bool, limit: Duration) -> Vec<Fact<Proof>> {
        let cards = self.cards();
        let asking = Asking {
            program: Path::new(PROGRAM),
            environment: &[
                ("LD_LIBRARY_PATH", self.folder.path().as_os_str()),
                ("MOCK_NVML", cards.as_os_str()),
            ],
            whole,
            limit,
        };
        let uuids: Vec<String> = uuids.iter().map(|&uuid| uuid.to_owned()).collect();
        let answers = ask_each(&asking, &uuids);
        assert!(answers.iter().map(|(uuid, _)| uuid).eq(&uuids));
        answers.into_iter().map(|(_, proof)| proof).collect()
    }

    /// What is said of the second card.
    fn second(&self) -> Fact<Proof> {
        self.ask(&[K2200], false, LIMIT).remove(0)
    }

    /// Runs the program as a child is run, with this environment besides.
    fn run(&self, arguments: &[&str], environment: &[(&str, &OsStr)]) -> Output {
        Command::new(PROGRAM)
            .args(arguments)
            .env("LD_LIBRARY_PATH", self.folder.path())
            .env("MOCK_NVML", self.cards())
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_lab-probe");

/// The file that the build made: beside the tests' own.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let beside = test.parent().unwrap().join("liblab_mock_cuda.so");
    assert!(beside.exists(), "{} was not built", beside.display());
    beside
}

fn why(fact: &Fact<Proof>) -> String {
    fact.get().unwrap_err().to_owned()
}

#[test]
fn three_cards_compute_at_once() {
    let machine = Machine::new("", "");
    let proofs = machine.ask(&[GT_1030, K2200, GTX_1050_TI], false, LIMIT);
    for (proof, bandwidth) in proofs.iter().zip([38_400, 64_000, 89_600]) {
        let proof = proof.get().unwrap();
        assert_eq!((proof.wrong, proof.wrong_words), (0, 0));
        assert_eq!(proof.computed, (1 << 20) + (1 << 18));
        // Half of what is free stays free on a card of 40 MiB.
        assert_eq!(proof.filled_bytes, 20 << 20);
        let off = proof.bandwidth_mb_s.abs_diff(bandwidth);
        assert!(
            off <= bandwidth / 100,
            "{} for {bandwidth}",
            proof.bandwidth_mb_s
        );
    }
}

#[test]
fn the_whole_memory_but_the_margin_is_filled() {
    let machine = Machine::new("", "");
    std::fs::write(
        machine.cards(),
        std::fs::read_to_string(machine.cards())
            .unwrap()
            .replace("compute_memory_mib = 40", "compute_memory_mib = 500"),
    )
    .unwrap();
    let proof = machine.ask(&[K2200], true, LIMIT).remove(0);
    let proof = proof.get().unwrap();
    // Two pieces: 256 MiB and what is left.
    assert_eq!(proof.filled_bytes, (500 - 128) << 20);
    assert_eq!(proof.wrong_words, 0);
}

#[test]
fn numbers_that_are_wrong_are_counted() {
    let proof = Machine::new("", "cuda_fault = 'wrong-result'").second();
    let proof = proof.get().unwrap();
    assert_eq!((proof.wrong, proof.wrong_words), ((1 << 20) / 1000, 0));
}

#[test]
fn a_bit_that_is_always_set_is_one_wrong_word() {
    let machine = Machine::new("", "cuda_fault = 'bad-memory'");
    let proof = machine.second();
    let proof = proof.get().unwrap();
    // Wrong in one of the two patterns, which are each other's complement.
    assert_eq!((proof.wrong, proof.wrong_words), (0, 1));
    let whole = machine.ask(&[K2200], true, LIMIT).remove(0);
    assert_eq!(whole.get().unwrap().wrong_words, 2, "of four patterns");
}

#[test]
fn a_slow_card_is_one_with_a_low_figure() {
    let slow = Machine::new("", "cuda_fault = 'slow'").second();
    assert_eq!(slow.get().unwrap().bandwidth_mb_s / 100, 64);
    let named = Machine::new("", "cuda_bandwidth_mb_s = 12345").second();
    assert!(named.get().unwrap().bandwidth_mb_s.abs_diff(12_345) < 50);
}

#[test]
fn faults_are_told_in_cudas_words_and_plain_ones() {
    let missing = "requires = ['/dev/null', '/nowhere/nvidia-uvm']";
    for (of_machine, of_second, told) in [
        (
            "",
            "cuda_fault = 'ecc'",
            [
                "CUDA_ERROR_ECC_UNCORRECTABLE (uncorrectable ECC error",
                "worn out",
            ],
        ),
        (
            "",
            "cuda_fault = 'out-of-memory'",
            [
                "CUDA_ERROR_OUT_OF_MEMORY (out of memory)",
                "another program holds the card's memory, 3 of 4096 MiB are free",
            ],
        ),
        (
            "",
            "cuda_fault = 'no-device'",
            [
                "CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)",
                "kernel module is not loaded",
            ],
        ),
        (
            "",
            "fault = 'fallen-off'",
            ["CUDA_ERROR_NO_DEVICE", "no longer answers on the bus"],
        ),
        (
            "",
            "fault = 'gpu-is-lost'",
            ["opening the card: CUDA_ERROR_UNKNOWN", "nvidia-uvm"],
        ),
        (
            missing,
            "",
            [
                "initialising CUDA: CUDA_ERROR_UNKNOWN (unknown error)",
                "modprobe nvidia-uvm",
            ],
        ),
        (
            "fault = 'mismatch'",
            "",
            ["CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "restart"],
        ),
        (
            "fault = 'no-permission'",
            "",
            ["CUDA_ERROR_OPERATING_SYSTEM", "/dev/nvidia-uvm"],
        ),
        (
            "requires = ['/nowhere/nvidiactl']",
            "",
            ["CUDA_ERROR_NO_DEVICE", "/dev/nvidia* are missing"],
        ),
    ] {
        let why = why(&Machine::new(of_machine, of_second).second());
        for words in told {
            assert!(why.contains(words), "{of_machine}{of_second}: {why}");
        }
        assert!(!why.contains('\n'), "{why}");
    }
}

#[test]
fn a_hanging_card_costs_its_own_time_only_and_leaves_no_process() {
    let machine = Machine::new("", "cuda_fault = 'hang'");
    let began = Instant::now();
    let limit = Duration::from_secs(5);
    let proofs = machine.ask(&[GT_1030, K2200, GTX_1050_TI], false, limit);
    let took = began.elapsed();
    assert!(
        took >= limit && took < limit + Duration::from_secs(2),
        "{took:?}"
    );
    let told = why(&proofs[1]);
    assert!(
        told.contains("did not answer within 5 s, and it was stopped"),
        "{told}"
    );
    assert!(
        proofs[0].known().is_some() && proofs[2].known().is_some(),
        "{proofs:?}"
    );
    assert_eq!(processes_of(&machine), [0; 0]);
}

#[test]
fn a_card_dies_with_the_one_that_asks_it() {
    let machine = Machine::new("", "cuda_fault = 'hang'");
    // A shell starts the process and is killed, as when the line to the machine is cut.
    let mut shell = Command::new("sh")
        .args([
            "-c",
            "\"$0\" compute-one \"$1\" quick & wait",
            PROGRAM,
            K2200,
        ])
        .env("LD_LIBRARY_PATH", machine.folder.path())
        .env("MOCK_NVML", machine.cards())
        .env("CUDA_VISIBLE_DEVICES", K2200)
        .spawn()
        .unwrap();
    assert!(
        soon(|| processes_of(&machine).len() == 2),
        "shell and child"
    );
    // The child first has to ask the kernel for that.
    std::thread::sleep(Duration::from_millis(500));
    shell.kill().unwrap();
    shell.wait().unwrap();
    assert!(
        soon(|| processes_of(&machine).is_empty()),
        "{:?}",
        processes_of(&machine)
    );
}

fn soon(done: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !done() {
        if began.elapsed() > Duration::from_secs(10) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Processes that were started over this machine's cards.
fn processes_of(machine: &Machine) -> Vec<u32> {
    let cards = format!("MOCK_NVML={}", machine.cards().display());
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id| {
            let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|one| one == cards.as_bytes())
        })
        .collect()
}

#[test]
fn a_crash_is_unknown_with_the_last_words() {
    let machine = Machine::new("", "cuda_fault = 'crash'");
    let proofs = machine.ask(&[K2200, GT_1030], false, LIMIT);
    let told = why(&proofs[0]);
    assert!(
        told.contains("ended by signal 6 (SIGABRT) without an answer"),
        "{told}"
    );
    assert!(
        told.contains("mock CUDA: crashes, as it was told to"),
        "{told}"
    );
    assert!(proofs[1].known().is_some());
}

#[test]
fn another_card_than_the_one_that_was_meant_proves_nothing() {
    let machine = Machine::new("", "");
    let other = [("CUDA_VISIBLE_DEVICES", OsStr::new(K2200))];
    let output = machine.run(&["compute-one", GT_1030, "quick"], &other);
    assert_eq!(output.status.code(), Some(1));
    let fact: Fact<Proof> = serde_json::from_slice(&output.stdout).unwrap();
    let told = why(&fact);
    assert!(
        told.contains(&format!("gave the card {K2200}, and not {GT_1030}")),
        "{told}"
    );
}

#[test]
fn a_card_that_is_not_there_and_a_uuid_that_is_none() {
    let machine = Machine::new("", "");
    let proofs = machine.ask(&[NOWHERE, "GPU-5f1c30aa", "--help"], false, LIMIT);
    assert!(
        why(&proofs[0]).contains("CUDA_ERROR_NO_DEVICE"),
        "{proofs:?}"
    );
    assert!(
        why(&proofs[1]).contains("`GPU-5f1c30aa` is no UUID"),
        "{proofs:?}"
    );
    assert!(why(&proofs[2]).contains("is no UUID"), "{proofs:?}");
}

#[test]
fn a_machine_without_the_library_says_so() {
    let machine = Machine::new("", "");
    std::fs::remove_file(machine.folder.path().join("libcuda.so.1")).unwrap();
    let told = why(&machine.second());
    if told.contains("CUDA_ERROR") {
        let test = "probe: a_machine_without_the_library_says_so";
        lab_not_run::not_run(test, "this machine has a libcuda.so.1 of its own");
        return;
    }
    assert!(told.contains("loading libcuda.so.1: "), "{told}");
    assert!(
        told.contains("not installed (package libnvidia-compute-"),
        "{told}"
    );
}

#[test]
fn a_library_that_lacks_a_function_is_told_and_crashes_nothing() {
    let machine = Machine::new("", "");
    let there = machine.folder.path().join("libcuda.so.1");
    std::fs::remove_file(&there).unwrap();
    // Any library will do: the C library's math has no cuInit.
    let Some(math) = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6"]
        .into_iter()
        .find(|path| Path::new(path).exists())
    else {
        lab_not_run::not_run(
            "probe: a_library_that_lacks_a_function",
            "no libm.so.6 was found",
        );
        return;
    };
    std::os::unix::fs::symlink(math, there).unwrap();
    let told = why(&machine.second());
    assert!(told.contains("Missing symbol cuInit"), "{told}");
}

#[test]
fn a_program_that_is_not_the_probe_is_no_proof() {
    for (program, told) in [
        ("/bin/true", "ended with status 0 without an answer"),
        ("/bin/false", "ended with status 1 without an answer"),
        (
            "/nowhere/lab-probe",
            "starting /nowhere/lab-probe: No such file",
        ),
    ] {
        let asking = Asking {
            program: Path::new(program),
            environment: &[],
            whole: false,
            limit: LIMIT,
        };
        let proof = ask_each(&asking, &[K2200.to_owned()]).remove(0).1;
        assert!(why(&proof).contains(told), "{proof:?}");
    }
}
