//! Media that lie, fail and turn read-only: one clear line each, with the place.

use lab_stick::{Access, Fault, Mode};

use crate::fake::{Fake, Faults};
use crate::{Image, holds, run, starts_nothing};

const SIZE: usize = 9 << 20;

/// What comes of writing an image of this size to a medium with these faults.
fn fault(image: &Image, size: usize, faults: Faults) -> Fault {
    let medium = Fake::with(size, faults);
    let fault = run(&medium, &image.path, Mode::Whole).unwrap_err();
    if faults.read_only_after != Some(0) && faults.bad_write != Some(100) {
        starts_nothing(&medium, image);
    }
    assert!(!fault.to_string().contains('\n'), "one line: {fault}");
    assert!(fault.to_string().contains("sdx"), "{fault}");
    fault
}

#[test]
fn a_capacity_that_wraps_is_found_before_the_long_write() {
    let image = Image::new(SIZE);
    for real in [8 << 20, 16 << 20] {
        let wraps = Faults {
            wraps: Some(real),
            ..Faults::default()
        };
        let medium = Fake::with(32 << 20, wraps);
        let fault = run(&medium, &image.path, Mode::Whole).unwrap_err();
        assert!(matches!(fault, Fault::Lies { .. }), "{fault}");
        let small = |(_, len): &(u64, usize)| *len <= 128 << 10;
        assert!(medium.writes().iter().all(small), "before the long write");
    }
}

#[test]
fn a_capacity_that_loses_writes_is_found_before_the_long_write() {
    let image = Image::new(SIZE);
    let lies = Faults {
        loses: Some(6 << 20),
        ..Faults::default()
    };
    let found = fault(&image, 32 << 20, lies);
    assert!(
        matches!(found, Fault::Lies { at, .. } if at == 8 << 20),
        "{found}"
    );
    let lies = Faults {
        loses: Some(31 << 20),
        ..Faults::default()
    };
    assert!(matches!(fault(&image, 32 << 20, lies), Fault::Lies { .. }));
}

/// An odd capacity that no probe hits: reading everything back shows it.
#[test]
fn a_capacity_that_no_probe_sees_is_found_when_it_is_read_back() {
    let image = Image::new(15 << 20);
    let real = (13 << 20) + 512 * 77;
    let found = fault(
        &image,
        16 << 20,
        Faults {
            wraps: Some(real),
            ..Faults::default()
        },
    );
    assert!(
        matches!(found, Fault::Differs { .. } | Fault::Lies { .. }),
        "{found}"
    );
}

#[test]
fn a_block_that_cannot_be_written_is_named_to_its_place() {
    let image = Image::new(SIZE);
    for at in [100, 200_000, (4 << 20) + 5, SIZE as u64 - 1] {
        let found = fault(
            &image,
            SIZE,
            Faults {
                bad_write: Some(at),
                ..Faults::default()
            },
        );
        let Fault::BadBlock {
            at: place, access, ..
        } = found
        else {
            panic!("{at}: {found}");
        };
        assert_eq!((place, access), (at / 4096 * 4096, Access::Write));
    }
}

#[test]
fn a_block_that_cannot_be_read_back_is_named_to_its_place() {
    let image = Image::new(SIZE);
    let found = fault(
        &image,
        SIZE,
        Faults {
            bad_read: Some((5 << 20) + 9),
            ..Faults::default()
        },
    );
    let Fault::BadBlock {
        at,
        access: Access::Read,
        ..
    } = found
    else {
        panic!("{found}");
    };
    assert_eq!(at, 5 << 20);
}

#[test]
fn a_bit_that_flips_is_named_to_its_byte() {
    let image = Image::new(SIZE);
    for at in [70_001, 200_001, (8 << 20) + 70_000, SIZE as u64 - 3] {
        let found = fault(
            &image,
            SIZE + (1 << 20),
            Faults {
                flips: Some(at),
                ..Faults::default()
            },
        );
        assert!(
            matches!(found, Fault::Differs { at: place, .. } if place == at),
            "{at}: {found}"
        );
    }
}

#[test]
fn a_write_that_fails_once_is_not_passed_over() {
    let image = Image::new(SIZE);
    let found = fault(
        &image,
        SIZE,
        Faults {
            hiccup: Some(9),
            ..Faults::default()
        },
    );
    assert!(matches!(found, Fault::Unsteady { .. }), "{found}");
}

#[test]
fn read_only_from_the_start_and_from_the_middle() {
    let image = Image::new(SIZE);
    for count in [0, 7] {
        let found = fault(
            &image,
            SIZE,
            Faults {
                read_only_after: Some(count),
                ..Faults::default()
            },
        );
        assert!(matches!(found, Fault::ReadOnly { .. }), "{found}");
    }
}

#[test]
fn what_is_not_stored_for_good_is_an_error() {
    let image = Image::new(SIZE);
    let found = fault(
        &image,
        SIZE,
        Faults {
            no_flush: true,
            ..Faults::default()
        },
    );
    assert!(
        matches!(
            found,
            Fault::BadBlock {
                access: Access::Flush,
                ..
            }
        ),
        "{found}"
    );
}

#[test]
fn an_image_that_does_not_fit_writes_nothing() {
    let image = Image::new(SIZE + 2048);
    let medium = Fake::new(SIZE);
    let fault = run(&medium, &image.path, Mode::Whole).unwrap_err();
    assert!(matches!(fault, Fault::TooSmall { .. }), "{fault}");
    // Neither does one that fits but for the rest of a sector.
    let medium = Fake::new(SIZE + 2048).sectors_of(4096);
    assert!(matches!(
        run(&medium, &image.path, Mode::Whole),
        Err(Fault::TooSmall { .. })
    ));
    assert!(medium.writes().is_empty());
}

#[test]
fn an_image_that_is_none_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, b"").unwrap();
    for path in [
        &empty,
        &dir.path().join("missing"),
        &dir.path().to_path_buf(),
    ] {
        let medium = Fake::new(SIZE);
        assert!(matches!(
            run(&medium, path, Mode::Whole),
            Err(Fault::Image { .. })
        ));
        assert!(medium.writes().is_empty());
    }
}

#[test]
fn sizes_around_the_parts_and_long_sectors() {
    for size in [
        2048,
        100 << 10,
        128 << 10,
        (128 << 10) + 2048,
        200 << 10,
        1 << 20,
        (4 << 20) + 2048,
    ] {
        for sector in [512, 4096] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("image");
            std::fs::write(&path, vec![7; size]).unwrap();
            let medium = Fake::new(8 << 20).sectors_of(sector);
            run(&medium, &path, Mode::Whole).unwrap();
            assert!(
                medium.bytes()[..size].iter().all(|byte| *byte == 7),
                "{size} {sector}"
            );
            assert_eq!(
                run(&medium, &path, Mode::Changes).unwrap().written,
                0,
                "{size} {sector}"
            );
        }
    }
    let image = Image::new(SIZE + 2048);
    let medium = Fake::new(SIZE + 4096).sectors_of(4096);
    run(&medium, &image.path, Mode::Whole).unwrap();
    holds(&medium, &image);
}
