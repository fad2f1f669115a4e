//! Writing to loop devices.

use std::ops::ControlFlow;
use std::path::Path;

use lab_stick::{Fault, Host, Mode, contents};

use crate::device::Loop;
use crate::{Image, put, run, watched};

/// The image's size in bytes.
const SIZE: usize = 64 << 20;

#[test]
fn written_compared_and_the_second_time_nothing() {
    for sector in ["512", "4096"] {
        let Some(device) = Loop::new(
            "stick_loop_written",
            SIZE as u64 + (4 << 20),
            &["--sector-size", sector],
        ) else {
            return;
        };
        let image = Image::new(SIZE);
        let written = put(&device.name, &image, Mode::Whole).unwrap();
        assert!(written.written >= SIZE as u64);
        image.stands_on(&device.node());
        image.stands_on(&device.file);
        assert_eq!(put(&device.name, &image, Mode::Changes).unwrap().written, 0);
    }
}

#[test]
fn after_an_edit_less_than_a_hundredth_is_written() {
    let Some(device) = Loop::new("stick_loop_edit", SIZE as u64, &[]) else {
        return;
    };
    let mut image = Image::new(SIZE);
    put(&device.name, &image, Mode::Whole).unwrap();
    image.edit(50 << 20, b"one small file in the tail");
    let written = put(&device.name, &image, Mode::Changes).unwrap();
    image.stands_on(&device.node());
    assert!(written.written * 100 < SIZE as u64, "{written:?}");
}

#[test]
fn blkid_knows_what_is_on_it() {
    let blkid = ["/usr/sbin/blkid", "/sbin/blkid"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists());
    let Some(blkid) = blkid else {
        return lab_not_run::not_run("stick_blkid", "blkid is not installed");
    };
    let Some(device) = Loop::new("stick_blkid", SIZE as u64, &[]) else {
        return;
    };
    let look = || {
        let survey = Host::this().survey().unwrap();
        contents(
            &Host::this(),
            &survey.disk(&device.name).unwrap().device,
            Some(blkid),
        )
    };
    assert_eq!(look().signatures.unwrap()[0].what, "nothing known");
    put(&device.name, &Image::new(SIZE), Mode::Whole).unwrap();
    let found = look();
    let signature = &found.signatures.as_ref().unwrap()[0];
    assert_eq!(
        (signature.what.as_str(), signature.label.as_str()),
        ("iso9660", "A LAB")
    );
    assert_eq!((&found.image, found.unfinished), (&None, false));
}

#[test]
fn turned_read_only_in_the_middle() {
    let Some(device) = Loop::new("stick_turned_read_only", SIZE as u64, &[]) else {
        return;
    };
    let image = Image::new(SIZE);
    let mut turn = |_| {
        run("blockdev", &["--setro", device.node().to_str().unwrap()]);
        ControlFlow::Continue(())
    };
    let result = watched(&device.name, &image, Mode::Whole, &mut turn);
    // The mark outlives the loop device's file.
    run("blockdev", &["--setrw", device.node().to_str().unwrap()]);
    let fault = result.unwrap_err();
    assert!(matches!(fault, Fault::ReadOnly { .. }), "{fault}");
}

/// A disk that claims more than there is: a file with holes on a file system that is full.
#[test]
fn a_disk_that_claims_more_than_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=20m", "stick", place])
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return lab_not_run::not_run("stick_claims_more", "mounting a tmpfs needs root");
    }
    let file = dir.path().join("disk");
    std::fs::File::create(&file)
        .unwrap()
        .set_len(SIZE as u64)
        .unwrap();
    let node = run("losetup", &["--find", "--show", file.to_str().unwrap()]);
    let image = Image::new(SIZE);
    let fault = put(node.trim_start_matches("/dev/"), &image, Mode::Whole).unwrap_err();
    run("losetup", &["-d", &node]);
    run("umount", &["-l", place]);
    assert!(
        matches!(fault, Fault::Lies { .. } | Fault::BadBlock { .. }),
        "{fault}"
    );
}
