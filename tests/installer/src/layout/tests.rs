//! Layouts, word by word.

use super::*;
use crate::autoinstall::{DiskMatch, Passphrase};

fn storage(layout: LayoutName, sizing: Sizing, passphrase: Option<&str>) -> Storage {
    Storage {
        layout,
        sizing,
        disk: DiskMatch::default(),
        passphrase: passphrase.map(Passphrase::of),
        swap: 0,
    }
}

fn disk(node: &str, gib: u64, sector: u64) -> Disk {
    Disk {
        node: node.to_owned(),
        size: gib * GIB,
        sector,
        ..Disk::default()
    }
}

fn shown(layout: &Layout) -> String {
    let mut text = String::new();
    for step in &layout.steps {
        let stdin = match &step.stdin {
            Stdin::Nothing => String::new(),
            Stdin::Text(table) => format!(" <<\n  {}", table.trim_end().replace('\n', "\n  ")),
            Stdin::Passphrase => " < passphrase".to_owned(),
        };
        let _ = writeln!(text, "{}{stdin}", step.words.join(" "));
    }
    for mount in &layout.mounts {
        let _ = writeln!(text, "{} on {} as {}", mount.node, mount.at, mount.kind);
    }
    text
}

fn planned(storage: &Storage, disk: &Disk, firmware: Firmware) -> String {
    shown(&plan(storage, disk, firmware, &BTreeSet::new()).unwrap())
}

#[test]
fn layouts_are_the_real_ones() {
    let all = storage(LayoutName::Lvm, Sizing::All, None);
    let scaled = storage(LayoutName::Lvm, Sizing::Scaled, None);
    let locked = storage(LayoutName::Lvm, Sizing::All, Some("correct horse"));
    let direct = storage(LayoutName::Direct, Sizing::Scaled, None);
    insta::assert_snapshot!(
        "lvm_uefi_sata",
        planned(&all, &disk("/dev/sda", 233, 512), Firmware::Uefi)
    );
    insta::assert_snapshot!(
        "lvm_bios_nvme",
        planned(&scaled, &disk("/dev/nvme0n1", 40, 4096), Firmware::Bios)
    );
    insta::assert_snapshot!(
        "luks_uefi_vda",
        planned(&locked, &disk("/dev/vda", 8, 512), Firmware::Uefi)
    );
    insta::assert_snapshot!(
        "direct_bios",
        planned(&direct, &disk("/dev/sda", 8, 512), Firmware::Bios)
    );
    insta::assert_snapshot!(
        "direct_uefi_loop",
        planned(&direct, &disk("/dev/loop0", 4, 4096), Firmware::Uefi)
    );
}

#[test]
fn no_step_has_the_passphrase_among_its_words() {
    let locked = storage(LayoutName::Lvm, Sizing::All, Some("correct horse"));
    let layout = plan(
        &locked,
        &disk("/dev/sda", 20, 512),
        Firmware::Uefi,
        &BTreeSet::new(),
    )
    .unwrap();
    assert!(!format!("{layout:?}{locked:?}").contains("correct horse"));
    let fed = layout
        .steps
        .iter()
        .filter(|step| step.stdin == Stdin::Passphrase);
    assert_eq!(fed.count(), 2);
}

#[test]
fn a_group_of_another_disk_keeps_its_name() {
    let all = storage(LayoutName::Lvm, Sizing::All, None);
    let taken = BTreeSet::from(["ubuntu-vg".to_owned(), "ubuntu-vg-1".to_owned()]);
    let layout = plan(&all, &disk("/dev/sda", 20, 512), Firmware::Uefi, &taken).unwrap();
    assert_eq!(layout.group.as_deref(), Some("ubuntu-vg-2"));
}

#[test]
fn the_system_gets_the_share_that_the_real_one_gives() {
    for (gib, share) in [
        (5, 5),
        (9, 9),
        (10, 10),
        (19, 10),
        (20, 10),
        (100, 50),
        (199, 99),
        (200, 100),
        (900, 100),
    ] {
        assert_eq!(scaled_root(gib * GIB) / GIB, share, "of {gib} GiB");
    }
}

#[test]
fn a_disk_that_is_too_small_is_said_to_be() {
    let all = storage(LayoutName::Lvm, Sizing::All, None);
    let error = plan(
        &all,
        &disk("/dev/sda", 3, 512),
        Firmware::Uefi,
        &BTreeSet::new(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("too small"), "{error}");
}

#[test]
fn what_is_stacked_highest_goes_first() {
    let stale = Stale {
        partitions: vec!["/dev/sda1".into(), "/dev/sda2".into()],
        crypts: vec!["dm_crypt-0".into()],
        groups: vec!["uuid".into()],
    };
    let words: Vec<String> = clear("/dev/sda", &stale)
        .iter()
        .map(|step| step.words.join(" "))
        .collect();
    assert_eq!(
        words,
        [
            "vgchange --activate n --select vg_uuid=uuid",
            "cryptsetup close dm_crypt-0",
            "wipefs --all --force /dev/sda2",
            "wipefs --all --force /dev/sda1",
            "wipefs --all --force /dev/sda",
            "udevadm settle",
        ]
    );
}
