//! Small bases in Ubuntu's layout, made by xorriso, and what the tests share.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "each test binary uses a part of this, and a failure here is a failed test"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use lab_not_run::not_run;

use lab_image::{
    BaseDigest, ComposeError, Composed, Entry, FileKind, Image, Job, Outcome, Scope, Tree, compose,
    verify,
};

/// Whether a program can be started.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Runs a program that must succeed; returns its output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// A base image and the folder it stands in.
pub(crate) struct Base {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) iso: PathBuf,
}

impl Base {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// How a base is made.
#[derive(Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) joliet: bool,
    /// Bytes of an incompressible file.
    pub(crate) large: usize,
    pub(crate) checksums: bool,
    /// No partition offset, no ESP: a plain image.
    pub(crate) plain: bool,
}

pub(crate) const UBUNTU: Recipe = Recipe {
    joliet: false,
    large: 70_000,
    checksums: true,
    plain: false,
};

/// Bytes that look random and are always the same.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = 2 * seed + 1;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(step).flatten().take(len).collect()
}

/// Makes a base; `None`, said to be not run, where xorriso is missing.
pub(crate) fn base(test: &str, recipe: Recipe) -> Option<Base> {
    if !has("xorriso") {
        not_run(test, "xorriso is not installed");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fill(&root, recipe);
    let iso = dir.path().join("base.iso");
    let mut command = Command::new("xorriso");
    command.args(["-as", "mkisofs", "-r", "-V", "Test-Server 24.04 LTS"]);
    if recipe.joliet {
        command.arg("-J");
    }
    if !recipe.plain {
        boot_options(&mut command, dir.path());
    }
    run(command.arg("-o").arg(&iso).arg(&root));
    std::fs::remove_dir_all(&root).unwrap();
    Some(Base { dir, iso })
}

/// The recipe that facts about Ubuntu's image name.
fn boot_options(command: &mut Command, dir: &Path) {
    let (mbr, esp) = (dir.join("mbr.img"), dir.join("esp.img"));
    std::fs::write(&mbr, noise(432, 3)).unwrap();
    // Nothing reads it but for its signature.
    let mut fat = vec![0; 64 << 10];
    fat[..64].copy_from_slice(&noise(64, 4));
    fat[510..512].copy_from_slice(&[0x55, 0xAA]);
    std::fs::write(&esp, fat).unwrap();
    command
        .arg("--grub2-mbr")
        .arg(&mbr)
        .args(["--protective-msdos-label", "-partition_cyl_align", "off"])
        .args(["-partition_offset", "16", "--mbr-force-bootable"])
        .args(["-append_partition", "2", "28732ac11ff8d211ba4b00a0c93ec93b"])
        .arg(&esp)
        .args(["-appended_part_as_gpt", "-iso_mbr_part_type"])
        .args(["a2a0d0ebe5b9334487c068b6b72699c7", "-c", "/boot.catalog"])
        .args(["-b", "/boot/grub/i386-pc/eltorito.img", "-no-emul-boot"])
        .args([
            "-boot-load-size",
            "4",
            "-boot-info-table",
            "--grub2-boot-info",
        ])
        .args([
            "-eltorito-alt-boot",
            "-e",
            "--interval:appended_partition_2:::",
        ])
        .arg("-no-emul-boot");
}

fn fill(root: &Path, recipe: Recipe) {
    let write = |path: &str, bytes: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let grub = b"set timeout=30\nmenuentry x {\n\tlinux\t/casper/vmlinuz  ---\n}\n";
    write("boot/grub/grub.cfg", grub);
    write("boot/grub/loopback.cfg", grub);
    write("boot/grub/i386-pc/eltorito.img", &noise(12_000, 5));
    write("casper/vmlinuz", &noise(40_000, 6));
    write("casper/initrd", &noise(recipe.large, 7));
    write(".disk/info", b"Test\n");
    let long = format!(
        "pool/main/o/openssh/openssh-server_9.6p1-{}.deb",
        "3".repeat(60)
    );
    write(&long, b"deb");
    write("empty", b"");
    std::os::unix::fs::symlink(".", root.join("ubuntu")).unwrap();
    std::os::unix::fs::symlink("../pool/main", root.join("dists")).unwrap();
    if recipe.checksums {
        use md5::Digest as _;
        let mut list = String::new();
        for path in [
            "boot/grub/grub.cfg",
            "boot/grub/loopback.cfg",
            "casper/initrd",
            "casper/vmlinuz",
        ] {
            let sum = md5::Md5::digest(std::fs::read(root.join(path)).unwrap());
            list += &format!("{}  ./{path}\n", hex::encode(sum));
        }
        write("md5sum.txt", list.as_bytes());
    }
}

/// A tree of the kind that is put onto an installer.
pub(crate) fn small_tree() -> Tree {
    let mut tree = Tree::new();
    let mut add = |path: &str, entry| tree.insert(path.parse().unwrap(), entry).unwrap();
    add("autoinstall.yaml", Entry::bytes("autoinstall: {}\n"));
    add("boot/grub/grub.cfg", Entry::bytes("set timeout=5\n"));
    for number in 0..60 {
        let path = format!("lab/units/lab-unit-number-{number}.service");
        add(
            &path,
            Entry::bytes(format!("[Unit]\n# {number}\n")).with_mode(0o444),
        );
    }
    add("lab/run", Entry::bytes("#!/bin/sh\n").with_mode(0o555));
    add("lab/empty", Entry::bytes(""));
    add(&format!("lab/{}", "long-".repeat(45)), Entry::bytes("long"));
    add("lab/deep/a/b/c/d/e/f/g/h/i/file", Entry::bytes("deep"));
    let link = Entry {
        content: lab_image::Content::Symlink("../lab/run".into()),
        mode: 0o777,
        listed: true,
    };
    add("lab/link", link);
    tree
}

/// Composes with the base's digest unknown.
pub(crate) fn make(
    base: &Path,
    out: &Path,
    tree: &Tree,
    state: Option<&Path>,
) -> Result<Composed, ComposeError> {
    compose(Job {
        base,
        out,
        tree,
        base_digest: BaseDigest::Unknown,
        state_dir: state,
        mode: 0o600,
        progress: &mut |_| {},
    })
}

pub(crate) fn open(path: &Path) -> Image<File> {
    Image::open(File::open(path).unwrap(), &path.display().to_string()).unwrap()
}

/// Every finding must pass or be said to be not applicable.
pub(crate) fn assert_sound(path: &Path) {
    let findings = verify(&mut open(path), Scope::Everything);
    let failed: Vec<_> = findings
        .iter()
        .filter(|f| f.outcome == Outcome::Fail)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// All files of a tree with their contents.
pub(crate) fn contents(
    image: &mut Image<File>,
    tree: usize,
) -> std::collections::BTreeMap<String, Vec<u8>> {
    let files = image.files(tree);
    let files = files.into_iter().filter(|file| file.kind == FileKind::File);
    files
        .map(|file| {
            let bytes = image.read_in(tree, &file.path, 1 << 30).unwrap().unwrap();
            (file.path, bytes)
        })
        .collect()
}

/// The names in a folder, sorted.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
