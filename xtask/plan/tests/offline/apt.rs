//! Packages as they are locked, by real apt and dpkg.

use std::process::Command;

use super::bench::Bench;
use crate::common::{have, not_run, succeed};

const PROGRAMS: [&str; 7] = [
    "apt-get",
    "dpkg",
    "dpkg-deb",
    "apt-ftparchive",
    "gpg",
    "gpgv",
    "flock",
];

/// A machine with the lock of alpha 1.0 and beta 1:2.0, and both in its payload.
fn bench(test: &str) -> Option<Bench> {
    if !have(test, &PROGRAMS) {
        return None;
    }
    if succeed(Command::new("id").arg("-u")).trim() != "0" {
        not_run(test, "dpkg gives its files to root");
        return None;
    }
    let bench = Bench::new();
    bench.carries_a_payload();
    bench.has_a_repository();
    bench.locks(&[bench.line("alpha", "1.0"), bench.line("beta", "1:2.0")]);
    Some(bench)
}

const INSTALL: &str = "apt_update; apt_install alpha=1.0; present_packages alpha=1.0";

#[test]
fn a_payload_installs_without_a_network() {
    let Some(bench) = bench("a_payload_installs_without_a_network") else {
        return;
    };
    bench.well(INSTALL);
    assert_eq!(
        (
            bench.version("alpha").as_str(),
            bench.version("beta").as_str()
        ),
        ("1.0", "1:2.0")
    );
    assert!(!bench.asked_the_network());
    let automatic = bench.well("apt-mark showauto");
    assert_eq!(automatic.split_whitespace().collect::<Vec<_>>(), ["beta"]);
    assert_eq!(bench.well("apt-mark showhold").trim(), "alpha");
    // The lists of the machine's own sources are as they were.
    let lists = std::fs::read_dir(bench.path("var/lib/apt/lists")).unwrap();
    let names: Vec<_> = lists.map(|one| one.unwrap().file_name()).collect();
    assert!(
        names.iter().all(|name| name == "partial" || name == "lock"),
        "{names:?}"
    );
    assert!(!bench.path("var/lib/lab/units/it.auto").exists());
    // A second time there is nothing to do.
    bench.well(INSTALL);
}

#[test]
fn another_build_of_a_package_is_refused_by_name() {
    let Some(bench) = bench("another_build_of_a_package_is_refused_by_name") else {
        return;
    };
    let other = bench.line("beta", "1:2.0");
    let digest = other.split(' ').nth(3).unwrap().to_owned();
    bench.locks(&[
        bench.line("alpha", "1.0"),
        other.replace(&digest, &"0".repeat(64)),
    ]);
    let run = bench.unit(INSTALL);
    assert_eq!(run.status.code(), Some(78), "{run:?}");
    let state = bench.state();
    assert!(
        state.contains("the package beta is not what is locked"),
        "{state}"
    );
    assert!(state.contains(&digest), "{state}");
    assert_eq!(bench.version("beta") + &bench.version("alpha"), "");
}

#[test]
fn what_is_not_locked_is_not_installed() {
    let Some(bench) = bench("what_is_not_locked_is_not_installed") else {
        return;
    };
    bench.locks(&[bench.line("alpha", "1.0")]);
    let run = bench.unit(INSTALL);
    assert_eq!(run.status.code(), Some(78), "{run:?}");
    let state = bench.state();
    assert!(
        state.contains("apt would install beta=1:2.0, which is not locked"),
        "{state}"
    );
    bench.locks(&[bench.line("beta", "1:2.0")]);
    let run = bench.unit(INSTALL);
    assert_eq!(run.status.code(), Some(78), "{run:?}");
    assert!(
        bench
            .state()
            .contains("alpha is not installed, and the lock has no version"),
        "{}",
        bench.state()
    );
}

#[test]
fn an_update_since_stays_and_a_held_package_goes_back() {
    let Some(bench) = bench("an_update_since_stays_and_a_held_package_goes_back") else {
        return;
    };
    bench.has_installed("beta", "1:3.0");
    bench.has_installed("alpha", "1.1");
    bench.well("held=no; apt_update; apt_install alpha; present_packages alpha");
    assert_eq!(bench.version("alpha"), "1.1", "nobody holds it");
    bench.well(INSTALL);
    assert_eq!(
        (
            bench.version("alpha").as_str(),
            bench.version("beta").as_str()
        ),
        ("1.0", "1:3.0")
    );
    let automatic = bench.well("apt-mark showauto");
    assert_eq!(automatic.trim(), "", "what was there before was somebody's");
}

/// From another source than the payload: what apt puts in its cache is looked at as well.
#[test]
fn what_apt_downloads_is_looked_at() {
    let Some(bench) = bench("what_apt_downloads_is_looked_at") else {
        return;
    };
    bench.put("var/lib/lab/offline/digest", "of another lock\n");
    let line = format!("deb [trusted=yes] copy:{}/made/apt ./\n", bench.root());
    bench.put("etc/apt/sources.list", line);
    bench.program("ip", "echo default");
    bench.well(INSTALL);
    assert_eq!(bench.version("beta"), "1:2.0");
    assert!(
        bench
            .path("var/cache/apt/archives/beta_1%3a2.0_all.deb")
            .exists()
    );

    let again = self::bench("what_apt_downloads_is_looked_at").unwrap();
    again.put("var/lib/lab/offline/digest", "of another lock\n");
    let line = format!("deb [trusted=yes] copy:{}/made/apt ./\n", again.root());
    again.put("etc/apt/sources.list", line);
    again.program("ip", "echo default");
    let spoilt = again.line("beta", "1:2.0");
    let digest = spoilt.split(' ').nth(3).unwrap().to_owned();
    again.locks(&[
        again.line("alpha", "1.0"),
        spoilt.replace(&digest, &"0".repeat(64)),
    ]);
    assert_eq!(again.unit(INSTALL).status.code(), Some(78));
    assert!(
        !again
            .path("var/cache/apt/archives/beta_1%3a2.0_all.deb")
            .exists(),
        "it would be used again"
    );
}

/// A stand-in for apt, whose version here may not know snapshots: the archive has dropped
/// the version, its state of that day has it. It proves the order of the questions only.
#[test]
fn a_version_that_was_dropped_comes_from_the_snapshot() {
    let Some(bench) = bench("a_version_that_was_dropped_comes_from_the_snapshot") else {
        return;
    };
    bench.put("var/lib/lab/offline/digest", "of another lock\n");
    bench.put("etc/lab/lock/snapshot", "20261101T000000Z\n");
    bench.program("ip", "echo default");
    let root = bench.root();
    bench.program(
        "apt-get",
        &format!(
            "echo \"$*\" >>{root}/asked\ncase \"$*\" in\n*APT::Snapshot=20261101T000000Z*--simulate*) echo 'Inst alpha (1.0 x:y [all])'; echo 'Inst beta (1:2.0 x:y [all])' ;;\n\
             *--simulate*) echo \"E: Version '1.0' for 'alpha' was not found\"; exit 100 ;;\n*--download-only*) cp {root}/made/debs/* {root}/var/cache/apt/archives/ ;;\n\
             *--no-download*) cp {root}/made/debs/alpha_1.0_all.deb {root}/unpacked ;;\nesac"
        ),
    );
    bench.program("apt-mark", "exit 0");
    bench.well("apt_install alpha=1.0");
    assert!(bench.path("unpacked").exists());
    let asked = bench.text("asked");
    let update = asked
        .lines()
        .find(|line| line.ends_with(" update"))
        .unwrap();
    assert!(update.contains("APT::Snapshot=20261101T000000Z"), "{asked}");
    assert!(
        update.contains("Dir::State::lists="),
        "the machine's own lists would be gone: {asked}"
    );
}
