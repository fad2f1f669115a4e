//! Damaged and hostile images: thousands of mutations, always the same ones.
//! Each ends in an answer: no panic, no endless loop, no runaway memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod common;

use std::io::Cursor;

use common::{Recipe, UBUNTU, base, noise, small_tree};
use lab_image::{Image, Outcome, Scope, Tree, compose_stream, preview, verify};

/// Opens, checks and composes; returns how far it came.
fn try_all(bytes: &[u8], tree: &Tree, whole: bool) -> usize {
    let Ok(mut image) = Image::open(Cursor::new(bytes), "mutant") else {
        return 0;
    };
    let _ = verify(&mut image, Scope::Everything);
    for index in 0..image.trees().len() {
        let _ = image.files(index);
    }
    if preview(&mut image, tree).is_err() {
        return 1;
    }
    if whole {
        let mut out = Vec::new();
        if compose_stream(&mut image, tree, &mut out).is_ok() {
            let mut made = Image::open(Cursor::new(&out), "made of a mutant").unwrap();
            let findings = verify(&mut made, Scope::Structure);
            let broken = |id| {
                let mut found = findings.iter().filter(|finding| finding.id == id);
                found.any(|finding| finding.outcome == Outcome::Fail)
            };
            assert!(
                !broken("path-tables") && !broken("extents"),
                "{findings:#?}"
            );
        }
    }
    2
}

/// The sectors that say where things are: all but files' contents.
fn structural(bytes: &[u8]) -> Vec<usize> {
    let mut image = Image::open(Cursor::new(bytes), "base").unwrap();
    let (files, _) = (image.files(0), verify(&mut image, Scope::Structure));
    let sectors = 0..bytes.len() / 2048;
    let in_file = |sector: u64| {
        files
            .iter()
            .flat_map(|file| &file.extents)
            .any(|extent| sector >= extent.lba && sector * 2048 < extent.end())
    };
    sectors
        .filter(|&sector| {
            let at = sector * 2048;
            !in_file(sector as u64) && bytes[at..at + 2048].iter().any(|&byte| byte != 0)
        })
        .collect()
}

#[test]
fn mutations_end_in_an_answer() {
    let recipe = Recipe {
        joliet: true,
        ..UBUNTU
    };
    let Some(base) = base("mutations_end_in_an_answer", recipe) else {
        return;
    };
    let good = std::fs::read(&base.iso).unwrap();
    let sectors = structural(&good);
    // Within a sector, what is not filling.
    let told = |sector: usize| {
        let places = sector * 2048..(sector + 1) * 2048;
        places
            .filter(|&at| good[at] != 0 && good[at] != b' ')
            .collect::<Vec<_>>()
    };
    let places: Vec<Vec<usize>> = sectors.into_iter().map(told).collect();
    let tree = small_tree();
    let mut bytes = good.clone();
    let mut reached = [0; 3];
    let draws = noise(4000 * 8, 42);
    for (number, draw) in draws.chunks_exact(8).enumerate() {
        let draw = u64::from_le_bytes(draw.try_into().unwrap());
        let sector = &places[(draw & 0xFFFF) as usize % places.len()];
        let at = sector[(draw >> 16 & 0xFFFF) as usize % sector.len()];
        let kind = draw >> 32;
        bytes[at] = match kind % 4 {
            0 => bytes[at] ^ (1 << (kind >> 8 & 7)),
            1 => 0,
            2 => 0xFF,
            _ => (kind >> 8) as u8,
        };
        reached[try_all(&bytes, &tree, number % 16 == 0)] += 1;
        // Mostly one change at a time, sometimes several on top of each other.
        if number % 5 != 0 {
            bytes.copy_from_slice(&good);
        }
    }
    // The mutations must reach every stage to mean anything.
    assert!(reached.iter().all(|&count| count > 50), "{reached:?}");
}

#[test]
fn every_truncation_ends_in_an_answer() {
    let Some(base) = base("every_truncation_ends_in_an_answer", UBUNTU) else {
        return;
    };
    let good = std::fs::read(&base.iso).unwrap();
    let tree = small_tree();
    for len in (0..good.len()).step_by(1237) {
        assert_ne!(
            try_all(&good[..len], &tree, false),
            2,
            "{len} bytes were taken as whole"
        );
    }
    assert_eq!(try_all(&good, &tree, true), 2);
}

#[test]
fn damage_that_opens_is_found() {
    let recipe = Recipe {
        joliet: true,
        ..UBUNTU
    };
    let Some(base) = base("damage_that_opens_is_found", recipe) else {
        return;
    };
    let good = std::fs::read(&base.iso).unwrap();
    let failing = |bytes: &[u8]| {
        let mut image = Image::open(Cursor::new(bytes), "damaged").unwrap();
        let findings = verify(&mut image, Scope::Everything);
        let failed = findings.into_iter().filter(|f| f.outcome == Outcome::Fail);
        failed.map(|finding| finding.id).collect::<Vec<_>>()
    };
    assert!(failing(&good).is_empty());
    let image = Image::open(Cursor::new(&good), "base").unwrap();
    let files = image.files(0);
    let start = |path: &str| {
        let file = files.iter().find(|file| file.path == path).unwrap();
        file.extents[0].start() as usize
    };
    let damage: [(&str, usize); 7] = [
        ("md5sum", start("casper/vmlinuz") + 100),
        (
            "boot-info-table",
            start("boot/grub/i386-pc/eltorito.img") + 5000,
        ),
        ("gpt-copies", 1024 + 40),
        ("gpt-copies", good.len() - 512 + 20),
        ("mbr", 446 + 13),
        ("grub-mbr", 0x1B0),
        ("esp", start("boot.catalog") + 96 + 8),
    ];
    for (id, at) in damage {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        assert!(
            failing(&bytes).contains(&id),
            "{id} at {at}: {:?}",
            failing(&bytes)
        );
    }
}
