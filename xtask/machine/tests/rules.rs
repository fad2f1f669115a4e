//! Every rule is shown broken, by the least description that breaks it and
//! nothing else; and a sound description breaks none.

mod common;

use std::collections::BTreeSet;

use common::{GPU_SERVER, read_text};
use lab_machine::rules;

/// A description that breaks no rule, which each case spoils in one place.
const SOUND: &str = r#"
[machine]
product = "HP Z440 Workstation"
power_supply_w = 700
[[gpu]]
name = "k2200"
pci_id = "10de:13ba"
slot = "0000:02:00.0"
[[gpu]]
name = "gtx1050ti"
pci_id = "10de:1c82"
slot = "0000:03:00.0"
[disk]
serial = "S5STNF0R123456A"
size_gb = 250
[network]
[access]
[driver]
[docker]
[toolkit]
[ollama]
models = ["gemma3:1b"]
[jupyter]
[dcgan]
[ubuntu]
"#;

/// The rule, what is replaced, and by what. An empty text to replace means that
/// the new one is put at the end.
const CASES: &[(&str, &str, &str)] = &[
    ("toml-syntax", "[docker]", "[docker"),
    ("unknown-key", "[docker]", "[docker]\nenable = true"),
    ("bad-value", "[docker]", "[docker]\nenabled = \"yes\""),
    (
        "machine-not-told-apart",
        "product = \"HP Z440 Workstation\"\n",
        "",
    ),
    (
        "power-over-supply",
        "power_supply_w = 700",
        "power_supply_w = 300",
    ),
    (
        "gpu-unknown-name",
        "[dcgan]",
        "[dcgan]\ngpus = [\"gtx1050\"]",
    ),
    (
        "gpu-not-in-catalog",
        "pci_id = \"10de:13ba\"",
        "pci_id = \"10de:0001\"",
    ),
    (
        "gpu-not-nvidia",
        "pci_id = \"10de:13ba\"",
        "pci_id = \"1002:13ba\"",
    ),
    (
        "gpu-ambiguous",
        "slot = \"0000:02:00.0\"",
        "slot = \"0000:03:00.0\"",
    ),
    (
        "gpu-power-limit",
        "slot = \"0000:03:00.0\"",
        "slot = \"0000:03:00.0\"\npower_limit_w = 30",
    ),
    (
        "ubuntu-unknown-release",
        "[ubuntu]",
        "[ubuntu]\nrelease = \"26.04\"",
    ),
    ("support-ends", "[driver]", "[driver]\nbranch = 535"),
    ("disk-not-named", "serial = \"S5STNF0R123456A\"\n", ""),
    (
        "disk-luks-needs-lvm",
        "[disk]",
        "[disk]\nlayout = \"plain\"\nluks_passphrase = { env = \"P\" }",
    ),
    ("disk-too-small", "size_gb = 250", "size_gb = 30"),
    ("disk-size-unknown", "size_gb = 250\n", ""),
    (
        "network-static-incomplete",
        "[network]",
        "[network]\naddress = \"192.168.1.20/24\"",
    ),
    (
        "network-gateway-outside",
        "[network]",
        "[network]\nmac = \"a0:8c:fd:01:02:03\"\naddress = \"192.168.1.20/24\"\ngateway = \"192.168.2.1\"\ndns = [\"192.168.1.1\"]",
    ),
    (
        "network-unused-key",
        "[network]",
        "[network]\ngateway = \"192.168.1.1\"",
    ),
    (
        "network-ssid",
        "[network]",
        "[network]\nwifi = { interface = \"wlp5s0\", ssid = \"\", passphrase = { env = \"P\" } }",
    ),
    (
        "access-sudo-locked",
        "[access]",
        "[access]\nsudo = \"password\"",
    ),
    ("driver-drops-card", "[driver]", "[driver]\nbranch = 595"),
    ("driver-not-offered", "[driver]", "[driver]\nbranch = 470"),
    ("driver-module", "[driver]", "[driver]\nmodule = \"open\""),
    (
        "driver-no-common",
        "slot = \"0000:03:00.0\"",
        "slot = \"0000:03:00.0\"\n[[gpu]]\npci_id = \"10de:2b85\"\nslot = \"0000:04:00.0\"",
    ),
    (
        "toolkit-cve",
        "[toolkit]",
        "[toolkit]\nversion = \"1.17.8\"",
    ),
    (
        "toolkit-unknown-version",
        "[toolkit]",
        "[toolkit]\nversion = \"9.9.9\"",
    ),
    (
        "toolkit-needs-docker",
        "[docker]",
        "[docker]\nenabled = false",
    ),
    ("ollama-driver-floor", "[driver]", "[driver]\nbranch = 535"),
    ("ollama-no-card", "[ollama]", "[ollama]\ngpus = []"),
    (
        "ollama-model-too-large",
        "models = [\"gemma3:1b\"]",
        "models = [\"gemma3:27b\"]",
    ),
    (
        "ollama-model-unknown",
        "models = [\"gemma3:1b\"]",
        "models = [\"nobody/knows:1b\"]",
    ),
    (
        "ollama-open-to-network",
        "[ollama]",
        "[ollama]\nlisten = \"0.0.0.0:11434\"",
    ),
    (
        "ollama-unknown-version",
        "[ollama]",
        "[ollama]\nversion = \"9.9.9\"",
    ),
    (
        "tensorflow-cannot-use-card",
        "[dcgan]",
        "[dcgan]\ngpus = [\"k2200\"]",
    ),
    (
        "image-moves",
        "[jupyter]",
        "[jupyter]\nimage = \"quay.io/jupyter/tensorflow-notebook:cuda-latest\"",
    ),
    (
        "image-unknown",
        "[jupyter]",
        "[jupyter]\nimage = \"example.org/own/image:1\"\ngpus = [\"gtx1050ti\"]",
    ),
    (
        "container-needs-toolkit",
        "[toolkit]",
        "[toolkit]\nenabled = false",
    ),
    (
        "tensorflow-no-card",
        "[jupyter]",
        "[jupyter]\nimage = \"quay.io/jupyter/tensorflow-notebook:cuda-tensorflow-2.20.0\"",
    ),
    ("port-taken-twice", "[jupyter]", "[jupyter]\nport = 11434"),
    ("dcgan-range", "[dcgan]", "[dcgan]\nbatch = 1"),
    (
        "dcgan-single-on-many",
        "[dcgan]",
        "[dcgan]\ngpus = [\"gtx1050ti\", \"k2200\"]",
    ),
    (
        "dcgan-mirrored-on-one",
        "[dcgan]",
        "[dcgan]\ngpus = [\"gtx1050ti\"]\nstrategy = \"mirrored\"",
    ),
    (
        "dcgan-slow-precision",
        "[dcgan]",
        "[dcgan]\nprecision = \"float16\"",
    ),
];

/// Rules that cannot be broken without another one being broken, too.
const IN_COMPANY: &[(&str, &[&str])] = &[
    ("support-ends", &["ollama-driver-floor"]),
    ("ollama-driver-floor", &["support-ends"]),
    (
        "driver-not-offered",
        &["support-ends", "ollama-driver-floor"],
    ),
    (
        "driver-no-common",
        &["driver-drops-card", "driver-module", "power-over-supply"],
    ),
    ("driver-drops-card", &["support-ends"]),
    ("toolkit-needs-docker", &["container-needs-toolkit"]),
    ("image-moves", &["tensorflow-no-card"]),
    ("dcgan-single-on-many", &["tensorflow-cannot-use-card"]),
];

fn broken(text: &str) -> BTreeSet<&'static str> {
    read_text(text)
        .1
        .diagnostics
        .iter()
        .map(|one| one.rule)
        .collect()
}

#[test]
fn sound_descriptions_break_no_rule() {
    assert_eq!(broken(SOUND), BTreeSet::new());
    assert_eq!(broken(GPU_SERVER), BTreeSet::new());
}

#[test]
fn every_rule_is_broken_by_its_case_and_by_nothing_else() {
    for (rule, from, to) in CASES {
        assert!(SOUND.contains(from), "{rule}: the case replaces nothing");
        let found = broken(&SOUND.replacen(from, to, 1));
        let company = IN_COMPANY
            .iter()
            .find(|(id, _)| id == rule)
            .map_or(&[][..], |(_, others)| others);
        assert!(
            found.contains(rule),
            "{rule} is not reported, but {found:?}"
        );
        let strangers: Vec<_> = found
            .iter()
            .filter(|id| *id != rule && !company.contains(id))
            .collect();
        assert!(
            strangers.is_empty(),
            "{rule}: reported besides: {strangers:?}"
        );
    }
}

#[test]
fn every_rule_has_a_case_and_tells_its_story() {
    let cases: BTreeSet<_> = CASES.iter().map(|(rule, _, _)| *rule).collect();
    let mut ids = BTreeSet::new();
    for rule in rules::all() {
        assert!(ids.insert(rule.id), "two rules are called {}", rule.id);
        assert!(
            cases.contains(rule.id),
            "{} has no case that breaks it",
            rule.id
        );
        for text in [rule.title, rule.story, rule.way_out, rule.source] {
            assert!(text.len() >= 10, "{} says too little: {text:?}", rule.id);
        }
    }
    assert_eq!(
        cases.difference(&ids).count(),
        0,
        "a case breaks a rule that does not exist"
    );
}

#[test]
fn every_finding_says_what_belongs_there() {
    for (rule, from, to) in CASES {
        let (_, outcome) = read_text(&SOUND.replacen(from, to, 1));
        for finding in outcome.diagnostics {
            assert!(!finding.expected.is_empty(), "{rule}: {finding:?}");
        }
    }
}
