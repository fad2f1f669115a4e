//! Machines that differ, and right ones.

use super::{Case, EVO, SERIAL, goes, lab_on_disk, stops};

pub(super) const CASES: &[Case] = &[
    goes("the right machine", "", |_| {}),
    goes("by serial", "serial", |_| {}),
    goes("by both", "both", |_| {}),
    goes("blanks in ID_MODEL, as NVMe disks have", "", |b| {
        b.udev(
            "sda",
            &format!("ID_MODEL=Samsung SSD 870 EVO 250GB\nID_SERIAL={EVO}_{SERIAL}_1\n"),
        );
    }),
    goes("the namespace behind an NVMe serial", "serial", |b| {
        b.udev("sda", &format!("ID_MODEL=x\nID_SERIAL=x_{SERIAL}_1\n"));
    }),
    goes("a bare ID_SERIAL, as virtio disks have", "serial", |b| {
        b.udev("sda", &format!("ID_SERIAL={SERIAL}\n"));
    }),
    goes("blanks around the firmware's text", "", |b| {
        b.sys("class/dmi/id/product_name", " HP Z440 Workstation  \n");
    }),
    goes("8 % less memory", "", |b| {
        b.root("proc/meminfo", "MemTotal: 30870077 kB\n");
    }),
    goes("BIOS where it may be either", "", |b| {
        b.remove("root/sys/firmware/efi");
    }),
    goes("BIOS where it must be", "bios", |b| {
        b.remove("root/sys/firmware/efi");
    }),
    goes("another card besides", "", |b| {
        b.card("0000:04:00.0", "1002", "67df");
    }),
    goes("another disk besides", "", |b| {
        b.disk("sdc", 1_000_000_000, "8:32", "WDC_WD10", "WD-1");
    }),
    goes("a card reader without a card", "", |b| {
        b.disk("sdc", 0, "8:32", EVO, "x");
    }),
    goes("not blank, and may always be erased", "serial", |b| {
        b.partition("sda", "sda1", "8:1");
    }),
    goes("not blank, and erasing was asked for", "", |b| {
        b.partition("sda", "sda1", "8:1");
        b.reinstall("gpu-server");
    }),
    goes("a lab, and erasing was asked for", "", |b| {
        lab_on_disk(b, "lab/installed-gpu-server");
        b.reinstall("gpu-server");
    }),
    stops(
        "another model",
        "",
        |b| b.sys("class/dmi/id/product_name", "HP Z840 Workstation\n"),
        &["HP Z840 Workstation", "'HP Z440 Workstation'"],
    ),
    stops(
        "another maker",
        "",
        |b| b.sys("class/dmi/id/sys_vendor", "Dell Inc.\n"),
        &["Dell Inc."],
    ),
    stops(
        "a longer model",
        "",
        |b| b.sys("class/dmi/id/product_name", "HP Z440 Workstation G2\n"),
        &["G2"],
    ),
    stops(
        "no DMI",
        "",
        |b| b.remove("root/sys/class/dmi"),
        &["cannot be read", "maker", "model"],
    ),
    stops(
        "an empty model",
        "",
        |b| b.sys("class/dmi/id/product_name", "\n"),
        &["the model of this machine ''"],
    ),
    stops(
        "half of the memory",
        "",
        |b| b.root("proc/meminfo", "MemTotal: 16300000 kB\n"),
        &["MiB of memory", "32 GiB"],
    ),
    stops(
        "twice the memory",
        "",
        |b| b.root("proc/meminfo", "MemTotal: 65800000 kB\n"),
        &["MiB of memory"],
    ),
    stops(
        "no memory to read",
        "",
        |b| b.root("proc/meminfo", "MemTotal: lots\n"),
        &["memory's size cannot be read"],
    ),
    stops(
        "UEFI where it must be BIOS",
        "bios",
        |_| {},
        &["a start by uefi", "a start by bios"],
    ),
    stops(
        "no sysfs for the firmware",
        "",
        |b| b.remove("root/sys/firmware"),
        &["/sys/firmware is not there"],
    ),
    stops(
        "a card is missing",
        "",
        |b| b.remove("root/sys/bus/pci/devices/0000:02:00.0"),
        &["no PCI device at 0000:02:00.0"],
    ),
    stops(
        "another card in the slot",
        "",
        |b| b.card("0000:03:00.0", "10de", "1c81"),
        &["10de:1c81 at 0000:03:00.0", "10de:1c82"],
    ),
    stops(
        "two cards changed places",
        "",
        |b| {
            b.card("0000:01:00.0", "10de", "13ba");
            b.card("0000:02:00.0", "10de", "1d01");
        },
        &["0000:01:00.0", "0000:02:00.0", "2 thing(s)"],
    ),
];
