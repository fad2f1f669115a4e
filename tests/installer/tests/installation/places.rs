//! Where the file is looked for.

use std::io::{BufRead as _, BufReader};

use lab_installer::install::SCREEN;

use crate::bench::{Bench, FILE};

fn named(hostname: &str) -> String {
    FILE.replace("gpu-server", hostname)
}

#[test]
fn the_first_place_wins() {
    let word = "/proc/cmdline";
    let words = "autoinstall subiquity.autoinstallpath=/cdrom/lab/special.yaml ---\n";
    let cloud = r#"{"autoinstall": {"version": 1,
        "storage": {"layout": {"name": "direct", "match": {"size": "smallest"}}, "swap": {"size": 0}},
        "identity": {"hostname": "cloud", "username": "lab", "password": "!"}}}"#;
    type Place<'a> = (&'a str, &'a str, String);
    let places: [Place<'_>; 4] = [
        ("medium", "/cdrom/autoinstall.yaml", named("medium")),
        (
            "cloud",
            "/run/cloud-init/combined-cloud-config.json",
            cloud.to_owned(),
        ),
        ("root", "/autoinstall.yaml", named("root")),
        ("special", "/cdrom/lab/special.yaml", named("special")),
    ];
    // Each later one is there beside the earlier ones, and wins.
    for count in 1..=places.len() {
        let bench = Bench::new();
        for (_, path, text) in &places[..count] {
            bench.put(path, text);
        }
        if count == places.len() {
            bench.put(word, words);
        }
        let ended = bench.run();
        assert!(ended.ok, "{}", ended.said);
        assert_eq!(
            bench.get("/target/etc/hostname"),
            format!("{}\n", places[count - 1].0)
        );
    }
}

#[test]
fn a_named_file_that_is_missing_leaves_the_next_place() {
    let bench = Bench::new();
    bench.put(
        "/proc/cmdline",
        "autoinstall subiquity.autoinstallpath=/cdrom/none.yaml\n",
    );
    bench.put("/cdrom/autoinstall.yaml", FILE);
    assert!(bench.run().ok);
}

/// Starts it and returns what it says up to the screen.
fn waits(bench: &Bench) -> Vec<String> {
    let mut child = bench.command().spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        said.push(line.unwrap());
        if said.last().is_some_and(|line| line == SCREEN) {
            break;
        }
    }
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(running, "it ended: {said:?}");
    said
}

#[test]
fn a_person_is_waited_for() {
    // Without a file there is nothing to do by itself.
    assert!(waits(&Bench::new()).iter().any(|line| line == SCREEN));
    let bench = Bench::new();
    bench.put(
        "/autoinstall.yaml",
        "autoinstall:\n  version: 1\n  early-commands: ['touch $BENCH/early']\n  interactive-sections: ['*']\n",
    );
    waits(&bench);
    assert!(
        bench.has("/early"),
        "early commands run before anybody is asked"
    );
    assert!(!bench.has("/calls"), "{}", bench.get("/calls"));
}
