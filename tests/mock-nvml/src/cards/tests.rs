//! What the file of cards may say, and what it is told where it is ill-formed.

use super::*;

const ONE: &str = r#"
    driver_version = "580.173.02"
    cuda_version = "13.0"
    [[card]]
    name = "Card"
    uuid = "GPU-00000000-1111-2222-3333-444444444444"
    pci_bus_id = "0000:01:00.0"
    pci_id = "10de:1d01"
    memory_total_mib = 2048
"#;

#[test]
fn the_fixture_is_well_formed() {
    let machine = Machine::parse(include_str!("../../cards/z440.toml")).unwrap();
    assert_eq!(machine.cards.len(), 3);
    assert_eq!(machine.library_version(), "13.580.173.02");
}

#[test]
fn a_missing_value_and_not_supported_are_the_same() {
    let machine = Machine::parse(&format!("{ONE}\nserial = \"not-supported\"")).unwrap();
    assert_eq!(machine.cards[0].serial.get(), None);
    assert_eq!(machine.cards[0].vbios_version.get(), None);
}

#[test]
fn what_is_ill_formed_is_named_with_its_line() {
    for (more, told) in [
        ("power_drw_mw = 1", "line 11: unknown field `power_drw_mw`"),
        ("power_draw_mw = -1", "line 11: a value of its kind"),
        ("fault = \"melted\"", "line 11: unknown variant `melted`"),
        ("compute_capability = \"6\"", "line 11: a value of its kind"),
        ("cuda_fault = \"tired\"", "line 11: unknown variant `tired`"),
        ("memory_used_mib = 4096", "4096 of 2048 MiB in use"),
    ] {
        let error = Machine::parse(&format!("{ONE}\n{more}")).unwrap_err();
        assert!(error.contains(told), "{more}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn two_cards_need_two_uuids_and_an_order() {
    let second = "[[card]]\nname = 'B'\npci_id = '10de:1'\nmemory_total_mib = 1\n";
    let same = format!(
        "{ONE}\n{second}uuid='GPU-00000000-1111-2222-3333-444444444444'\npci_bus_id='0:2:0.0'"
    );
    assert!(Machine::parse(&same).unwrap_err().contains("another card"));
    let order = format!(
        "{ONE}\n{second}uuid='GPU-00000000-1111-2222-3333-444444444445'\npci_bus_id='0:0:0.0'"
    );
    assert!(Machine::parse(&order).unwrap_err().contains("order"));
}

#[test]
fn addresses_of_all_lengths() {
    let id = BusId::parse("0000:03:00.0");
    assert_eq!(id, BusId::parse("00000000:03:00.0"));
    assert_eq!(id, BusId::parse("03:00.0"));
    for wrong in ["", "03", "03:00", "1:0000:03:00.0", "03:20.0", "+3:00.0"] {
        assert_eq!(BusId::parse(wrong), None, "{wrong}");
    }
}
