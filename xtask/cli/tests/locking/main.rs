//! `lock`, `fetch`, `why`, `sbom`, `cache` and `outdated` as a user meets trouble with them:
//! the lock is a real one, made from an archive that a test changes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod archive;
mod cached;
mod moved_on;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use archive::{Archive, Package};
use tempfile::TempDir;

/// A user's home: a description, an archive, and a cache.
struct Home {
    folder: TempDir,
    archive: Archive,
}

/// Nothing but what every machine has, and nvtop.
const SMALL: &str = "[machine]\nname = \"ws\"\nproduct = \"HP Z440 Workstation\"\n[[gpu]]\npci_id = \"10de:1e84\"\n\
    [disk]\nserial = \"ABC123456\"\nsize_gb = 250\n[driver]\nenabled = false\n[docker]\nenabled = false\n\
    [toolkit]\nenabled = false\n[ollama]\nenabled = false\n[jupyter]\nenabled = false\n[dcgan]\nenabled = false\n";

const PACKAGES: &[Package<'_>] = &[
    ("nvtop", "3.0-1", "libtop (>= 1)"),
    ("libtop", "1.1-2", ""),
    ("jq", "1.7-1", ""),
    ("zstd", "1.5-1", ""),
];

/// What the system has from its image.
const THERE: &[&str] = &[
    "ca-certificates",
    "curl",
    "gnupg",
    "kmod",
    "nftables",
    "unattended-upgrades",
];

impl Home {
    fn new(description: &str, packages: &[Package<'_>]) -> Self {
        let home = Self {
            folder: tempfile::tempdir().unwrap(),
            archive: Archive::new(packages),
        };
        fs::create_dir(home.path("catalog")).unwrap();
        fs::create_dir(home.path("config")).unwrap();
        home.write("machine.toml", description);
        home.write("catalog/archives.toml", &home.archive.archives());
        let there: String = THERE
            .iter()
            .map(|name| format!("{name}\t1.0-1\n"))
            .collect();
        home.write("installed", &there);
        home
    }

    /// With everything locked.
    fn locked() -> Self {
        let home = Self::new(SMALL, PACKAGES);
        home.lock(0);
        home
    }

    fn lock(&self, code: i32) -> String {
        self.expect(code, &["lock", "--installed", "installed"])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(words).current_dir(self.folder.path());
        command
            .env("LAB_STATE_DIR", self.path("state"))
            .env("LAB_CACHE_DIR", self.path("cache"))
            .env("LAB_CONFIG_DIR", self.path("config"))
            .env("LAB_CATALOG", self.path("catalog"))
            .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
            .env_remove("LAB_MACHINE")
            .env_remove("LAB_UBUNTU_MIRROR");
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command
    }

    /// Runs it on the machine of this home and expects this exit code; answers with all
    /// that was printed.
    fn expect(&self, code: i32, words: &[&str]) -> String {
        let words: Vec<&str> = words
            .iter()
            .copied()
            .chain(["-m", "machine.toml"])
            .collect();
        ended(&mut self.command(&words), code)
    }
}

fn ended(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{command:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn check_says_that_nothing_is_locked_and_what_is_stale() {
    let home = Home::new(SMALL, PACKAGES);
    has(
        &home.expect(1, &["lock", "--check"]),
        &["machine.lock is not there", "`cargo xtask lock`"],
    );
    home.lock(0);
    has(&home.expect(0, &["lock", "--check"]), &["fits"]);
    home.write(
        "machine.toml",
        &format!("{SMALL}[monitoring]\nnvtop = false\n"),
    );
    let before = home.read("machine.lock");
    for words in [
        &["lock", "--check"][..],
        &["fetch", "--without-base"],
        &["sbom"],
    ] {
        has(
            &home.expect(1, words),
            &[
                "no longer fits",
                "the packages were resolved for another description",
                "run `cargo xtask lock`",
            ],
        );
    }
    assert_eq!(before, home.read("machine.lock"));
    has(&home.lock(0), &["- nvtop 3.0-1", "- libtop 1.1-2"]);
    home.expect(0, &["lock", "--check"]);
}

#[test]
fn a_lock_that_is_none_is_refused_by_every_command() {
    let home = Home::locked();
    let good = home.read("machine.lock");
    let path = "path = \"libtop_1.1-2_amd64.deb\"";
    has(&good, &[path]);
    let cases = [
        (
            format!("<<<<<<< HEAD\n{good}"),
            "marks of a merge that was not finished",
        ),
        (
            good.replacen("format = 1", "format = 2", 1),
            "its format is 2, this program knows 1",
        ),
        (
            good.replacen("format = 1", "format = 1\nformta = 2", 1),
            "formta",
        ),
        (
            good.replacen(path, "path = \"../../etc/passwd\"", 1),
            "no plain path below a repository",
        ),
        (good.replacen("sha256 = \"", "sha256 = \"zz", 1), "sha256"),
        (String::from("\0\0\0"), "line 1"),
        (String::new(), "format"),
    ];
    for (text, why) in cases {
        assert_ne!(text, good, "{why}");
        home.write("machine.lock", &text);
        for words in [
            &["lock", "--check"][..],
            &["lock", "--installed", "installed"],
            &["lock", "--update", "--installed", "installed"],
            &["fetch", "--without-base"],
            &["why", "nvtop"],
            &["outdated", "--installed", "installed"],
        ] {
            has(&home.expect(1, words), &["machine.lock is no lock", why]);
            assert_eq!(home.read("machine.lock"), text, "{words:?} changed it");
        }
    }
}

#[test]
fn updating_what_is_not_locked_changes_nothing() {
    let home = Home::locked();
    let before = home.read("machine.lock");
    let words = ["lock", "--installed", "installed", "--update", "nonsense"];
    has(
        &home.expect(1, &words),
        &[
            "no package, file, model or image \"nonsense\"",
            "cargo xtask sbom",
        ],
    );
    assert_eq!(before, home.read("machine.lock"));
}

#[test]
fn why_says_the_way_and_near_names() {
    let home = Home::locked();
    has(
        &home.expect(0, &["why", "libtop"]),
        &["libtop 1.1-2", "monitoring", "nvtop"],
    );
    has(&home.expect(1, &["why", "nvtpo"]), &["nvtpo", "nvtop"]);
}

#[test]
fn the_list_of_everything_is_json_of_its_form_and_the_same_twice() {
    let home = Home::locked();
    let text = home.expect(0, &["sbom"]);
    has(&text, &["nvtop", "3.0-1", "libtop"]);
    for (form, key, value) in [
        ("cyclonedx", "bomFormat", "CycloneDX"),
        ("spdx", "spdxVersion", "SPDX-2.3"),
    ] {
        let words = ["sbom", "--format", form];
        let output = home.expect(0, &words);
        assert_eq!(output, home.expect(0, &words));
        let json: serde_json::Value = serde_json::from_str(&output).unwrap();
        assert_eq!(json[key], value);
        has(&output, &["nvtop", "libtop", "jq", "zstd"]);
    }
    has(
        &home.expect(2, &["sbom", "--format", "xml"]),
        &["cyclonedx", "spdx"],
    );
}

#[test]
fn an_offline_image_without_a_lock_says_how_to_get_one() {
    let home = Home::new(SMALL, PACKAGES);
    let words = [
        "iso",
        "--base",
        "stand-in",
        "--offline",
        "--frozen",
        "--out",
        "x.iso",
    ];
    has(
        &home.expect(1, &words),
        &["machine.lock is not there", "`cargo xtask lock`"],
    );
    assert!(!home.path("x.iso").exists());
}

#[test]
fn mirrors_that_are_none_are_refused_by_line_and_without_the_password() {
    let home = Home::locked();
    for (text, line) in [
        ("[mirrors]\n\"https://a\" = \"http://u:s3cret@m", "line 2"),
        (
            "only = true\n[mirrors]\n\"https://a\" = \"ftp://u:s3cret@m\"",
            "line 3",
        ),
        ("miror = \"http://u:s3cret@m\"", "line 1"),
    ] {
        home.write("config/mirrors.toml", text);
        for words in [
            &["fetch", "--without-base"][..],
            &["lock", "--update", "--installed", "installed"],
        ] {
            let said = home.expect(1, words);
            has(&said, &["mirrors.toml", line]);
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}
