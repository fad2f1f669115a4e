//! Packages, apt's sources and keys, and the lab's own words.

use super::*;
use crate::tree::{Tree, broken};

const STATUS: &str = "Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.21-2ubuntu4
Description: GNU Bourne Again SHell
 Version: 9 of this text is none

Package: nvidia-utils-580-server
Status: hold ok installed
Version: 580.173.02-0ubuntu0.24.04.1

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.39-0ubuntu8.6

Package: libc6
Status: deinstall ok config-files
Architecture: i386
Version: 2.39-0ubuntu8.1

Package: half
Status: install reinstreq half-configured
Version: 1
";

#[test]
fn packages_and_holds_by_one_reading() {
    let tree = Tree::new();
    tree.file("/var/lib/dpkg/status", STATUS);
    let wanted = ["bash", "libc6", "half", "nvidia-utils-580-server", "none"].map(str::to_owned);
    let read = dpkg::read(&tree.root(), &wanted).unwrap();
    let of = |name: &str| {
        let one = &read.packages[name];
        (one.version.as_str(), one.status.as_str())
    };
    assert_eq!(of("bash"), ("5.2.21-2ubuntu4", "ii"));
    assert_eq!(of("libc6"), ("2.39-0ubuntu8.6", "ii"));
    assert_eq!(of("half"), ("1", "iF"));
    assert_eq!(of("nvidia-utils-580-server").1, "hi");
    assert!(!read.packages.contains_key("none"));
    assert_eq!(read.held, ["nvidia-utils-580-server"]);
    broken(STATUS, |bytes| {
        dpkg::parse(&String::from_utf8_lossy(bytes), &wanted);
    });
}

const SOURCES: &str = "# a comment
Types: deb deb-src
URIs: http://archive.ubuntu.com/ubuntu http://mirror.example/ubuntu
Suites: noble noble-updates
Components: main
 universe
Signed-By: /usr/share/keyrings/k.gpg

Types: deb
URIs: https://off.example
Suites: /
Enabled: no

types: deb
uris: https://nvidia.github.io/libnvidia-container/stable/deb/amd64
suites: /
Components:
Trusted: yes
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----
";

#[test]
fn sources_in_stanzas() {
    let stanzas = apt::deb822(SOURCES);
    assert_eq!(stanzas.len(), 2);
    assert_eq!(stanzas[0].uris.len(), 2);
    assert_eq!(stanzas[0].suites, ["noble", "noble-updates"]);
    assert_eq!(stanzas[0].components, ["main", "universe"]);
    assert_eq!(
        stanzas[0].signed_by.as_deref(),
        Some("/usr/share/keyrings/k.gpg")
    );
    assert!(!stanzas[0].trusted && stanzas[1].trusted);
    assert!(stanzas[1].components.is_empty());
    assert!(
        stanzas[1]
            .signed_by
            .as_ref()
            .unwrap()
            .contains("BLOCK-----\n\nAAAA\n")
    );
    broken(SOURCES, |bytes| {
        apt::deb822(&String::from_utf8_lossy(bytes));
    });
}

#[test]
fn sources_in_lines() {
    let text = "deb [arch=amd64 signed-by=/k.asc trusted=yes] https://a.example noble stable # x\n\
                #deb http://b.example noble main\n\
                deb-src http://c.example noble main\n\
                deb\thttp://d.example noble main universe\n";
    let stanzas = apt::one_line(text);
    assert_eq!(stanzas.len(), 2);
    assert_eq!(stanzas[0].signed_by.as_deref(), Some("/k.asc"));
    assert!(stanzas[0].trusted && !stanzas[1].trusted);
    assert_eq!(stanzas[1].uris, ["http://d.example"]);
    assert_eq!(stanzas[1].components, ["main", "universe"]);
    broken(text, |bytes| {
        apt::one_line(&String::from_utf8_lossy(bytes));
    });
}

/// A key packet of version 4 with this body after the version, in the new form.
fn key(rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xc6, u8::try_from(rest.len() + 1).unwrap(), 4];
    packet.extend_from_slice(rest);
    packet
}

#[test]
fn fingerprints_of_keys() {
    // `printf '\x99\x00\x04\x04abc' | sha1sum`
    let print = "34AA630DC54717F5D1065238755E131144944493";
    let found = openpgp::fingerprints(&key(b"abc")).unwrap();
    assert_eq!(found, [print]);
    // The old form of a packet's head, and one that is none of a key before it.
    let mut old = vec![0xb4, 1, b'x', 0x98, 4, 4];
    old.extend_from_slice(b"abc");
    assert_eq!(openpgp::fingerprints(&old).unwrap(), found);
    // The same with armor: two blocks are two keys.
    let armored = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: x\n\nxgQEYWJj\n=abcd\n\
                   -----END PGP PUBLIC KEY BLOCK-----\n";
    assert_eq!(openpgp::fingerprints(armored.as_bytes()).unwrap(), found);
    assert_eq!(
        openpgp::fingerprints(armored.repeat(2).as_bytes())
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn keys_that_are_none_are_said() {
    assert!(openpgp::fingerprints(b"").is_err());
    assert!(openpgp::fingerprints(b"<html>").is_err());
    assert!(openpgp::fingerprints(&[0xc6, 200]).is_err());
    let mut other = key(b"abc");
    other[2] = 6;
    assert!(
        openpgp::fingerprints(&other)
            .unwrap_err()
            .contains("version")
    );
    assert!(openpgp::fingerprints(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!\n").is_err());
    broken(
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxgQEYWJj\n=abcd\n-----END",
        |bytes| {
            let _ = openpgp::fingerprints(bytes);
        },
    );
    let binary = String::from_utf8_lossy(&key(b"abc")).into_owned();
    broken(&binary, |bytes| {
        let _ = openpgp::fingerprints(bytes);
    });
}

#[test]
fn a_source_is_told_with_its_keys() {
    let tree = Tree::new();
    tree.file(
        "/etc/apt/sources.list",
        "deb http://plain.example noble main\n",
    )
    .file("/etc/apt/sources.list.d/u.sources", SOURCES)
    .file("/etc/apt/sources.list.d/u.sources.save", SOURCES)
    .file("/usr/share/keyrings/k.gpg", key(b"abc"));
    let sources = apt::sources(&tree.root()).unwrap();
    assert_eq!(sources.len(), 4);
    assert_eq!(sources[0].signed_by, None);
    assert!(sources[0].fingerprints.known().is_none());
    assert_eq!(sources[1].fingerprints.known().unwrap().len(), 1);
    assert_eq!(sources[3].signed_by.as_deref(), Some("(inline)"));
    std::fs::remove_file(tree.root().path("/usr/share/keyrings/k.gpg")).unwrap();
    let sources = apt::sources(&tree.root()).unwrap();
    assert!(
        sources[1]
            .fingerprints
            .get()
            .unwrap_err()
            .contains("k.gpg is not there")
    );
}

#[test]
fn settings_of_apt() {
    let text = "APT \"\";\nAPT::Periodic \"\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n\
                Unattended-Upgrade::Allowed-Origins \"\";\n\
                Unattended-Upgrade::Allowed-Origins:: \"Ubuntu:noble\";\n\
                Unattended-Upgrade::Allowed-Origins:: \"Ubuntu:noble-security\";\n\
                Unattended-Upgrade::Automatic-Reboot \"false\";\nDir \"/\";\n";
    let settings = apt::settings(text);
    assert_eq!(settings["APT::Periodic::Unattended-Upgrade"], ["1"]);
    let origins = &settings["Unattended-Upgrade::Allowed-Origins"];
    assert_eq!(origins, &["Ubuntu:noble", "Ubuntu:noble-security"]);
    assert_eq!(settings.len(), 3);
}

#[test]
fn the_labs_own_words() {
    let text = "base\tready\t1790000000\t0\t\t\ndriver\tfailed\t1790000001\t3\tno module\tlook\n\
                ollama.service\tready\t0\t0\t\t\nlab\tfailed\n";
    let units = lab::parse_status(text).unwrap();
    assert_eq!(units.len(), 4);
    assert_eq!(
        (units[1].text.as_str(), units[1].way_out.as_str()),
        ("no module", "look")
    );
    assert_eq!(
        (units[3].unit.as_str(), units[3].state.as_str()),
        ("lab", "failed")
    );
    assert!(lab::parse_status("").is_none());
    // The line is cut off.
    assert!(lab::parse_status("base\tready\t1\t0\t\t\ndriver\tfa").is_none());
    let tree = Tree::new();
    tree.file(
        "/etc/lab/release",
        "LAB_DESCRIPTION=abc\nLAB_VERSION=\"0.1.0\"\n",
    )
    .file("/run/lab/gpus", "big GPU-9a43 0000:03:00.0\nold - -\n");
    assert_eq!(
        lab::release(&tree.root()).unwrap()["LAB_DESCRIPTION"],
        "abc"
    );
    let gpus = lab::gpus(&tree.root()).unwrap();
    assert_eq!(gpus[1], ("old".to_owned(), "-".to_owned(), "-".to_owned()));
    tree.file("/run/lab/gpus", "what\n");
    assert!(lab::gpus(&tree.root()).unwrap_err().contains("`what`"));
}

#[test]
fn the_version_of_nvidia_ctk() {
    let said = "NVIDIA Container Toolkit CLI version 1.20.0\ncommit: abc\n";
    assert_eq!(version_of_ctk(said).as_deref(), Some("1.20.0"));
    assert_eq!(version_of_ctk("nothing"), None);
}
