//! Real disks that must not be opened.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use lab_stick::{Host, Kinds, OpenError, Refusal, candidate};

use crate::device::Loop;
use crate::{agreed, has, run};

const SIZE: u64 = 64 << 20;

/// The disk under `/` of the machine that this runs on, with every parameter there is.
#[test]
fn the_disk_of_the_running_system() {
    let survey = Host::this().survey().unwrap();
    let holds_root = |disk: &&lab_stick::Disk| disk.system.iter().any(|place| place == "/");
    let Some(disk) = survey.disks.iter().find(holds_root) else {
        return lab_not_run::not_run(
            "stick_running_system",
            "the root of this system is on no disk",
        );
    };
    for test_devices in [false, true] {
        let refusal = candidate(&survey, &disk.device.name, 0, Kinds { test_devices }).unwrap_err();
        assert!(matches!(refusal, Refusal::System { .. }), "{refusal}");
    }
}

/// Without a test's parameter there is nothing here to write to.
#[test]
fn a_loop_device_is_no_stick() {
    let Some(device) = Loop::new("stick_no_loop", SIZE, &[]) else {
        return;
    };
    let survey = Host::this().survey().unwrap();
    let refusal = candidate(&survey, &device.name, 0, Kinds::default()).unwrap_err();
    assert!(matches!(refusal, Refusal::NoStick { .. }), "{refusal}");
}

#[test]
fn too_small_and_read_only() {
    let Some(device) = Loop::new("stick_small", SIZE, &["--read-only"]) else {
        return;
    };
    assert!(matches!(
        agreed(&device.name, SIZE),
        Err(Refusal::ReadOnly { .. })
    ));
    let Some(device) = Loop::new("stick_small", SIZE, &[]) else {
        return;
    };
    assert!(agreed(&device.name, SIZE).is_ok());
    assert!(matches!(
        agreed(&device.name, SIZE + 1),
        Err(Refusal::TooSmall { .. })
    ));
}

#[test]
fn swapped_after_the_question() {
    let Some(device) = Loop::new("stick_swapped", SIZE, &[]) else {
        return;
    };
    let confirmed = agreed(&device.name, SIZE).unwrap();
    device.swap();
    let error = confirmed.open(&Host::this()).unwrap_err();
    assert!(matches!(error, OpenError::Swapped { .. }), "{error}");
}

#[test]
fn opened_by_somebody_for_himself() {
    let Some(device) = Loop::new("stick_busy", SIZE, &[]) else {
        return;
    };
    let first = agreed(&device.name, SIZE).unwrap();
    let second = agreed(&device.name, SIZE).unwrap();
    let _open = first.open(&Host::this()).unwrap();
    let error = second.open(&Host::this()).unwrap_err();
    assert!(matches!(error, OpenError::Busy { .. }), "{error}");
}

#[test]
fn a_partition_and_a_disk_with_a_mounted_partition() {
    if !has("sfdisk") || !has("mkfs.ext4") && !has("mke2fs") {
        return lab_not_run::not_run("stick_partition", "sfdisk or mke2fs is not installed");
    }
    let Some(device) = Loop::new("stick_partition", SIZE, &["--partscan"]) else {
        return;
    };
    let node = device.node();
    let node = node.to_str().unwrap();
    run(
        "sh",
        &[
            "-c",
            &format!("printf ',32M\\n' | sfdisk --quiet --label gpt {node}"),
        ],
    );
    let part = format!("{}p1", device.name);
    if !std::path::Path::new("/sys/class/block")
        .join(&part)
        .exists()
    {
        return lab_not_run::not_run("stick_partition", "this kernel reads no partition tables");
    }
    let refusal = agreed(&part, 0).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Partition {
            name: part.clone(),
            disk: device.name.clone()
        }
    );
    assert!(agreed(&device.name, SIZE).is_ok(), "nothing is mounted yet");

    run("mke2fs", &["-q", "-F", &format!("/dev/{part}")]);
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    run("mount", &[&format!("/dev/{part}"), place]);
    let refusal = agreed(&device.name, SIZE).unwrap_err();
    run("umount", &[place]);
    assert!(matches!(refusal, Refusal::Mounted { .. }), "{refusal}");
    assert!(refusal.to_string().contains(place), "{refusal}");
}

/// A container's mount is in no table that this process can see: the kernel tells.
#[test]
fn mounted_out_of_sight() {
    if !has("unshare") || !has("mke2fs") {
        return lab_not_run::not_run("stick_out_of_sight", "unshare or mke2fs is not installed");
    }
    let Some(device) = Loop::new("stick_out_of_sight", SIZE, &[]) else {
        return;
    };
    run("mke2fs", &["-q", "-F", device.node().to_str().unwrap()]);
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "mount {} {} && echo mounted && read end",
        device.node().display(),
        dir.path().display()
    );
    let mut away = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(away.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "mounted\n");
    let confirmed = agreed(&device.name, SIZE).expect("no table shows it");
    let error = confirmed.open(&Host::this()).unwrap_err();
    drop(away.stdin.take());
    away.wait().unwrap();
    assert!(matches!(error, OpenError::Busy { .. }), "{error}");
}
