//! The guard, tried on machines made of files, in the shells that a live system
//! may have: what is right goes through, and every single difference stops it.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod machine;

use common::bench::Bench;
use common::{GPU_SERVER, have, image, text_of, variants};
use lab_plan::place;

const SHELLS: &[&str] = &["dash", "busybox sh"];
const PROGRAMS: &[&str] = &["dash", "busybox", "blkid", "wipefs", "mkfs.ext4"];

struct Case {
    name: &'static str,
    /// The variant of the description; the first one when empty.
    variant: &'static str,
    change: fn(&Bench),
    /// What the message must say; nothing where the guard must let it through.
    stops: &'static [&'static str],
}

const fn goes(name: &'static str, variant: &'static str, change: fn(&Bench)) -> Case {
    Case {
        name,
        variant,
        change,
        stops: &[],
    }
}

const fn stops(
    name: &'static str,
    variant: &'static str,
    change: fn(&Bench),
    words: &'static [&'static str],
) -> Case {
    Case {
        name,
        variant,
        change,
        stops: words,
    }
}

const EVO: &str = "Samsung_SSD_870_EVO_250GB";
const SERIAL: &str = "S5STNF0R123456A";

fn lab_on_disk(bench: &Bench, marker: &str) {
    bench.partition("sda", "sda1", "8:1");
    bench.ext4("sda1");
    bench.on("sda1", marker);
}

fn conf_of(variant: &str) -> String {
    let text = variants()
        .into_iter()
        .find(|(name, _)| *name == variant)
        .map_or(GPU_SERVER.to_owned(), |(_, text)| text);
    text_of(&image(&text), place::GUARD_CONF)
}

#[test]
fn right_machines_go_through_and_every_difference_stops() {
    if !have(
        "right_machines_go_through_and_every_difference_stops",
        PROGRAMS,
    ) {
        return;
    }
    let mut wrong = Vec::new();
    let cases: Vec<&Case> = machine::CASES.iter().chain(disk::CASES).collect();
    for case in &cases {
        let conf = conf_of(case.variant);
        for shell in SHELLS {
            let bench = Bench::z440(&conf, shell);
            (case.change)(&bench);
            let before = bench.content("sda");
            let run = bench.run("install");
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&run.stdout),
                String::from_utf8_lossy(&run.stderr)
            );
            let expected = if case.stops.is_empty() { 0 } else { 1 };
            let missing: Vec<_> = case
                .stops
                .iter()
                .filter(|words| !said.contains(**words))
                .collect();
            let passed = bench.path("root/run/lab-guard/passed").exists();
            let told =
                passed == case.stops.is_empty() && (passed || said.contains("Nothing was written"));
            let noise = String::from_utf8_lossy(&run.stderr).into_owned();
            if run.status.code() != Some(expected)
                || !missing.is_empty()
                || !told
                || !noise.is_empty()
                || bench.content("sda") != before
            {
                wrong.push(format!(
                    "{} in {shell}: {}, missing {missing:?}\n{said}",
                    case.name, run.status
                ));
            }
            assert!(
                !bench.path("pwned").exists() && !std::path::Path::new("pwned").exists(),
                "{}: a text was run",
                case.name
            );
        }
    }
    eprintln!("{} cases in {} shells", cases.len(), SHELLS.len());
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len() * SHELLS.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_missing_program_stops() {
    if !have("a_missing_program_stops", PROGRAMS) {
        return;
    }
    // The programs that the guard may use; each is left out once.
    let all = [
        "sh", "cat", "sed", "tr", "cut", "head", "mkdir", "rm", "grep", "dirname", "basename",
        "wipefs", "blkid", "dd", "udevadm", "mount", "umount",
    ];
    for left_out in all
        .iter()
        .filter(|name| !["sh", "rm", "grep"].contains(name))
    {
        let bench = Bench::z440(&conf_of(""), "dash");
        for name in all
            .iter()
            .filter(|name| *name != left_out && !bench.path(&format!("bin/{name}")).exists())
        {
            let found = common::succeed(std::process::Command::new("sh").args([
                "-c",
                "command -v \"$1\"",
                "sh",
                name,
            ]));
            std::os::unix::fs::symlink(found.trim(), bench.path(&format!("bin/{name}"))).unwrap();
        }
        if bench.path(&format!("bin/{left_out}")).exists() {
            bench.remove(&format!("bin/{left_out}"));
        }
        let run = bench.run_in("install", &bench.path("bin").display().to_string());
        // basename names partitions only, and there are none.
        let expected = *left_out == "basename";
        assert_eq!(
            run.status.success(),
            expected,
            "without {left_out}: {}",
            String::from_utf8_lossy(&run.stdout)
        );
    }
}

#[test]
fn a_missing_or_torn_part_stops() {
    if !have("a_missing_or_torn_part_stops", PROGRAMS) {
        return;
    }
    for shell in SHELLS {
        for part in ["guard.conf", "facts.sh", "guard"] {
            let bench = Bench::z440(&conf_of(""), shell);
            let whole = std::fs::read_to_string(bench.path(&format!("lab/{part}"))).unwrap();
            // Between two functions a torn script is a good one, but for its end.
            let ends = whole.match_indices("\n}\n").map(|(at, _)| at + 3);
            for keep in [0, 1, whole.len() / 3, whole.len() - 30]
                .into_iter()
                .chain(ends)
            {
                bench.put(&format!("lab/{part}"), &whole[..keep]);
                let ended_well = bench.run("install").status.success();
                assert!(
                    !ended_well || !bench.path("root/run/lab-guard/passed").exists(),
                    "{part} of {keep} bytes in {shell}"
                );
                assert!(
                    !ended_well || part == "guard",
                    "{part} of {keep} bytes in {shell}"
                );
            }
            bench.remove(&format!("lab/{part}"));
            assert!(
                !bench.run("install").status.success(),
                "without {part} in {shell}"
            );
        }
        let bench = Bench::z440(&conf_of(""), shell);
        for word in ["", "Install", "install now", "--root"] {
            assert!(!bench.run(word).status.success(), "{word:?}");
        }
    }
}

#[test]
fn every_screen_and_the_log_have_the_message() {
    if !have("every_screen_and_the_log_have_the_message", PROGRAMS) {
        return;
    }
    let bench = Bench::z440(&conf_of(""), "dash");
    bench.root("dev/console", "");
    bench.root("dev/tty1", "");
    bench.sys("class/dmi/id/product_name", "Other\n");
    assert!(!bench.run("install").status.success());
    for place in ["dev/console", "dev/tty1", "run/lab-guard.log"] {
        let text = std::fs::read_to_string(bench.path("root").join(place)).unwrap();
        assert!(
            text.contains("IS NOT INSTALLED HERE") && text.contains("Other"),
            "{place}: {text}"
        );
    }
    let failed = String::from_utf8(bench.run("failed").stdout).unwrap();
    assert!(
        failed.contains("the guard stopped this installation"),
        "{failed}"
    );
    let fine = Bench::z440(&conf_of(""), "dash");
    assert!(fine.run("install").status.success());
    let failed = String::from_utf8(fine.run("failed").stdout).unwrap();
    assert!(failed.contains("FAILED after the guard"), "{failed}");
}

#[test]
fn what_it_reports_is_a_description_that_fits() {
    if !have("what_it_reports_is_a_description_that_fits", PROGRAMS) {
        return;
    }
    for shell in SHELLS {
        let bench = Bench::z440(&conf_of(""), shell);
        bench.sys("class/net/eno1/address", "a0:8c:fd:01:02:03\n");
        bench.sys("class/net/eno1/operstate", "up\n");
        bench.sys("class/net/eno1/device/x", "");
        bench.sys("class/net/lo/address", "00:00:00:00:00:00\n");
        bench.remove("root/sys/block/sdb");
        let run = bench.run("report");
        assert!(run.status.success());
        let report = String::from_utf8(run.stdout).unwrap();
        let machine = common::machine(&format!("{report}\n[ollama]\nmodels = []\n"));
        assert_eq!(
            machine.identity.product.map(String::from).as_deref(),
            Some("HP Z440 Workstation")
        );
        assert_eq!(machine.identity.memory_gib, Some(32));
        assert_eq!(
            machine
                .disk
                .serial
                .as_ref()
                .map(lab_machine::types::DiskSerial::as_str),
            Some(SERIAL)
        );
        assert_eq!(machine.disk.size_gb, Some(250));
        assert_eq!(
            machine.network.mac.map(String::from).as_deref(),
            Some("a0:8c:fd:01:02:03")
        );
        assert_eq!(machine.cards.len(), 3);
        let described = Bench::z440(&text_of(&image(&report), place::GUARD_CONF), shell);
        assert!(
            described.run("install").status.success(),
            "the machine is not the one it reported"
        );
    }
}

#[test]
fn showing_waits_for_enter_and_never_returns_to_the_installer() {
    if !have(
        "showing_waits_for_enter_and_never_returns_to_the_installer",
        PROGRAMS,
    ) {
        return;
    }
    let bench = Bench::z440(&conf_of(""), "dash");
    bench.root("dev/console", "\n");
    bench.program("chvt", "#!/bin/sh\nexit 1\n");
    bench.program(
        "systemctl",
        "#!/bin/sh\necho \"$@\" >>\"$LAB_BENCH/asked\"\n",
    );
    bench.program(
        "sleep",
        "#!/bin/sh\n[ \"$1\" = 1 ] || echo \"sleep $1\" >>\"$LAB_BENCH/asked\"\n",
    );
    let run = bench.run("show");
    assert_eq!(run.status.code(), Some(1), "the installer would go on");
    assert_eq!(
        std::fs::read_to_string(bench.path("asked")).unwrap(),
        "poweroff\nsleep 600\n"
    );
    assert!(
        String::from_utf8(run.stdout)
            .unwrap()
            .contains("Press Enter")
    );
}

/// An NVMe disk with several ways to it shows each as a disk without a node.
#[test]
fn one_way_of_several_to_a_disk_is_no_disk() {
    if !have("one_way_of_several_to_a_disk_is_no_disk", PROGRAMS) {
        return;
    }
    for shell in SHELLS {
        let bench = Bench::z440(&conf_of(""), shell);
        bench.sys("block/nvme0c0n1/size", "488397168\n");
        bench.sys("block/nvme0c0n1/hidden", "0\n");
        assert!(
            !bench.run("install").status.success(),
            "it knows of no such disk"
        );
        bench.sys("block/nvme0c0n1/hidden", "1\n");
        let run = bench.run("install");
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stdout)
        );
    }
}
