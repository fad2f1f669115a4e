//! Every question of the lint, shown failing: an image is spoilt in one way, and
//! just the questions that are about it must be answered with no.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod files;
mod menu;
mod payload;
mod sbom;

use std::collections::{BTreeMap, BTreeSet};

use common::lock::lock_of;
use common::{base, machine, secrets, variants};
use lab_catalog::Catalog;
use lab_plan::{LintReport, Manifest, Status, lint, place};

/// An image that can be spoilt.
#[derive(Clone)]
struct Image {
    files: BTreeMap<String, (Vec<u8>, u32)>,
}

impl Image {
    /// The variant with a password, LUKS and Wi-Fi, so that every secret is there; locked,
    /// with a payload.
    fn whole() -> Self {
        let text = format!(
            "{}\n[network.wifi]\ninterface = \"wlp5s0\"\nssid = \"lab\"\npassphrase = {{ env = \"WIFI\" }}\n[access]\npassword_hash = {{ env = \"HASH\" }}\n",
            variants()
                .into_iter()
                .find(|(name, _)| *name == "luks")
                .unwrap()
                .1
        );
        let machine = machine(&text);
        let lock = lock_of(&lab_plan::wanted(&machine, Catalog::builtin()).unwrap());
        let carried = payload::files(&lock);
        let subject = lab_plan::Subject {
            machine: &machine,
            catalog: Catalog::builtin(),
            secrets: &secrets(&machine),
            description: &[("machine.toml".to_owned(), text)],
            probe: b"probe",
            lock: Some(&lock),
        };
        let list = payload::payload(&carried);
        let tree = lab_plan::image_tree(&subject, &base(), with(&list, &sbom::of(&lock))).unwrap();
        let mut files: BTreeMap<_, _> = tree
            .iter()
            .map(|(path, file)| (path.to_owned(), (file.bytes.clone(), file.mode)))
            .collect();
        let carried = carried.into_iter();
        files.extend(
            carried.map(|(path, bytes)| (place::OFFLINE.to_owned() + path, (bytes, 0o644))),
        );
        for path in [
            "casper/vmlinuz",
            "casper/initrd",
            "casper/hwe-vmlinuz",
            "casper/hwe-initrd",
            "boot/memtest86+x64.bin",
            "md5sum.txt",
        ] {
            files.insert(path.to_owned(), (Vec::new(), 0o444));
        }
        Self { files }
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8(self.files[path].0.clone()).unwrap()
    }

    fn put(&mut self, path: &str, text: impl Into<Vec<u8>>) {
        let mode = self.files.get(path).map_or(0o644, |(_, mode)| *mode);
        self.files.insert(path.to_owned(), (text.into(), mode));
    }

    /// Changes a text; the test fails when that changes nothing.
    fn edit(&mut self, path: &str, from: &str, to: &str) {
        let before = self.text(path);
        assert!(
            before.contains(from),
            "{path} does not hold {from:?}:\n{before}"
        );
        self.put(path, before.replacen(from, to, 1));
    }

    fn edit_menus(&mut self, from: &str, to: &str) {
        self.edit(place::GRUB_CFG, from, to);
        if self.text(place::LOOPBACK_CFG).contains(from) {
            self.edit(place::LOOPBACK_CFG, from, to);
        }
    }

    fn remove(&mut self, path: &str) {
        assert!(self.files.remove(path).is_some(), "{path} is not there");
    }

    /// Makes list and manifest right again, as somebody would who hides an edit.
    fn reseal(mut self) -> Self {
        use sha2::{Digest as _, Sha256};
        let digest = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        let list: String = self
            .text(place::OVERLAY_LIST)
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                match (
                    words.first(),
                    words
                        .get(2)
                        .and_then(|path| self.files.get(&format!("{}{path}", place::OVERLAY))),
                ) {
                    (Some(&"file"), Some((bytes, _))) => format!(
                        "file {}:{} {}\n",
                        words[1].split(':').next().unwrap(),
                        digest(bytes),
                        words[2]
                    ),
                    _ => format!("{line}\n"),
                }
            })
            .collect();
        self.put(place::OVERLAY_LIST, list);
        let mut manifest: Manifest =
            serde_json::from_slice(&self.files[place::MANIFEST].0).unwrap();
        manifest
            .files
            .retain(|path, _| self.files.contains_key(path));
        for (path, (bytes, mode)) in self
            .files
            .iter()
            .filter(|(path, _)| {
                path.starts_with("lab/")
                    && !path.starts_with(place::OFFLINE)
                    && *path != place::MANIFEST
                    || manifest.files.contains_key(*path)
            })
            .collect::<Vec<_>>()
        {
            let secret = path == place::AUTOINSTALL;
            let entry = serde_json::json!({"mode": format!("{mode:04o}"), "size": (!secret).then_some(bytes.len()), "sha256": (!secret).then(|| digest(bytes))});
            manifest
                .files
                .insert(path.clone(), serde_json::from_value(entry).unwrap());
        }
        self.put(place::MANIFEST, serde_json::to_string(&manifest).unwrap());
        self
    }

    fn lint(&self) -> LintReport {
        let listing: Vec<(String, u32)> = self
            .files
            .iter()
            .map(|(path, (_, mode))| (path.clone(), *mode))
            .collect();
        lint(
            &|path| self.files.get(path).map(|(bytes, _)| bytes.clone()),
            &listing,
        )
    }
}

struct Case {
    name: &'static str,
    spoil: fn(&mut Image),
    red: &'static [&'static str],
    resealed: bool,
}

const fn hidden(name: &'static str, spoil: fn(&mut Image), red: &'static [&'static str]) -> Case {
    Case {
        name,
        spoil,
        red,
        resealed: true,
    }
}

const fn plain(name: &'static str, spoil: fn(&mut Image), red: &'static [&'static str]) -> Case {
    Case {
        name,
        spoil,
        red,
        resealed: false,
    }
}

const YAML: &str = place::AUTOINSTALL;

#[test]
fn what_is_spoilt_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut shown = BTreeSet::new();
    let whole = Image::whole();
    let cases: Vec<&Case> = menu::CASES
        .iter()
        .chain(files::CASES)
        .chain(payload::CASES)
        .chain(sbom::CASES)
        .collect();
    for case in &cases {
        let mut image = whole.clone();
        (case.spoil)(&mut image);
        let image = if case.resealed { image.reseal() } else { image };
        let report = image.lint();
        let red: BTreeSet<&str> = report.failures().map(|finding| finding.id).collect();
        let expected: BTreeSet<&str> = case.red.iter().copied().collect();
        shown.extend(expected.iter().copied());
        if red != expected {
            let evidence: Vec<_> = report
                .failures()
                .map(|finding| format!("{}: {}", finding.id, finding.evidence))
                .collect();
            wrong.push(format!(
                "{}: expected {expected:?}, found {evidence:#?}",
                case.name
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    let all: BTreeSet<&str> = whole
        .lint()
        .findings
        .iter()
        .map(|finding| finding.id)
        .collect();
    assert_eq!(shown, all, "a question that no case shows failing");
}

#[test]
fn a_whole_image_passes_also_after_resealing() {
    for image in [Image::whole(), Image::whole().reseal()] {
        let report = image.lint();
        let odd: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.status != Status::Pass)
            .collect();
        assert!(odd.is_empty(), "{odd:#?}");
    }
}

#[test]
fn the_story_tells_of_the_payload() {
    let story = Image::whole().lint().story.join("\n");
    assert!(story.contains("It carries 4 files of 1 MiB"), "{story}");
}

#[test]
fn no_finding_and_no_story_shows_a_secret() {
    for spoil in [
        |_: &mut Image| {},
        |i: &mut Image| i.edit(YAML, common::LUKS_PASSPHRASE, "short"),
        |i: &mut Image| i.edit(YAML, "password: '$y$", "password: 'clear-text-of-it $y$"),
    ] {
        let mut image = Image::whole();
        let text = image.text(YAML).replace("\\\"", "\"");
        image.put(YAML, text.clone());
        if text.contains(common::LUKS_PASSPHRASE) {
            spoil(&mut image);
        }
        let shown = format!("{:?}", image.lint());
        for secret in [
            common::PASSWORD_HASH,
            common::LUKS_PASSPHRASE,
            common::WIFI_PASSPHRASE,
            "clear-text-of-it",
            "bm90IGEga2V5",
        ] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn no_mutation_makes_it_panic() {
    let whole = Image::whole();
    let paths: Vec<String> = whole
        .files
        .keys()
        .filter(|path| !whole.files[*path].0.is_empty())
        .cloned()
        .collect();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..400 {
        let path = &paths[round % paths.len()];
        let mut image = whole.clone();
        let bytes = &mut image.files.get_mut(path).unwrap().0;
        for _ in 0..3 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let at = (seed >> 8) as usize % bytes.len().max(1);
            match seed % 3 {
                0 => bytes[at] = (seed >> 40) as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, b"'\"*:\n{}[]&!|>-\0\xff"[(seed >> 50) as usize % 16]),
            }
        }
        let report = image.lint();
        assert_eq!(report.findings.len(), 21);
    }
    let deep = format!("autoinstall: {}{}", "[".repeat(20_000), "]".repeat(20_000));
    for text in [
        deep,
        "a: &a [*a, *a]".to_owned(),
        "autoinstall: &a {x: *a}".to_owned(),
        "x".repeat(2 << 20),
    ] {
        let mut image = whole.clone();
        image.put(YAML, text);
        assert!(
            image
                .lint()
                .failures()
                .any(|finding| finding.id == "autoinstall-reads")
        );
    }
    assert!(lint(&|_| None, &[]).failures().count() > 5);
}

/// That payload, and that list.
fn with<'a>(payload: &'a lab_plan::Payload, inventory: &'a str) -> lab_plan::Enclosed<'a> {
    lab_plan::Enclosed {
        payload: Some(payload),
        inventory: Some(inventory),
    }
}
