//! Faults of the machine itself, and of the system on it.

use lab_facts::{Fact, Firmware, KernelLine};

use super::{Fault, difference, facts, fault, known, root, strict, system, text};

fn log(evidence: &mut lab_accept::Evidence, line: &str) {
    known(&mut root(evidence).kernel_log).push(KernelLine {
        at_ms: 77_000,
        text: text(line),
    });
}

pub(super) static FAULTS: &[Fault] = &[
    fault(
        "another maker",
        |e| known(&mut system(e).dmi).vendor = text("HP"),
        &["machine.vendor"],
    ),
    fault(
        "another model",
        |e| known(&mut system(e).dmi).product = text("HP Z420 Workstation"),
        &["machine.product"],
    ),
    fault(
        "a system for ARM",
        |e| known(&mut system(e).kernel).machine = text("aarch64"),
        &["machine.cpu"],
    ),
    fault(
        "a memory module came loose",
        |e| *known(&mut system(e).memory_kib) = 24_600_000,
        &["machine.memory"],
    ),
    fault(
        "more memory than described",
        |e| *known(&mut system(e).memory_kib) = 65_800_000,
        &["machine.memory"],
    ),
    fault(
        "the memory lost a bit",
        |e| known(&mut system(e).memory_errors).uncorrected = 1,
        &["machine.memory-errors"],
    ),
    fault(
        "a machine check",
        |e| log(e, "mce: [Hardware Error]: Machine check events logged"),
        &["machine.memory-log"],
    ),
    fault(
        "an uncorrected error in the log",
        |e| log(e, "EDAC MC0: 1 UE uncorrected memory error on DIMM2"),
        &["machine.memory-log"],
    ),
    strict(
        "started by BIOS",
        |e| *known(&mut system(e).firmware) = Firmware::Bios,
        &["machine.firmware"],
    ),
    fault(
        "another disk",
        |e| known(&mut system(e).disks)[0].model = text("Samsung SSD 860 EVO 250GB"),
        &["machine.disk"],
    ),
    fault(
        "a second disk of that model",
        |e| known(&mut system(e).disks)[1].model = text("Samsung SSD 870 EVO 250GB"),
        &["machine.disk"],
    ),
    fault(
        "a larger disk of that name",
        |e| known(&mut system(e).disks)[0].bytes = 500_107_862_016,
        &["machine.disk"],
    ),
    strict(
        "another serial number",
        |e| known(&mut system(e).disks)[0].serial = text("S6PENL0T999999Z"),
        &["machine.disk"],
    ),
    fault(
        "started from the other disk",
        |e| known(&mut system(e).root).disks = vec![text("sdb")],
        &["machine.root-disk"],
    ),
    fault(
        "a root that spreads over both disks",
        |e| known(&mut system(e).root).disks.push(text("sdb")),
        &["machine.root-disk"],
    ),
    strict(
        "the cable is out",
        |e| known(&mut system(e).nics)[0].up = false,
        &["machine.network[address]", "machine.network[card]"],
    ),
    strict(
        "another network card",
        |e| known(&mut system(e).nics)[0].mac = text("a0:8c:fd:01:02:04"),
        &["machine.network[card]"],
    ),
    strict(
        "another address",
        |e| known(&mut system(e).nics)[0].addresses = vec![text("192.168.1.21/24")],
        &["machine.network[address]"],
    ),
    fault(
        "the stick's live system",
        |e| known(&mut system(e).root).live = true,
        &["machine.installed"],
    ),
    fault(
        "Debian",
        |e| known(&mut system(e).os).id = text("debian"),
        &["machine.release"],
    ),
    fault(
        "an older point release",
        |e| known(&mut system(e).os).pretty_name = text("Ubuntu 24.04.4 LTS"),
        &["machine.release"],
    ),
    fault(
        "a newer series",
        |e| {
            known(&mut system(e).os).version_id = text("26.04");
            known(&mut system(e).os).pretty_name = text("Ubuntu 26.04 LTS");
        },
        &["machine.release"],
    ),
    fault(
        "the HWE kernel",
        |e| known(&mut system(e).kernel).release = text("6.17.0-22-generic"),
        &["machine.kernel"],
    ),
    fault(
        "a kernel of another flavour",
        |e| known(&mut system(e).kernel).release = text("6.8.0-142-lowlatency"),
        &["machine.kernel"],
    ),
    fault(
        "a kernel of somebody's own",
        |e| known(&mut system(e).kernel).release = text("custom"),
        &["machine.kernel"],
    ),
    fault(
        "no time server",
        |e| *known(&mut system(e).clock.synchronized) = false,
        &["machine.time-sync"],
    ),
    fault(
        "the clock is an hour behind",
        |e| e.clock_ahead_ms = Fact::Is(-3_600_000),
        &["machine.clock"],
    ),
    fault(
        "the clock is a minute ahead",
        |e| e.clock_ahead_ms = Fact::Is(60_000),
        &["machine.clock"],
    ),
    fault(
        "another time zone",
        |e| *known(&mut system(e).clock.timezone) = text("Europe/Berlin"),
        &["machine.timezone"],
    ),
    fault(
        "another name",
        |e| *known(&mut system(e).hostname) = text("ubuntu"),
        &["machine.hostname"],
    ),
    fault(
        "the disk is nearly full",
        |e| {
            known(system(e).spaces.get_mut("/").unwrap()).free_bytes = 23_000_000_000;
        },
        &["machine.space[/]"],
    ),
    fault(
        "a small disk with less than 5 GB",
        |e| {
            let space = known(system(e).spaces.get_mut("/var/lib/docker").unwrap());
            (space.size_bytes, space.free_bytes) = (30_000_000_000, 4_900_000_000);
        },
        &["machine.space[/var/lib/docker]"],
    ),
    fault(
        "no inodes",
        |e| {
            known(system(e).spaces.get_mut("/").unwrap()).free_inodes = Some(12);
        },
        &["machine.space[/]"],
    ),
    fault(
        "a unit failed",
        |e| known(&mut system(e).systemd).failed = vec![text("fwupd.service")],
        &["machine.failed-units"],
    ),
    fault(
        "maintenance",
        |e| known(&mut system(e).systemd).state = text("maintenance"),
        &["machine.failed-units"],
    ),
    fault(
        "a kernel waits for a restart",
        |e| {
            *known(&mut system(e).reboot_required) =
                Some(vec![text("linux-image-6.8.0-145-generic")]);
        },
        &["machine.reboot"],
    ),
    fault(
        "another description",
        |e| {
            known(&mut facts(e).software.release).insert(text("LAB_DESCRIPTION"), "0".repeat(64));
        },
        &["machine.description"],
    ),
    fault(
        "no record of the description",
        |e| known(&mut facts(e).software.release).clear(),
        &["machine.description", "machine.lock"],
    ),
    fault(
        "the description changed here",
        |e| e.expected.description = "1".repeat(64),
        &["machine.description"],
    ),
    fault(
        "another lock",
        |e| {
            known(&mut facts(e).software.release).insert(text("LAB_LOCK"), "0".repeat(64));
        },
        &["machine.lock"],
    ),
    fault(
        "made without a lock",
        |e| {
            known(&mut facts(e).software.release).remove("LAB_LOCK");
        },
        &["machine.lock"],
    ),
    fault(
        "a locked package went back",
        |e| {
            let packages = known(&mut facts(e).software.packages);
            packages
                .entry(text("libc6"))
                .and_modify(|one| one.version = text("2.39-0ubuntu8.5"));
        },
        &["machine.locked-packages"],
    ),
    fault(
        "a locked package is gone",
        |e| {
            known(&mut facts(e).software.packages).remove("libc6");
        },
        &["machine.locked-packages"],
    ),
    fault(
        "a held package was moved",
        |e| {
            let packages = known(&mut facts(e).software.packages);
            packages
                .entry(text("libnvidia-compute-580-server"))
                .and_modify(|one| one.version = text("580.178.04-0ubuntu0.24.04.1"));
        },
        &["machine.locked-packages"],
    ),
    fault(
        "the lock was made for another description",
        |e| {
            let locked = e.expected.locked.as_mut().unwrap();
            locked
                .lacks
                .push(text("the file mnist is not locked as it is described"));
        },
        &["machine.lock"],
    ),
    fault(
        "another list was laid down",
        |e| e.expected.manifest = "1".repeat(64),
        &["machine.manifest"],
    ),
    fault(
        "a file was changed by hand",
        |e| {
            known(&mut e.differences).push(difference(
                "file",
                "/etc/ssh/sshd_config.d/10-lab.conf",
                "changed",
                "as laid down",
            ));
        },
        &["machine.differences"],
    ),
];
