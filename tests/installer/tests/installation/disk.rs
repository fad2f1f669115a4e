//! A real disk, as far as a loop device is one: erased, laid out, filled and mounted by the
//! real programs. Programs of the target and of udev only write down that they were called.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use lab_not_run::not_run;

use crate::bench::{Bench, FILE};

const TEST: &str = "installation::disk";

/// Programs that are real here.
const REAL: &[&str] = &[
    "blkid",
    "cp",
    "fallocate",
    "lsblk",
    "mkfs.ext4",
    "mkswap",
    "mount",
    "sfdisk",
    "sync",
    "umount",
    "wipefs",
];

/// Runs a program; what it prints, or nothing where it fails.
fn printed(words: &[&str]) -> Option<String> {
    let output = Command::new(words[0]).args(&words[1..]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// A loop device, taken off in the end.
struct Loop(String);

impl Loop {
    /// One with an old partition on it, or why there is none.
    fn of(image: &Path) -> Result<Self, &'static str> {
        if printed(&["id", "-u"]).as_deref() != Some("0") {
            return Err("only root has loop devices");
        }
        if printed(&["mksquashfs", "-version"]).is_none() {
            return Err("mksquashfs is missing (squashfs-tools)");
        }
        let image = image.to_str().unwrap();
        let words = ["losetup", "--find", "--show", "--partscan", image];
        let device = Self(printed(&words).ok_or("there is no free loop device")?);
        // What is there before must not be in the way.
        let old = "echo 'start=1MiB, size=64MiB' | sfdisk --quiet \"$0\" && mkfs.ext4 -q -F -E offset=1048576 \"$0\" 32m";
        printed(&["sh", "-c", old, &device.0]).ok_or("a loop device cannot be written")?;
        printed(&["partx", "--update", &device.0]);
        let number = format!("/sys/block/{0}/{0}p1/dev", device.name());
        if !Path::new(&number).exists() {
            return Err("this kernel reads no partitions of loop devices");
        }
        Ok(device)
    }

    /// The kernel's name of it.
    fn name(&self) -> &str {
        self.0.trim_start_matches("/dev/")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        for number in 1..=2 {
            // Where udev runs the node is its own and goes with the device.
            let _ = fs::remove_file(format!("{}p{number}", self.0));
        }
        printed(&["losetup", "--detach", &self.0]);
    }
}

fn layer(bench: &Bench, name: &str, files: &[(&str, &str)]) {
    let folder = format!("/layers/{name}");
    for (path, text) in files {
        bench.put(&format!("{folder}/{path}"), text);
    }
    let from = bench.path(&folder).display().to_string();
    let to = bench
        .path(&format!("/cdrom/casper/{name}"))
        .display()
        .to_string();
    fs::remove_file(&to).unwrap();
    printed(&["mksquashfs", &from, &to, "-quiet", "-no-progress"]).unwrap();
}

fn live(name: &str) -> Bench {
    let bench = Bench::new();
    for program in REAL {
        fs::remove_file(bench.path(&format!("/programs/{program}"))).unwrap();
    }
    fs::remove_file(bench.path("/proc/self/mountinfo")).unwrap();
    symlink("/proc/self/mountinfo", bench.path("/proc/self/mountinfo")).unwrap();
    symlink(
        format!("/sys/block/{name}"),
        bench.path(&format!("/sys/block/{name}")),
    )
    .unwrap();
    fs::create_dir_all(bench.path("/dev")).unwrap();
    layer(
        &bench,
        "a.squashfs",
        &[
            ("etc/group", "adm:x:4:\n"),
            ("etc/which", "lower\n"),
            ("boot/vmlinuz-6.12", ""),
            ("usr/bin/cloud-init", ""),
            ("usr/sbin/grub-install", ""),
            ("usr/lib/grub/i386-pc/boot.img", ""),
        ],
    );
    layer(&bench, "a.b.squashfs", &[("etc/which", "upper\n")]);
    bench
}

#[test]
fn a_loop_device_is_laid_out_and_filled_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk");
    fs::File::create(&image).unwrap().set_len(3 << 30).unwrap();
    let device = match Loop::of(&image) {
        Ok(device) => device,
        Err(reason) => return not_run(TEST, reason),
    };
    let bench = live(device.name());
    let layout = format!("name: 'direct', match: {{path: '{}'}}", device.0);
    let old = "name: 'lvm', sizing-policy: 'all', match: {model: 'Samsung?SSD?870?EVO?250GB'}";
    assert!(FILE.contains(old));
    bench.put(
        "/autoinstall.yaml",
        &FILE.replace(old, &layout).replace("1073741824", "1048576"),
    );
    for round in ["first", "second"] {
        let mut command = bench.command();
        let output = command
            .arg("--loop-devices")
            .env("LOOP", device.name())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{round}: {said}");
        assert!(
            !bench.has("/target/etc"),
            "{round}: the target is still mounted"
        );
    }
    check(&bench, &device.0);
}

/// Looks at the disk from outside.
fn check(bench: &Bench, device: &str) {
    let table = printed(&["sfdisk", "--json", device]).unwrap();
    assert!(table.contains("\"label\": \"gpt\""), "{table}");
    assert_eq!(table.matches("\"node\"").count(), 2, "{table}");
    let root = format!("{device}p2");
    let uuid = printed(&["blkid", "--probe", "-s", "UUID", "-o", "value", &root]).unwrap();
    let seen = bench.path("/seen");
    fs::create_dir_all(&seen).unwrap();
    printed(&["mount", "-o", "ro", &root, seen.to_str().unwrap()]).unwrap();
    let fstab = bench.get("/seen/etc/fstab");
    let which = bench.get("/seen/etc/which");
    let swap = (
        bench.mode("/seen/swap.img"),
        fs::metadata(bench.path("/seen/swap.img")).unwrap().len(),
    );
    printed(&["umount", seen.to_str().unwrap()]).unwrap();
    assert!(
        fstab.contains(&format!("/dev/disk/by-uuid/{uuid} / ext4 defaults 0 1\n")),
        "{fstab}"
    );
    assert_eq!(which, "upper\n", "the upper layer lies over the lower one");
    assert_eq!(swap, (0o600, 1 << 20));
}
