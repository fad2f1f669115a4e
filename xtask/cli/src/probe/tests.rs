//! That the probe builds to the same bytes anywhere, and that one which would not run on
//! the machine is refused.

use std::time::Instant;

use lab_not_run::not_run;
use sha2::{Digest as _, Sha256};

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

#[test]
fn versions_that_ubuntu_22_04_lacks_are_too_new() {
    for fine in ["GLIBC_2.2.5", "GLIBC_2.4", "GLIBC_2.35", "GCC_3.0"] {
        assert!(!is_too_new(fine), "{fine}");
    }
    for newer in [
        "GLIBC_2.36",
        "GLIBC_2.36.1",
        "GLIBC_3.0",
        "GLIBC_PRIVATE",
        "GLIBC_ABI_DT_RELR",
    ] {
        assert!(is_too_new(newer), "{newer}");
    }
}

#[test]
fn what_is_no_program_for_the_machine_is_refused() {
    let refused = |bytes: &[u8]| format!("{:#}", check(bytes).unwrap_err());
    assert!(refused(b"#!/bin/sh\n").contains("no ELF file"));
    assert!(refused(&[]).contains("no ELF file"));
    let mut own = std::fs::read("/proc/self/exe").unwrap();
    let whole = check(&own);
    // Cut in the middle it has lost its sections, or half of them.
    assert!(check(&own[..own.len() / 2]).is_err());
    // e_machine of another processor (AArch64, 183).
    own[18] = 183;
    assert!(refused(&own).contains("no program for x86-64"));
    // This test needs libraries for HTTPS or SSH, or it has them inside.
    if let Err(error) = whole {
        let said = format!("{error:#}");
        assert!(said.contains("it needs "), "{said}");
    }
}

/// A version that this program needs, made newer in its bytes.
#[test]
fn a_program_that_needs_a_newer_c_library_is_refused() {
    let bytes = std::fs::read("/proc/self/exe").unwrap();
    let header = FileHeader64::<Endianness>::parse(&*bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, &*bytes).unwrap();
    let versions = needed_versions(&sections, endian, &bytes).unwrap();
    let old = "GLIBC_2.34";
    if !versions.iter().any(|version| version == old) {
        not_run(
            "xtask: a_program_that_needs_a_newer_c_library",
            "this program needs no GLIBC_2.34",
        );
        return;
    }
    let (_, link) = sections.gnu_verneed(endian, &*bytes).unwrap().unwrap();
    let table = sections.section(link).unwrap();
    let at = usize::try_from(table.sh_offset.get(endian)).unwrap();
    let place = bytes[at..]
        .windows(old.len())
        .position(|word| word == old.as_bytes());
    let mut newer = bytes.clone();
    let place = at + place.unwrap();
    newer[place..place + old.len()].copy_from_slice(b"GLIBC_2.99");
    let header = FileHeader64::<Endianness>::parse(&*newer).unwrap();
    let sections = header.sections(endian, &*newer).unwrap();
    let versions = needed_versions(&sections, endian, &newer).unwrap();
    let newer: Vec<&String> = versions.iter().filter(|one| is_too_new(one)).collect();
    assert!(newer.iter().any(|one| *one == "GLIBC_2.99"), "{newer:?}");
}

#[test]
fn paths_with_blanks_stay_one_flag() {
    let flags = flags(
        Path::new("/a b"),
        Path::new("/a b/target/probe"),
        Path::new("/c d"),
    );
    let flags = flags.to_str().unwrap().to_owned();
    let parts: Vec<&str> = flags.split('\u{1f}').collect();
    assert_eq!(parts.len(), 4);
    // The target folder lies in the workspace, and the later flag counts.
    assert_eq!(
        parts[2],
        "--remap-path-prefix=/a b/target/probe=/lab/target"
    );
}

/// Takes two builds, of a minute or two each: runs where `LAB_SLOW=1`.
#[test]
fn the_same_sources_give_the_same_bytes_anywhere() {
    let test = "xtask: the_same_sources_give_the_same_bytes_anywhere";
    if std::env::var("LAB_SLOW").as_deref() != Ok("1") {
        not_run(test, "needs two builds of some minutes: set LAB_SLOW=1");
        return;
    }
    let home = cargo_home().unwrap();
    let here = build_in(&root(), &home).unwrap();
    // The best of some: others may be at work on this machine.
    let took = (0..5).map(|_| {
        let began = Instant::now();
        assert!(build_in(&root(), &home).unwrap() == here);
        began.elapsed()
    });
    let took = took.min().unwrap();
    assert!(
        took < Duration::from_millis(500),
        "nothing to do took {took:?}"
    );

    let elsewhere = tempfile::tempdir().unwrap();
    let checkout = elsewhere.path().join("another checkout/of the lab");
    copy(&root(), &checkout);
    // The same crates, at another path.
    let other_home = elsewhere.path().join("home of cargo");
    std::fs::create_dir(&other_home).unwrap();
    std::os::unix::fs::symlink(home.join("registry"), other_home.join("registry")).unwrap();
    let there = build_in(&checkout, &other_home).unwrap();
    assert_eq!(
        hex::encode(Sha256::digest(&here)),
        hex::encode(Sha256::digest(&there))
    );

    let names = [root(), home, elsewhere.path().to_owned()];
    for name in names.iter().filter_map(|path| path.to_str()) {
        let leaked = here.windows(name.len()).any(|word| word == name.as_bytes());
        assert!(!leaked, "the path {name} stands in the probe");
    }
}

/// Copies the sources: what the workspace has, but for what was built and git's own.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name == "target" || name == ".git" {
            continue;
        }
        let (from, to) = (entry.path(), to.join(&name));
        match entry.file_type().unwrap().is_dir() {
            true => copy(&from, &to),
            false => {
                std::fs::copy(&from, &to).unwrap();
            }
        }
    }
}
