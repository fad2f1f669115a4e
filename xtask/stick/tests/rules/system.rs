//! The disk of the running system, however the system lies on it: it is refused, and where
//! that cannot be told, all are.

use lab_stick::{Refusal, SurveyError};

use crate::tree::Tree;
use crate::{ask, refused};

/// That a disk is refused for holding these places of the system.
#[track_caller]
fn is_system(tree: &Tree, name: &str, wanted: &[&str]) {
    match refused(tree, name) {
        Refusal::System { places, .. } => assert_eq!(places, wanted),
        other => panic!("{name} should be the system's: {other}"),
    }
}

#[test]
fn the_disk_under_the_root() {
    is_system(&Tree::with_stick(), "sda", &["/", "/boot/efi"]);
}

#[test]
fn a_system_that_runs_from_the_stick_itself() {
    let mut tree = Tree::bare();
    tree.stick("sdb", "8:16", "S");
    tree.mount("8:17", "/", "ext4", "/dev/sdb1", "rw");
    is_system(&tree, "sdb", &["/"]);
}

#[test]
fn lvm_on_luks_on_the_stick() {
    let mut tree = Tree::with_stick();
    tree.mapped("dm-0", "253:0", "luks-1234", &["sdb1"]);
    tree.mapped("dm-1", "253:1", "vg-home", &["dm-0"]);
    tree.mount("253:1", "/home", "xfs", "/dev/mapper/vg-home", "rw");
    is_system(&tree, "sdb", &["/home"]);
    is_system(&tree, "dm-0", &["/home"]);
}

#[test]
fn a_raid_over_two_disks() {
    let mut tree = Tree::with_stick();
    tree.stick("sdc", "8:32", "T");
    tree.mapped("md0", "9:0", "", &["sdb1", "sdc1"]);
    tree.mount("9:0", "/var", "ext4", "/dev/md0", "rw");
    is_system(&tree, "sdb", &["/var"]);
    is_system(&tree, "sdc", &["/var"]);
}

#[test]
fn btrfs_over_two_disks_names_one_of_them() {
    let mut tree = Tree::with_stick();
    let devices = tree.root().join("sys/fs/btrfs/5b2e/devices");
    std::fs::create_dir_all(&devices).unwrap();
    for name in ["sda2", "sdb1"] {
        std::os::unix::fs::symlink(tree.folder(name), devices.join(name)).unwrap();
    }
    tree.mount("0:40", "/home", "btrfs", "/dev/sda2", "rw,subvol=/home");
    is_system(&tree, "sdb", &["/home"]);
}

#[test]
fn bcachefs_names_all_its_disks() {
    let mut tree = Tree::with_stick();
    tree.mount("0:41", "/srv", "bcachefs", "/dev/sda2:/dev/sdb1", "rw");
    is_system(&tree, "sdb", &["/srv"]);
}

#[test]
fn swap_on_a_partition_a_volume_and_in_a_file() {
    let mut tree = Tree::with_stick();
    tree.swap("/dev/sdb1");
    is_system(&tree, "sdb", &["swap"]);

    let mut tree = Tree::with_stick();
    tree.mapped("dm-5", "253:5", "vg-swap", &["sdb1"]);
    tree.swap("/dev/mapper/vg-swap");
    is_system(&tree, "sdb", &["swap"]);

    let mut tree = Tree::with_stick();
    tree.mount("8:17", "/media/stick", "ext4", "/dev/sdb1", "rw");
    tree.swap("/media/stick/swapfile");
    is_system(&tree, "sdb", &["swap"]);
}

/// Ubuntu's live system: squashfs files on the stick as loop devices below an overlay.
#[test]
fn a_live_system_that_runs_from_the_stick() {
    let mut tree = Tree::bare();
    tree.stick("sdb", "8:16", "S");
    tree.mount("8:17", "/cdrom", "iso9660", "/dev/sdb1", "ro");
    tree.disk("loop0", "7:0", "virtual", 1_000_000);
    tree.attribute(
        "loop0",
        "loop/backing_file",
        "/cdrom/casper/minimal.squashfs",
    );
    tree.mount("7:0", "/media/filesystem", "squashfs", "/dev/loop0", "ro");
    tree.mount("0:30", "/cow", "tmpfs", "tmpfs", "rw");
    let layers = "rw,lowerdir=/media/filesystem,upperdir=/cow/upper,workdir=/cow/work";
    tree.mount("0:31", "/", "overlay", "/cow", layers);
    is_system(&tree, "sdb", &["/", "/cdrom"]);
    // And with the stick's mount out of sight, all that can be seen is that it is in use.
    tree.mount(
        "0:32",
        "/",
        "overlay",
        "overlay",
        "rw,lowerdir=/hidden/below,upperdir=/hidden/up",
    );
    is_system(&tree, "sdb", &["/", "/cdrom"]);
}

/// A container: its root is an overlay of paths of the host, and only files that the host
/// put in show a disk.
#[test]
fn a_container_on_a_host_that_it_cannot_see() {
    let mut tree = Tree::with_stick();
    let mut inside = Tree::bare();
    inside.disk("sda", "8:0", crate::tree::SATA, 250_000_000_000);
    inside.partition("sda", "sda2", "8:2");
    inside.mount(
        "0:50",
        "/",
        "overlay",
        "overlay",
        "rw,lowerdir=/var/lib/docker/a:/var/lib/docker/b",
    );
    inside.mount("8:2", "/etc/hosts", "ext4", "/dev/sda2", "rw");
    assert!(matches!(refused(&inside, "sda"), Refusal::Mounted { .. }));
    tree.mount("0:50", "/", "overlay", "overlay", "rw");
    assert!(ask(&tree, "sdb").is_ok());
}

#[test]
fn what_cannot_be_traced_refuses_every_disk() {
    let cases = [
        ("0:45", "/", "zfs", "rpool/ROOT/ubuntu"),
        ("0:45", "/home", "futurefs", "pool"),
        ("252:7", "/usr", "ext4", "/dev/vda7"),
        ("0:46", "/var", "btrfs", "/dev/unknown"),
    ];
    for (number, point, kind, source) in cases {
        let mut tree = Tree::with_stick();
        tree.mount(number, point, kind, source, "rw");
        let refusal = refused(&tree, "sdb");
        assert!(
            matches!(refusal, Refusal::Untraced { .. }),
            "{kind}: {refusal}"
        );
        assert!(refusal.to_string().contains(point), "{refusal}");
    }
}

/// What is not the system's own is claimed in the kernel, and refused when it is opened.
#[test]
fn an_untraceable_mount_elsewhere_refuses_nothing() {
    let mut tree = Tree::with_stick();
    tree.mount("0:45", "/tank", "zfs", "tank/data", "rw");
    tree.mount("0:46", "/", "nfs4", "server:/export/root", "rw");
    assert!(ask(&tree, "sdb").is_ok());
}

#[test]
fn devices_that_lie_on_themselves_end() {
    let mut tree = Tree::with_stick();
    tree.mapped("dm-0", "253:0", "a", &["sdb1"]);
    tree.mapped("dm-1", "253:1", "b", &["dm-0"]);
    let above = tree.folder("dm-0").join("slaves/dm-1");
    std::os::unix::fs::symlink(tree.folder("dm-1"), above).unwrap();
    tree.mount("253:1", "/opt", "ext4", "/dev/mapper/b", "rw");
    assert!(matches!(refused(&tree, "sdb"), Refusal::Untraced { .. }));
}

#[test]
fn tables_that_are_missing_or_strange_are_errors() {
    let tree = Tree::with_stick();
    let host = tree.host();
    let table = tree.root().join("proc/self/mountinfo");
    std::fs::write(&table, "30 1 8:2 / / rw\n").unwrap();
    assert!(matches!(host.survey(), Err(SurveyError::Strange { .. })));
    std::fs::remove_file(&table).unwrap();
    assert!(matches!(host.survey(), Err(SurveyError::Unreadable { .. })));
    assert!(matches!(
        lab_stick::Host::at("/nonexistent").survey(),
        Err(SurveyError::Unreadable { .. })
    ));
}
