//! What `lab status` says.

use std::fs;
use std::process::{Command, Stdio};

use crate::bench::{Bench, LAB, is_root, said, with_driver};
use crate::common::have;

#[test]
fn all_ready_is_a_line_and_status_0() {
    let bench = Bench::ready(&["base", "driver", "ollama"]);
    bench.unit("ollama.service", "active/running", "");
    let (status, table, _) = bench.lab(&["status"]);
    assert_eq!(status, 0, "{table}");
    assert_eq!(
        table,
        "UNIT            STATE        SINCE    WHAT\n\
base            ready        2 min\n\
driver          ready        2 min\n\
ollama          ready        2 min\n\
ollama.service  active       2 min\n"
    );
    assert_eq!(
        bench.lab(&["status", "--brief"]).1,
        "lab gpu-server: ready, 3 units\n"
    );
    assert_eq!(bench.text("asked").lines().count(), 2, "a question each");
}

#[test]
fn what_waits_says_for_what_and_how_long() {
    let more = "SubState=auto-restart\nResult=exit-code\nExecMainStatus=75\nNRestarts=2\nExecMainExitTimestampMonotonic=990000000\nRestartUSecNext=1min 1.500s";
    let bench = with_driver(
        "activating/start",
        more,
        "state=waiting\nsince=1\ntry=3\ntext=the mirror is down\nway_out=\n",
    );
    let (status, table, _) = bench.lab(&["status"]);
    assert_eq!(status, 3, "{table}");
    assert!(
        table.contains(
            "driver  waiting      2 min    next try in 52 s (try 4): the mirror is down\n"
        ),
        "{table}"
    );
    assert!(
        table.contains("ollama  waiting      -        waits for driver\n"),
        "{table}"
    );
    assert_eq!(
        bench.lab(&["status", "--porcelain"]).1,
        "base\tready\t1795000000\t0\t\t\ndriver\twaiting\t1795000000\t4\tthe mirror is down\t\nollama\twaiting\t0\t0\twaits for driver\t\nlab\tworking\n"
    );
}

#[test]
fn what_works_says_at_what() {
    let bench = with_driver(
        "activating/start",
        "NRestarts=1",
        "state=working\nsince=1\ntry=2\ntext=installs the driver\nway_out=\n",
    );
    let (status, table, _) = bench.lab(&["status"]);
    assert_eq!(status, 3);
    assert!(
        table.contains("driver  working      2 min    installs the driver (try 2)\n"),
        "{table}"
    );
}

#[test]
fn what_failed_says_why_and_the_way_out() {
    let note = "state=failed\nsince=1\ntry=1\ntext=the card gt1030 is missing\nway_out=seat it\n";
    let bench = with_driver("failed/failed", "Result=exit-code\nExecMainStatus=78", note);
    let (status, table, _) = bench.lab(&["status"]);
    assert_eq!(status, 1);
    assert!(table.contains("failed       2 min    the card gt1030 is missing\n                              way out: seat it\n"), "{table}");
    if is_root() {
        assert!(
            table.ends_with(
                "\nThe last lines of the log of driver\n  first ?[2J line\n  last line\n"
            ),
            "{table}"
        );
        assert_eq!(
            bench.text("journal"),
            "-q -u lab-driver.service -n 8 -o cat --no-pager\n"
        );
    }
    assert!(
        bench
            .lab(&["status", "--porcelain"])
            .1
            .ends_with("lab\tfailed\n")
    );
}

#[test]
fn systemd_is_believed_and_not_the_unit() {
    for (result, words) in [
        ("Result=timeout", "ran past its time limit"),
        ("Result=signal\nExecMainStatus=9", "was killed by signal 9"),
        ("Result=oom-kill", "was killed for want of memory"),
        (
            "Result=start-limit-hit",
            "was started too often in a short time",
        ),
    ] {
        let bench = with_driver(
            "failed/failed",
            result,
            "state=ready\nsince=1\ntry=1\ntext=all well\nway_out=none\n",
        );
        let (status, out, _) = bench.lab(&["status", "--porcelain"]);
        assert_eq!(status, 1);
        assert!(
            out.contains(&format!(
                "driver\tfailed\t1795000000\t0\t{words}\tlab logs driver"
            )),
            "{out}"
        );
        assert!(!out.contains("all well"), "{out}");
    }
    let bench = with_driver(
        "failed/failed",
        "Result=timeout",
        "state=working\ntext=pulls an image\n",
    );
    assert!(
        bench
            .lab(&["status", "--porcelain"])
            .1
            .contains("ran past its time limit; it was at: pulls an image")
    );
}

#[test]
fn what_was_not_started_says_what_it_needs() {
    let bench = with_driver("failed/failed", "Result=timeout", "");
    bench.unit(
        "lab-ollama.service",
        "inactive/dead",
        "Requires=sysinit.target lab-driver.service",
    );
    let (_, out, _) = bench.lab(&["status", "--porcelain"]);
    assert!(
        out.contains("ollama\tnot-started\t1795000000\t0\tneeds driver\t\n"),
        "{out}"
    );
    bench.put(
        "show",
        "Id=lab-base.service\nLoadState=not-found\nActiveState=inactive\n",
    );
    let (status, out, _) = bench.lab(&["status", "--porcelain"]);
    assert_eq!(status, 1);
    assert!(
        out.contains("systemd cannot load lab-base.service (not-found)"),
        "{out}"
    );
}

#[test]
fn a_failed_service_fails_the_lab_and_a_stopped_one_does_not() {
    let bench = Bench::ready(&["base", "driver", "ollama"]);
    bench.unit("jupyter.service", "inactive/dead", "");
    assert_eq!(bench.lab(&["status"]).0, 0);
    bench.unit(
        "dcgan.service",
        "failed/failed",
        "Result=exit-code\nExecMainStatus=3",
    );
    let (status, out, _) = bench.lab(&["status", "--brief"]);
    assert_eq!(status, 1);
    assert!(
        out.starts_with("lab gpu-server: failed, 3 of 3 units ready\ndcgan.service  failed"),
        "{out}"
    );
    assert!(!out.contains("jupyter"), "{out}");
}

#[test]
fn hostile_and_broken_notes_do_no_harm() {
    let long = format!("state=working\ntext={}\n", "x".repeat(100_000));
    let notes: [&[u8]; 8] = [
        b"state=working\ntext=\x1b]0;owned\x07\x1b[2J\xc2\x9b31m\r\x00\x08 $(touch /tmp/x) `id` %s\\n\nway_out=\x7f\n",
        b"state=working\ntext=\xff\xfe\x9b\xe2\x80\xae\tx\n",
        long.as_bytes(),
        b"state=wor",
        b"state=working\nsince=99999999999999999999\ntry=a[$(id)]\ntext",
        b"",
        b"\x00\x00\x00",
        b"=\n==\n[x]=1\nstate=]\n",
    ];
    for note in notes {
        let bench = with_driver("activating/start", "", "");
        bench.note("driver", note);
        for words in [
            ["status", "--brief"],
            ["status", "--porcelain"],
            ["status", "--no-color"],
        ] {
            let (status, out, err) = bench.lab(&words);
            assert_eq!((status, err.as_str()), (3, ""), "{out}");
            assert!(
                out.bytes()
                    .all(|b| matches!(b, b'\n' | b'\t' | b' '..=b'~')),
                "{out:?}"
            );
            assert!(out.len() < 3000, "{} bytes", out.len());
            assert!(!out.contains("uid="), "{out}");
        }
    }
}

#[test]
fn hostile_words_of_systemd_do_no_harm() {
    let bench = Bench::new();
    bench.put("show", b"Id=lab-base.service\nLoadState=loaded\nActiveState=failed\nResult=\x1b[31m$(id)\nNRestarts=a[$(id)]\nStateChangeTimestampMonotonic=08x\n\xff=\n=\n");
    let (status, out, err) = bench.lab(&["status", "--porcelain"]);
    assert_eq!((status, err.as_str()), (1, ""), "{out}");
    assert!(!out.contains('\u{1b}') && !out.contains("uid="), "{out}");
}

#[test]
fn it_fits_the_terminal() {
    let text = format!(
        "state=failed\ntext={}{}\nway_out=none\n",
        "several words here ".repeat(9),
        "y".repeat(100)
    );
    for columns in ["20", "40", "60", "80", "132", "200", "0", "x", ""] {
        let bench = with_driver("failed/failed", "Result=exit-code", &text);
        let run = bench
            .command(LAB)
            .args(["status", "--brief"])
            .env("COLUMNS", columns)
            .output()
            .unwrap();
        let (_, out, err) = said(&run);
        assert_eq!(err, "");
        let width = columns.parse().map_or(80, |n: usize| n.max(20));
        let rows: Vec<&str> = out.lines().skip(1).collect();
        assert!(
            rows.iter().all(|row| row.len() <= width),
            "{columns}: {out}"
        );
        let letters = out.matches('y').count();
        assert_eq!(letters, 102, "nothing is lost at {columns}: {out}");
    }
}

#[test]
fn colours_are_for_terminals() {
    if !have("colours_are_for_terminals", &["script"]) {
        return;
    }
    let bench = Bench::ready(&["base", "driver", "ollama"]);
    let coloured = |variable: &str, words: &str| {
        let mut command = bench.command(LAB);
        let line = format!("{} {words}", command.get_program().display());
        let envs: Vec<_> = command
            .get_envs()
            .map(|(k, v)| (k.to_owned(), v.unwrap().to_owned()))
            .collect();
        command = Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .envs(envs)
            .env("TERM", "xterm")
            .env(variable, "1");
        command.stdin(Stdio::null());
        said(&command.output().unwrap()).1.contains("\u{1b}[32m")
    };
    assert!(coloured("OTHER", "status"));
    assert!(!coloured("NO_COLOR", "status"));
    assert!(!coloured("OTHER", "status --no-color"));
    assert!(!bench.lab(&["status"]).1.contains('\u{1b}'));
}

#[test]
fn without_units_or_systemd_it_says_so() {
    let bench = Bench::new();
    fs::remove_file(bench.path("root/etc/lab/units/order")).unwrap();
    let (status, _, err) = bench.lab(&["status"]);
    assert_eq!(status, 1);
    assert!(err.contains("/etc/lab/units/order cannot be read"), "{err}");
    bench.put("root/etc/lab/units/order", "../../x\n$(id)\n\n");
    assert!(bench.lab(&["status"]).2.contains("names no unit"));
    bench.put("root/etc/lab/units/order", "base");
    bench.program(
        "bin/systemctl",
        "#!/bin/sh\necho 'System has not been booted with systemd' >&2\nexit 1\n",
    );
    let (status, out, err) = bench.lab(&["status"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(
        err.contains("ended with 1: System has not been booted"),
        "{err}"
    );
}
