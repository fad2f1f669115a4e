//! The virtual machine of the first description: what it would say of itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use lab_catalog::Catalog;
use lab_machine::{Machine, Sources};
use lab_rehearse::{Firmware, Hardware, cards};

fn described(changes: &[(&str, &str)]) -> Machine {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/gpu-server/machine.toml");
    let mut text = std::fs::read_to_string(place).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in the description");
        text = text.replacen(from, to, 1);
    }
    let sources = Sources::single("machine.toml", &text);
    let outcome = lab_machine::read(&sources, Catalog::builtin(), None);
    outcome.machine.unwrap()
}

fn arguments(machine: &Machine) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    Hardware::of(machine, Firmware::Bios, folder.path(), 2222)?.arguments()
}

#[test]
fn the_file_of_cards_is_one_that_the_mock_library_reads() {
    let machine = described(&[]);
    let text = cards::file(&machine, &cards::on_bus(&machine));
    let read: lab_mock_nvml::cards::Machine = toml::from_str(&text).unwrap();
    let names: Vec<_> = read.cards.iter().map(|card| card.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "NVIDIA GeForce GT 1030",
            "Quadro K2200",
            "NVIDIA GeForce GTX 1050 Ti"
        ]
    );
    let memory: Vec<_> = read
        .cards
        .iter()
        .map(|card| card.memory_total_mib)
        .collect();
    assert_eq!(memory, [2048, 4096, 4096]);
    let mut uuids: Vec<_> = read.cards.iter().map(|card| card.uuid.clone()).collect();
    uuids.dedup();
    assert_eq!(uuids.len(), 3);
}

#[test]
fn it_says_what_the_description_says() {
    let all = arguments(&described(&[])).unwrap().join(" ");
    for wanted in [
        "manufacturer=Hewlett-Packard,product=HP Z440 Workstation",
        "model=Samsung SSD 870 EVO 250GB",
        "pcie-root-port,id=port3,bus=pcie.0",
        "pci-testdev,bus=port2,addr=00.0",
        "hostfwd=tcp:127.0.0.1:2222-:22",
        "restrict=on",
        "opt/io.systemd.credentials/tmpfiles.extra",
    ] {
        assert!(all.contains(wanted), "{wanted} is not in {all}");
    }
}

#[test]
fn a_fixed_address_is_the_one_that_ssh_is_led_to() {
    let network = "[network]\nmac = \"a0:8c:fd:01:02:03\"\naddress = \"192.168.7.9/24\"\ngateway = \"192.168.7.1\"\ndns = [\"192.168.7.1\"]\n\n[ubuntu]";
    let all = arguments(&described(&[("[ubuntu]", network)]))
        .unwrap()
        .join(" ");
    assert!(all.contains("net=192.168.7.9/24,host=192.168.7.1"), "{all}");
    assert!(all.contains("2222-192.168.7.9:22"), "{all}");
}

#[test]
fn a_card_where_no_virtual_machine_has_a_slot_is_named() {
    for (slot, word) in [
        ("0000:00:02.0", "bus 0"),
        ("0000:82:00.0", "bus 130"),
        ("0000:02:01.0", "device 00"),
    ] {
        let machine = described(&[("0000:02:00.0", slot)]);
        let error = arguments(&machine).unwrap_err().to_string();
        assert!(error.contains(word), "{slot}: {error}");
    }
}

#[test]
fn cards_without_a_slot_get_free_ones() {
    let machine = described(&[("slot = \"0000:01:00.0\"\n", "")]);
    let places = cards::on_bus(&machine);
    let places: Vec<_> = places.iter().map(|one| one.address.as_str()).collect();
    assert_eq!(places, ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0"]);
}
