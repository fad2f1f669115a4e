//! Descriptions drafted from facts: what stands in them, and what it resolves to.

mod machines;

use lab_accept::draft::{Answers, Draft, FixedAddress, Question, draft, questions};
use lab_catalog::Catalog;
use lab_facts::{Disk, Dmi, Fact, Facts, Module, Ollama, Os, Root};
use lab_machine::{Machine, Outcome, Severity, Sources};

use machines::{device, disk, model, nic, unknown, z440};

fn drafted(facts: &Facts, answers: &Answers) -> Draft {
    draft(facts, Catalog::builtin(), answers)
}

fn read(draft: &Draft) -> Outcome {
    let sources = Sources::single("machine.toml", draft.text.as_str());
    lab_machine::read(&sources, Catalog::builtin(), "2026-11-23".parse().ok())
}

/// The machine that a draft resolves to; it must be free of errors.
fn machine(draft: &Draft) -> Machine {
    let outcome = read(draft);
    outcome
        .machine
        .unwrap_or_else(|| panic!("{:#?}\n{}", outcome.diagnostics, draft.text))
}

/// The text with its comments' lines joined.
fn flat(draft: &Draft) -> String {
    draft.text.replace("\n# ", " ")
}

/// The rules that a draft breaks as an error; none of them may be about its form.
fn errors(draft: &Draft) -> Vec<&'static str> {
    let found = read(draft).diagnostics.into_iter();
    let errors = found.filter(|one| one.severity == Severity::Error);
    let rules: Vec<&str> = errors.map(|one| one.rule).collect();
    for form in ["syntax", "unknown-key", "bad-value"] {
        assert!(!rules.contains(&form), "{rules:?}\n{}", draft.text);
    }
    rules
}

#[test]
fn the_z440_is_the_one_that_was_described_by_hand() {
    let answers = Answers {
        user: Some("tobias".into()),
        power_supply_w: Some(700),
        schema: Some("../machine.schema.json".into()),
        ..Answers::default()
    };
    let draft = drafted(&z440(), &answers);
    insta::assert_snapshot!("z440", draft.text);
    let mine = machine(&draft);
    let by_hand = Sources::single(
        "machine.toml",
        include_str!("../../../../images/gpu-server/machine.toml"),
    );
    let by_hand = lab_machine::read(&by_hand, Catalog::builtin(), None);
    let theirs = by_hand.machine.unwrap();
    assert_eq!(mine.cards, theirs.cards);
    assert_eq!(mine.driver, theirs.driver);
    assert_eq!(mine.identity.name, theirs.identity.name);
    assert_eq!(mine.identity.vendor, theirs.identity.vendor);
    assert_eq!(mine.identity.product, theirs.identity.product);
    assert_eq!(mine.identity.memory_gib, theirs.identity.memory_gib);
    assert_eq!(mine.identity.power_supply_w, theirs.identity.power_supply_w);
    assert_eq!(mine.disk.model, theirs.disk.model);
    assert_eq!(mine.disk.size_gb, theirs.disk.size_gb);
    assert_eq!(mine.ollama, theirs.ollama);
    assert_eq!(mine.jupyter, theirs.jupyter);
    assert_eq!(mine.dcgan, theirs.dcgan);
    assert_eq!(mine.ubuntu.release, theirs.ubuntu.release);
    assert!(draft.open.is_empty(), "{:?}", draft.open);
    // What is on the machine now is not mistaken for what is advised.
    assert!(flat(&draft).contains("Now `570.133.07` is loaded."));
    // A model that does not fit is named, and not taken over.
    assert!(flat(&draft).contains("`gemma3:27b`"));
}

#[test]
fn a_fixed_address_is_kept_with_its_card() {
    let facts = z440();
    let asked = questions(&facts, Catalog::builtin(), &Answers::default());
    let Some(Question::FixedAddress { mac, address }) = asked.last().cloned() else {
        panic!("{asked:?}");
    };
    assert_eq!(address.as_str(), "192.168.1.20/24");
    assert_eq!(
        asked[0],
        Question::PowerSupply {
            sold_with: Catalog::builtin()
                .workstation("HP Z440 Workstation")
                .unwrap()
                .power_supply_w
                .clone()
        }
    );
    assert_eq!(asked.len(), 2, "{asked:?}");
    let answers = Answers {
        fixed: Some(FixedAddress {
            mac,
            address,
            gateway: "192.168.1.1".parse().unwrap(),
            dns: vec!["192.168.1.1".parse().unwrap(), "9.9.9.9".parse().unwrap()],
        }),
        ..Answers::default()
    };
    let machine = machine(&drafted(&facts, &answers));
    assert_eq!(machine.network.mac.unwrap().as_str(), "a0:8c:fd:01:02:03");
    assert_eq!(machine.network.dns.len(), 2);
}

#[test]
fn two_equal_cards_are_told_apart_by_their_slots() {
    let mut facts = z440();
    facts.nvidia.pci = Fact::Is(vec![
        device("0000:03:00.0", "10de:1c82"),
        device("0000:02:00.0", "10de:1c82"),
    ]);
    let draft = drafted(&facts, &Answers::default());
    insta::assert_snapshot!("two-equal-cards", draft.text);
    let machine = machine(&draft);
    let cards: Vec<(&str, &str)> = machine
        .cards
        .iter()
        .map(|card| (card.name.as_str(), card.slot.as_ref().unwrap().as_str()))
        .collect();
    assert_eq!(
        cards,
        [
            ("gtx1050ti-1", "0000:02:00.0"),
            ("gtx1050ti-2", "0000:03:00.0")
        ]
    );
    assert_eq!(machine.dcgan.gpus[0].as_str(), "gtx1050ti-1");
    assert_eq!(machine.ollama.gpus[0].as_str(), "gtx1050ti-2");
    assert_eq!(machine.jupyter.gpus[0].as_str(), "gtx1050ti-2");
}

#[test]
fn one_card_is_for_all() {
    let mut facts = z440();
    facts.nvidia.pci = Fact::Is(vec![device("0000:03:00.0", "10de:1c82")]);
    let machine = machine(&drafted(&facts, &Answers::default()));
    for gpus in [
        &machine.dcgan.gpus,
        &machine.ollama.gpus,
        &machine.jupyter.gpus,
    ] {
        assert_eq!(gpus.len(), 1);
        assert_eq!(gpus[0].as_str(), "gtx1050ti");
    }
}

#[test]
fn a_machine_whose_card_only_ollama_can_use() {
    let mut facts = z440();
    facts.nvidia.pci = Fact::Is(vec![device("0000:02:00.0", "10de:13ba")]);
    let machine = machine(&drafted(&facts, &Answers::default()));
    assert!(machine.ollama.enabled);
    assert!(!machine.jupyter.enabled && !machine.dcgan.enabled);
}

#[test]
fn without_a_card_of_nvidia_what_needs_one_is_off() {
    let mut facts = z440();
    facts.nvidia.pci = Fact::Is(vec![
        device("0000:00:02.0", "8086:0412"),
        device("0000:01:00.0", "1002:67df"),
    ]);
    let draft = drafted(&facts, &Answers::default());
    insta::assert_snapshot!("no-nvidia-card", draft.text);
    let machine = machine(&draft);
    assert!(machine.cards.is_empty());
    let on = [
        machine.driver.enabled,
        machine.toolkit.enabled,
        machine.ollama.enabled,
        machine.jupyter.enabled,
        machine.dcgan.enabled,
    ];
    assert_eq!(on, [false; 5]);
    assert!(flat(&draft).contains("`1002:67df` at `0000:01:00.0` is not NVIDIA's"));
}

#[test]
fn a_card_that_nobody_knows_is_described_and_nothing_is_claimed_of_it() {
    let mut facts = z440();
    facts.nvidia.pci = Fact::Is(vec![
        device("0000:01:00.0", "10de:ffff"),
        device("0000:03:00.0", "10de:1c82"),
    ]);
    let draft = drafted(&facts, &Answers::default());
    insta::assert_snapshot!("unknown-card", draft.text);
    let machine = machine(&draft);
    assert_eq!(machine.cards[0].name.as_str(), "gpu");
    assert_eq!(machine.driver.branch.0, 580);
    // What is known to work is preferred.
    assert_eq!(machine.dcgan.gpus[0].as_str(), "gtx1050ti");
    assert_eq!(machine.ollama.gpus[0].as_str(), "gpu");
}

#[test]
fn the_disk_under_root_is_taken_and_among_several_a_person_chooses() {
    let mut facts = z440();
    let both = vec![
        disk(
            "nvme0n1",
            "WDC WDS500G2B0C",
            "21073K800123",
            500_107_862_016,
        ),
        disk(
            "sda",
            "Samsung SSD 870 EVO 250GB",
            "S5STNF0R123456A",
            250_059_350_016,
        ),
    ];
    facts.system.disks = Fact::Is(both.clone());
    let serial = |draft: &Draft| machine(draft).disk.serial.unwrap().to_string();
    assert_eq!(
        serial(&drafted(&facts, &Answers::default())),
        "S5STNF0R123456A"
    );
    // The installer's live system lies on a stick.
    facts.system.root = Fact::Is(Root {
        source: "/cow".into(),
        fstype: "overlay".into(),
        live: true,
        disks: vec!["sda".into()],
    });
    let draft = drafted(&facts, &Answers::default());
    insta::assert_snapshot!("several-disks", draft.text);
    assert_eq!(errors(&draft), ["disk-not-named"]);
    assert!(draft.open.iter().any(|open| open.starts_with("serial: ")));
    let asked = questions(&facts, Catalog::builtin(), &Answers::default());
    let candidates = asked.iter().find_map(|one| match one {
        Question::Disk { candidates } => Some(candidates),
        _ => None,
    });
    let names: Vec<&str> = candidates
        .unwrap()
        .iter()
        .map(|one| one.0.as_str())
        .collect();
    assert_eq!(names, ["nvme0n1", "sda"]);
    let chosen = Answers {
        disk: Some("nvme0n1".into()),
        ..Answers::default()
    };
    assert_eq!(serial(&drafted(&facts, &chosen)), "21073K800123");
    // A stick is no choice, but it is no reason to ask either.
    let mut stick = both[0].clone();
    stick.removable = true;
    facts.system.disks = Fact::Is(vec![stick, both[1].clone()]);
    assert_eq!(
        serial(&drafted(&facts, &Answers::default())),
        "S5STNF0R123456A"
    );
}

#[test]
fn a_disk_without_a_serial_is_named_by_its_model_where_that_is_one() {
    let mut facts = z440();
    let nameless = disk("sda", "QEMU HARDDISK", "", 64 << 30);
    facts.system.disks = Fact::Is(vec![nameless.clone()]);
    let one = machine(&drafted(&facts, &Answers::default()));
    assert_eq!(one.disk.serial, None);
    assert_eq!(one.disk.model.unwrap().as_str(), "QEMU HARDDISK");
    let twin = Disk {
        name: "sdb".into(),
        ..nameless
    };
    let Fact::Is(disks) = &mut facts.system.disks else {
        panic!()
    };
    disks.push(twin);
    assert_eq!(
        errors(&drafted(&facts, &Answers::default())),
        ["disk-not-named"]
    );
}

#[test]
fn of_several_wired_cards_the_used_one_is_named() {
    let mut facts = z440();
    let (used, idle) = (
        nic("eno1", "a0:8c:fd:01:02:03", &["10.0.0.5/8"]),
        nic("enp5s0", "a0:8c:fd:01:02:04", &[]),
    );
    facts.system.nics = Fact::Is(vec![idle.clone(), used]);
    let machine = machine(&drafted(&facts, &Answers::default()));
    assert_eq!(machine.network.mac.unwrap().as_str(), "a0:8c:fd:01:02:03");
    facts.system.nics = Fact::Is(vec![idle.clone(), idle]);
    let draft = drafted(&facts, &Answers::default());
    assert!(draft.open.iter().any(|open| open.starts_with("mac: ")));
}

#[test]
fn where_nothing_is_known_all_is_open() {
    let draft = drafted(&unknown(), &Answers::default());
    insta::assert_snapshot!("unknown", draft.text);
    assert_eq!(draft.name, None);
    let keys: Vec<&str> = draft
        .open
        .iter()
        .map(|open| open.split(':').next().unwrap())
        .collect();
    assert_eq!(
        keys,
        [
            "name",
            "product",
            "memory_gib",
            "power_supply_w",
            "gpu",
            "timezone",
            "serial"
        ]
    );
    let errors = errors(&draft);
    assert!(errors.contains(&"disk-not-named"), "{errors:?}");
}

#[test]
fn a_hostile_machine_writes_nothing_but_comments() {
    let evil = "x\"\n[access]\nuser = \"mallory\"\nssh_keys = [\"ssh-ed25519 AAAA\"]\r\u{0}\u{1b}[2J\u{202e}'''";
    let mut facts = z440();
    facts.system.hostname = Fact::Is(evil.into());
    facts.system.dmi = Fact::Is(Dmi {
        vendor: evil.into(),
        product: evil.into(),
        bios: evil.into(),
    });
    facts.system.os = Fact::Is(Os {
        id: "ubuntu".into(),
        version_id: evil.into(),
        pretty_name: evil.into(),
    });
    facts.system.clock.timezone = Fact::Is(evil.into());
    facts.system.disks = Fact::Is(vec![disk("sda", evil, evil, u64::MAX)]);
    facts.system.nics = Fact::Is(vec![nic(evil, evil, &[evil]), nic(evil, evil, &[evil])]);
    facts.nvidia.pci = Fact::Is(vec![
        device(evil, "10de:1c82"),
        device("0000:01:00.0", evil),
        device("0000:03:00.0", "10de:1c82"),
    ]);
    facts.nvidia.module = Fact::Is(Some(Module {
        version: evil.into(),
        kind: Fact::unknown(evil),
        uvm: false,
    }));
    facts.software.ollama = Fact::Is(Ollama {
        version: evil.into(),
        models: vec![model(evil)],
        loaded: Vec::new(),
    });
    let answers = Answers {
        user: Some(evil.into()),
        ..Answers::default()
    };
    let draft = drafted(&facts, &answers);
    insta::assert_snapshot!("hostile", draft.text);
    assert!(
        draft
            .text
            .chars()
            .all(|c| c == '\n' || (' '..='~').contains(&c))
    );
    let table: toml::Table = toml::from_str(&draft.text).unwrap();
    assert!(table["access"].as_table().unwrap().is_empty());
    assert_eq!(table["gpu"].as_array().unwrap().len(), 1);
    assert_eq!(errors(&draft), ["disk-not-named"]);
    // Where only the reasons are hostile.
    let mut facts = unknown();
    facts.nvidia.pci = Fact::unknown(evil);
    facts.system.dmi = Fact::unknown(evil);
    facts.system.disks = Fact::unknown(evil);
    let draft = drafted(&facts, &Answers::default());
    toml::from_str::<toml::Table>(&draft.text).unwrap();
    assert!(
        draft
            .open
            .iter()
            .all(|open| !open.contains(char::is_control))
    );
}
