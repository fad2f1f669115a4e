//! What the file's keys may be, in this independent reading.

use std::fs;
use std::path::Path;

use lab_installer::autoinstall::{self, Autoinstall, Opening};
use lab_installer::yaml;

fn read(text: &str) -> anyhow::Result<Autoinstall> {
    let document = yaml::read(text)?;
    let body = autoinstall::body(&document)?;
    Opening::read(body)?;
    Autoinstall::read(body)
}

const STORAGE: &str = "storage: {layout: {name: direct, match: {serial: '*A*'}}, swap: {size: 0}}";
const IDENTITY: &str = "identity: {hostname: a, username: lab, password: '!'}";

#[test]
fn all_that_this_project_renders_is_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/plan/tests/snapshots");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // Some are whole trees, others only differences.
        let Some((_, rest)) = text.split_once("\n===== autoinstall.yaml\n# ") else {
            continue;
        };
        let file = rest.split("\n===== ").next().unwrap();
        let read = read(&format!("# {file}"));
        assert!(read.is_ok(), "{}: {:#}", path.display(), read.unwrap_err());
        seen += 1;
    }
    assert!(seen > 0, "no rendered file in {}", folder.display());
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let cases = [
        ("version: 2", "autoinstall.version: found 2, expected 1"),
        ("version: '1'", "autoinstall.version: found a text"),
        (
            "late-commands: 'true'",
            "autoinstall.late-commands: found a text, expected a list",
        ),
        (
            "late-commands: [[]]",
            "autoinstall.late-commands[0]: found no word",
        ),
        (
            "late-commands: [[sh, -c, no]]",
            "autoinstall.late-commands[0][2]: found a truth value",
        ),
        (
            "ssh: {install_server: true}",
            "autoinstall.ssh.install_server: found an unknown key",
        ),
        (
            "ssh: {allow-pw: 'no'}",
            "autoinstall.ssh.allow-pw: found a text",
        ),
        (
            "kernel: {flavor: generic}",
            "autoinstall.kernel.package: found nothing",
        ),
        (
            "drivers: {install: true}",
            "autoinstall.drivers.install: found `true`",
        ),
        (
            "refresh-installer: {update: true}",
            "autoinstall.refresh-installer.update: found `true`",
        ),
        ("updates: none", "autoinstall.updates: found `none`"),
        (
            "apt: {fallback: offline}",
            "autoinstall.apt.fallback: found `offline`",
        ),
        (
            "apt: {sources: {}}",
            "autoinstall.apt.sources: found a key that the real",
        ),
        (
            "keyboard: {layuot: us}",
            "autoinstall.keyboard.layout: found nothing",
        ),
        (
            "source: {id: a, drivers: false}",
            "autoinstall.source.drivers: found an unknown key",
        ),
        ("timezone: geoip", "autoinstall.timezone: found `geoip`"),
        ("network: {version: 1}", "autoinstall.network.version"),
        (
            "network: {version: 2, ethernets: {a: {match: {nmae: x}}}}",
            "autoinstall.network.ethernets.a.match.nmae",
        ),
        (
            "network: {version: 2, ethernets: {a: {match: {macaddress: 12:34:56:51:23:45}}}}",
            "macaddress: found a number",
        ),
        (
            "network: {version: 2, wifis: {w: {dhcp4: true}}}",
            "autoinstall.network.wifis.w.access-points: found nothing",
        ),
        (
            "network: {version: 2, wifis: {w: {access-points: {on: {}}}}}",
            "is no text",
        ),
    ];
    for (line, word) in cases {
        let version = if line.starts_with("version") {
            ""
        } else {
            "version: 1\n"
        };
        let text = format!("{version}{line}\n{STORAGE}\n{IDENTITY}\n");
        let error = format!("{:#}", read(&text).map(drop).unwrap_err());
        assert!(error.contains(word), "{line}: {error}");
    }
}

#[test]
fn a_disk_is_never_meant_by_mistake() {
    let cases = [
        (
            "{layout: {name: lvm, match: {seriel: '*A*'}}, swap: {size: 0}}",
            "storage.layout.match.seriel: found an unknown key",
        ),
        (
            "{layout: {name: lvm, match: {size: big}}, swap: {size: 0}}",
            "storage.layout.match.size: found `big`",
        ),
        (
            "{layout: {name: lvm, match: {ssd: 'yes'}}, swap: {size: 0}}",
            "storage.layout.match.ssd: found a text",
        ),
        (
            "{layout: {name: lvm, match: [{size: largest}]}, swap: {size: 0}}",
            "storage.layout.match: found a list",
        ),
        (
            "{layout: {name: zfs}, swap: {size: 0}}",
            "storage.layout.name: found `zfs`",
        ),
        (
            "{layout: {name: direct, password: secret}, swap: {size: 0}}",
            "storage.layout.password: found a key of `lvm`",
        ),
        (
            "{layout: {name: direct, sizing-policy: all}, swap: {size: 0}}",
            "storage.layout.sizing-policy: found a key of `lvm`",
        ),
        (
            "{layout: {name: lvm, mode: use_gap}, swap: {size: 0}}",
            "storage.layout.mode: found a key that the real",
        ),
        (
            "{layout: {name: lvm}, swap: {size: -1}}",
            "storage.swap.size: found a number",
        ),
        ("{layout: {name: lvm}}", "storage.swap: found nothing"),
        ("{config: []}", "storage.config: found a key that the real"),
    ];
    for (storage, word) in cases {
        let error = format!(
            "{:#}",
            read(&format!("version: 1\nstorage: {storage}\n{IDENTITY}\n")).unwrap_err()
        );
        assert!(error.contains(word), "{storage}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn an_identity_is_what_24_04_takes() {
    let cases = [
        (
            "{hostname: a, username: lab}",
            "identity.password: found nothing",
        ),
        (
            "{hostname: a, username: lab, password: hunter2}",
            "identity.password: found another text",
        ),
        (
            "{hostname: a, username: Lab, password: '!'}",
            "identity.username: found another name",
        ),
        (
            "{hostname: a, username: lab, password: '!', groups: [docker]}",
            "identity.groups: found an unknown key",
        ),
        (
            "{hostname: 'a b', username: lab, password: '!'}",
            "identity.hostname",
        ),
    ];
    for (identity, word) in cases {
        let error = format!(
            "{:#}",
            read(&format!("version: 1\n{STORAGE}\nidentity: {identity}\n")).unwrap_err()
        );
        assert!(error.contains(word), "{identity}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn nothing_stands_beside_the_one_key() {
    let text = format!("autoinstall:\n  version: 1\n  {STORAGE}\n  {IDENTITY}\n");
    assert!(read(&text).is_ok());
    let error = read(&format!("{text}packages: []\n")).unwrap_err();
    assert!(
        error.to_string().contains("expected `autoinstall` alone"),
        "{error}"
    );
    let bare = format!("version: 1\n{STORAGE}\n{IDENTITY}\n");
    assert!(
        read(&bare).is_ok(),
        "the real one reads a file without that key as well"
    );
}

#[test]
fn sizes_are_bytes_or_have_a_unit() {
    for (size, bytes) in [
        ("8589934592", 8 << 30),
        ("8G", 8 << 30),
        ("512M", 512 << 20),
        ("0", 0),
    ] {
        let storage = format!("storage: {{layout: {{name: lvm}}, swap: {{size: {size}}}}}");
        let read = read(&format!("version: 1\n{storage}\n{IDENTITY}\n")).unwrap();
        assert_eq!(read.storage.swap, bytes, "{size}");
    }
}
