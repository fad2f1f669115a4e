//! A medium that holds an earlier build: only what differs is written, and nothing on it is
//! believed.

use lab_stick::{Fault, Mode};

use crate::fake::{Fake, Faults};
use crate::{Image, holds, run};

const SIZE: usize = 80 << 20;

fn written_once(image: &Image) -> Fake {
    let medium = Fake::new(image.bytes.len() + (1 << 20));
    run(&medium, &image.path, Mode::Whole).unwrap();
    medium
}

#[test]
fn a_second_run_writes_nothing() {
    let image = Image::new(9 << 20);
    let medium = written_once(&image);
    let before = medium.writes().len();
    assert_eq!(run(&medium, &image.path, Mode::Changes).unwrap().written, 0);
    assert_eq!(medium.writes().len(), before);
}

#[test]
fn after_an_edit_less_than_a_hundredth_is_written() {
    let mut image = Image::new(SIZE);
    let medium = written_once(&image);
    image.edit(60 << 20, b"one small file");
    image.edit(600, b"a partition table's checksum");
    let written = run(&medium, &image.path, Mode::Changes).unwrap();
    holds(&medium, &image);
    assert!(
        written.written * 100 < SIZE as u64,
        "{} of {SIZE}",
        written.written
    );
}

#[test]
fn a_longer_image_over_a_shorter_one() {
    let short = Image::new(9 << 20);
    let medium = Fake::new(20 << 20);
    run(&medium, &short.path, Mode::Whole).unwrap();
    let long = Image::new(17 << 20);
    run(&medium, &long.path, Mode::Changes).unwrap();
    holds(&medium, &long);
    run(&medium, &short.path, Mode::Changes).unwrap();
    holds(&medium, &short);
}

#[test]
fn anything_may_stand_on_the_medium() {
    let image = Image::new(9 << 20);
    let medium = Fake::new(9 << 20);
    run(&medium, &image.path, Mode::Changes).unwrap();
    holds(&medium, &image);
}

/// A block that rots where nothing was to be written is found by the comparison, and mended.
#[test]
fn a_changed_byte_anywhere_is_mended() {
    let image = Image::new(9 << 20);
    for at in [0, 5, 70_000, 131_071, 131_072, 5 << 20, (9 << 20) - 1] {
        let medium = written_once(&image);
        medium.set(at, &[!image.bytes[at]]);
        assert!(
            run(&medium, &image.path, Mode::Changes).unwrap().written > 0,
            "{at}"
        );
        holds(&medium, &image);
    }
}

/// Writing one block harms another: what was the same before it was written is read again.
#[test]
fn what_was_compared_is_compared_again_after_a_write() {
    let mut image = Image::new(9 << 20);
    let mut medium = written_once(&image);
    image.edit(8 << 20, b"edit");
    medium.faults = Faults {
        wraps: Some(7 << 20),
        ..Faults::default()
    };
    let first: Vec<u8> = image.bytes[..7 << 20].to_vec();
    medium.set(0, &first);
    let fault = run(&medium, &image.path, Mode::Changes).unwrap_err();
    assert!(
        matches!(fault, Fault::Differs { .. } | Fault::Lies { .. }),
        "{fault}"
    );
}

#[test]
fn an_old_backup_gpt_at_the_end_is_wiped_and_nothing_else_there() {
    let image = Image::new(9 << 20);
    let size = 12 << 20;
    for sector in [512, 4096] {
        let medium = Fake::new(size).sectors_of(sector);
        medium.set(size - sector as usize, b"EFI PART");
        let written = run(&medium, &image.path, Mode::Whole).unwrap();
        assert!(written.stale_gpt);
        let rest = &medium.bytes()[9 << 20..];
        let (before, last) = rest.split_at(rest.len() - sector as usize);
        assert!(before.iter().all(|byte| *byte == 0xa5) && last.iter().all(|byte| *byte == 0));
        assert!(!run(&medium, &image.path, Mode::Changes).unwrap().stale_gpt);
    }
    // The image's own, where it fills the medium, is not stale.
    let medium = Fake::new(9 << 20);
    assert!(!run(&medium, &image.path, Mode::Whole).unwrap().stale_gpt);
    holds(&medium, &image);
}
