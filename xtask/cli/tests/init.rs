//! `init` as a user runs it. What is seen comes from a stand-in for the probe: it speaks its
//! format, and shows nothing of how the probe sees.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A workspace for one test, with a stand-in for the probe that answers with `facts`.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new(facts: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Self { folder };
        fs::create_dir_all(home.path("images")).unwrap();
        fs::create_dir_all(home.path("xtask/cli")).unwrap();
        home.answer(facts);
        home
    }

    fn answer(&self, facts: &str) {
        fs::write(self.path("facts.json"), facts).unwrap();
        let probe = self.path("probe");
        let asked = self.path("asked.json");
        let script = format!(
            "#!/bin/sh\n[ \"$*\" = facts ] || exit 9\ncat >{}\ncat {}\n",
            asked.display(),
            self.path("facts.json").display()
        );
        fs::write(&probe, script).unwrap();
        fs::set_permissions(&probe, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `init --local`; the exit code and all that was printed.
    fn init(&self, more: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["init", "--local"])
            .args(more)
            .current_dir(self.folder.path())
            .env("LAB_PROBE", self.path("probe"))
            .env("USER", "tobias")
            .env_remove("LAB_CATALOG")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains("panicked"), "{text}");
        (output.status.code(), text)
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

/// Facts in which each of these is not known.
fn unknown(fields: &[&str]) -> Value {
    let not = |field: &&str| ((*field).to_owned(), json!({"unknown": "nobody asked"}));
    Value::Object(fields.iter().map(not).collect())
}

fn facts() -> Value {
    let mut system = unknown(&[
        "cpu",
        "memory_errors",
        "secure_boot",
        "kernel",
        "uptime_s",
        "boot_id",
        "nics",
        "systemd",
        "units",
        "reboot_required",
        "listeners",
    ]);
    let seen = json!({
        "hostname": {"is": "ws-7"},
        "dmi": {"is": {"vendor": "Hewlett-Packard", "product": "HP Z440 Workstation", "bios": ""}},
        "memory_kib": {"is": 32_790_000},
        "firmware": {"is": "bios"},
        "os": {"is": {"id": "ubuntu", "version_id": "24.04", "pretty_name": "Ubuntu 24.04.5 LTS"}},
        "clock": {"synchronized": {"unknown": "x"}, "timezone": {"is": "Etc/UTC"}},
        "root": {"is": {"source": "/dev/sda2", "fstype": "ext4", "live": false, "disks": ["sda"]}},
        "disks": {"is": [{"name": "sda", "model": "Samsung SSD 870 EVO 250GB", "serial": "S5STNF0R123456A",
            "bytes": 250_059_350_016_u64, "removable": false}]},
        "spaces": {}, "files": {},
    });
    system
        .as_object_mut()
        .unwrap()
        .extend(seen.as_object().unwrap().clone());
    let mut nvidia = unknown(&[
        "module", "nouveau", "nodes", "library", "gpus", "compute", "cdi",
    ]);
    nvidia["pci"] = json!({"is": [{"address": "0000:03:00.0", "id": "10de:1c82", "subsystem": "1:1", "driver": null}]});
    let software = unknown(&[
        "packages",
        "held",
        "apt_sources",
        "apt_config",
        "release",
        "lab_status",
        "lab_gpus",
        "ollama",
        "jupyter_without_token",
        "dcgan_page",
        "exporter",
        "nvtop",
        "nvidia_ctk",
    ]);
    json!({"format": lab_facts::FORMAT, "probe": "a stand-in", "taken_unix_ms": 0, "took_ms": 0,
        "system": system, "nvidia": nvidia, "software": software})
}

#[test]
fn a_description_is_written_in_its_place_and_nothing_is_overwritten() {
    let home = Home::new(&facts().to_string());
    let (code, text) = home.init(&[]);
    assert_eq!(code, Some(0), "{text}");
    let written = home.written("images/ws-7/machine.toml");
    assert!(
        written.contains("name = \"ws-7\"") && written.contains("user = \"tobias\""),
        "{written}"
    );
    assert!(
        text.contains("power_supply_w"),
        "what is open is said: {text}"
    );
    let asked: lab_facts::Request = serde_json::from_str(&home.written("asked.json")).unwrap();
    assert_eq!(asked.format, lab_facts::FORMAT);
    assert!(!asked.compute);
    // Somebody works on it.
    let place = home.path("images/ws-7/machine.toml");
    fs::write(&place, "# mine\n").unwrap();
    let (code, text) = home.init(&[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("--force") && text.contains("nothing was written"),
        "{text}"
    );
    assert_eq!(home.written("images/ws-7/machine.toml"), "# mine\n");
    assert_eq!(home.init(&["--force"]).0, Some(0));
    assert_eq!(home.written("images/ws-7/machine.toml"), written);
    let (code, text) = home.init(&["--machine", "other", "--out", "here.toml"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(home.written("here.toml").contains("name = \"other\""));
    let left: Vec<_> = fs::read_dir(home.path("images/ws-7")).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left beside it");
}

#[test]
fn what_is_not_known_is_left_open_and_said() {
    let mut facts = facts();
    facts["system"]["root"] = json!({"unknown": "a container"});
    facts["system"]["disks"]["is"].as_array_mut().unwrap().push(json!({
        "name": "sdb", "model": "WDC", "serial": "WD-1", "bytes": 1_000_204_886_016_u64, "removable": false}));
    let home = Home::new(&facts.to_string());
    let (code, text) = home.init(&[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("disk-not-named") && text.contains("to be filled in: serial"),
        "{text}"
    );
    let written = home.written("images/ws-7/machine.toml");
    assert!(
        !written.lines().any(|line| line.starts_with("serial")),
        "{written}"
    );
}

#[test]
fn a_probe_that_says_nothing_sound_writes_nothing() {
    let mut newer = facts();
    newer["format"] = json!(lab_facts::FORMAT + 1);
    for (answer, why) in [
        ("", "reading the probe"),
        ("{}", "reading the probe"),
        (&newer.to_string(), "format"),
    ] {
        let home = Home::new(answer);
        let (code, text) = home.init(&[]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(why), "{text}");
        assert_eq!(fs::read_dir(home.path("images")).unwrap().count(), 0);
    }
    let mut nameless = facts();
    nameless["system"]["hostname"] = json!({"is": "localhost"});
    let (code, text) = Home::new(&nameless.to_string()).init(&[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("--machine"), "{text}");
}

#[test]
fn one_machine_is_named_and_no_more() {
    let home = Home::new("");
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let output = command
            .arg("init")
            .args(words)
            .current_dir(home.folder.path());
        output.output().unwrap().status.code()
    };
    assert_eq!(run(&[]), Some(2));
    assert_eq!(run(&["--local", "--host", "x"]), Some(2));
}
