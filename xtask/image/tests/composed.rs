//! What an image holds: every new file in every tree, every old one untouched,
//! all ways to boot kept; judged by this crate's own reader and by others'.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod common;

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use common::{
    Base, Recipe, UBUNTU, assert_sound, base, contents, has, make, names, not_run, open, run,
    small_tree,
};
use lab_image::{Content, Entry, Image, Kind, Tree, compose_stream};

const JOLIET: Recipe = Recipe {
    joliet: true,
    ..UBUNTU
};

/// The base's files with the tree's over them must be what every tree has.
fn assert_contents(base: &Path, out: &Path, tree: &Tree) {
    let mut expected = contents(&mut open(base), 0);
    for (path, entry) in tree.entries() {
        if let Content::Bytes(bytes) = &entry.content {
            expected.insert(path.to_string(), bytes.clone());
        }
    }
    // The catalog and the list follow the change; other checks cover them.
    expected.retain(|path, _| path != "boot.catalog" && path != "md5sum.txt");
    let mut image = open(out);
    for index in 0..image.trees().len() {
        let mut found = contents(&mut image, index);
        found.retain(|path, _| path != "boot.catalog" && path != "md5sum.txt");
        if image.trees()[index].joliet {
            let values = |map: &std::collections::BTreeMap<String, Vec<u8>>| {
                let mut values: Vec<_> = map.values().cloned().collect();
                values.sort();
                values
            };
            assert_eq!(values(&found), values(&expected));
        } else {
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn all_trees_hold_old_and_new_files() {
    let plain = Recipe {
        plain: true,
        ..JOLIET
    };
    for recipe in [UBUNTU, JOLIET, plain] {
        let Some(base) = base("all_trees_hold_old_and_new_files", recipe) else {
            return;
        };
        let (tree, out) = (small_tree(), base.path("out.iso"));
        let composed = make(&base.iso, &out, &tree, None).unwrap();
        assert_eq!(composed.kind, Kind::First);
        assert_eq!(composed.size, out.metadata().unwrap().len());
        assert_eq!(open(&out).trees().len(), open(&base.iso).trees().len());
        assert_sound(&out);
        assert_contents(&base.iso, &out, &tree);
        let link = open(&out)
            .files(0)
            .into_iter()
            .find(|file| file.path == "lab/link");
        assert_eq!(
            link.unwrap().kind,
            lab_image::FileKind::Symlink("../lab/run".into())
        );
    }
}

#[test]
fn the_base_stays_in_place_but_for_fixed_sectors() {
    let Some(base) = base("the_base_stays_in_place_but_for_fixed_sectors", JOLIET) else {
        return;
    };
    let out = base.path("out.iso");
    let layout = make(&base.iso, &out, &small_tree(), None).unwrap().layout;
    let (old, new) = (
        std::fs::read(&base.iso).unwrap(),
        std::fs::read(&out).unwrap(),
    );
    let start = layout.tail_start as usize;
    let differing: Vec<usize> = (0..start / 2048)
        .filter(|at| old[at * 2048..][..2048] != new[at * 2048..][..2048])
        .collect();
    // MBR and GPT, the descriptors of both sets, and the boot catalog.
    let catalog = *differing.last().unwrap();
    assert_eq!(differing, [0, 16, 18, 32, 33, catalog]);
    assert!(new[catalog * 2048..].starts_with(&[1]));
    let moved = start + layout.tail_len as usize;
    assert_eq!(old[start..][..64 << 10], new[moved..][..64 << 10]);
}

#[test]
fn the_plain_writer_makes_the_same_bytes() {
    let Some(base) = base("the_plain_writer_makes_the_same_bytes", JOLIET) else {
        return;
    };
    let (tree, out) = (small_tree(), base.path("out.iso"));
    let composed = make(&base.iso, &out, &tree, None).unwrap();
    let mut bytes = Vec::new();
    let (layout, sha256) = compose_stream(&mut open(&base.iso), &tree, &mut bytes).unwrap();
    assert_eq!((layout, sha256), (composed.layout, composed.sha256));
    assert!(bytes == std::fs::read(&out).unwrap());
}

#[test]
fn an_image_can_be_a_base() {
    let Some(base) = base("an_image_can_be_a_base", JOLIET) else {
        return;
    };
    let (first, second) = (base.path("1.iso"), base.path("2.iso"));
    make(&base.iso, &first, &small_tree(), None).unwrap();
    let mut tree = Tree::new();
    tree.insert("lab/run".parse().unwrap(), Entry::bytes("other"))
        .unwrap();
    tree.insert("lab/more".parse().unwrap(), Entry::bytes("more"))
        .unwrap();
    make(&first, &second, &tree, None).unwrap();
    assert_sound(&second);
    assert_contents(&first, &second, &tree);
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let Some(base) = base("what_does_not_fit_is_refused_and_leaves_nothing", JOLIET) else {
        return;
    };
    let before = names(base.dir.path());
    for path in ["boot", "casper/vmlinuz/x", "ubuntu/x", "md5sum.txt"] {
        let mut tree = Tree::new();
        tree.insert(path.parse().unwrap(), Entry::bytes("x"))
            .unwrap();
        let error = make(&base.iso, &base.path("out.iso"), &tree, None).unwrap_err();
        assert!(error.is_input_fault(), "{path}: {error}");
        assert_eq!(names(base.dir.path()), before, "{path}");
    }
}

#[test]
fn what_asks_for_no_line_has_none_unless_it_takes_a_listed_place() {
    let Some(base) = base("what_asks_for_no_line_has_none", JOLIET) else {
        return;
    };
    let unlisted = |bytes: &str| Entry {
        listed: false,
        ..Entry::bytes(bytes)
    };
    let mut tree = Tree::new();
    for (path, entry) in [
        ("lab/heavy", unlisted("gigabytes")),
        ("lab/light", Entry::bytes("bytes")),
        ("boot/grub/grub.cfg", unlisted("set timeout=5\n")),
    ] {
        tree.insert(path.parse().unwrap(), entry).unwrap();
    }
    let out = base.path("out.iso");
    make(&base.iso, &out, &tree, None).unwrap();
    let mut image = open(&out);
    let list = image.read("md5sum.txt", 1 << 20).unwrap().unwrap();
    let list = String::from_utf8(list).unwrap();
    assert!(!list.contains("lab/heavy"), "{list}");
    assert!(
        list.contains("./lab/light") && list.contains("./boot/grub/grub.cfg"),
        "{list}"
    );
    assert_eq!(image.read("lab/heavy", 100).unwrap().unwrap(), b"gigabytes");
}

#[test]
fn files_beyond_4_gib_have_several_extents() {
    huge_file(
        "files_beyond_4_gib_have_several_extents",
        (4 << 30) + 12_345,
        2,
    );
}

#[test]
#[ignore = "takes minutes: run it with --ignored"]
fn images_beyond_16_gib_work() {
    huge_file("images_beyond_16_gib_work", (17 << 30) + 1, 5);
}

fn huge_file(test: &str, len: u64, extents: usize) {
    let recipe = Recipe {
        checksums: false,
        ..UBUNTU
    };
    let Some(base) = base(test, recipe) else {
        return;
    };
    let path = base.path("huge");
    std::fs::File::create(&path).unwrap().set_len(len).unwrap();
    let mut tree = Tree::new();
    let content = Content::File {
        path,
        len,
        sha256: None,
    };
    let entry = Entry {
        content,
        mode: 0o444,
        listed: true,
    };
    tree.insert("lab/huge".parse().unwrap(), entry).unwrap();
    tree.insert("lab/small".parse().unwrap(), Entry::bytes("small"))
        .unwrap();
    let mut sink = Sparse::default();
    compose_stream(&mut open(&base.iso), &tree, &mut sink).unwrap();
    let mut image = Image::open(sink, "sparse").unwrap();
    for tree in 0..2 {
        let huge = image
            .files(tree)
            .into_iter()
            .find(|file| file.path == "lab/huge")
            .unwrap();
        assert_eq!(huge.size, len);
        assert_eq!(huge.extents.len(), extents);
        let joined = |pair: &[lab_image::Extent]| pair[0].end() == pair[1].start();
        assert!(huge.extents.windows(2).all(joined));
        let small = image.read_in(tree, "lab/small", 10).unwrap().unwrap();
        assert_eq!(small, b"small");
    }
    assert!(image.gpt().unwrap().is_some());
}

/// A writer and reader that keeps only what is not zero.
#[derive(Default)]
struct Sparse {
    chunks: std::collections::HashMap<u64, Vec<u8>>,
    at: u64,
    len: u64,
}

const CHUNK: u64 = 2048;

impl std::io::Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let within = (self.at % CHUNK) as usize;
        let now = bytes.len().min(CHUNK as usize - within);
        if bytes[..now] != [0; CHUNK as usize][..now] {
            let chunk = self
                .chunks
                .entry(self.at / CHUNK)
                .or_insert_with(|| vec![0; CHUNK as usize]);
            chunk[within..within + now].copy_from_slice(&bytes[..now]);
        }
        self.at += now as u64;
        self.len = self.len.max(self.at);
        Ok(now)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::io::Read for Sparse {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let within = (self.at % CHUNK) as usize;
        let left = (self.len - self.at).min(CHUNK - within as u64) as usize;
        let now = buffer.len().min(left);
        match self.chunks.get(&(self.at / CHUNK)) {
            Some(chunk) => buffer[..now].copy_from_slice(&chunk[within..within + now]),
            None => buffer[..now].fill(0),
        }
        self.at += now as u64;
        Ok(now)
    }
}

impl std::io::Seek for Sparse {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        let mut cursor = Cursor::new([]);
        self.at = match to {
            std::io::SeekFrom::End(by) => self.len.checked_add_signed(by).unwrap(),
            other => {
                cursor.set_position(self.at);
                cursor.seek(other)?
            }
        };
        Ok(self.at)
    }
}

fn composed(test: &str, programs: &[&str]) -> Option<(Base, std::path::PathBuf)> {
    if let Some(missing) = programs.iter().find(|program| !has(program)) {
        not_run(test, &format!("{missing} is not installed"));
        return None;
    }
    let base = base(test, JOLIET)?;
    let out = base.path("out.iso");
    make(&base.iso, &out, &small_tree(), None).unwrap();
    Some((base, out))
}

#[test]
fn xorriso_extracts_both_trees_alike() {
    let Some((base, out)) = composed("xorriso_extracts_both_trees_alike", &["xorriso"]) else {
        return;
    };
    // The partition's tree counts from the partition's start: cut it out.
    let bytes = std::fs::read(&out).unwrap();
    let part = base.path("part.img");
    std::fs::write(&part, &bytes[16 * 2048..]).unwrap();
    for (image, to) in [(&out, "whole"), (&part, "part")] {
        let text = run(Command::new("xorriso")
            .args(["-abort_on", "WARNING", "-osirrox", "on", "-indev"])
            .arg(image)
            .args(["-extract", "/"])
            .arg(base.path(to)));
        assert!(!text.contains("FAILURE"), "{text}");
    }
    run(Command::new("diff")
        .args(["-r", "--no-dereference"])
        .arg(base.path("whole"))
        .arg(base.path("part")));
    run(Command::new("md5sum")
        .args(["-c", "--quiet", "md5sum.txt"])
        .current_dir(base.path("whole")));
    let shown = std::fs::read_to_string(base.path("whole/boot/grub/grub.cfg")).unwrap();
    assert_eq!(shown, "set timeout=5\n");
    // What it extracts keeps the image's modes, some of them read-only.
    run(Command::new("chmod")
        .args(["-R", "u+w"])
        .arg(base.path("whole"))
        .arg(base.path("part")));
}

#[test]
fn xorriso_sees_every_way_to_boot() {
    let Some((base, out)) = composed("xorriso_sees_every_way_to_boot", &["xorriso"]) else {
        return;
    };
    let report = |iso: &Path| {
        let text = run(Command::new("xorriso").arg("-indev").arg(iso).args([
            "-report_el_torito",
            "plain",
            "-report_system_area",
            "plain",
        ]));
        let wanted = [
            "El Torito",
            "System area",
            "Partition offset",
            "GPT type",
            "GPT partition",
            "GPT partname",
        ];
        let lines = text
            .lines()
            .filter(|line| wanted.iter().any(|start| line.starts_with(start)));
        // The UEFI image moved; all else must read the same.
        let lines = lines.map(|line| match line.contains("UEFI") {
            true => line.rsplit_once(' ').unwrap().0.trim_end().to_owned(),
            false => line.to_owned(),
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(report(&base.iso), report(&out));
}

#[test]
fn sgdisk_finds_no_fault() {
    let Some((_base, out)) = composed("sgdisk_finds_no_fault", &["sgdisk"]) else {
        return;
    };
    let text = run(Command::new("sgdisk").arg("--verify").arg(&out));
    assert!(text.contains("No problems found"), "{text}");
    assert!(
        !text.contains("Caution") && !text.contains("Warning"),
        "{text}"
    );
}

#[test]
fn isoinfo_lists_both_kinds_of_names() {
    let Some((_base, out)) = composed("isoinfo_lists_both_kinds_of_names", &["isoinfo"]) else {
        return;
    };
    let list = |kind: &str| {
        let text = run(Command::new("isoinfo").args([kind, "-f", "-i"]).arg(&out));
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let mut own: Vec<String> = open(&out)
        .files(0)
        .into_iter()
        .map(|file| format!("/{}", file.path))
        .collect();
    own.sort();
    assert_eq!(list("-R"), own);
    assert!(list("-J").contains(&"/lab/units/lab-unit-number-7.service".to_owned()));
}
