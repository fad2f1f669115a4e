//! `outdated`: an archive that moved on, a toolkit that became unsafe, a driver whose support
//! ends.

use super::{Home, PACKAGES, SMALL, has};
use crate::archive::Package;

const OUTDATED: [&str; 3] = ["outdated", "--installed", "installed"];

#[test]
fn what_is_newer_is_said_and_nothing_is_written() {
    let home = Home::locked();
    let before = home.read("machine.lock");
    has(
        &home.expect(0, &OUTDATED),
        &[
            "nothing is newer than what is locked",
            "Ubuntu 24.04: until",
        ],
    );
    home.archive.publish(&[
        ("nvtop", "3.0-1", "libtop (>= 1)"),
        ("nvtop", "3.1-1", "libtop (>= 1), libmore"),
        ("libtop", "1.1-2", ""),
        ("libmore", "1-1", ""),
        ("jq", "1.7-1", ""),
        ("zstd", "1.5-2", ""),
    ]);
    let said = home.expect(0, &OUTDATED);
    has(
        &said,
        &[
            "~ nvtop 3.0-1 -> 3.1-1",
            "+ libmore 1-1",
            "~ zstd 1.5-1 -> 1.5-2",
            "cargo xtask lock --update",
        ],
    );
    assert!(!said.contains("jq") && !said.contains("libtop"), "{said}");
    assert_eq!(before, home.read("machine.lock"));
    let update = ["lock", "--installed", "installed", "--update", "zstd"];
    let said = home.expect(0, &update);
    has(&said, &["~ zstd 1.5-1 -> 1.5-2"]);
    assert!(
        !said.contains("nvtop") && !said.contains("libmore"),
        "{said}"
    );
    home.expect(0, &["lock", "--update", "--installed", "installed"]);
    has(&home.expect(0, &OUTDATED), &["nothing is newer"]);
}

#[test]
fn what_is_still_there_is_kept_beside_what_is_gone() {
    let home = Home::locked();
    // The archive dropped the locked nvtop; the locked jq is there beside a newer one.
    home.archive.publish(&[
        ("nvtop", "3.1-1", "libtop (>= 1)"),
        ("libtop", "1.1-2", ""),
        ("jq", "1.7-1", ""),
        ("jq", "1.8-1", ""),
        ("zstd", "1.5-1", ""),
        ("zstd", "1.5-2", ""),
    ]);
    let update = ["lock", "--installed", "installed", "--update", "zstd"];
    let said = home.expect(0, &update);
    has(
        &said,
        &[
            "no longer there in the locked version, and looked up anew: nvtop 3.0-1",
            "~ nvtop 3.0-1 -> 3.1-1",
            "~ zstd 1.5-1 -> 1.5-2",
        ],
    );
    assert!(!said.contains("jq"), "{said}");
}

#[test]
fn without_a_lock_there_is_nothing_to_compare() {
    let home = Home::new(SMALL, PACKAGES);
    has(&home.expect(1, &OUTDATED), &["machine.lock is not there"]);
}

#[test]
fn an_archive_that_is_no_longer_there_is_named() {
    let home = Home::locked();
    home.archive.remove("InRelease");
    has(
        &home.expect(1, &OUTDATED),
        &["the repository ubuntu", "Release", "404"],
    );
}

const DRIVEN: &str = "[machine]\nname = \"ws\"\nproduct = \"HP Z440 Workstation\"\n[[gpu]]\npci_id = \"10de:1e84\"\n\
    [disk]\nserial = \"ABC123456\"\nsize_gb = 250\n[driver]\nbranch = 595\n[toolkit]\nversion = \"1.19.1\"\n\
    [ollama]\nenabled = false\n[jupyter]\nenabled = false\n[dcgan]\nenabled = false\n";

/// Everything that such a machine asks for, in the versions that it asks for.
fn driven() -> Home {
    let home = Home::new(DRIVEN, PACKAGES);
    let builtin = include_str!("../../../catalog/data/apt.toml");
    home.write("catalog/apt.toml", &home.archive.vendors(builtin));
    let sources = lab_machine::Sources::single("machine.toml", DRIVEN);
    let catalog = lab_catalog::Catalog::builtin();
    let machine = lab_machine::read(&sources, catalog, None).machine.unwrap();
    let wanted = lab_plan::wanted(&machine, catalog).unwrap();
    let version = |one: &lab_lock::WantedPackage| one.version.clone().unwrap_or("1".to_owned());
    let named: Vec<_> = wanted
        .packages
        .iter()
        .map(|one| (one.name.clone(), version(one)))
        .collect();
    let packages: Vec<Package<'_>> = named
        .iter()
        .map(|(name, version)| (name.as_str(), version.as_str(), ""))
        .collect();
    home.archive.publish(&packages);
    home
}

#[test]
fn a_driver_s_end_is_said_and_an_unsafe_toolkit_is_an_error() {
    let home = driven();
    home.expect(0, &["check"]);
    home.lock(0);
    has(
        &home.expect(0, &OUTDATED),
        &[
            "nothing is newer",
            "NVIDIA's driver branch 595: support ends on 2027-03-31",
        ],
    );
    // A catalog of later knows something that was not known when this was locked.
    let builtin = include_str!("../../../catalog/data/toolkit.toml");
    let hole = "\n[[vulnerability]]\nid = \"CVE-2027-0001\"\nfixed_in = \"1.20.1\"\nsummary = \"a test\"\n";
    home.write("catalog/toolkit.toml", &format!("{builtin}{hole}"));
    has(
        &home.expect(1, &OUTDATED),
        &[
            "1.19.1",
            "1.20.1 or newer",
            "unsafe  container toolkit 1.19.1: CVE-2027-0001, mended in 1.20.1",
            "nothing is newer",
            "NVIDIA's driver branch 595: support ends on 2027-03-31",
        ],
    );
    // Another error is one as ever.
    let broken = DRIVEN.replace("branch = 595", "branch = 595\nbranches = 1");
    home.write("machine.toml", &broken);
    let said = home.expect(1, &OUTDATED);
    assert!(!said.contains("mended in"), "{said}");
}
