//! Composed images, read by programs that others wrote.
//!
//! xorriso and isoinfo read the directory trees (the second one in a copy of partition 1,
//! where it is the first), sgdisk the GPT, mtools the EFI partition, md5sum the listing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use lab_standin::Options;
use lab_tests::{Added, base, composed, have, not_run, run, run_in, scratch};
use sha2::{Digest, Sha256};

const TOOLS: &[(&str, &str)] = &[
    ("xorriso", "xorriso"),
    ("isoinfo", "genisoimage"),
    ("sgdisk", "gdisk"),
    ("mcopy", "mtools"),
    ("md5sum", "coreutils"),
];

/// Files of the base that composing may change beside those it is told to.
const KEPT_RIGHT: &[&str] = &["md5sum.txt", "boot.catalog"];

const MENU: &str = "set timeout=1\n# another menu, longer than the one it stands for\n";

const DEEP: &str = "lab/overlay/etc/systemd/system/multi-user.target.wants/lab.service";

/// What is put onto the base: a menu in the place of its own, and new files.
fn added(blob: &[u8]) -> Vec<(&str, &[u8])> {
    vec![
        ("boot/grub/grub.cfg", MENU.as_bytes()),
        ("autoinstall.yaml", b"autoinstall:\n  version: 1\n"),
        ("lab/manifest.json", b"{}\n"),
        (DEEP, b"[Unit]\n"),
        ("lab/empty", b""),
        ("lab/blob.bin", blob),
    ]
}

/// A composed image with its base.
struct Case {
    base: PathBuf,
    image: PathBuf,
    folder: tempfile::TempDir,
    blob: Vec<u8>,
}

impl Case {
    fn new(test: &str, options: &Options) -> Result<Option<Self>> {
        if !have(test, TOOLS) {
            return Ok(None);
        }
        let Some(base) = base(test, options)? else {
            return Ok(None);
        };
        let folder = tempfile::tempdir_in(scratch("image")?)?;
        let image = folder.path().join("composed.iso");
        let blob: Vec<u8> = (0..3_000_001_u32)
            .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        composed(&base, &added(&blob), &image)?;
        Ok(Some(Self {
            base,
            image,
            folder,
            blob,
        }))
    }

    fn added(&self) -> Vec<(&str, &[u8])> {
        added(&self.blob)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is no UTF-8", path.display()))
}

/// Every file of an image, by xorriso, with its SHA-256.
fn digests(image: &Path, folder: &Path) -> Result<BTreeMap<String, String>> {
    run(
        "xorriso",
        &[
            "-osirrox",
            "on",
            "-indev",
            text(image)?,
            "-extract",
            "/",
            text(folder)?,
        ],
    )?;
    let mut all = BTreeMap::new();
    collect(folder, folder, &mut all)?;
    Ok(all)
}

fn collect(root: &Path, folder: &Path, into: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(root, &path, into)?;
            continue;
        }
        let said = match fs::read_link(&path) {
            Ok(target) => format!("-> {}", target.display()),
            Err(_) => sha256(&path)?,
        };
        into.insert(text(path.strip_prefix(root)?)?.to_owned(), said);
    }
    Ok(())
}

fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut sum = Sha256::new();
    let mut chunk = vec![0_u8; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(sum.finalize())),
            got => sum.update(chunk.get(..got).unwrap_or_default()),
        }
    }
}

/// Holds what one tree shows against the base and what was put onto it.
fn compare(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    added: Added,
) -> Result<()> {
    for (path, bytes) in added {
        let wanted = hex::encode(Sha256::digest(bytes));
        ensure!(
            after.get(*path) == Some(&wanted),
            "{path} is {:?}, expected {wanted}",
            after.get(*path)
        );
    }
    for (path, digest) in before {
        let told =
            KEPT_RIGHT.contains(&path.as_str()) || added.iter().any(|(other, _)| other == path);
        ensure!(
            told || after.get(path) == Some(digest),
            "{path} of the base has changed"
        );
    }
    for path in after.keys() {
        let known = before.contains_key(path) || added.iter().any(|(other, _)| other == path);
        ensure!(known, "{path} was neither in the base nor added");
    }
    Ok(())
}

/// Start and end of a GPT partition in bytes, by sgdisk.
fn partition(image: &Path, number: u32) -> Result<(u64, u64)> {
    let said = run("sgdisk", &["--info", &number.to_string(), text(image)?])?;
    let sector = |name: &str| -> Result<u64> {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        Ok(word
            .with_context(|| format!("no {name:?} in {said}"))?
            .parse()?)
    };
    Ok((
        sector("First sector:")? * 512,
        (sector("Last sector:")? + 1) * 512,
    ))
}

/// A copy of a part of a file.
fn cut(from: &Path, (start, end): (u64, u64), to: &Path) -> Result<()> {
    let mut file = File::open(from)?;
    file.seek(SeekFrom::Start(start))?;
    let copied = std::io::copy(&mut file.take(end - start), &mut File::create(to)?)?;
    ensure!(
        copied == end - start,
        "{} ends within the partition",
        from.display()
    );
    Ok(())
}

/// Both trees, whole: every file of the base unchanged, every added file there.
fn both_trees(test: &str, options: &Options) -> Result<()> {
    let Some(case) = Case::new(test, options)? else {
        return Ok(());
    };
    let before = digests(&case.base, &case.file("before"))?;
    let first = digests(&case.image, &case.file("first"))?;
    compare(&before, &first, &case.added()).context("the tree of the whole disk")?;
    let listed = run_in(
        &case.file("first"),
        "md5sum",
        &["--check", "--strict", "md5sum.txt"],
    )?;
    for (path, _) in case.added() {
        ensure!(
            listed.contains(&format!("./{path}: OK")),
            "md5sum.txt does not list {path}"
        );
    }
    let part = case.file("partition1.iso");
    cut(&case.image, partition(&case.image, 1)?, &part)?;
    let second = digests(&part, &case.file("second"))?;
    compare(&before, &second, &case.added()).context("the tree of partition 1")?;
    ensure!(first == second, "the two trees differ");
    Ok(())
}

/// isoinfo's own reader sees the files in Rock Ridge, and in Joliet where there is one.
fn isoinfo(test: &str, options: &Options) -> Result<()> {
    let Some(case) = Case::new(test, options)? else {
        return Ok(());
    };
    let part = case.file("partition1.iso");
    cut(&case.image, partition(&case.image, 1)?, &part)?;
    for image in [&case.image, &part] {
        let image = text(image)?;
        let about = run("isoinfo", &["-d", "-i", image])?;
        ensure!(
            about.contains("Joliet with UCS") == options.joliet,
            "{about}"
        );
        for tree in if options.joliet {
            &["-R", "-J"][..]
        } else {
            &["-R"]
        } {
            let names = run("isoinfo", &[tree, "-f", "-i", image])?;
            for (path, bytes) in case.added() {
                ensure!(
                    names.lines().any(|line| line == format!("/{path}")),
                    "{tree}: no {path} in {names}"
                );
                let out = case.file("extracted");
                fs::write(&out, isoinfo_file(image, tree, path)?)?;
                ensure!(
                    sha256(&out)? == hex::encode(Sha256::digest(bytes)),
                    "{tree}: {path} differs"
                );
            }
        }
    }
    Ok(())
}

fn isoinfo_file(image: &str, tree: &str, path: &str) -> Result<Vec<u8>> {
    let output = std::process::Command::new("isoinfo")
        .args([tree, "-i", image, "-x", &format!("/{path}")])
        .output()
        .context("starting isoinfo")?;
    ensure!(
        output.status.success(),
        "isoinfo -x {path}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

/// The boot records, as xorriso reports them, say the same of base and image but for
/// places and sizes.
fn boot_records(test: &str, options: &Options) -> Result<()> {
    let Some(case) = Case::new(test, options)? else {
        return Ok(());
    };
    let (before, after) = (recipe(&case.base)?, recipe(&case.image)?);
    ensure!(
        before == after,
        "xorriso reports\n{before}\nof the base and\n{after}\nof the image"
    );
    for word in [
        "--grub2-boot-info",
        "-boot-info-table",
        "-partition_offset 16",
        "-appended_part_as_gpt",
        "--grub2-mbr",
    ] {
        ensure!(after.contains(word), "no {word} in {after}");
    }
    let table = run(
        "xorriso",
        &["-indev", text(&case.image)?, "-report_el_torito", "plain"],
    )?;
    let esp = partition(&case.image, 2)?;
    let uefi = table
        .lines()
        .find(|line| line.contains("UEFI"))
        .context("no UEFI entry")?;
    let lba: u64 = uefi.split_whitespace().last().unwrap_or_default().parse()?;
    ensure!(
        lba * 2048 == esp.0,
        "the UEFI entry points to sector {lba}, the partition is at {esp:?}"
    );
    Ok(())
}

/// xorriso's recipe of an image without the numbers of sectors, the file's name, and the
/// heads and cylinders, which it guesses from the end of the one protective partition.
fn recipe(image: &Path) -> Result<String> {
    let said = run(
        "xorriso",
        &["-indev", text(image)?, "-report_el_torito", "as_mkisofs"],
    )?;
    let geometry = |line: &&str| {
        line.starts_with("-partition_hd_cyl") || line.starts_with("-partition_sec_hd")
    };
    let options = said
        .lines()
        .filter(|line| line.starts_with('-') && !geometry(line))
        .map(|line| {
            let line = line.replace(text(image).unwrap_or_default(), "IMAGE");
            // 1234s, 1234d and start_1234s are places; all else stays.
            let mut out = String::new();
            let mut digits = String::new();
            for letter in line.chars() {
                if letter.is_ascii_digit() {
                    digits.push(letter);
                    continue;
                }
                let place = matches!(letter, 's' | 'd') && !digits.is_empty();
                out += if place { "N" } else { &digits };
                digits.clear();
                out.push(letter);
            }
            out + &digits
        });
    Ok(options.collect::<Vec<_>>().join("\n"))
}

/// sgdisk finds both copies of the GPT sound, and mtools the EFI partition unchanged.
fn partitions(test: &str, options: &Options) -> Result<()> {
    let Some(case) = Case::new(test, options)? else {
        return Ok(());
    };
    let found = run("sgdisk", &["--verify", text(&case.image)?])?;
    ensure!(found.contains("No problems found"), "{found}");
    let (first, esp, gap) = (
        partition(&case.image, 1)?,
        partition(&case.image, 2)?,
        partition(&case.image, 3)?,
    );
    ensure!(
        first.0 == 16 * 2048 && first.1 <= esp.0 && esp.1 <= gap.0,
        "{first:?} {esp:?} {gap:?}"
    );
    ensure!(gap.1 - gap.0 == 300 * 1024, "the gap is {gap:?}");
    let before = partition(&case.base, 2)?;
    let (old, new) = (case.file("old-esp"), case.file("new-esp"));
    cut(&case.base, before, &old)?;
    cut(&case.image, esp, &new)?;
    ensure!(
        sha256(&old)? == sha256(&new)?,
        "the EFI partition has changed"
    );
    let drive = format!("{}@@{}", text(&case.image)?, esp.0);
    let out = case.file("bootx64.efi");
    run(
        "mcopy",
        &["-i", &drive, "::/EFI/boot/bootx64.efi", text(&out)?],
    )?;
    let on_disc = case.file("on-disc.efi");
    let image = text(&case.image)?;
    run(
        "xorriso",
        &[
            "-osirrox",
            "on",
            "-indev",
            image,
            "-extract",
            "/EFI/boot/bootx64.efi",
            text(&on_disc)?,
        ],
    )?;
    ensure!(
        sha256(&out)? == sha256(&on_disc)?,
        "bootx64.efi differs between partition and disc"
    );
    Ok(())
}

fn plain() -> Options {
    Options {
        joliet: false,
        ..Options::default()
    }
}

#[test]
fn both_trees_are_whole() -> Result<()> {
    both_trees("both_trees_are_whole", &plain())
}

#[test]
fn both_trees_are_whole_beside_joliet() -> Result<()> {
    both_trees("both_trees_are_whole_beside_joliet", &Options::default())
}

#[test]
fn isoinfo_reads_rock_ridge() -> Result<()> {
    isoinfo("isoinfo_reads_rock_ridge", &plain())
}

#[test]
fn isoinfo_reads_joliet_too() -> Result<()> {
    isoinfo("isoinfo_reads_joliet_too", &Options::default())
}

#[test]
fn the_boot_records_stay() -> Result<()> {
    boot_records("the_boot_records_stay", &plain())?;
    boot_records("the_boot_records_stay", &Options::default())
}

#[test]
fn the_partitions_are_sound() -> Result<()> {
    partitions("the_partitions_are_sound", &plain())?;
    partitions("the_partitions_are_sound", &Options::default())
}

/// Several extents: GRUB's and Linux's readers join them, and so must a moved tree.
/// Takes about 13 GB of disk and a minute or two: runs where `LAB_BIG=1`.
#[test]
fn a_file_over_4_gib_stays() -> Result<()> {
    let test = "a_file_over_4_gib_stays";
    if std::env::var("LAB_BIG").as_deref() != Ok("1") {
        not_run(test, "needs 13 GB of disk and some minutes: set LAB_BIG=1");
        return Ok(());
    }
    both_trees(
        test,
        &Options {
            oversize: true,
            ..Options::default()
        },
    )
}

#[test]
fn the_comparison_sees_what_is_wrong() -> Result<()> {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(path, text)| ((*path).to_owned(), hex::encode(Sha256::digest(text))))
            .collect()
    };
    let before = map(&[("a", "1"), ("b", "2")]);
    let added: Added = &[("b", b"3"), ("c", b"4")];
    compare(&before, &map(&[("a", "1"), ("b", "3"), ("c", "4")]), added)?;
    for wrong in [
        map(&[("a", "1"), ("b", "3")]),
        map(&[("a", "1"), ("b", "2"), ("c", "4")]),
        map(&[("a", "9"), ("b", "3"), ("c", "4")]),
        map(&[("b", "3"), ("c", "4")]),
        map(&[("a", "1"), ("b", "3"), ("c", "4"), ("d", "5")]),
    ] {
        if compare(&before, &wrong, added).is_ok() {
            bail!("{wrong:?} passed");
        }
    }
    Ok(())
}
