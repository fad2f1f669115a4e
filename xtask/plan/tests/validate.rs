//! The rendered files, held against the programs that will read them.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{
    as_the_installer_reads, have, have_pyyaml, image, not_run, schema, succeed, text_of, unpack,
    variants,
};
use lab_plan::{ImageFiles, place};
use serde_json::{Value, json};
use tempfile::tempdir;

/// Every variant with its name.
fn images() -> Vec<(&'static str, ImageFiles)> {
    variants()
        .into_iter()
        .map(|(name, text)| (name, image(&text)))
        .collect()
}

fn overlay(path: &str) -> String {
    format!("{}{path}", place::OVERLAY)
}

/// Makes every object of a schema refuse keys that it does not know, but for
/// those that are maps of names.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let named = object
                .get("properties")
                .and_then(Value::as_object)
                .is_some_and(|keys| !keys.is_empty() && !keys.keys().eq(["match"]));
            // `kernel` and `network` list their keys above or beside a `oneOf`.
            if named {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(strict);
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

#[test]
fn the_installers_schema_takes_every_file_with_unknown_keys_refused() {
    const NAME: &str = "the_installers_schema_takes_every_file_with_unknown_keys_refused";
    let (Some(mut rules), true) = (schema(NAME, "autoinstall-schema.json"), have_pyyaml(NAME))
    else {
        return;
    };
    strict(&mut rules);
    let rules = jsonschema::validator_for(&rules).unwrap();
    let dir = tempdir().unwrap();
    for (name, image) in images() {
        for path in [place::AUTOINSTALL, place::INSPECT, place::ORDINARY] {
            let whole = as_the_installer_reads(&text_of(&image, path), dir.path());
            assert_eq!(
                whole.as_object().unwrap().keys().collect::<Vec<_>>(),
                ["autoinstall"]
            );
            let wrong: Vec<String> = rules
                .iter_errors(&whole["autoinstall"])
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(wrong.is_empty(), "{name}, {path}: {wrong:#?}");
        }
    }
    let whole = as_the_installer_reads(&text_of(&images()[0].1, place::AUTOINSTALL), dir.path());
    for (place, key) in [
        ("", "lokale"),
        ("/ssh", "keys"),
        ("/apt", "mirror"),
        ("/source", "search-drivers"),
        ("/identity", "groups"),
        ("/keyboard", "lay"),
        ("/kernel", "name"),
        ("/network", "ethernet"),
    ] {
        let mut spoilt = whole["autoinstall"].clone();
        spoilt.pointer_mut(place).unwrap()[key] = json!(true);
        assert!(
            !rules.is_valid(&spoilt),
            "{place}/{key} is taken: this test could not fail"
        );
    }
}

#[test]
fn pyyaml_reads_what_was_written() {
    const NAME: &str = "pyyaml_reads_what_was_written";
    if !have_pyyaml(NAME) {
        return;
    }
    let dir = tempdir().unwrap();
    let read = |variant: &str| {
        let text = variants()
            .into_iter()
            .find(|(name, _)| *name == variant)
            .unwrap()
            .1;
        as_the_installer_reads(&text_of(&image(&text), place::AUTOINSTALL), dir.path())["autoinstall"].clone()
    };
    // Each of these is something else to YAML 1.1 when it stands bare.
    assert_eq!(
        read("static")["network"]["ethernets"]["lab-wired"]["match"]["macaddress"],
        json!("00:11:22:33:44:55")
    );
    assert_eq!(read("hwe")["keyboard"]["layout"], json!("no"));
    assert_eq!(read("password")["identity"]["username"], json!("no"));
    assert_eq!(
        read("password")["identity"]["password"],
        json!(common::PASSWORD_HASH)
    );
    assert_eq!(
        read("luks")["storage"]["layout"]["password"],
        json!(common::LUKS_PASSPHRASE)
    );
    assert_eq!(
        read("wifi")["network"]["wifis"]["wlp5s0"]["access-points"]["on"]["password"],
        json!(common::WIFI_PASSPHRASE)
    );
    assert_eq!(
        read("serial")["storage"]["layout"]["match"],
        json!({"serial": "*S5STNF0R123456A*"})
    );
}

#[test]
fn netplan_takes_every_network() {
    const NAME: &str = "netplan_takes_every_network";
    if !have(NAME, &["netplan"]) || !have_pyyaml(NAME) {
        return;
    }
    let rules = schema(NAME, "network-config-v2-schema.json")
        .map(|schema| jsonschema::validator_for(&schema).unwrap());
    for (name, image) in images() {
        let dir = tempdir().unwrap();
        let whole = as_the_installer_reads(&text_of(&image, place::AUTOINSTALL), dir.path());
        let network = json!({"network": whole["autoinstall"]["network"]});
        if let Some(rules) = &rules {
            // cloud-init's schema knows no wireless networks; netplan does.
            let mut wired = network.clone();
            wired["network"].as_object_mut().unwrap().remove("wifis");
            let wrong: Vec<String> = rules
                .iter_errors(&wired)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        }
        let file = dir.path().join("etc/netplan/00-installer.yaml");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, network.to_string()).unwrap();
        succeed(Command::new("chmod").arg("600").arg(&file));
        succeed(
            Command::new("netplan")
                .args(["generate", "--root-dir"])
                .arg(dir.path()),
        );
        let made = succeed(
            Command::new("find")
                .arg(dir.path().join("run"))
                .args(["-type", "f", "-exec", "cat", "{}", "+"]),
        );
        let expected = match name {
            "static" => "Address=192.168.1.20/24",
            "wifi" => "ssid=\"on\"",
            _ => "DHCP=ipv4",
        };
        assert!(
            made.contains(expected),
            "{name}: netplan made no {expected}:\n{made}"
        );
    }
}

#[test]
fn grub_takes_every_menu() {
    if !have("grub_takes_every_menu", &["grub-script-check"]) {
        return;
    }
    let dir = tempdir().unwrap();
    for (_, image) in images() {
        for path in [place::GRUB_CFG, place::LOOPBACK_CFG] {
            let file = dir.path().join("grub.cfg");
            fs::write(&file, text_of(&image, path)).unwrap();
            succeed(Command::new("grub-script-check").arg(&file));
            fs::write(&file, text_of(&image, path).replacen("}", "", 1)).unwrap();
            assert!(
                !Command::new("grub-script-check")
                    .arg(&file)
                    .output()
                    .unwrap()
                    .status
                    .success()
            );
        }
    }
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    if !have("shellcheck_finds_nothing_in_the_scripts", &["shellcheck"]) {
        return;
    }
    for (_, image) in images().into_iter().take(2) {
        let dir = tempdir().unwrap();
        unpack(&image, dir.path());
        let scripts = ["guard", "facts.sh", "lay-down"];
        succeed(
            Command::new("shellcheck")
                .arg("-x")
                .args(scripts)
                .current_dir(dir.path().join("lab")),
        );
        succeed(
            Command::new("shellcheck")
                .args(["-s", "sh", "-e", "SC2034", "guard.conf"])
                .current_dir(dir.path().join("lab")),
        );
    }
}

#[test]
fn sudo_takes_every_drop_in() {
    if !have("sudo_takes_every_drop_in", &["visudo"]) {
        return;
    }
    let dir = tempdir().unwrap();
    for (_, image) in images() {
        let file = dir.path().join("lab");
        fs::write(&file, text_of(&image, &overlay("etc/sudoers.d/10-lab"))).unwrap();
        succeed(Command::new("visudo").arg("-c").arg("-f").arg(&file));
    }
}

#[test]
fn sshd_takes_the_drop_in_and_obeys_it() {
    if !have(
        "sshd_takes_the_drop_in_and_obeys_it",
        &["sshd", "ssh-keygen"],
    ) {
        return;
    }
    let dir = tempdir().unwrap();
    let key = dir.path().join("key");
    succeed(
        Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key),
    );
    let drop_in = text_of(
        &images()[0].1,
        &overlay("etc/ssh/sshd_config.d/10-lab.conf"),
    );
    let file = dir.path().join("sshd_config");
    let main = "PasswordAuthentication yes\nPermitRootLogin yes\nUsePAM yes\n";
    fs::write(
        &file,
        format!(
            "{}{main}",
            drop_in.replace("/etc/ssh/ssh_host_ed25519_key", &key.display().to_string())
        ),
    )
    .unwrap();
    fs::create_dir_all("/run/sshd").ok();
    let sshd = succeed(Command::new("sh").args(["-c", "command -v sshd"]));
    succeed(Command::new(sshd.trim()).arg("-t").arg("-f").arg(&file));
    let said = succeed(Command::new(sshd.trim()).arg("-T").arg("-f").arg(&file));
    for line in [
        "passwordauthentication no",
        "permitrootlogin no",
        "kbdinteractiveauthentication no",
    ] {
        assert!(
            said.lines().any(|other| other == line),
            "{line} is not in force:\n{said}"
        );
    }
    assert_eq!(
        said.lines()
            .filter(|line| line.starts_with("hostkey "))
            .count(),
        1
    );
}

#[test]
fn systemd_takes_the_units() {
    if !have("systemd_takes_the_units", &["systemd-analyze"]) {
        return;
    }
    let dir = tempdir().unwrap();
    unpack(&images()[0].1, dir.path());
    let unit = dir.path().join(overlay("etc/systemd/system/lab.target"));
    let said = succeed(
        Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(unit),
    );
    assert!(!said.contains("lab.target"), "{said}");
}

#[test]
fn apt_takes_the_settings() {
    if !have("apt_takes_the_settings", &["apt-config"]) {
        return;
    }
    let dir = tempdir().unwrap();
    for (name, image) in images() {
        let file = dir.path().join("apt.conf");
        fs::write(
            &file,
            text_of(&image, &overlay("etc/apt/apt.conf.d/52lab-updates")),
        )
        .unwrap();
        let said = succeed(
            Command::new("apt-config")
                .arg("dump")
                .env("APT_CONFIG", &file),
        );
        let expected = if name == "no-driver" {
            "APT::Snapshot \"20261101T000000Z\";"
        } else {
            "Unattended-Upgrade::Package-Blacklist:: \"libnvidia-\";"
        };
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn cloud_inits_schema_takes_the_drop_in() {
    const NAME: &str = "cloud_inits_schema_takes_the_drop_in";
    let (Some(rules), true) = (schema(NAME, "cloud-config-schema.json"), have_pyyaml(NAME)) else {
        return;
    };
    let rules = jsonschema::validator_for(&rules).unwrap();
    let dir = tempdir().unwrap();
    let text = text_of(&images()[0].1, &overlay("etc/cloud/cloud.cfg.d/99-lab.cfg"));
    let read = as_the_installer_reads(&text, dir.path());
    let wrong: Vec<String> = rules
        .iter_errors(&read)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!rules.is_valid(&as_the_installer_reads(
        &text.replace("ssh_deletekeys: false", "ssh_deletekeys: maybe"),
        dir.path()
    )));
}

#[test]
fn the_last_steps_lay_down_the_overlay_and_then_the_marker() {
    const NAME: &str = "the_last_steps_lay_down_the_overlay_and_then_the_marker";
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    for shell in ["dash", "busybox"] {
        let root = succeed(Command::new("id").arg("-u")).trim() == "0";
        if !have(NAME, &[shell]) || !root {
            if !root {
                not_run(NAME, "only root may give files to root");
            }
            return;
        }
        let dir = tempdir().unwrap();
        // As on a stick that was written file by file: no modes survive.
        let image = images().swap_remove(0).1;
        for (path, file) in image.iter() {
            let place = dir.path().join("cdrom").join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, &file.bytes).unwrap();
        }
        let target = dir.path().join("target");
        fs::create_dir_all(target.join("etc/ssh")).unwrap();
        fs::set_permissions(target.join("etc/ssh"), fs::Permissions::from_mode(0o750)).unwrap();
        fs::write(target.join("etc/ssh/ssh_host_ed25519_key"), "another key").unwrap();
        let run = |word: &str| {
            let mut command = Command::new(shell);
            command
                .args((shell == "busybox").then_some("sh"))
                .arg(dir.path().join("cdrom/lab/lay-down"))
                .arg(word)
                .arg(&target);
            command.output().unwrap()
        };
        let said = run("files");
        assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
        assert!(!target.join("boot/lab").exists(), "the marker is last");
        for (path, file) in image
            .iter()
            .filter_map(|(path, file)| Some((path.strip_prefix(place::OVERLAY)?, file)))
        {
            let place = target.join(path);
            let data = fs::metadata(&place).unwrap();
            assert_eq!(
                (data.mode() & 0o7777, data.uid(), data.gid()),
                (file.mode, 0, 0),
                "{path}"
            );
            assert_eq!(fs::read(&place).unwrap(), file.bytes, "{path}");
        }
        assert_eq!(
            fs::metadata(target.join("etc/ssh")).unwrap().mode() & 0o777,
            0o750,
            "a folder that was there has another mode"
        );
        let link =
            fs::read_link(target.join("etc/systemd/system/multi-user.target.wants/lab.target"))
                .unwrap();
        assert_eq!(link, Path::new("../lab.target"));
        assert!(run("marker").status.success());
        let marker = fs::read_to_string(target.join("boot/lab/installed-gpu-server")).unwrap();
        assert_eq!(marker, text_of(&image, place::MARKER));
        assert!(run("files").status.success(), "a second time");

        fs::write(
            dir.path().join("cdrom/lab/overlay/etc/sudoers.d/10-lab"),
            "ALL ALL=(ALL) ALL\n",
        )
        .unwrap();
        fs::remove_dir_all(target.join("etc")).unwrap();
        fs::create_dir_all(target.join("etc")).unwrap();
        let said = run("files");
        assert!(
            !said.status.success()
                && String::from_utf8_lossy(&said.stderr).contains("sudoers.d/10-lab differs")
        );
        assert_eq!(
            fs::read_dir(target.join("etc")).unwrap().count(),
            0,
            "something was copied all the same"
        );
        fs::remove_dir_all(target.join("etc")).unwrap();
        assert!(
            !run("files").status.success() && !run("marker").status.success(),
            "there is no system"
        );
    }
}

#[test]
fn shellcheck_takes_the_units_scripts() {
    if !have("shellcheck_takes_the_units_scripts", &["shellcheck"]) {
        return;
    }
    let root = common::workspace();
    let mut scripts = vec!["templates/lab/survey".to_owned()];
    for folder in ["templates/usr/lib/lab", "templates/usr/lib/lab/units"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                scripts.push(format!("{folder}/{}", entry.file_name().display()));
            }
        }
    }
    assert!(scripts.len() >= 18, "{scripts:?}");
    // What they load lies elsewhere on the target.
    let mut shellcheck = Command::new("shellcheck");
    let words = ["-x", "-s", "bash", "-e", "SC1091"];
    succeed(shellcheck.current_dir(root).args(words).args(scripts));
}

#[test]
fn the_firewalls_rules_are_rules() {
    const NAME: &str = "the_firewalls_rules_are_rules";
    if !have(NAME, &["nft"]) {
        return;
    }
    for (name, image) in images() {
        let dir = tempdir().unwrap();
        let rules = dir.path().join("firewall.nft");
        fs::write(&rules, text_of(&image, &overlay("etc/lab/firewall.nft"))).unwrap();
        let said = Command::new("nft")
            .args(["-c", "-f"])
            .arg(&rules)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&said.stderr);
        if error.contains("Operation not permitted") {
            return not_run(NAME, "nft needs root even to check");
        }
        assert!(said.status.success(), "{name}: {error}");
    }
}
