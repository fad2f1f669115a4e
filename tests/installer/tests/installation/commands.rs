//! Early, late and error commands, and what their failures leave undone.

use std::time::{Duration, Instant};

use lab_installer::events::Stage;
use lab_installer::install::FAILED;

use crate::bench::{Bench, Ended, FILE};

fn run(bench: &Bench, more: &str) -> Ended {
    bench.put("/autoinstall.yaml", &format!("{FILE}{more}"));
    bench.run()
}

#[test]
fn a_failing_early_command_stops_it_before_a_disk_is_touched() {
    let bench = Bench::new();
    let ended = run(
        &bench,
        "  early-commands: ['echo first', [sh, -c, 'echo why >&2; exit 3'], 'touch $BENCH/third']
  error-commands: ['false', 'pwd >$BENCH/error-command']
",
    );
    assert!(!ended.ok);
    assert!(!ended.touched_a_disk(), "{}", ended.calls);
    assert!(!bench.has("/third"));
    assert_eq!(bench.get("/error-command"), "/\n");
    assert_eq!(bench.get("/run/subiquity/server-state"), "ERROR");
    assert!(
        ended.said.ends_with(&format!("{FAILED}\n")),
        "{}",
        ended.said
    );
    assert!(
        ended.said.contains("\nfirst\n") && ended.said.contains("\nwhy\n"),
        "{}",
        ended.said
    );
    let failure = format!(
        "finish: {}/command_1: FAIL: Command 'sh -c 'echo why >&2; exit 3'' returned non-zero exit status 3.\n",
        Stage::Early.name()
    );
    assert!(ended.said.contains(&failure), "{}", ended.said);
    assert_eq!(
        std::fs::read_dir(bench.path("/var/crash")).unwrap().count(),
        1
    );
}

#[test]
fn early_commands_may_rewrite_the_file() {
    let bench = Bench::new();
    let ended = run(
        &bench,
        "  early-commands: [\"sed -i \\\"s/'gpu-server'/'renamed'/\\\" $BENCH/autoinstall.yaml\"]\n",
    );
    assert!(ended.ok, "{}", ended.said);
    assert_eq!(bench.get("/target/etc/hostname"), "renamed\n");
}

#[test]
fn a_failing_late_command_stops_all_that_comes_after_it() {
    let bench = Bench::new();
    let ended = run(
        &bench,
        "  late-commands: ['test -d $TARGET_MOUNT_POINT/etc', 'exit 7', 'touch $BENCH/third']
  error-commands: ['touch $BENCH/error-command']
",
    );
    assert!(!ended.ok);
    assert!(
        ended.said.contains(&Stage::Late.failure()),
        "{}",
        ended.said
    );
    assert!(bench.has("/error-command") && !bench.has("/third"));
    assert!(!ended.calls.contains("systemctl"), "{}", ended.calls);
    assert!(
        !bench.has("/target/var/log/installer"),
        "nothing is copied to the target"
    );
    assert!(bench.has("/target/etc/hostname"));
}

#[test]
fn what_a_command_leaves_running_does_not_hold_it_up() {
    let bench = Bench::new();
    let begun = Instant::now();
    let ended = run(&bench, "  early-commands: ['sleep 8 & echo begun']\n");
    assert!(ended.ok, "{}", ended.said);
    assert!(
        begun.elapsed() < Duration::from_secs(7),
        "it was waited for"
    );
    assert!(ended.said.contains("\nbegun\n"), "{}", ended.said);
}

#[test]
fn a_disk_that_breaks_is_an_error_with_its_words() {
    let bench = Bench {
        fails: "mkfs.ext4 -q -F /dev/vda2",
        ..Bench::new()
    };
    let ended = run(&bench, "  error-commands: ['touch $BENCH/error-command']\n");
    assert!(!ended.ok);
    assert!(
        ended.said.contains("mkfs.ext4: it is broken"),
        "{}",
        ended.said
    );
    assert!(bench.has("/error-command"));
}

#[test]
fn a_file_that_is_wrong_touches_nothing() {
    for (more, word) in [
        (
            "  strorage: {}\n",
            "autoinstall.strorage: found an unknown key",
        ),
        (
            "  snaps: []\n",
            "autoinstall.snaps: found a key that the real installer knows",
        ),
        (
            "  shutdown: 'halt'\n",
            "autoinstall.shutdown: found `halt`, expected one of reboot, poweroff",
        ),
    ] {
        let bench = Bench::new();
        let ended = run(
            &bench,
            &format!("{more}  error-commands: ['touch $BENCH/error-command']\n"),
        );
        assert!(!ended.ok && !ended.touched_a_disk(), "{}", ended.calls);
        assert!(ended.said.contains(word), "{word} in {}", ended.said);
        assert!(bench.has("/error-command"), "{more}");
    }
}

#[test]
fn without_the_kernel_word_somebody_is_asked() {
    let bench = Bench::new();
    bench.put("/proc/cmdline", "quiet ---\n");
    bench.put("/autoinstall.yaml", FILE);
    let ended = bench.run_with("y\nno\n");
    assert!(!ended.ok && !ended.touched_a_disk(), "{}", ended.calls);
    assert!(
        ended.said.contains("Continue with autoinstall? (yes|no)"),
        "{}",
        ended.said
    );
    let ended = bench.run_with("maybe\nyes\n");
    assert!(ended.ok && ended.touched_a_disk(), "{}", ended.said);
}

#[test]
fn an_unreachable_archive_is_what_the_file_says_it_is() {
    for (fallback, ok) in [
        ("abort", false),
        ("offline-install", true),
        ("continue-anyway", true),
    ] {
        let bench = Bench::new();
        bench.put(
            "/proc/net/route",
            "Iface\tDestination\tGateway\neth0\t00000000\t0102A8C0\n",
        );
        let ended = run(
            &bench,
            &format!("  apt: {{geoip: false, fallback: '{fallback}'}}\n"),
        );
        assert_eq!(ended.ok, ok, "{}", ended.said);
        assert_eq!(
            ended.said.contains(&Stage::Updates.start()),
            fallback == "continue-anyway"
        );
    }
}
