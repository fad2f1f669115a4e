//! Disks that differ, and texts that would trick a shell.

use super::{Case, EVO, lab_on_disk, stops};

pub(super) const CASES: &[Case] = &[
    stops(
        "two disks of the model",
        "",
        |b| b.disk("sdc", 488_397_168, "8:32", EVO, "S5STNF0R999999Z"),
        &["2 disks that fit", "/dev/sdc", "S5STNF0R999999Z"],
    ),
    stops(
        "no disk of the model",
        "",
        |b| b.udev("sda", "ID_MODEL=Samsung_SSD_860_EVO_250GB\nID_SERIAL=x\n"),
        &["0 disks that fit", "860_EVO", "Samsung_SSD_870_EVO_250GB"],
    ),
    stops(
        "a model that only begins so",
        "",
        |b| b.udev("sda", "ID_MODEL=Samsung_SSD_870_EVO_250GB_X\nID_SERIAL=x\n"),
        &["0 disks that fit"],
    ),
    stops(
        "no disk at all",
        "",
        |b| b.remove("root/sys/block"),
        &["no disk at all"],
    ),
    stops(
        "another serial",
        "serial",
        |b| b.udev("sda", "ID_MODEL=x\nID_SERIAL=x_S5STNF0R123456B\n"),
        &["0 disks that fit", "serial 'S5STNF0R123456A'"],
    ),
    stops(
        "a serial that is part of a longer one",
        "serial",
        |b| {
            b.udev(
                "sda",
                "ID_SERIAL=x_S5STNF0R123456AB\nID_SERIAL_SHORT=S5STNF0R123456AB\n",
            );
        },
        &["whole serial number"],
    ),
    stops(
        "the serial within two disks",
        "serial",
        |b| b.disk("sdc", 1, "8:32", "y", "1S5STNF0R123456A"),
        &["2 disks that fit"],
    ),
    stops(
        "the right serial on another model",
        "both",
        |b| b.udev("sda", "ID_MODEL=x\nID_SERIAL=x_S5STNF0R123456A\n"),
        &["0 disks that fit"],
    ),
    stops(
        "a disk half as large",
        "",
        |b| b.sys("block/sda/size", "244000000\n"),
        &["250 GB, 10 % more or less"],
    ),
    stops(
        "a disk twice as large",
        "",
        |b| b.sys("block/sda/size", "976773168\n"),
        &["250 GB, 10 % more or less"],
    ),
    stops(
        "a size that cannot be read",
        "",
        |b| b.sys("block/sda/size", "many\n"),
        &["nothing can be learnt of /dev/sda"],
    ),
    stops(
        "a write-protected disk",
        "",
        |b| b.sys("block/sda/ro", "1\n"),
        &["cannot be written"],
    ),
    stops(
        "mounted",
        "serial",
        |b| b.mounted("8:0", "/dev/sda", "/mnt"),
        &["in use: /mnt"],
    ),
    stops(
        "a partition is mounted",
        "serial",
        |b| {
            b.partition("sda", "sda1", "8:1");
            b.mounted("8:1", "/dev/sda1", "/media/x");
        },
        &["in use: /media/x"],
    ),
    stops(
        "a volume on it is mounted",
        "serial",
        |b| {
            b.partition("sda", "sda3", "8:3");
            b.sys("block/sda/sda3/holders/dm-0/x", "");
            b.sys("block/dm-0/dev", "253:0\n");
            b.sys("block/dm-0/size", "100\n");
            b.sys("block/dm-0/dm/name", "ubuntu--vg-lv\n");
            b.udev("dm-0", "DM_NAME=x\n");
            b.mounted("253:0", "/dev/mapper/ubuntu--vg-lv", "/media/vg");
        },
        &["in use: /media/vg"],
    ),
    stops(
        "btrfs is mounted, with a number of its own",
        "serial",
        |b| b.mounted("0:55", "/dev/sda", "/mnt"),
        &["in use: /mnt"],
    ),
    stops(
        "the medium itself fits",
        "",
        |b| {
            b.udev("sda", "ID_MODEL=other\nID_SERIAL=x\n");
            b.udev("sdb", &format!("ID_MODEL={EVO}\nID_SERIAL=x\n"));
        },
        &["in use: /cdrom", "/dev/sdb"],
    ),
    stops(
        "the mounts cannot be read",
        "",
        |b| b.remove("root/proc/self/mountinfo"),
        &["list of mounts cannot be read"],
    ),
    stops(
        "a lab on /boot",
        "serial",
        |b| lab_on_disk(b, "lab/installed-gpu-server"),
        &["an installed lab 'gpu-server'", "Start the installed lab"],
    ),
    stops(
        "a lab below /",
        "serial",
        |b| lab_on_disk(b, "boot/lab/installed-gpu-server"),
        &["an installed lab 'gpu-server'"],
    ),
    stops(
        "another machine's lab",
        "serial",
        |b| lab_on_disk(b, "lab/installed-other"),
        &["an installed lab 'other'"],
    ),
    stops(
        "a lab without a partition table",
        "serial",
        |b| {
            b.ext4("sda");
            b.on("sda", "lab/installed-x");
        },
        &["an installed lab 'x'"],
    ),
    stops(
        "a filesystem that cannot be mounted",
        "serial",
        |b| {
            b.partition("sda", "sda1", "8:1");
            b.ext4("sda1");
            b.root("dev/sda1.broken", "");
        },
        &["filesystem on /dev/sda1", "whether it carries a lab"],
    ),
    stops(
        "a partition without a node",
        "serial",
        |b| {
            b.partition("sda", "sda1", "8:1");
            b.remove("root/dev/sda1");
        },
        &["/dev/sda1", "cannot be read"],
    ),
    stops(
        "not blank: a partition",
        "",
        |b| b.partition("sda", "sda1", "8:1"),
        &["is not blank", "the partition sda1", "Reinstall"],
    ),
    stops(
        "not blank: a filesystem",
        "",
        |b| b.ext4("sda"),
        &["is not blank", "ext4"],
    ),
    stops(
        "not blank: part of a RAID",
        "",
        |b| b.sys("block/sda/holders/md0/x", ""),
        &["is not blank", "a part of md0"],
    ),
    stops(
        "not blank: LUKS",
        "",
        |b| {
            std::fs::write(
                b.path("root/dev/sda"),
                [b"LUKS\xba\xbe\0\x01".as_slice(), &[0; 1 << 20]].concat(),
            )
            .unwrap();
        },
        &["is not blank"],
    ),
    stops(
        "a disk that cannot be read",
        "",
        |b| b.remove("root/dev/sda"),
        &["cannot be read"],
    ),
    stops(
        "the word of another machine",
        "serial",
        |b| b.reinstall("other"),
        &["lab.reinstall=other", "none, or lab.reinstall=gpu-server"],
    ),
    stops(
        "the word twice, once for another",
        "",
        |b| b.cmdline("lab.reinstall=gpu-server lab.reinstall=x"),
        &["lab.reinstall=x"],
    ),
    stops(
        "the word twice, first for another",
        "",
        |b| b.cmdline("lab.reinstall=x lab.reinstall=gpu-server"),
        &["lab.reinstall=x"],
    ),
    stops(
        "the word without a name",
        "",
        |b| b.cmdline("autoinstall lab.reinstall"),
        &["the kernel word lab.reinstall"],
    ),
    stops(
        "the word of the machine whose name begins so",
        "",
        |b| b.reinstall("gpu-server2"),
        &["lab.reinstall=gpu-server2"],
    ),
    stops(
        "no command line",
        "",
        |b| b.remove("root/proc/cmdline"),
        &["command line cannot be read"],
    ),
    stops(
        "erasing was asked for, of another machine",
        "",
        |b| {
            b.reinstall("gpu-server");
            b.sys("class/dmi/id/product_name", "Other\n");
        },
        &["Other"],
    ),
    stops(
        "erasing was asked for, of a mounted disk",
        "",
        |b| {
            b.reinstall("gpu-server");
            b.mounted("8:0", "/dev/sda", "/mnt");
        },
        &["in use: /mnt"],
    ),
    stops(
        "udev knows nothing of a disk",
        "",
        |b| b.remove("udev/sda"),
        &["nothing can be learnt of /dev/sda"],
    ),
    stops(
        "udevadm fails",
        "",
        |b| b.program("udevadm", "#!/bin/sh\nexit 1\n"),
        &["nothing can be learnt of /dev/sda"],
    ),
    stops(
        "blkid fails",
        "serial",
        |b| b.program("blkid", "#!/bin/sh\nexit 8\n"),
        &["cannot be read"],
    ),
    stops(
        "wipefs fails",
        "",
        |b| b.program("wipefs", "#!/bin/sh\nexit 1\n"),
        &["wipefs cannot read"],
    ),
    stops(
        "umount fails",
        "serial",
        |b| {
            lab_on_disk(b, "etc/passwd");
            b.program("umount", "#!/bin/sh\nexit 1\n");
        },
        &["still mounted"],
    ),
    stops(
        "everything at once",
        "",
        |b| {
            b.sys("class/dmi/id/product_name", "Other\n");
            b.root("proc/meminfo", "MemTotal: 8000000 kB\n");
            b.remove("root/sys/bus/pci/devices/0000:01:00.0");
            b.udev("sda", "ID_MODEL=x\nID_SERIAL=y\n");
        },
        &["4 thing(s)", "Other", "7812 MiB", "0000:01:00.0", "0 disks"],
    ),
    stops(
        "quotes and commands in DMI",
        "",
        |b| {
            b.sys(
                "class/dmi/id/product_name",
                "'\"; $(touch pwned) `touch pwned` \\ %s%n\n",
            );
        },
        &["$(touch pwned)", "%s%n"],
    ),
    stops(
        "control characters in DMI",
        "",
        |b| b.sys("class/dmi/id/product_name", "\u{1b}[2Jx\u{7}y\n"),
        &["?[2Jx?y"],
    ),
    stops(
        "lines in DMI",
        "",
        |b| b.sys("class/dmi/id/product_name", "HP Z440\nWorkstation\n"),
        &["HP Z440?Workstation", "1 thing(s)"],
    ),
    stops(
        "a megabyte in DMI",
        "",
        |b| b.sys("class/dmi/id/product_name", &"x".repeat(1 << 20)),
        &["xxxxxxxx"],
    ),
    stops(
        "globs in a serial",
        "",
        |b| b.udev("sda", "ID_MODEL=*\nID_SERIAL=*\n"),
        &["0 disks that fit", "model '*'"],
    ),
    stops(
        "conf without a disk",
        "",
        |b| {
            let conf = std::fs::read_to_string(b.path("lab/guard.conf")).unwrap();
            b.put("lab/guard.conf", &conf.replace(EVO, ""));
        },
        &["names no disk"],
    ),
    stops(
        "conf of another format",
        "",
        |b| {
            let conf = std::fs::read_to_string(b.path("lab/guard.conf")).unwrap();
            b.put(
                "lab/guard.conf",
                &conf.replace("LAB_FORMAT=1", "LAB_FORMAT=2"),
            );
        },
        &["format 2"],
    ),
    stops(
        "conf that says to erase otherwise",
        "",
        |b| {
            let conf = std::fs::read_to_string(b.path("lab/guard.conf")).unwrap();
            b.put("lab/guard.conf", &conf.replace("if-blank", "perhaps"));
        },
        &["'perhaps'"],
    ),
];
