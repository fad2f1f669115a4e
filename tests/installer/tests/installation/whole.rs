//! Installations that succeed, and what they leave.

use lab_installer::events::{STAGES, Stage};

use crate::bench::{Bench, FILE};

#[test]
fn every_stage_begins_and_ends_in_its_order() {
    let bench = Bench::new();
    bench.put("/autoinstall.yaml", FILE);
    let ended = bench.run();
    assert!(ended.ok, "{}", ended.said);
    // There is no network here.
    let expected: Vec<String> = STAGES
        .iter()
        .filter(|stage| **stage != Stage::Updates)
        .flat_map(|stage| [stage.start(), stage.success()])
        .collect();
    assert_eq!(ended.stages(), expected);
    assert!(
        ended.calls.ends_with("systemctl reboot\n"),
        "{}",
        ended.calls
    );
    assert_eq!(bench.get("/run/subiquity/server-state"), "DONE");
    assert!(
        bench
            .get("/var/log/installer/subiquity-server-debug.log")
            .contains(&Stage::Late.success())
    );
}

#[test]
fn a_uefi_machine_gets_a_volume_group() {
    let bench = Bench::new();
    bench.put("/autoinstall.yaml", FILE);
    bench.put("/sys/firmware/efi/fw_platform_size", "64");
    let ended = bench.run();
    assert!(ended.ok, "{}", ended.said);
    insta::assert_snapshot!("uefi_calls", ended.calls);
    insta::assert_snapshot!("uefi_fstab", bench.get("/target/etc/fstab"));
}

#[test]
fn a_bios_machine_with_a_passphrase_keeps_it_out_of_everything() {
    let bench = Bench::new();
    let passphrase = "no: yes 'x' #1";
    bench.put(
        "/autoinstall.yaml",
        &FILE.replace(
            "sizing-policy: 'all'",
            "sizing-policy: 'all', password: \"no: yes 'x' #1\"",
        ),
    );
    let ended = bench.run();
    assert!(ended.ok, "{}", ended.said);
    insta::assert_snapshot!("luks_calls", ended.calls);
    assert_eq!(
        ended.given.matches(passphrase).count(),
        2,
        "{}",
        ended.given
    );
    assert_eq!(
        bench.get("/target/etc/crypttab"),
        "dm_crypt-0 UUID=uuid-of-vda3 none luks\n"
    );
    let log = |name: &str| bench.get(&format!("/target/var/log/installer/{name}"));
    for text in [
        ended.said,
        ended.calls,
        log("autoinstall-user-data"),
        log("subiquity-server-debug.log"),
        log("curtin-install.log"),
    ] {
        assert!(!text.contains("no: yes"), "{text}");
    }
}

#[test]
fn the_installed_system_has_what_the_real_one_leaves() {
    let bench = Bench::new();
    bench.put(
        "/autoinstall.yaml",
        &format!(
            "{FILE}  ssh: {{install-server: true, allow-pw: false, authorized-keys: ['ssh-ed25519 AAAA you@laptop']}}
  timezone: 'Etc/UTC'
  network: {{version: 2, ethernets: {{lab-wired: {{match: {{name: 'e*'}}, dhcp4: true, optional: true}}}}}}
"
        ),
    );
    let ended = bench.run();
    assert!(ended.ok, "{}", ended.said);
    let installer = bench.get("/target/etc/cloud/cloud.cfg.d/99-installer.cfg");
    assert!(
        installer.starts_with("datasource_list: [None]\n"),
        "{installer}"
    );
    for word in [
        "ssh-ed25519 AAAA you@laptop",
        "\\\"ssh_pwauth\\\": false",
        "#cloud-config\\n",
    ] {
        assert!(installer.contains(word), "{word} in {installer}");
    }
    for secret in [
        "/target/etc/cloud/cloud.cfg.d/99-installer.cfg",
        "/target/etc/cloud/cloud.cfg.d/90-installer-network.cfg",
        "/target/etc/netplan/50-cloud-init.yaml",
        "/target/swap.img",
    ] {
        assert_eq!(bench.mode(secret), 0o600, "{secret}");
    }
    assert_eq!(
        bench.mode("/target/var/log/installer/autoinstall-user-data"),
        0o400
    );
    assert!(
        bench
            .get("/target/etc/netplan/50-cloud-init.yaml")
            .contains("\"e*\"")
    );
    assert_eq!(bench.get("/target/etc/hostname"), "gpu-server\n");
    assert_eq!(
        bench.get("/target/etc/machine-id"),
        "0123456789abcdef0123456789abcdef\n"
    );
    let grub = bench.get("/target/etc/default/grub.d/50-curtin-settings.cfg");
    assert!(
        grub.contains("GRUB_CMDLINE_LINUX_DEFAULT=\"modprobe.blacklist=nouveau\""),
        "{grub}"
    );
    let user =
        "useradd lab --comment administrator --shell /bin/bash --groups adm,sudo --create-home";
    assert!(ended.calls.contains(user), "{}", ended.calls);
    assert!(ended.given.contains("lab:!"), "{}", ended.given);
    assert!(!bench.has("/target/usr/sbin/policy-rc.d"));
}

#[test]
fn packages_that_are_missing_come_from_the_pool_alone() {
    let bench = Bench {
        installed: false,
        ..Bench::new()
    };
    bench.put("/autoinstall.yaml", FILE);
    let ended = bench.run();
    assert!(!ended.ok);
    assert!(
        ended.said.contains("from the image's pool"),
        "{}",
        ended.said
    );
    let bench = Bench {
        installed: false,
        ..Bench::new()
    };
    bench.put("/autoinstall.yaml", FILE);
    bench.put(
        "/cdrom/dists/noble/Release",
        "Components: main restricted\n",
    );
    let ended = bench.run();
    assert!(ended.ok, "{}", ended.said);
    assert_eq!(
        bench.get("/run/lab-installer/pool.list"),
        "deb [check-date=no] file:///cdrom noble main restricted\n"
    );
    let install = "apt-get --quiet --assume-yes -o Dir::Etc::SourceList=/run/lab-installer/pool.list -o Dir::Etc::SourceParts=/dev/null";
    assert!(ended.calls.contains(install), "{}", ended.calls);
}
