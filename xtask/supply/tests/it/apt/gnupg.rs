//! GnuPG, as it makes the keys and signatures of real repositories; and a repository
//! that Debian's own tools made, behind nginx.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use lab_supply::repository::{fetch_key, read_lists};
use lab_supply::{Network, Refusal, SigningKey};

use super::{of_key, refusal};
use crate::nginx::Nginx;
use crate::world::{limits, not_run};

/// A home of GnuPG that goes away with the test.
pub(super) struct Gnupg {
    home: tempfile::TempDir,
}

impl Gnupg {
    pub(super) fn new() -> Option<Self> {
        let there = Command::new("gpg")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        there.ok().filter(ExitStatus::success)?;
        Some(Self {
            home: tempfile::tempdir().unwrap(),
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let done = Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args([
                "--batch",
                "--quiet",
                "--yes",
                "--passphrase",
                "",
                "--pinentry-mode",
                "loopback",
            ])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        done.stdout
    }

    /// Makes a key and gives its fingerprint.
    pub(super) fn generate(
        &self,
        before: &[&str],
        user: &str,
        kind: &str,
        usage: &str,
        expires: &str,
    ) -> String {
        self.run(
            &[
                before,
                &["--quick-generate-key", user, kind, usage, expires],
            ]
            .concat(),
        );
        self.fingerprints(user).remove(0)
    }

    /// The fingerprints of a key and its subkeys.
    pub(super) fn fingerprints(&self, user: &str) -> Vec<String> {
        let colons =
            String::from_utf8(self.run(&["--with-colons", "--fingerprint", "--fingerprint", user]))
                .unwrap();
        colons
            .lines()
            .filter_map(|line| line.strip_prefix("fpr:::::::::"))
            .map(|line| line.trim_end_matches(':').to_owned())
            .collect()
    }

    /// The key as it would be pinned.
    pub(super) fn key(&self, fingerprint: &str) -> SigningKey {
        SigningKey {
            fingerprint: hex::decode(fingerprint).unwrap().try_into().unwrap(),
            packet: self.run(&["--armor", "--export", fingerprint]),
        }
    }

    /// Clear-signs a text.
    pub(super) fn clear_sign(&self, arguments: &[&str], text: &str) -> Vec<u8> {
        let path = self.path("text");
        fs::write(&path, text).unwrap();
        self.run(
            &[
                arguments,
                &["-o", "-", "--clear-sign", path.to_str().unwrap()],
            ]
            .concat(),
        )
    }
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "all"])
            .status();
    }
}

fn run_in(directory: &Path, program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    let done = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    assert!(done.status.success(), "{program} {arguments:?}");
    Some(done.stdout)
}

/// A package, the lists over it and a `Release`, by dpkg-deb and apt-ftparchive;
/// `None` where one is missing.
fn archive(root: &Path) -> Option<String> {
    let control = root.join("build/DEBIAN");
    fs::create_dir_all(&control).unwrap();
    fs::write(control.join("control"), "Package: lab-test\nVersion: 1.0\nArchitecture: amd64\nMaintainer: Lab <lab@example.org>\nDescription: a test\n").unwrap();
    fs::create_dir_all(root.join("www/pool")).unwrap();
    run_in(
        root,
        "dpkg-deb",
        &[
            "--root-owner-group",
            "--build",
            "build",
            "www/pool/lab-test.deb",
        ],
    )?;
    let www = root.join("www");
    let list = run_in(&www, "apt-ftparchive", &["packages", "pool"])?;
    let binary = www.join("dists/noble/main/binary-amd64");
    fs::create_dir_all(&binary).unwrap();
    fs::write(binary.join("Packages.xz"), super::xz(&list)).unwrap();
    fs::write(binary.join("Packages.gz"), super::gz(&list)).unwrap();
    fs::write(binary.join("Packages"), &list).unwrap();
    let options: Vec<String> = [
        "Suite=noble",
        "Codename=noble",
        "Components=main",
        "Architectures=amd64",
    ]
    .iter()
    .map(|option| format!("APT::FTPArchive::Release::{option}"))
    .collect();
    let mut arguments: Vec<&str> = options.iter().flat_map(|option| ["-o", option]).collect();
    arguments.extend(["release", "dists/noble"]);
    let release = run_in(&www, "apt-ftparchive", &arguments)?;
    fs::remove_file(binary.join("Packages")).unwrap();
    Some(String::from_utf8(release).unwrap())
}

/// The present, as the tools that make the repository know no other time.
fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Debian's tools, GnuPG's key with a subkey that signs, nginx: from the key's URL to
/// the package in the list.
#[test]
fn a_repository_made_by_debians_tools_is_read() {
    let test = "a_repository_made_by_debians_tools_is_read";
    let (Some(gnupg), Some(nginx)) = (Gnupg::new(), Nginx::start("", "", "")) else {
        return not_run(test, "gpg or nginx is not installed");
    };
    let Some(release) = archive(nginx.dir.path()) else {
        return not_run(test, "dpkg-deb or apt-ftparchive is not installed");
    };
    let fingerprint = gnupg.generate(&[], "lab@example.org", "rsa2048", "cert", "never");
    gnupg.run(&["--quick-add-key", &fingerprint, "ed25519", "sign", "1y"]);
    let www = nginx.dir.path().join("www");
    let key = gnupg.key(&fingerprint);
    fs::write(www.join("key.asc"), &key.packet).unwrap();
    fs::write(
        www.join("dists/noble/InRelease"),
        gnupg.clear_sign(&[], &release),
    )
    .unwrap();
    nginx.serve("ready", b"");
    let base = format!("http://127.0.0.1:{}", nginx.port);
    let network = Network::new(limits());
    let packet = fetch_key(&network, &format!("{base}/key.asc"), key.fingerprint).unwrap();
    let asked = of_key(&base, SigningKey { packet, ..key });
    let lists = read_lists(&network, &asked, now(), None).unwrap();
    let list = String::from_utf8(lists.packages[0].bytes.clone()).unwrap();
    assert!(
        list.contains("Package: lab-test") && list.contains("Filename: pool/lab-test.deb"),
        "{list}"
    );
    assert_eq!(lists.signed_by.fingerprint, fingerprint);
    // The older form, signed as it stands.
    let path = gnupg.path("text");
    fs::write(&path, &release).unwrap();
    let signature = gnupg.run(&[
        "--armor",
        "-o",
        "-",
        "--detach-sign",
        path.to_str().unwrap(),
    ]);
    fs::remove_file(www.join("dists/noble/InRelease")).unwrap();
    fs::write(www.join("dists/noble/Release"), &release).unwrap();
    fs::write(www.join("dists/noble/Release.gpg"), signature).unwrap();
    assert_eq!(
        read_lists(&network, &asked, now(), None).unwrap().release,
        release
    );
}

/// Vendors' keys by URL: exactly the one that is pinned.
#[test]
fn a_key_is_fetched_by_its_whole_fingerprint() {
    let test = "a_key_is_fetched_by_its_whole_fingerprint";
    let Some(gnupg) = Gnupg::new() else {
        return not_run(test, "gpg is not installed");
    };
    // Another key whose user id says that it is the first.
    let first = gnupg.generate(&[], "a@example.org", "ed25519", "sign", "never");
    let claim = format!("{first} (the real one)");
    let second = gnupg.generate(&[], &claim, "ed25519", "sign", "never");
    let (key, other) = (gnupg.key(&first), gnupg.key(&second));
    let both = gnupg.run(&["--armor", "--export", &first, &second]);
    let twice = [key.packet.clone(), other.packet.clone()].concat();
    let binary = gnupg.run(&["--export", &first]);
    let secret = gnupg.run(&["--armor", "--export-secret-keys", &first]);
    let served = [
        ("/good", key.packet.clone()),
        ("/binary", binary.clone()),
        ("/other", other.packet),
        ("/both", both),
        ("/twice", twice),
        ("/cut", binary[..40].to_vec()),
        ("/secret", secret),
        ("/page", b"<html>".to_vec()),
        ("/empty", Vec::new()),
    ];
    let files = served.map(|(path, bytes)| (path.to_owned(), bytes)).into();
    let site = super::Site::new(files);
    let network = Network::new(limits());
    let fetch = |path: &str, fingerprint| fetch_key(&network, &site.server.url(path), fingerprint);
    assert_eq!(fetch("/good", key.fingerprint).unwrap(), key.packet);
    assert_eq!(fetch("/binary", key.fingerprint).unwrap(), binary);
    for path in ["/other", "/both", "/cut", "/secret", "/page", "/empty"] {
        let error = fetch(path, key.fingerprint).unwrap_err();
        assert!(
            matches!(error.refusal(), Some(Refusal::Signature(_))),
            "{path}: {error}"
        );
    }
    // Of two armored blocks only the first would be read: no second one may hide there.
    assert!(fetch("/twice", key.fingerprint).is_err());
    // The same short and the same long id, and another key.
    let mut collides = key.fingerprint;
    collides[0] ^= 1;
    let error = fetch("/good", collides).unwrap_err();
    assert!(error.to_string().contains(&first), "{error}");
}

/// Real signatures over time: what has ended or was taken back no longer counts.
#[test]
fn keys_that_ended_or_were_revoked_no_longer_count() {
    let test = "keys_that_ended_or_were_revoked_no_longer_count";
    let Some(gnupg) = Gnupg::new() else {
        return not_run(test, "gpg is not installed");
    };
    let past: &[&str] = &["--faked-system-time", "20231110T000000"];
    let signed_at: &[&str] = &["--faked-system-time", "20231114T221320"];
    let text = super::release("", "");
    let read = |key: SigningKey, signed: &[u8], now| {
        let site =
            super::Site::new([("/u/dists/noble/InRelease".to_owned(), signed.to_vec())].into());
        refusal(read_lists(
            &Network::new(limits()),
            &of_key(&site.server.url("/u"), key),
            now,
            None,
        ))
    };
    let accepted = |found: Refusal| assert!(found.to_string().contains("announces no"), "{found}");
    let short = gnupg.generate(past, "short@example.org", "ed25519", "sign", "10d");
    let by_short = gnupg.clear_sign(&[signed_at, &["-u", &short]].concat(), &text);
    accepted(read(gnupg.key(&short), &by_short, super::NOW));
    let found = read(gnupg.key(&short), &by_short, super::NOW + 10 * 86_400);
    assert!(
        matches!(&found, Refusal::Key { why, .. } if why.contains("expired")),
        "{found}"
    );
    // A subkey that ends, below a key that does not.
    let long = gnupg.generate(past, "long@example.org", "ed25519", "cert", "never");
    gnupg.run(&[past, &["--quick-add-key", &long, "ed25519", "sign", "10d"]].concat());
    let by_long = gnupg.clear_sign(&[signed_at, &["-u", &long]].concat(), &text);
    accepted(read(gnupg.key(&long), &by_long, super::NOW));
    let found = read(gnupg.key(&long), &by_long, super::NOW + 10 * 86_400);
    assert!(
        found.to_string().contains("a subkey that expired"),
        "{found}"
    );
    // Revoked by the certificate that GnuPG puts aside for that.
    let revocation =
        fs::read_to_string(gnupg.path(&format!("openpgp-revocs.d/{long}.rev"))).unwrap();
    fs::write(
        gnupg.path("revocation"),
        revocation.replace(":-----BEGIN", "-----BEGIN"),
    )
    .unwrap();
    gnupg.run(&["--import", gnupg.path("revocation").to_str().unwrap()]);
    let found = read(gnupg.key(&long), &by_long, super::NOW);
    assert!(
        matches!(&found, Refusal::Key { why, .. } if why.contains("revoked")),
        "{found}"
    );
}
