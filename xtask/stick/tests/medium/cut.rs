//! A write that is cut off, wherever: what is left starts nothing, and a second run completes it.

use std::ops::ControlFlow;

use lab_stick::{Fault, Mode, Stage};

use crate::fake::{Fake, Faults};
use crate::{Image, holds, run, starts_nothing, watched};

const SIZE: usize = 9 << 20;

#[test]
fn all_is_written_and_the_head_comes_last() {
    let image = Image::new(SIZE + 2048);
    let medium = Fake::new(SIZE + (3 << 20));
    let written = run(&medium, &image.path, Mode::Whole).unwrap();
    holds(&medium, &image);
    let writes = medium.writes();
    assert_eq!(
        (writes.first().unwrap().0, writes.last().unwrap().0),
        (0, 0)
    );
    assert_eq!(
        written.written,
        writes.iter().map(|(_, len)| *len as u64).sum::<u64>()
    );
    assert_eq!(written.size, image.bytes.len() as u64);
    // What lies behind the image is as it was, the test of the capacity included.
    assert!(
        medium.bytes()[image.bytes.len()..]
            .iter()
            .all(|byte| *byte == 0xa5)
    );
}

/// Pulled after each single write there is, over an earlier build and over nothing.
#[test]
fn pulled_after_any_write_it_starts_nothing_and_goes_on_later() {
    for mode in [Mode::Whole, Mode::Changes] {
        let mut image = Image::new(SIZE);
        let whole = Fake::new(SIZE);
        run(&whole, &image.path, Mode::Whole).unwrap();
        for at in [1 << 20, 3 << 20, 5 << 20] {
            image.edit(at, b"edited");
        }
        let all = {
            let medium = Fake::new(SIZE);
            medium.set(0, &whole.bytes());
            run(&medium, &image.path, mode).unwrap();
            medium.writes().len()
        };
        for count in 1..all {
            let mut medium = Fake::with(
                SIZE,
                Faults {
                    gone_after: Some(count),
                    ..Faults::default()
                },
            );
            medium.set(0, &whole.bytes());
            let fault = run(&medium, &image.path, mode).unwrap_err();
            assert!(
                matches!(fault, Fault::Gone { .. }),
                "{mode:?} {count}: {fault}"
            );
            // The first write takes the head, the second the tail with the backup GPT; the
            // last but one is the tail of what is whole by then.
            let bytes = medium.bytes();
            assert!(bytes.starts_with(b"LAB STICK, UNFINISHED\n"));
            if (2..all - 1).contains(&count) {
                starts_nothing(&medium, &image);
            }
            medium.faults = Faults::default();
            run(&medium, &image.path, Mode::Changes).unwrap();
            holds(&medium, &image);
        }
    }
}

#[test]
fn stopped_by_the_caller_it_goes_on_where_it_was() {
    let image = Image::new(SIZE);
    let medium = Fake::new(SIZE);
    let mut stop = |now: lab_stick::Progress| match now.done >= 4 << 20 {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let fault = watched(&medium, &image.path, Mode::Whole, &mut stop).unwrap_err();
    assert!(
        matches!(fault, Fault::Stopped { at, .. } if at == 4 << 20),
        "{fault}"
    );
    starts_nothing(&medium, &image);
    let before: usize = medium.writes().iter().map(|(_, len)| len).sum();
    let written = run(&medium, &image.path, Mode::Changes).unwrap();
    holds(&medium, &image);
    assert!(
        written.written < (SIZE - (4 << 20) + (1 << 20)) as u64,
        "{written:?} after {before}"
    );
}

#[test]
fn stopped_while_it_is_read_back_it_starts_nothing() {
    let image = Image::new(SIZE);
    let medium = Fake::new(SIZE);
    let mut stop = |now: lab_stick::Progress| match now.stage == Stage::Verify {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    assert!(watched(&medium, &image.path, Mode::Whole, &mut stop).is_err());
    starts_nothing(&medium, &image);
}

#[test]
fn an_image_that_changes_while_it_is_written_is_refused() {
    for (what, replaced) in [("written to", false), ("replaced", true)] {
        let mut image = Image::new(SIZE);
        let path = image.path.clone();
        let medium = Fake::new(SIZE);
        let mut once = Some(&mut image);
        let mut change = |_| {
            match once.take() {
                Some(image) if replaced => image.edit(8 << 20, b"new"),
                Some(image) => std::fs::write(&image.path, &image.bytes).unwrap(),
                None => {}
            }
            ControlFlow::Continue(())
        };
        let fault = watched(&medium, &path, Mode::Whole, &mut change).unwrap_err();
        assert!(
            matches!(fault, Fault::ImageChanged { .. }),
            "{what}: {fault}"
        );
        starts_nothing(&medium, &image);
    }
}

#[test]
fn an_image_cut_short_while_it_is_written_is_refused() {
    let image = Image::new(5 << 22);
    let medium = Fake::new(5 << 22);
    let mut cut = |_| {
        std::fs::write(&image.path, b"short").unwrap();
        ControlFlow::Continue(())
    };
    let fault = watched(&medium, &image.path, Mode::Whole, &mut cut).unwrap_err();
    assert!(matches!(fault, Fault::ImageChanged { .. }), "{fault}");
    starts_nothing(&medium, &image);
}
