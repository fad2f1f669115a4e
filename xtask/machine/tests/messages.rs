//! What a user sees: whole messages, to the letter.

mod common;

use common::read_text;
use lab_machine::{Severity, Sources};

fn shown(text: &str) -> String {
    let (sources, outcome) = read_text(text);
    let messages: Vec<String> = outcome
        .diagnostics
        .iter()
        .map(|one| one.render(&sources, false))
        .collect();
    messages.join("\n\n")
}

#[test]
fn everything_is_said_at_once() {
    insta::assert_snapshot!(shown(
        r#"[machine]
nmae = "x"
memory_gib = "32"

[[gpu]]
name = "k2200"
pci_id = "10de-13ba"

[disk]
modle = "Samsung"
layout = "lmv"

[toolkit]
version = "1.17.8-1"

[access]
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEdYFCLtSV4NWPm1kloaXt1M4HZJem0Ffy3LXH2AgfVB me", "ssh-rsa xx", "foo"]
user = 3

[network]
address = "10.0.0.1/24"
"#
    ));
}

#[test]
fn rules_point_at_the_value_and_name_the_way_out() {
    insta::assert_snapshot!(shown(
        r#"[machine]
product = "HP Z440 Workstation"

[[gpu]]
pci_id = "10de:13ba"

[disk]
serial = "S5STNF0R123456A"
size_gb = 250

[toolkit]
version = "1.17.8"

[driver]
branch = 590

[dcgan]
gpus = ["k220"]
"#
    ));
}

#[test]
fn a_message_never_repeats_a_secret() {
    let secrets = [
        "[access]\npassword_hash = \"hunter2\"",
        "[access]\npassword_hash = { env = \"A\", file = \"hunter2\" }",
        "[access]\npassword_hash = { clear = \"hunter2\" }",
        "[access]\npassword_hash = [\"hunter2\"]",
        "[disk]\nluks_passphrase = \"hunter2\"",
        "[network.wifi]\ninterface = \"wlan0\"\nssid = \"x\"\npassphrase = \"hunter2\"",
        "[access]\nssh_keys = [\"-----BEGIN OPENSSH PRIVATE KEY----- hunter2\"]",
        "[access]\nssh_keys = [\"\"\"-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n\"\"\"]",
    ];
    for text in secrets {
        let (sources, outcome) = read_text(text);
        let spoken: Vec<_> = outcome
            .diagnostics
            .iter()
            .filter(|one| one.rule == "bad-value")
            .collect();
        assert_eq!(spoken.len(), 1, "{text}");
        for finding in &outcome.diagnostics {
            assert!(
                !finding.render(&sources, false).contains("hunter2"),
                "{text}"
            );
            assert!(
                !finding.json(&sources).to_string().contains("hunter2"),
                "{text}"
            );
            assert!(!finding.line(&sources).contains("hunter2"), "{text}");
        }
    }
}

#[test]
fn a_description_builds_on_another() {
    let files = [
        (
            "ws/machine.toml",
            "extends = \"../room/machine.toml\"\n[machine]\nname = \"ws-07\"\n[disk]\nserial = \"ABC123\"\n",
        ),
        (
            "ws/../room/machine.toml",
            "[machine]\nname = \"room\"\nmemory_gib = \"32\"\nproduct = \"HP Z440 Workstation\"\n[disk]\nsize_gb = 250\n",
        ),
    ];
    let sources = Sources::load("ws/machine.toml", |name, from| {
        let wanted = from.map_or(name.to_owned(), |_| format!("ws/{name}"));
        let file = files
            .iter()
            .find(|(path, _)| *path == wanted)
            .ok_or(format!("no {wanted}"))?;
        Ok((file.0.to_owned(), file.1.to_owned()))
    })
    .unwrap();
    let outcome = lab_machine::read(&sources, lab_catalog::Catalog::builtin(), None);
    let messages: Vec<String> = outcome
        .diagnostics
        .iter()
        .map(|one| one.render(&sources, false))
        .collect();
    insta::assert_snapshot!(messages.join("\n\n"));
}

#[test]
fn what_is_written_nearer_wins_and_lists_are_replaced() {
    let base = "[machine]\nname = \"room\"\nproduct = \"A\"\n[[gpu]]\npci_id = \"10de:1c82\"\n[[gpu]]\npci_id = \"10de:13ba\"\n[disk]\nserial = \"BASE1\"\nsize_gb = 250\n";
    let own = "extends = \"b\"\n[machine]\nname = \"ws\"\n[[gpu]]\npci_id = \"10de:1d01\"\n[disk]\nserial = \"OWN1\"\n";
    let sources = Sources::load("a", |name, _| {
        Ok((
            name.to_owned(),
            if name == "a" { own } else { base }.to_owned(),
        ))
    })
    .unwrap();
    let machine = lab_machine::read(&sources, lab_catalog::Catalog::builtin(), None)
        .machine
        .unwrap();
    assert_eq!(machine.identity.name.as_str(), "ws");
    assert_eq!(machine.identity.product.as_ref().unwrap().as_str(), "A");
    assert_eq!(machine.cards.len(), 1);
    assert_eq!(machine.disk.serial.as_ref().unwrap().as_str(), "OWN1");
    assert_eq!(machine.disk.size_gb, Some(250));
}

#[test]
fn a_circle_of_extends_ends() {
    let loaded = Sources::load("a", |name, _| {
        let other = if name == "a" { "b" } else { "a" };
        Ok((name.to_owned(), format!("extends = \"{other}\"")))
    });
    assert!(loaded.unwrap_err().to_string().contains("a -> b -> a"));
    let mut count = 0;
    let endless = Sources::load("x", |_, _| {
        count += 1;
        Ok((format!("file{count}"), "extends = \"x\"".to_owned()))
    });
    assert!(endless.is_err());
}

#[test]
fn a_warning_does_not_stop_the_build() {
    let (_, outcome) = read_text(
        "[disk]\nserial = \"ABC123\"\nsize_gb = 100\n[ollama]\nenabled = false\n[jupyter]\nenabled = false\n[dcgan]\nenabled = false\n",
    );
    assert!(
        outcome
            .diagnostics
            .iter()
            .all(|one| one.severity == Severity::Warning),
        "{:?}",
        outcome.diagnostics
    );
    assert!(!outcome.diagnostics.is_empty());
    assert!(outcome.machine.is_some());
}

#[test]
fn the_digest_follows_the_description() {
    let digest = |text: &str| read_text(text).1.machine.map(|machine| machine.digest());
    let plain = common::GPU_SERVER;
    assert_eq!(digest(plain), digest(&format!("# a comment\n{plain}")));
    assert_ne!(
        digest(plain),
        digest(&plain.replace("memory_gib = 32", "memory_gib = 64"))
    );
}
