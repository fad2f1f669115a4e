//! Disks that device-mapper makes lie, fail, vanish and crawl, below the kernel's own block
//! layer.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use lab_stick::{Access, Fault, Host, Mode, Refusal, candidate};

use crate::device::{Loop, Mapped};
use crate::{Image, TEST, put, watched};

const SIZE: usize = 32 << 20;
/// The same in sectors, which device-mapper counts in.
const SECTORS: u64 = SIZE as u64 / 512;

/// A loop device and one of device-mapper over it, as `table` says with the loop device's node.
fn over(test: &str, target: &str, table: impl Fn(&str) -> String) -> Option<(Mapped, Loop)> {
    let below = Loop::new(test, SIZE as u64, &[])?;
    let table = table(below.node().to_str().unwrap());
    // In this order they are taken away: the upper one first.
    Some((Mapped::new(test, target, &table)?, below))
}

#[test]
fn what_device_mapper_holds_is_refused() {
    let Some((device, below)) = over("stick-held", "linear", |node| {
        format!("0 {SECTORS} linear {node} 0")
    }) else {
        return;
    };
    let survey = Host::this().survey().unwrap();
    let refusal = candidate(&survey, &below.name, 0, TEST).unwrap_err();
    assert!(matches!(refusal, Refusal::Held { .. }), "{refusal}");
    let image = Image::new(SIZE);
    put(&device.name, &image, Mode::Whole).unwrap();
    image.stands_on(&device.node());
}

/// Both halves are one and the same place.
#[test]
fn a_capacity_that_wraps() {
    let half = SECTORS / 2;
    let table = |node: &str| format!("0 {half} linear {node} 0\n{half} {half} linear {node} 0");
    let Some((device, _below)) = over("stick-wraps", "linear", table) else {
        return;
    };
    let image = Image::new(8 << 20);
    let fault = put(&device.name, &image, Mode::Whole).unwrap_err();
    assert!(matches!(fault, Fault::Lies { .. }), "{fault}");
}

#[test]
fn a_block_that_fails() {
    let bad = 20_480;
    let rest = SECTORS - bad - 8;
    let table = move |node: &str| {
        format!(
            "0 {bad} linear {node} 0\n{bad} 8 error\n{} {rest} linear {node} {}",
            bad + 8,
            bad + 8
        )
    };
    let Some((device, _below)) = over("stick-error", "linear", table) else {
        return;
    };
    let fault = put(&device.name, &Image::new(SIZE), Mode::Whole).unwrap_err();
    let Fault::BadBlock { at, access, .. } = fault else {
        panic!("{fault}");
    };
    assert_eq!((at, access), (bad * 512, Access::Write));
}

#[test]
fn writes_that_are_dropped() {
    let table = |node: &str| format!("0 {SECTORS} flakey {node} 0 0 600 1 drop_writes");
    let Some((device, _below)) = over("stick-drops", "flakey", table) else {
        return;
    };
    let fault = put(&device.name, &Image::new(SIZE), Mode::Whole).unwrap_err();
    assert!(matches!(fault, Fault::Lies { .. }), "{fault}");
}

/// Well until the middle of the write, then every write is lost without a word.
#[test]
fn writes_that_are_dropped_from_the_middle_on() {
    let Some((device, below)) = over("stick-drops-later", "flakey", |node| {
        format!("0 {SECTORS} linear {node} 0")
    }) else {
        return;
    };
    let table = format!(
        "0 {SECTORS} flakey {} 0 0 600 1 drop_writes",
        below.node().display()
    );
    let mut turn = once_at(8 << 20, || device.becomes(&table));
    let fault = watched(&device.name, &Image::new(SIZE), Mode::Whole, &mut turn).unwrap_err();
    assert!(
        matches!(fault, Fault::Differs { at, .. } if at == 8 << 20),
        "{fault}"
    );
}

#[test]
fn all_of_it_fails_from_the_middle_on() {
    let Some((device, _below)) = over("stick-dies", "linear", |node| {
        format!("0 {SECTORS} linear {node} 0")
    }) else {
        return;
    };
    let mut turn = once_at(8 << 20, || device.becomes(&format!("0 {SECTORS} error")));
    let fault = watched(&device.name, &Image::new(SIZE), Mode::Whole, &mut turn).unwrap_err();
    assert!(
        matches!(fault, Fault::BadBlock { at, .. } if at == 8 << 20),
        "{fault}"
    );
}

/// Slow, and right all the same: the progress is told all the time.
#[test]
fn a_slow_disk() {
    let Some((device, _below)) = over("stick-delay", "delay", |node| {
        format!("0 {SECTORS} delay {node} 0 100")
    }) else {
        return;
    };
    let image = Image::new(SIZE);
    let (began, mut longest, mut last) = (Instant::now(), Duration::ZERO, Instant::now());
    let mut progress = |_| {
        longest = longest.max(last.elapsed());
        last = Instant::now();
        ControlFlow::Continue(())
    };
    watched(&device.name, &image, Mode::Whole, &mut progress).unwrap();
    image.stands_on(&device.node());
    assert!(
        began.elapsed() > Duration::from_millis(800),
        "every write was delayed"
    );
    assert!(
        longest < Duration::from_secs(10),
        "{longest:?} without a word"
    );
}

/// Does something once, when the write has come to a place.
fn once_at(place: u64, act: impl Fn()) -> impl FnMut(lab_stick::Progress) -> ControlFlow<()> {
    let mut done = false;
    move |now| {
        if now.done >= place && !done {
            done = true;
            act();
        }
        ControlFlow::Continue(())
    }
}
