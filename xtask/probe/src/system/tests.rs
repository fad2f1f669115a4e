//! The machine on trees of files: the Z440, and what is missing, broken or huge.

use lab_facts::{Firmware, Protocol};

use super::*;
use crate::root::Root;
use crate::tree::{Tree, broken};

#[test]
fn what_a_z440_is_made_of() {
    let tree = Tree::z440();
    let root = &tree.root();
    let dmi = hardware::dmi(root).unwrap();
    assert_eq!(
        (dmi.vendor.as_str(), dmi.product.as_str()),
        ("Hewlett-Packard", "HP Z440 Workstation")
    );
    assert_eq!(dmi.bios, "M60 v02.62 02/01/2024");
    let cpu = hardware::cpu(root).unwrap();
    assert_eq!(
        (cpu.threads, cpu.model.as_str()),
        (8, "Intel(R) Xeon(R) CPU E5-1620 v3 @ 3.50GHz")
    );
    assert_eq!(hardware::memory_kib(root), Ok(32_763_748));
    let errors = hardware::memory_errors(root).unwrap();
    assert_eq!(
        (errors.controllers, errors.corrected, errors.uncorrected),
        (1, 2, 0)
    );
    assert_eq!(hardware::firmware(root), Firmware::Uefi);
    assert_eq!(hardware::secure_boot(root), Ok(Some(true)));
}

#[test]
fn how_a_z440_runs() {
    let tree = Tree::z440();
    let root = &tree.root();
    assert_eq!(os(root).unwrap().pretty_name, "Ubuntu 24.04.5 LTS");
    assert_eq!(kernel(root).unwrap().release, "6.8.0-90-generic");
    assert_eq!(uptime_s(root), Ok(91_234));
    assert_eq!(
        clock::look(root).timezone,
        Fact::Is("Europe/Berlin".to_owned())
    );
    assert!(!clock::in_container(root));
    assert!(reboot_required(root).unwrap().is_none());
    tree.file("/run/reboot-required", "*** System restart required ***\n")
        .file(
            "/run/reboot-required.pkgs",
            "linux-base\nlibc6\nlinux-base\n",
        );
    assert_eq!(
        reboot_required(root).unwrap().unwrap(),
        ["libc6", "linux-base"]
    );
}

#[test]
fn a_containers_clock_is_its_hosts() {
    let tree = Tree::z440();
    tree.file("/run/systemd/container", "docker\n");
    let clock = clock::look(&tree.root());
    assert_eq!(
        clock.synchronized,
        Fact::unknown("a container has its host's clock")
    );
}

#[test]
fn the_root_lies_on_a_disk_through_lvm() {
    let tree = Tree::z440();
    let root = mounts::root_file_system(&tree.root()).unwrap();
    assert_eq!(root.source, "/dev/mapper/ubuntu--vg-ubuntu--lv");
    assert_eq!((root.fstype.as_str(), root.live), ("ext4", false));
    assert_eq!(root.disks, ["sda"]);
}

#[test]
fn a_root_whose_number_is_no_devices_is_found_by_its_path() {
    let tree = Tree::z440();
    tree.file(
        "/proc/self/mountinfo",
        "29 1 0:30 /@ / rw - btrfs /dev/mapper/root rw\n",
    )
    .link("/dev/mapper/root", "../dm-0");
    assert_eq!(
        mounts::root_file_system(&tree.root()).unwrap().disks,
        ["sda"]
    );
    tree.file(
        "/proc/self/mountinfo",
        "29 1 0:30 /@ / rw - btrfs /dev/sda2 rw\n",
    );
    assert_eq!(
        mounts::root_file_system(&tree.root()).unwrap().disks,
        ["sda"]
    );
}

#[test]
fn the_installers_live_system_is_known() {
    let live = |cmdline: &str, mount: &str| {
        let tree = Tree::z440();
        tree.file("/proc/cmdline", cmdline)
            .file("/proc/self/mountinfo", mount);
        mounts::root_file_system(&tree.root()).unwrap()
    };
    let cow = "24 0 0:20 / / rw,relatime - overlay /cow rw,lowerdir=/x,upperdir=/cow/upper\n";
    assert!(live("---", cow).live && live("---", cow).disks.is_empty());
    let plain =
        "24 0 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/x,upperdir=/var/lib/docker/a\n";
    assert!(!live("quiet", plain).live);
    assert!(live("boot=casper quiet", plain).live);
    assert!(!live("reboot=caspers", plain).live);
}

#[test]
fn disks_are_what_lsblk_prints() {
    let tree = Tree::z440();
    let all = disks::all(&tree.root()).unwrap();
    assert_eq!(all.len(), 1);
    let sda = &all[0];
    assert_eq!(
        (sda.name.as_str(), sda.model.as_str()),
        ("sda", "Samsung SSD 870 EVO 250GB")
    );
    assert_eq!(sda.serial, "S6PENL0T123456A");
    assert_eq!((sda.bytes, sda.removable), (250_059_350_016, false));
    // Where udev knows nothing, sysfs does.
    std::fs::remove_file(tree.root().path("/run/udev/data/b8:0")).unwrap();
    tree.file("/sys/block/sda/device/model", "Samsung SSD 870 \n");
    let sda = &disks::all(&tree.root()).unwrap()[0];
    assert_eq!(
        (sda.model.as_str(), sda.serial.as_str()),
        ("Samsung SSD 870", "")
    );
}

#[test]
fn who_listens() {
    let tree = Tree::z440();
    let seen: Vec<String> = sockets::listeners(&tree.root())
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one.address, one.port))
        .collect();
    assert_eq!(seen, ["0.0.0.0 22", ":: 22", "::1 631", "127.0.0.1 11434"]);
}

#[test]
fn whose_sockets_they_are() {
    let tree = Tree::z440();
    tree.file("/proc/1/comm", "systemd\n")
        .link("/proc/1/fd/40", "socket:[4002]")
        .link("/proc/1/fd/41", "socket:[4005]")
        .file("/proc/812/comm", "sshd\n")
        .link("/proc/812/fd/3", "socket:[4002]")
        .file("/proc/900/comm", "ollama\n")
        .link("/proc/900/fd/7", "socket:[4001]");
    let all = sockets::listeners_with_programs(&tree.root()).unwrap();
    let of = |port| {
        all.iter()
            .find(|one| one.port == port)
            .unwrap()
            .program
            .as_deref()
    };
    assert_eq!(
        (of(22), of(631), of(11434)),
        (Some("sshd"), Some("systemd"), Some("ollama"))
    );
}

#[test]
fn a_v4_address_in_v6_is_one_of_v4() {
    let line = "1: 0000000000000000FFFF00000100007F:0050 0:0 0A 0:0 0:0 0 0 0 77";
    let (one, inode) = sockets::socket(line, Protocol::Tcp, "0A").unwrap();
    assert_eq!(
        (one.address.to_string().as_str(), one.port, inode),
        ("127.0.0.1", 80, 77)
    );
}

#[test]
fn nothing_is_made_up_where_nothing_is() {
    let root = &Tree::new().root();
    assert!(
        hardware::dmi(root)
            .unwrap_err()
            .contains("sys_vendor is not there")
    );
    assert!(hardware::cpu(root).is_err() && hardware::memory_kib(root).is_err());
    assert!(os(root).is_err() && kernel(root).is_err() && uptime_s(root).is_err());
    assert!(mounts::root_file_system(root).is_err() && disks::all(root).is_err());
    assert!(sockets::listeners(root).is_err());
    assert_eq!(hardware::memory_errors(root).unwrap().controllers, 0);
    assert_eq!(hardware::secure_boot(root), Ok(None));
}

#[test]
fn broken_files_are_said() {
    let tree = Tree::z440();
    tree.file("/proc/uptime", "soon")
        .file("/proc/meminfo", [0xff, 0xfe])
        .file("/sys/devices/system/edac/mc/mc0/ce_count", "many\n");
    let root = &tree.root();
    assert_eq!(uptime_s(root), Err("/proc/uptime is `soon`".to_owned()));
    assert!(hardware::memory_kib(root).is_err());
    assert!(
        hardware::memory_errors(root)
            .unwrap_err()
            .contains("`many`")
    );
}

#[test]
fn huge_files_and_pipes_are_refused() {
    let tree = Tree::new();
    tree.huge("/proc/uptime")
        .huge("/etc/os-release")
        .huge("/large")
        .folder("/folder");
    let pipe = tree.root().path("/pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let root = &tree.root();
    assert!(uptime_s(root).unwrap_err().contains("larger than"));
    assert!(os(root).unwrap_err().contains("larger than"));
    let paths = ["/large", "/pipe", "/folder", "relative", "/none"].map(str::to_owned);
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    for (path, fact) in by_path(digests(root, &paths), deadline) {
        assert!(fact.known().is_none(), "{path}: {fact:?}");
    }
}

#[test]
fn a_digest_is_that_of_sha256sum() {
    let tree = Tree::new();
    tree.file("/a", "abc");
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    let digests = by_path(digests(&tree.root(), &["/a".to_owned()]), deadline);
    let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(digests["/a"], Fact::Is(sum.to_owned()));
}

#[test]
fn an_object_is_told_by_length_and_digest() {
    let tree = Tree::new();
    tree.file("/a", "abc").huge("/b").folder("/c");
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    let paths = ["/a", "/b", "/c", "/none", "relative"].map(str::to_owned);
    let objects = by_path(objects(&tree.root(), &paths), deadline);
    let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let small = objects["/a"].known().unwrap().as_ref().unwrap();
    assert_eq!((small.bytes, small.sha256.as_deref()), (3, Some(sum)));
    // Too large to be read while somebody waits.
    let huge = objects["/b"].known().unwrap().as_ref().unwrap();
    assert_eq!((huge.bytes, huge.sha256.as_deref()), (1 << 30, None));
    assert_eq!(objects["/none"], Fact::Is(None));
    for odd in ["/c", "relative"] {
        assert!(objects[odd].known().is_none(), "{odd}: {:?}", objects[odd]);
    }
}

#[test]
fn room_is_told_with_its_mount() {
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    let root = Root::new(std::path::Path::new("/"));
    let spaces = mounts::spaces(&root, &["/proc".to_owned(), "/nowhere".to_owned()]);
    let spaces = by_path(spaces, deadline);
    assert_eq!(spaces["/proc"].known().unwrap().mounted_at, "/proc");
    assert!(spaces["/nowhere"].known().is_none());
}

#[test]
fn values_of_a_file_for_shells() {
    let text = "A=1\nB=\"two \\\"words\\\"\"\nC='3 $x'\n# D=4\nexport E=5\n=6\n";
    let read = assignments(text);
    let pairs: Vec<(&str, &str)> = read.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(pairs, [("A", "1"), ("B", "two \"words\""), ("C", "3 $x")]);
}

#[test]
fn nothing_that_is_broken_stops_a_reader() {
    let tree = Tree::z440();
    let root = tree.root();
    let files = [
        "/proc/self/mountinfo",
        "/proc/net/tcp6",
        "/etc/os-release",
        "/proc/cpuinfo",
        "/run/udev/data/b8:0",
    ];
    for file in files {
        let sound = root.text(file, 1 << 20).unwrap();
        broken(&sound, |bytes| {
            tree.file(file, bytes);
            let _ = mounts::root_file_system(&root);
            let _ = sockets::listeners(&root);
            let _ = (os(&root), hardware::cpu(&root));
            let _ = disks::all(&root);
        });
        tree.file(file, sound);
    }
}
