//! USB sticks. QEMU's are what `guest` plugs in: the bus, the SCSI layer and sysfs are
//! the kernel's own, the flash behind them is a file, and never wears out.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lab_stick::{
    Consent, Device, Fault, Host, Kind, Kinds, Mode, NotConfirmed, OpenError, Refusal, candidate,
};

use crate::{Image, agreed, put, watched};

const SIZE: usize = 24 << 20;

/// Says to a test that it may erase USB sticks: set where every stick is the test's own.
const ALLOWED: &str = "LAB_STICK_TEST_USB";

/// The stick with this serial; without leave, or without the stick, the test is not run.
fn stick(test: &str, serial: &str) -> Option<Device> {
    let found = std::env::var_os(ALLOWED).and_then(|_| find(serial));
    if found.is_none() {
        lab_not_run::not_run(
            test,
            "there is no USB stick that may be erased: the test `guest` runs it with QEMU's",
        );
    }
    found
}

fn find(serial: &str) -> Option<Device> {
    let survey = Host::this().survey().unwrap();
    let mut devices = survey.disks.into_iter().map(|disk| disk.device);
    devices.find(|device| device.kind == Kind::Usb && device.serial == serial)
}

#[test]
fn a_stick_is_known_written_and_compared() {
    let Some(device) = stick("stick_usb_written", "LAB0001") else {
        return;
    };
    assert!(
        device.removable && device.model.starts_with("QEMU"),
        "{device:?}"
    );
    let survey = Host::this().survey().unwrap();
    let found = |serial: &str| {
        let candidate = candidate(&survey, &device.name, SIZE as u64, Kinds::default()).unwrap();
        candidate.confirm(&Consent::Serial(serial.to_owned()), &survey)
    };
    assert!(matches!(
        found("LAB000"),
        Err(NotConfirmed::OtherSerial { .. })
    ));
    assert!(found("LAB0001").is_ok());
    let image = Image::new(SIZE);
    put(&device.name, &image, Mode::Whole).unwrap();
    image.stands_on(&Host::this().node(&device.name));
    assert_eq!(put(&device.name, &image, Mode::Changes).unwrap().written, 0);
}

#[test]
fn a_fixed_usb_disk_and_a_read_only_stick_are_refused() {
    let (Some(fixed), Some(locked)) = (stick("stick_usb_refused", "LABDISK"), find("LABLOCK"))
    else {
        return;
    };
    let survey = Host::this().survey().unwrap();
    let refusal =
        |device: &Device| candidate(&survey, &device.name, 0, Kinds::default()).unwrap_err();
    assert!(matches!(refusal(&fixed), Refusal::NoStick { .. }));
    assert!(matches!(refusal(&locked), Refusal::ReadOnly { .. }));
}

/// Pulled in the middle of the write, and plugged in again.
#[test]
fn pulled_in_the_middle() {
    let Some(device) = stick("stick_usb_pulled", "LAB0002") else {
        return;
    };
    let image = Image::new(SIZE);
    let port = port(&device.name);
    let mut pull = |now: lab_stick::Progress| {
        if now.done == 8 << 20 {
            authorize(&port, "0");
        }
        ControlFlow::Continue(())
    };
    let fault = watched(&device.name, &image, Mode::Whole, &mut pull).unwrap_err();
    assert!(
        matches!(fault, Fault::Gone { at, .. } if at >= 8 << 20),
        "{fault}"
    );
    authorize(&port, "1");
    let again = appears("LAB0002");
    assert!(lab_stick::lab_image(&Host::this().node(&again.name)).is_none());
    let written = put(&again.name, &image, Mode::Changes).unwrap();
    image.stands_on(&Host::this().node(&again.name));
    assert!(written.written < (SIZE - (7 << 20)) as u64, "{written:?}");
}

/// Pulled and plugged in again after the question: it need not be the same stick any more.
#[test]
fn replugged_after_the_question() {
    let Some(device) = stick("stick_usb_replugged", "LAB0003") else {
        return;
    };
    let confirmed = agreed(&device.name, SIZE as u64).unwrap();
    let port = port(&device.name);
    authorize(&port, "0");
    authorize(&port, "1");
    let again = appears("LAB0003");
    let error = confirmed.open(&Host::this()).unwrap_err();
    let expected = match again.name == device.name {
        true => matches!(error, OpenError::Swapped { .. }),
        false => matches!(error, OpenError::Refused(Refusal::Unknown { .. })),
    };
    assert!(expected, "{error}");
}

/// The folder of the USB device that a disk is on.
fn port(name: &str) -> PathBuf {
    let folder = std::fs::canonicalize(format!("/sys/block/{name}")).unwrap();
    let found = folder
        .ancestors()
        .find(|above| above.join("idVendor").exists());
    found.unwrap().to_owned()
}

/// Taking a USB device's authorization is what the kernel has for pulling it without a hand
/// (Documentation/usb/authorization.rst): its disks go as they do with the plug.
fn authorize(port: &std::path::Path, value: &str) {
    std::fs::write(port.join("authorized"), value).unwrap();
}

fn appears(serial: &str) -> Device {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match find(serial).filter(|device| device.size > 0) {
            Some(device) => return device,
            None if Instant::now() < end => std::thread::sleep(Duration::from_millis(200)),
            None => panic!("the stick {serial} did not come back"),
        }
    }
}
