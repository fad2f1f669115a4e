//! The rules that a disk itself breaks, or what uses it.

use lab_stick::{Kind, Refusal};

use crate::tree::{MMC, SATA, Tree, USB};
use crate::{ask, refused};

#[test]
fn a_free_stick_is_a_candidate_and_is_described() {
    let tree = Tree::with_stick();
    let found = ask(&tree, "sdb").unwrap();
    let device = found.device();
    assert_eq!(
        (device.kind, device.size, device.removable),
        (Kind::Usb, 16_000_000_000, true)
    );
    assert_eq!(
        (device.model.as_str(), device.serial.as_str()),
        ("SanDisk Ultra", "4C530001")
    );
    assert_eq!(device.partitions[0].name, "sdb1");
    assert_eq!(device.diskseq, Some(7));
}

#[test]
fn a_partition_is_refused_with_its_disk_named() {
    let tree = Tree::with_stick();
    let refusal = refused(&tree, "sdb1");
    assert_eq!(
        refusal,
        Refusal::Partition {
            name: "sdb1".into(),
            disk: "sdb".into()
        }
    );
    assert!(refusal.to_string().contains("name the whole disk, sdb"));
}

#[test]
fn what_is_no_disk_is_refused() {
    for name in ["", "sdz", "../sda", "/", "sda/sda1", "."] {
        assert!(
            matches!(refused(&Tree::with_stick(), name), Refusal::Unknown { .. }),
            "{name:?}"
        );
    }
}

#[test]
fn a_mounted_partition_is_refused_with_its_place() {
    let mut tree = Tree::with_stick();
    tree.mount("8:17", "/media/stick", "vfat", "/dev/sdb1", "rw");
    let refusal = refused(&tree, "sdb");
    assert!(matches!(refusal, Refusal::Mounted { .. }));
    assert!(
        refusal.to_string().contains("umount /media/stick"),
        "{refusal}"
    );
}

#[test]
fn a_volume_on_the_stick_is_refused_mounted_or_not() {
    let mut tree = Tree::with_stick();
    tree.mapped("dm-3", "253:3", "vault", &["sdb1"]);
    let refusal = refused(&tree, "sdb");
    assert_eq!(
        refusal,
        Refusal::Held {
            name: "sdb".into(),
            holders: vec!["dm-3 (vault)".into()]
        }
    );
    tree.mount("253:3", "/mnt/vault", "ext4", "/dev/mapper/vault", "rw");
    assert!(matches!(refused(&tree, "sdb"), Refusal::Mounted { .. }));
}

#[test]
fn a_file_on_the_stick_that_is_mounted_as_a_disk_is_refused() {
    let mut tree = Tree::with_stick();
    tree.mount("8:17", "/media/stick", "vfat", "/dev/sdb1", "rw");
    tree.disk("loop0", "7:0", "virtual", 1_000_000);
    tree.attribute("loop0", "loop/backing_file", "/media/stick/a.img");
    tree.mount("7:0", "/mnt/image", "ext4", "/dev/loop0", "rw");
    let Refusal::Mounted { places, .. } = refused(&tree, "sdb") else {
        panic!("expected it to be mounted");
    };
    assert_eq!(places.len(), 2, "{places:?}");
}

#[test]
fn only_what_says_that_it_is_removable_is_a_stick() {
    let mut tree = Tree::with_stick();
    tree.attribute("sdb", "removable", "0");
    tree.disk("sdc", "8:32", SATA, 16_000_000_000);
    tree.disk("nvme0n1", "259:0", "pci0000:00/nvme/nvme0", 16_000_000_000);
    tree.disk("sr0", "11:0", USB, 16_000_000_000);
    tree.disk("loop0", "7:0", "virtual", 16_000_000_000);
    tree.disk("zram0", "252:0", "virtual", 16_000_000_000);
    tree.disk("mmcblk0", "179:0", MMC, 16_000_000_000);
    tree.attribute("mmcblk0", "device/type", "MMC");
    for name in ["sdb", "sdc", "nvme0n1", "sr0", "loop0", "zram0", "mmcblk0"] {
        assert!(
            matches!(refused(&tree, name), Refusal::NoStick { .. }),
            "{name}"
        );
    }
    // A built-in disk in a bay says that it is removable, and is no stick for that.
    tree.attribute("sdc", "removable", "1");
    assert!(matches!(refused(&tree, "sdc"), Refusal::NoStick { .. }));
}

#[test]
fn a_memory_card_is_a_candidate() {
    let mut tree = Tree::new();
    tree.disk("mmcblk0", "179:0", MMC, 16_000_000_000);
    tree.attribute("mmcblk0", "device/type", "SD");
    tree.attribute("mmcblk0", "device/name", "SL16G");
    tree.attribute("mmcblk0", "device/serial", "0x1234abcd");
    let found = ask(&tree, "mmcblk0").unwrap();
    assert_eq!(
        (
            found.device().model.as_str(),
            found.device().serial.as_str()
        ),
        ("SL16G", "0x1234abcd")
    );
}

#[test]
fn read_only_empty_and_small_are_told_apart() {
    let tree = Tree::with_stick();
    tree.attribute("sdb", "ro", "1");
    assert!(matches!(refused(&tree, "sdb"), Refusal::ReadOnly { .. }));
    tree.attribute("sdb", "size", "0");
    assert!(matches!(refused(&tree, "sdb"), Refusal::NoMedium { .. }));
    tree.attribute("sdb", "ro", "0");
    tree.attribute("sdb", "size", "100000");
    let refusal = refused(&tree, "sdb");
    assert!(
        refusal
            .to_string()
            .contains("51200000 bytes, the image needs 4000000000"),
        "{refusal}"
    );
}

/// What sysfs does not say is not guessed: then it is no disk to write to.
#[test]
fn a_disk_that_sysfs_does_not_describe_is_not_there() {
    for attribute in ["removable", "ro", "size", "dev", "queue/logical_block_size"] {
        let tree = Tree::with_stick();
        for value in ["", "garbage", "-1", "99999999999999999999999999"] {
            tree.attribute("sdb", attribute, value);
            assert!(ask(&tree, "sdb").is_err(), "{attribute} = {value:?}");
        }
        std::fs::remove_file(tree.folder("sdb").join(attribute)).unwrap();
        assert!(ask(&tree, "sdb").is_err(), "no {attribute}");
    }
}

/// A stick's own words go to a terminal.
#[test]
fn control_characters_of_a_device_are_not_printed() {
    let tree = Tree::with_stick();
    tree.attribute("sdb", "device/model", "Ult\u{1b}[2Jra\u{7}");
    assert_eq!(
        ask(&tree, "sdb").unwrap().device().model,
        "SanDisk Ult?[2Jra?"
    );
}
