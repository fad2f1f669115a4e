//! Accounts, secrets and the kernel's log on trees of files.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::tree::{Tree, broken};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
ada:x:1000:1000:Ada,,,:/home/ada:/bin/bash
open:x:1001:1001::/home/open:/bin/sh
old:$6$salt$hash:1002:1002::/home/old:
broken:x:many:1::/:/bin/sh
short:x
";

const SHADOW: &str = "root:*:19000:0:99999:7:::
ada:!$6$salt$secretsecret:19000:0:99999:7:::
open::19000:0:99999:7:::
";

#[test]
fn accounts_that_somebody_could_log_in_with() {
    let tree = Tree::new();
    let keys = "# mine\nssh-ed25519 AAAA a\n\nfrom=\"10.0.0.1\" ssh-ed25519 BBBB b\n";
    tree.file("/etc/passwd", PASSWD)
        .file("/etc/shadow", SHADOW)
        .file("/home/ada/.ssh/authorized_keys", keys);
    let all = accounts::all(&tree.root()).unwrap();
    let seen: Vec<_> = all
        .iter()
        .map(|one| {
            (
                one.name.as_str(),
                one.uid,
                one.password,
                one.empty_password,
                one.ssh_keys,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("root", 0, false, false, 0),
            ("ada", 1000, false, false, 2),
            ("open", 1001, false, true, 0),
            ("old", 1002, true, false, 0),
        ]
    );
    let unlocked = SHADOW.replace("ada:!", "ada:");
    tree.file("/etc/shadow", unlocked);
    let all = accounts::all(&tree.root()).unwrap();
    assert!(all[1].password);
    assert!(!format!("{all:?}").contains("secret"));
    broken(SHADOW, |bytes| {
        tree.file("/etc/shadow", bytes);
        let _ = accounts::all(&tree.root());
    });
}

#[test]
fn without_the_shadow_file_nothing_is_said() {
    let tree = Tree::new();
    tree.file("/etc/passwd", PASSWD);
    assert!(
        accounts::all(&tree.root())
            .unwrap_err()
            .contains("/etc/shadow is not there")
    );
}

#[test]
fn secrets_that_others_may_read() {
    let tree = Tree::new();
    tree.file("/etc/lab/secrets/jupyter-token", "x")
        .file("/etc/lab/secrets/deep/key", "x")
        .file("/etc/ssh/ssh_host_ed25519_key", "x")
        .file("/etc/ssh/ssh_host_ed25519_key.pub", "x")
        .link("/etc/lab/secrets/nowhere", "gone");
    let path = |path: &str| tree.root().path(path);
    let mode =
        |file: &str, mode| set_permissions(path(file), Permissions::from_mode(mode)).unwrap();
    let owner = path("/etc/ssh").metadata().unwrap().uid();
    for file in ["jupyter-token", "deep/key"] {
        mode(&format!("/etc/lab/secrets/{file}"), 0o600);
    }
    mode("/etc/ssh/ssh_host_ed25519_key", 0o600);
    let open = |owner| secrets::open(&tree.root(), owner).unwrap();
    assert!(open(owner).is_empty());
    // All of them belong to another.
    assert_eq!(open(owner + 1).len(), 3);
    mode("/etc/lab/secrets/deep/key", 0o640);
    mode("/etc/ssh/ssh_host_ed25519_key", 0o604);
    assert_eq!(
        open(owner),
        ["/etc/lab/secrets/deep/key", "/etc/ssh/ssh_host_ed25519_key"]
    );
}

#[test]
fn lines_of_the_kernels_log() {
    let record = "4,1234,5678901,-;NVRM: Xid (PCI:0000:03:00): 79, pid=4711, GPU has fallen off\n SUBSYSTEM=pci\n";
    let line = kernel_log::parse_record(record).unwrap();
    assert_eq!(line.at_ms, 5678);
    assert!(line.text.starts_with("NVRM: Xid") && line.text.ends_with("fallen off"));
    assert!(kernel_log::parse_record("6,1,2,-;usb 1-1: new device").is_none());
    assert!(kernel_log::parse_record("6,1;NVRM: Xid").is_none());
    let journal = "[   12.345678] kernel: EDAC MC0: 1 CE memory read error on CPU_SrcID#0";
    assert_eq!(kernel_log::parse_journal(journal).unwrap().at_ms, 12_345);
    broken(record, |bytes| {
        kernel_log::parse_record(&String::from_utf8_lossy(bytes));
        kernel_log::parse_journal(&String::from_utf8_lossy(bytes));
    });
}

#[test]
fn what_is_no_error_does_not_count() {
    let harmless = [
        "EDAC MC0: Giving out device to module sb_edac.c",
        "mce: CPU0: Thermal monitoring enabled (TM1)",
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.173.02",
    ];
    let errors = [
        "mce: [Hardware Error]: Machine check events logged",
        "EDAC MC0: 1 UE memory read error on DIMM",
        "Memory failure: 0x1234: recovery action for dirty page",
    ];
    assert!(!harmless.iter().any(|text| kernel_log::counts(text)));
    assert!(errors.iter().all(|text| kernel_log::counts(text)));
}

#[test]
fn settings_of_sshd() {
    let settings =
        sshd::parse("port 22\npasswordauthentication no\nacceptenv LANG\nAcceptEnv LC_*\n\n");
    assert_eq!(settings["passwordauthentication"], ["no"]);
    assert_eq!(settings["acceptenv"], ["LANG", "LC_*"]);
    assert_eq!(settings.len(), 3);
}

#[test]
fn a_token_that_is_none_is_not_sent() {
    let tree = Tree::new();
    let ask = |tree: &Tree| jupyter_with_token(&tree.root(), Some(1)).unwrap_err();
    assert!(ask(&tree).contains("is not there"));
    tree.file(TOKEN, "two\r\nlines: of a header");
    let why = ask(&tree);
    assert!(
        why.contains("holds no token") && !why.contains("header"),
        "{why}"
    );
}
