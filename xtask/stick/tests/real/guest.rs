//! A kernel with device-mapper and USB, for machines whose own has neither: Debian's, in QEMU,
//! with this same program as all that runs there. Sticks are QEMU's.
//!
//! What it does not prove: that a real stick's controller behaves as QEMU's does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{has, run};

/// What the guest runs besides this program.
const PROGRAMS: &[&str] = &[
    "blkid", "blockdev", "busybox", "cmp", "dmsetup", "losetup", "mke2fs", "mount", "sfdisk", "sh",
    "umount", "unshare",
];

/// What its kernel loads, besides what these need.
const MODULES: &[&str] = &[
    "loop",
    "dm_mod",
    "dm_flakey",
    "dm_delay",
    "xhci_pci",
    "usb_storage",
    "sd_mod",
    "crc32c_generic",
    "ext4",
];

/// Serial, and QEMU's options: of the drive, and of the stick.
const STICKS: &[(&str, &str, &str)] = &[
    ("LAB0001", "", "removable=on"),
    ("LAB0002", "", "removable=on"),
    ("LAB0003", "", "removable=on"),
    ("LABDISK", "", "removable=off"),
    ("LABLOCK", ",readonly=on", "removable=on"),
];

/// What a test there may leave undone: the guest's root is on no disk.
const LEFT_OUT: &[&str] = &["stick_running_system"];

/// While a test is written: the part of its name that alone is run in the guest.
const ONLY: &str = "LAB_STICK_GUEST_ONLY";

const PATIENCE: Duration = Duration::from_secs(900);

#[test]
fn everything_again_on_a_kernel_with_device_mapper_and_usb() {
    for program in ["qemu-system-x86_64", "apt-get", "dpkg-deb", "busybox"] {
        if !has(program) {
            return lab_not_run::not_run("stick_guest", &format!("{program} is not installed"));
        }
    }
    let Some(kernel) = kernel() else {
        return lab_not_run::not_run("stick_guest", "apt-get got no package linux-image-amd64");
    };
    let work = tempfile::tempdir().unwrap();
    let initrd = initrd(work.path(), &kernel);
    let said = boot(work.path(), &kernel, &initrd);
    assert!(said.contains("GUEST ENDS WITH 0"), "{said}");
    let left_out: Vec<&str> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("LEFT OUT "))
        .collect();
    let unexpected = left_out
        .iter()
        .find(|line| !LEFT_OUT.iter().any(|known| line.starts_with(known)));
    assert_eq!(unexpected, None, "{said}");
}

/// Debian's kernel, unpacked below cargo's folder for tests.
fn kernel() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("linux-image");
    if folder.is_dir() {
        return Some(folder);
    }
    let listed = Command::new("apt-cache")
        .args(["depends", "--important", "linux-image-amd64"])
        .output()
        .ok()?;
    let text = String::from_utf8(listed.stdout).ok()?;
    let mut needs = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    let name = needs.find(|name| name.starts_with("linux-image-"))?;
    let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let got = Command::new("apt-get")
        .args(["--quiet", "download", name])
        .current_dir(work.path())
        .output()
        .ok()?;
    let package = fs::read_dir(work.path()).ok()?.flatten().next()?.path();
    let tree = work.path().join("tree");
    run(
        "dpkg-deb",
        &["--extract", package.to_str()?, tree.to_str()?],
    );
    fs::rename(tree, &folder).unwrap();
    got.status.success().then_some(folder)
}

fn initrd(work: &Path, kernel: &Path) -> PathBuf {
    let root = work.join("root");
    for folder in ["bin", "dev", "etc", "proc", "sys", "tmp", "modules"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy(std::env::current_exe().unwrap(), root.join("bin/real")).unwrap();
    let mut wanted = vec![root.join("bin/real")];
    for name in PROGRAMS {
        let found =
            ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(|folder| Path::new(folder).join(name));
        // Where one is missing, the tests that need it say so, and are counted.
        if let Some(path) = found.iter().find(|path| path.exists()) {
            fs::copy(path, root.join("bin").join(name)).unwrap();
            wanted.push(path.clone());
        }
    }
    for library in wanted.iter().flat_map(|program| libraries(program)) {
        let copy = root.join(library.strip_prefix("/").unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&library, copy).unwrap();
    }
    let order = modules(kernel, &root.join("modules"));
    fs::write(root.join("init"), init(&order)).unwrap();
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).unwrap();
    let archive = work.join("initrd");
    run(
        "sh",
        &[
            "-c",
            &format!(
                "cd {} && find . | busybox cpio -o -H newc > {} 2>/dev/null",
                root.display(),
                archive.display()
            ),
        ],
    );
    archive
}

/// The libraries of a program, the loader among them.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words
        .map(PathBuf::from)
        .filter(|path| path.exists())
        .collect()
}

/// Copies the wanted modules and what they need; the order to load them in.
fn modules(kernel: &Path, into: &Path) -> Vec<String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![kernel.join("lib/modules"), kernel.join("usr/lib/modules")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            match name.split_once(".ko") {
                _ if entry.file_type().unwrap().is_dir() => folders.push(entry.path()),
                Some((module, "")) => drop(all.insert(module.replace('-', "_"), entry.path())),
                _ => {}
            }
        }
    }
    let mut order = Vec::new();
    for name in MODULES {
        add(name, &all, into, &mut order);
    }
    order
}

fn add(name: &str, all: &BTreeMap<String, PathBuf>, into: &Path, order: &mut Vec<String>) {
    // What is built into the kernel is no file.
    let Some(path) = all
        .get(name)
        .filter(|_| !order.iter().any(|one| one == name))
    else {
        return;
    };
    let object = fs::read(path).unwrap();
    let key = b"\0depends=";
    let at = object
        .windows(key.len())
        .position(|window| window == key)
        .unwrap();
    let list = object[at + key.len()..]
        .split(|byte| *byte == 0)
        .next()
        .unwrap();
    for need in String::from_utf8_lossy(list)
        .split(',')
        .filter(|need| !need.is_empty())
    {
        add(&need.replace('-', "_"), all, into, order);
    }
    fs::write(into.join(name), object).unwrap();
    order.push(name.to_owned());
}

fn init(order: &[String]) -> String {
    let only = std::env::var(ONLY).unwrap_or_default();
    let load: String = order
        .iter()
        .map(|name| format!("busybox insmod /modules/{name}\n"))
        .collect();
    format!(
        "#!/bin/sh\nexport PATH=/bin RUST_BACKTRACE=0 LAB_STICK_TEST_USB=1 LAB_NOT_RUN=/tmp/left-out\n\
         for name in $(busybox --list); do [ -e /bin/$name ] || busybox ln -s busybox /bin/$name; done\n\
         busybox ln -s bin /sbin; mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev\n\
         mount -t tmpfs -o size=90% tmp /tmp; ln -s /proc/self/mounts /etc/mtab\n\
         {load}sleep 4\n\
         real --test-threads=1 --skip guest:: {only} ; code=$?\n\
         touch /tmp/left-out; while read line; do echo \"LEFT OUT $line\"; done < /tmp/left-out\n\
         echo GUEST ENDS WITH $code; poweroff -f\n"
    )
}

/// Starts the guest and waits for its end; what it said on its console.
fn boot(work: &Path, kernel: &Path, initrd: &Path) -> String {
    let image = fs::read_dir(kernel.join("boot"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let image = image
        .into_iter()
        .find(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("vmlinuz")
        })
        .unwrap();
    let console = work.join("console");
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-machine",
        "q35,accel=tcg",
        "-cpu",
        "max",
        "-m",
        "2048",
        "-smp",
        "2",
        "-display",
        "none",
        "-no-reboot",
        "-nic",
        "none",
    ]);
    qemu.arg("-kernel").arg(image).arg("-initrd").arg(initrd);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1", "-serial"])
        .arg(format!("file:{}", console.display()));
    qemu.args(["-device", "qemu-xhci"]);
    for (serial, drive, stick) in STICKS {
        let file = work.join(serial);
        fs::File::create(&file).unwrap().set_len(32 << 20).unwrap();
        qemu.arg("-drive").arg(format!(
            "if=none,id={serial},format=raw,file={}{drive}",
            file.display()
        ));
        qemu.arg("-device").arg(format!(
            "usb-storage,drive={serial},serial={serial},{stick}"
        ));
    }
    let mut guest = qemu.stdin(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + PATIENCE;
    while guest.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            guest.kill().unwrap();
            guest.wait().unwrap();
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    String::from_utf8_lossy(&fs::read(console).unwrap_or_default()).into_owned()
}
