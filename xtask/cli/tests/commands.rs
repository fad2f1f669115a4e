//! The commands as a user runs them: what they print, and how they end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab_not_run::not_run;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A user's home for one test: a folder with a description, and no keys yet.
struct Home {
    folder: TempDir,
}

const SOUND: &str = "[machine]\nname = \"ws\"\nproduct = \"HP Z440 Workstation\"\n[[gpu]]\npci_id = \"10de:1c82\"\n[disk]\nserial = \"ABC123456\"\nsize_gb = 250\n";

impl Home {
    fn new(description: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("machine.toml"), description).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).current_dir(self.folder.path());
        command
            .env("LAB_STATE_DIR", self.path("state"))
            .env("LAB_CACHE_DIR", self.path("cache"));
        command
            .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
            .env_remove("LAB_MACHINE")
            .env_remove("LAB_CATALOG")
            .env_remove("LAB_UBUNTU_MIRROR");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs and expects this exit code; answers with all that was printed.
    fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
        text
    }
}

const DESCRIBED: &str = "machine.toml";

#[test]
fn a_catalog_that_is_not_there_is_said() {
    let home = Home::new(SOUND);
    let with = |folder: &Path| {
        let mut check = home.command(&["check", "--machine", DESCRIBED]);
        let output = check.env("LAB_CATALOG", folder).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = with(Path::new("/nonexistent"));
    assert!(said.contains("LAB_CATALOG: /nonexistent"), "{said}");
    let empty = home.path("empty");
    fs::create_dir(&empty).unwrap();
    let said = with(&empty);
    assert!(said.contains("no file in it ends in .toml"), "{said}");
}

#[test]
fn every_command_teaches() {
    let home = Home::new(SOUND);
    for command in [
        "check", "explain", "render", "fetch", "iso", "inspect", "doctor", "test", "bench",
        "generate",
    ] {
        let help = home.expect(0, &[command, "--help"]);
        assert!(
            help.lines().next().is_some_and(|line| line.len() > 10),
            "{command}: {help}"
        );
        assert!(help.contains("Usage: cargo xtask"), "{command}: {help}");
    }
}

#[test]
fn the_repository_s_own_machine_is_sound() {
    let home = Home::new(SOUND);
    assert!(
        home.expect(0, &["check", "--machine", "gpu-server"])
            .contains("no errors, no warnings")
    );
}

#[test]
fn a_mistake_ends_with_1_and_a_place() {
    let home = Home::new(&SOUND.replace("serial", "serail"));
    let text = home.expect(1, &["check", "-m", DESCRIBED]);
    assert!(
        text.contains("machine.toml:7:1") && text.contains("did you mean `serial`?"),
        "{text}"
    );
    for command in [
        &["render", "--out", "x", "-m", DESCRIBED][..],
        &["fetch", "-m", DESCRIBED],
        &["iso", "-m", DESCRIBED],
    ] {
        assert!(home.expect(1, command).contains("did you mean `serial`?"));
    }
    assert!(
        !home.path("x").exists() && !home.path("state").exists(),
        "nothing is made from a description with a mistake"
    );
}

#[test]
fn check_speaks_json() {
    let home = Home::new(&SOUND.replace("size_gb = 250", "size_gb = 10"));
    let output = home.run(&["check", "-m", DESCRIBED, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["findings"][0]["rule"], "disk-too-small");
    assert_eq!(json["findings"][0]["line"], 8);
}

#[test]
fn names_that_mean_nothing_get_a_suggestion() {
    let home = Home::new(SOUND);
    assert!(
        home.expect(1, &["check", "-m", "gpu-sever"])
            .contains("did you mean `gpu-server`?")
    );
    assert!(
        home.expect(1, &["explain", "toolkit-cv"])
            .contains("did you mean `toolkit-cve`?")
    );
    assert!(
        home.expect(1, &["check", "-m", "none.toml"])
            .contains("reading none.toml")
    );
    fs::write(home.path("binary.toml"), [0xff, 0xfe, 0x00]).unwrap();
    assert!(
        home.expect(1, &["check", "-m", "binary.toml"])
            .contains("no UTF-8")
    );
    fs::create_dir(home.path("folder.toml")).unwrap();
    assert!(
        home.expect(1, &["check", "-m", "folder.toml"])
            .contains("reading folder.toml")
    );
}

#[test]
fn rendering_twice_gives_the_same_and_keeps_secrets() {
    let home = Home::new(SOUND);
    let tree = |name: &str| {
        home.expect(0, &["render", "-m", DESCRIBED, "--out", name]);
        let mut files = Vec::new();
        collect(&home.path(name), &mut files);
        files.sort();
        files
            .into_iter()
            .map(|path| {
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                (
                    path.strip_prefix(home.path(name)).unwrap().to_owned(),
                    mode,
                    Sha256::digest(fs::read(&path).unwrap()).to_vec(),
                )
            })
            .collect::<Vec<_>>()
    };
    let first = tree("one");
    assert_eq!(first, tree("two"));
    assert_eq!(first, tree("two"), "written over itself");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.path("one")), 0o700);
    assert_eq!(
        mode(&home.path("one/lab/overlay/etc/ssh/ssh_host_ed25519_key")),
        0o600
    );
    assert_eq!(
        mode(&home.path("state/machines/ws/ssh_host_ed25519_key")),
        0o600
    );
    assert_eq!(mode(&home.path("state/machines/ws")), 0o700);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn render_never_takes_a_folder_that_is_not_its_own() {
    let home = Home::new(SOUND);
    fs::create_dir(home.path("mine")).unwrap();
    fs::write(home.path("mine/thesis.txt"), "three years").unwrap();
    assert!(
        home.expect(1, &["render", "-m", DESCRIBED, "--out", "mine"])
            .contains("was not written by `render`")
    );
    assert_eq!(
        fs::read_to_string(home.path("mine/thesis.txt")).unwrap(),
        "three years"
    );
}

#[test]
fn secrets_that_lie_open_or_are_none_are_refused() {
    let home = Home::new(&format!(
        "{SOUND}[access]\npassword_hash = {{ file = \"hash\" }}\n"
    ));
    let hash = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";
    let render = ["render", "-m", DESCRIBED, "--out", "out"];
    assert!(
        home.expect(1, &render)
            .contains("access.password_hash comes from the file hash")
    );
    fs::write(home.path("hash"), format!("{hash}\n")).unwrap();
    fs::set_permissions(home.path("hash"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(home.expect(1, &render).contains("others may read it"));
    fs::set_permissions(home.path("hash"), fs::Permissions::from_mode(0o600)).unwrap();
    home.expect(0, &render);
    fs::write(
        home.path("hash"),
        "hunter2hunter2hunter2hunter2hunter2hunter2hunter2\n",
    )
    .unwrap();
    let text = home.expect(1, &render);
    assert!(
        text.contains("is no hash") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn an_open_key_is_refused() {
    let home = Home::new(SOUND);
    home.expect(0, &["render", "-m", DESCRIBED, "--out", "out"]);
    let key = home.path("state/machines/ws/admin_ed25519_key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(
        home.expect(2, &["render", "-m", DESCRIBED, "--out", "out"])
            .contains("chmod 600")
    );
}

/// A stand-in base in the cache of this test's home, or why there is none.
fn stand_in(home: &Home, test: &str) -> Option<PathBuf> {
    let missing = lab_standin::missing();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|one| one.package).collect();
        not_run(test, &format!("packages are missing: {}", names.join(", ")));
        return None;
    }
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stand-in");
    fs::create_dir_all(&shared).unwrap();
    let base = home.path("base.iso");
    lab_standin::build(&lab_standin::Options::default(), &shared, &base).unwrap();
    Some(base)
}

fn digest(path: &Path) -> Vec<u8> {
    Sha256::digest(fs::read(path).unwrap()).to_vec()
}

#[test]
fn an_image_is_the_same_wherever_and_however_often_it_is_built() {
    let home = Home::new(SOUND);
    let Some(base) = stand_in(
        &home,
        "an_image_is_the_same_wherever_and_however_often_it_is_built",
    ) else {
        return;
    };
    let before = digest(&base);
    let words = |out: &str, base: &str| {
        [
            "iso",
            "--unlocked",
            "-m",
            DESCRIBED,
            "--base",
            base,
            "--allow-unknown-base",
            "--out",
            out,
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let run = |command: &mut Command| assert!(command.status().unwrap().success());
    run(home.command(&[]).args(words("a.iso", "base.iso")));
    let first = digest(&home.path("a.iso"));
    assert_eq!(
        fs::metadata(home.path("a.iso"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    // Another folder, name, time zone, language, and a base by another name.
    fs::create_dir(home.path("elsewhere")).unwrap();
    fs::copy(&base, home.path("elsewhere/renamed.iso")).unwrap();
    fs::copy(
        home.path("machine.toml"),
        home.path("elsewhere/machine.toml"),
    )
    .unwrap();
    let mut other = home.command(&[]);
    other
        .args(words("b.iso", "renamed.iso"))
        .current_dir(home.path("elsewhere"));
    run(other
        .env("TZ", "Asia/Kathmandu")
        .env("LC_ALL", "de_DE.UTF-8")
        .env("USER", "other"));
    assert_eq!(first, digest(&home.path("elsewhere/b.iso")));
    // Changed and changed back, over the same output.
    fs::write(
        home.path("machine.toml"),
        format!("{SOUND}[docker]\nlog_files = 7\n"),
    )
    .unwrap();
    run(home.command(&[]).args(words("a.iso", "base.iso")));
    assert_ne!(first, digest(&home.path("a.iso")));
    fs::write(home.path("machine.toml"), SOUND).unwrap();
    run(home.command(&[]).args(words("a.iso", "base.iso")));
    assert_eq!(first, digest(&home.path("a.iso")));
    assert_eq!(before, digest(&base), "the base is only read");
    assert!(home.expect(0, &["inspect", "a.iso"]).contains("0 fail"));
}

#[test]
fn bad_bases_end_in_words_and_leave_nothing() {
    let home = Home::new(SOUND);
    let Some(base) = stand_in(&home, "bad_bases_end_in_words_and_leave_nothing") else {
        return;
    };
    let whole = fs::read(&base).unwrap();
    let cases: &[(&str, Vec<u8>, bool, &str)] = &[
        ("empty", Vec::new(), true, "empty"),
        (
            "text",
            b"<html>404 Not Found</html>".repeat(4000),
            true,
            "text",
        ),
        (
            "truncated",
            whole[..whole.len() / 2].to_vec(),
            true,
            "truncated",
        ),
        ("unknown", whole.clone(), false, "sha256"),
    ];
    for (name, bytes, allow, told) in cases {
        let file = format!("{name}.iso");
        fs::write(home.path(&file), bytes).unwrap();
        let mut words = vec![
            "iso",
            "-m",
            DESCRIBED,
            "--unlocked",
            "--base",
            &file,
            "--out",
            "out.iso",
        ];
        if *allow {
            words.push("--allow-unknown-base");
        }
        let text = home.expect(1, &words);
        assert!(
            text.contains(&file) || text.contains(told),
            "{name}: {text}"
        );
        assert!(
            !home.path("out.iso").exists() && !home.path(".out.iso.partial").exists(),
            "{name} left something"
        );
        assert_eq!(
            &fs::read(home.path(&file)).unwrap(),
            bytes,
            "{name} was touched"
        );
    }
    let text = home.expect(
        1,
        &[
            "iso",
            "--unlocked",
            "-m",
            DESCRIBED,
            "--base",
            "base.iso",
            "--out",
            "base.iso",
            "--allow-unknown-base",
        ],
    );
    assert!(text.contains("base"), "{text}");
    assert_eq!(fs::read(&base).unwrap(), whole, "the base was written over");
    home.expect(1, &["iso", "-m", DESCRIBED, "--base", "none.iso"]);
    home.expect(1, &["inspect", "none.iso"]);
    home.expect(1, &["inspect", "text.iso"]);
}

#[test]
fn inspect_tells_a_spoilt_image() {
    let home = Home::new(SOUND);
    if stand_in(&home, "inspect_tells_a_spoilt_image").is_none() {
        return;
    }
    home.expect(
        0,
        &[
            "iso",
            "--unlocked",
            "-m",
            DESCRIBED,
            "--base",
            "base.iso",
            "--allow-unknown-base",
            "--out",
            "a.iso",
        ],
    );
    let mut bytes = fs::read(home.path("a.iso")).unwrap();
    let word = b"subiquity.autoinstallpath=/cdrom/autoinstall.yaml";
    let at = bytes
        .windows(word.len())
        .position(|window| window == word)
        .unwrap();
    bytes[at] = b'x';
    fs::write(home.path("a.iso"), bytes).unwrap();
    let text = home.expect(1, &["inspect", "a.iso"]);
    assert!(
        text.contains("menu-path") && text.contains("fail"),
        "{text}"
    );
    fs::set_permissions(home.path("a.iso"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(home.expect(1, &["inspect", "a.iso"]).contains("chmod 600"));
    let json: serde_json::Value =
        serde_json::from_slice(&home.run(&["inspect", "a.iso", "--format", "json"]).stdout)
            .unwrap();
    assert_eq!(json["ok"], false);
}

#[test]
fn without_a_network_the_ways_out_are_named() {
    let home = Home::new(SOUND);
    let output = home
        .command(&["iso", "-m", DESCRIBED, "--frozen"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("--base FILE") && text.contains("--base stand-in"),
        "{text}"
    );
    // A closed port of this machine: refused at once.
    let output = home
        .command(&["fetch", "-m", DESCRIBED, "--mirror", "http://127.0.0.1:9/x"])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
