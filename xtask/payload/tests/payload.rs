//! Packages made by `dpkg-deb`, a repository over them, and apt itself as its reader.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab_payload::{Deb, RepositoryKey, control, copyright, place, repository};

const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: MIT\n";

fn here(test: &str, program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        lab_not_run::not_run(test, &format!("{program} is not installed"));
    }
    found
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// A .deb, packed by that program.
fn deb(folder: &Path, name: &str, fields: &str, packer: &str) -> PathBuf {
    let tree = folder.join(name);
    let doc = tree.join("usr/share/doc").join(name);
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::create_dir_all(&doc).unwrap();
    fs::write(doc.join("copyright"), COPYRIGHT).unwrap();
    let text = format!(
        "Package: {name}\nVersion: 1:2.0~rc1-3\nArchitecture: all\nMaintainer: A <a@example.org>\n{fields}Description: one\n two\n .\n three\n"
    );
    fs::write(tree.join("DEBIAN/control"), text).unwrap();
    let file = folder.join(format!("{name}.deb"));
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", &format!("-Z{packer}"), "--build"])
        .args([&tree, &file]));
    file
}

fn described(file: &Path, name: &str) -> Deb {
    let bytes = fs::read(file).unwrap();
    let sha256: [u8; 32] = sha2::Digest::finalize(sha2::Digest::chain_update(
        <sha2::Sha256 as sha2::Digest>::new(),
        &bytes,
    ))
    .into();
    Deb {
        name: name.to_owned(),
        version: "1:2.0~rc1-3".to_owned(),
        architecture: "all".to_owned(),
        file: file.to_owned(),
        size: bytes.len() as u64,
        sha256,
    }
}

#[test]
fn a_package_is_read_however_it_is_packed() {
    if !here("a_package_is_read_however_it_is_packed", "dpkg-deb") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for packer in ["none", "gzip", "xz", "zstd"] {
        let file = deb(folder.path(), &format!("by-{packer}"), "", packer);
        let told = run(Command::new("dpkg-deb").args(["--field"]).arg(&file)).stdout;
        assert_eq!(
            control(&file).unwrap(),
            String::from_utf8(told).unwrap(),
            "{packer}"
        );
        let found = copyright(&file, &format!("by-{packer}")).unwrap();
        assert_eq!(found.as_deref(), Some(COPYRIGHT), "{packer}");
        assert_eq!(copyright(&file, "another").unwrap(), None);
    }
}

#[test]
fn what_is_no_package_is_an_error_and_never_a_panic() {
    if !here(
        "what_is_no_package_is_an_error_and_never_a_panic",
        "dpkg-deb",
    ) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(deb(folder.path(), "whole", "", "zstd")).unwrap();
    let file = folder.path().join("spoilt.deb");
    let mut seed: u64 = 3;
    for round in 0..600 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = usize::try_from(seed >> 33).unwrap() % whole.len();
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes[at] ^= 0x5a,
            1 => bytes.truncate(at),
            _ => drop(bytes.drain(at..(at + 64).min(whole.len()))),
        }
        fs::write(&file, bytes).unwrap();
        let _ = control(&file);
        let _ = copyright(&file, "whole");
    }
    fs::write(&file, "no archive").unwrap();
    let why = control(&file).unwrap_err().to_string();
    assert!(why.contains("spoilt.deb"), "{why}");
}

fn key() -> RepositoryKey {
    RepositoryKey::of_seed([7; 32], "gpu-server").unwrap()
}

#[test]
fn the_same_packages_and_key_give_the_same_bytes() {
    if !here("the_same_packages_and_key_give_the_same_bytes", "dpkg-deb") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let one = described(&deb(folder.path(), "one", "", "xz"), "one");
    let two = described(&deb(folder.path(), "two", "Depends: one\n", "gzip"), "two");
    let files = repository(&[one.clone(), two.clone()], &key()).unwrap();
    assert_eq!(
        repository(&[two.clone(), one.clone()], &key()).unwrap(),
        files
    );
    let other = RepositoryKey::of_seed([8; 32], "gpu-server").unwrap();
    assert_ne!(
        repository(std::slice::from_ref(&one), &other).unwrap().key,
        files.key
    );
    assert!(!format!("{:?}", key()).contains("0707"), "{:?}", key());
    let wrong = Deb {
        version: "9".to_owned(),
        ..one
    };
    let why = repository(&[wrong], &key()).unwrap_err().to_string();
    assert!(
        why.contains("1:2.0~rc1-3") && why.contains("one 9 all"),
        "{why}"
    );
}

/// apt verifies the signature, reads the index, resolves and takes the packages.
#[test]
fn apt_trusts_it_by_its_key_and_by_no_other() {
    if !here("apt_trusts_it_by_its_key_and_by_no_other", "apt-get")
        || !here("apt_trusts_it_by_its_key_and_by_no_other", "dpkg-deb")
    {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let debs = [
        described(&deb(folder.path(), "one", "", "zstd"), "one"),
        described(
            &deb(folder.path(), "two", "Depends: one (>= 1:2)\n", "xz"),
            "two",
        ),
    ];
    let files = repository(&debs, &key()).unwrap();
    let place_of = folder.path().join("repository");
    fs::create_dir_all(place_of.join("pool")).unwrap();
    for deb in &debs {
        fs::copy(&deb.file, place_of.join(place(deb))).unwrap();
    }
    fs::write(place_of.join("Packages"), &files.packages).unwrap();
    fs::write(place_of.join("InRelease"), &files.in_release).unwrap();
    let certificate = folder.path().join("apt.asc");
    fs::write(&certificate, &files.key).unwrap();
    let root = Root::new(folder.path(), &place_of, &certificate);
    root.get(&["update"], true);
    let said = root.get(&["install", "--print-uris", "-y", "-qq", "two"], true);
    assert!(
        said.contains("pool/one_") && said.contains("pool/two_"),
        "{said}"
    );
    let stranger = RepositoryKey::of_seed([9; 32], "gpu-server").unwrap();
    fs::write(&certificate, stranger.public().unwrap()).unwrap();
    root.get(&["update"], false);
    fs::write(&certificate, &files.key).unwrap();
    let spoilt = files.in_release.replace(" Packages", "  Packages");
    fs::write(place_of.join("InRelease"), spoilt).unwrap();
    root.get(&["update"], false);
}

/// An apt that knows this repository and nothing of the computer.
struct Root(PathBuf);

impl Root {
    fn new(folder: &Path, repository: &Path, certificate: &Path) -> Self {
        let root = folder.join("root");
        for one in [
            "lists/partial",
            "cache/archives/partial",
            "etc/apt.conf.d",
            "etc/preferences.d",
            "dpkg",
        ] {
            fs::create_dir_all(root.join(one)).unwrap();
        }
        fs::write(root.join("dpkg/status"), "").unwrap();
        let source = format!(
            "Types: deb\nURIs: file:{}\nSuites: ./\nSigned-By: {}\n",
            repository.display(),
            certificate.display()
        );
        fs::create_dir_all(root.join("etc/sources.list.d")).unwrap();
        fs::write(root.join("etc/sources.list.d/it.sources"), source).unwrap();
        Self(root)
    }

    fn get(&self, words: &[&str], good: bool) -> String {
        let option = |name: &str, place: &str| format!("{name}={}", self.0.join(place).display());
        let output = Command::new("apt-get")
            .args([
                "-o",
                "APT::Sandbox::User=root",
                "-o",
                "APT::Update::Error-Mode=any",
            ])
            .args(["-o", &option("Dir::State::Lists", "lists")])
            .args(["-o", &option("Dir::State::status", "dpkg/status")])
            .args(["-o", &option("Dir::Cache", "cache")])
            .args(["-o", &option("Dir::Etc", "etc")])
            .args(words)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), good, "{words:?}: {said}");
        said
    }
}
