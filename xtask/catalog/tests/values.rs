//! The small values: what they read, what they refuse, and that they print what they read.

use lab_catalog::{
    Architecture, Availability, ComputeCapability, Date, DottedVersion, DriverBranch, Fingerprint,
    PciId, Sha256, ValueError,
};
use std::{fmt::Display, str::FromStr};

/// Reads each text, and holds what it prints against the text itself.
fn round_trips<T: FromStr<Err = ValueError> + Display>(texts: &[&str]) {
    for text in texts {
        let value: T = text.parse().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(value.to_string(), *text);
    }
}

fn refuses<T: FromStr<Err = ValueError>>(texts: &[&str]) {
    for text in texts {
        assert!(text.parse::<T>().is_err(), "{text:?} was read");
    }
}

#[test]
fn good_values_round_trip() {
    round_trips::<PciId>(&["10de:1c82", "0000:ffff"]);
    round_trips::<ComputeCapability>(&["6.1", "12.0", "0.0"]);
    round_trips::<Date>(&[
        "2026-11-23",
        "2024-02-29",
        "2000-02-29",
        "0000-01-01",
        "9999-12-31",
    ]);
    round_trips::<DottedVersion>(&["1.19.1", "29.8.2", "0.35.1", "9.3.0.75", "580", "2.19.0"]);
    round_trips::<DriverBranch>(&["470", "580"]);
    round_trips::<Sha256>(&[&"0af9".repeat(16)]);
    round_trips::<Fingerprint>(&["843938DF228D22F7B3742BC0D94AA3F0EFE21092"]);
    round_trips::<Availability>(&[
        "prebuilt",
        "transitional to 580",
        "dkms only",
        "not offered",
    ]);
    for architecture in Architecture::ALL {
        round_trips::<Architecture>(&[&architecture.to_string()]);
    }
}

#[test]
fn upper_case_hex_is_read_and_printed_as_usual() {
    let id: PciId = "10DE:1C82".parse().expect("upper case");
    assert_eq!(id.to_string(), "10de:1c82");
    assert_eq!(id, PciId::nvidia(0x1c82));
}

#[test]
fn hostile_texts_are_refused() {
    refuses::<PciId>(&[
        "",
        ":",
        "10de",
        "10de:",
        ":1c82",
        "10de:1c8",
        "10de:1c822",
        "10de:1c8g",
        "+0de:1c82",
        "10de: 1c8",
        "10de:1c82:0",
        " 10de:1c82",
        "10de:1c82\n",
        "１０ｄｅ:1c82",
        "10de-1c82",
        "é0de:1c82",
    ]);
    refuses::<ComputeCapability>(&[
        "", "6", "6.", ".1", "6.1.0", "06.1", "6.01", "+6.1", "6,1", "256.0", "6.256", "6.1 ",
        "six",
    ]);
    refuses::<Date>(&[
        "",
        "2026",
        "2026-11",
        "2026-13-01",
        "2026-00-10",
        "2026-11-31",
        "2026-11-00",
        "2023-02-29",
        "1900-02-29",
        "26-11-23",
        "2026-1-23",
        "2026-11-23-1",
        "2026-11-23T00:00",
        "+026-11-23",
        "2026/11/23",
        "２０２６-11-23",
        "-2026-11-23",
    ]);
    refuses::<DottedVersion>(&[
        "",
        ".",
        "1.",
        ".1",
        "1..2",
        "v1.2",
        "1.2-1",
        "1.2.3.4.5",
        "4294967296",
        "01.2",
        "1.02",
        "+1",
        "1.-2",
        "1.2 ",
    ]);
    refuses::<DriverBranch>(&["", "58", "5800", "058", "+58", "58a", "580.1"]);
    let short = "0".repeat(63);
    let long = "0".repeat(65);
    let wrong = "g".repeat(64);
    let wide = "é".repeat(32);
    refuses::<Sha256>(&["", &short, &long, &wrong, &wide]);
    refuses::<Fingerprint>(&["", "843938DF", "843938DF228D22F7B3742BC0D94AA3F0EFE2109Z"]);
    refuses::<Architecture>(&["", "pascal", "Fermi", "Pascal "]);
    refuses::<Availability>(&["", "transitional to ", "transitional to 58", "Prebuilt"]);
}

#[test]
fn errors_are_short_and_printable_whatever_was_read() {
    let huge = format!("\u{1b}[31m{}", "x".repeat(1 << 20));
    let error = huge.parse::<PciId>().expect_err("nonsense").to_string();
    assert!(error.len() < 300, "{} bytes", error.len());
    assert!(!error.contains('\u{1b}'));
    assert!(error.contains("10de:1c82"), "{error}");
}

/// Every text that differs in one character from a good one is either refused or
/// printed in a form that reads as the same value again.
#[test]
fn mutated_values_never_panic_and_stay_stable() {
    fn hold<T: FromStr<Err = ValueError> + Display + PartialEq>(good: &str) {
        for place in 0..=good.len() {
            for new in [
                "",
                "0",
                "9",
                "-",
                ".",
                ":",
                "F",
                " ",
                "é",
                "\0",
                "99999999999",
            ] {
                for cut in 0..=1 {
                    let (head, tail) = (&good[..place], good.get(place + cut..).unwrap_or(""));
                    let text = format!("{head}{new}{tail}");
                    if let Ok(value) = text.parse::<T>() {
                        let again = value.to_string().parse::<T>();
                        assert!(again.is_ok_and(|again| again == value), "{text:?}");
                    }
                }
            }
        }
    }
    hold::<PciId>("10de:1c82");
    hold::<ComputeCapability>("12.0");
    hold::<Date>("2024-02-29");
    hold::<DottedVersion>("9.3.0.75");
    hold::<DriverBranch>("580");
    hold::<Sha256>(&"0af9".repeat(16));
    hold::<Fingerprint>(&"0AF93".repeat(8));
}

#[test]
fn versions_and_capabilities_order_as_numbers() {
    let version = |text: &str| text.parse::<DottedVersion>().expect("a version");
    assert!(version("1.9.1") < version("1.19.0"));
    assert!(version("0.30.11") > version("0.30.9"));
    assert_eq!(version("2.19"), version("2.19.0"));
    assert!(version("2.19.1").is_in_series(&version("2.19")));
    assert!(!version("2.20").is_in_series(&version("2.2")));
    let capability = ComputeCapability::new;
    assert!(capability(12, 0) > capability(9, 0));
    assert!(capability(6, 1).runs_code_for(capability(6, 0)));
    assert!(!capability(6, 0).runs_code_for(capability(6, 1)));
    assert!(!capability(7, 0).runs_code_for(capability(6, 0)));
}

#[test]
fn dates_count_days() {
    let date = |text: &str| text.parse::<Date>().expect("a date");
    let days = |from: &str, to: &str| date(from).days_until(date(to));
    assert_eq!(days("2026-11-23", "2026-11-23"), 0);
    assert_eq!(days("2026-11-23", "2028-06-30"), 585);
    assert_eq!(days("2024-02-28", "2024-03-01"), 2);
    assert_eq!(days("2023-02-28", "2023-03-01"), 1);
    assert_eq!(days("1999-12-31", "2001-01-01"), 367);
    assert_eq!(days("2026-11-23", "2026-06-30"), -146);
    assert_eq!(days("1970-01-01", "2000-01-01"), 10_957);
}

/// Goes through every day of four centuries and back, which covers each kind of leap year.
#[test]
fn days_since_the_epoch_become_dates() {
    let epoch = Date::new(1970, 1, 1).expect("the epoch");
    let mut last = None;
    for days in 0..146_097 + 366 {
        let date = Date::from_days_since_epoch(days).unwrap_or_else(|| panic!("day {days}"));
        assert_eq!(epoch.days_until(date), i32::try_from(days).expect("small"));
        assert!(last < Some(date));
        last = Some(date);
    }
    assert_eq!(
        Date::from_days_since_epoch(20_780)
            .map(|d| d.to_string())
            .as_deref(),
        Some("2026-11-23")
    );
    assert_eq!(Date::from_days_since_epoch(u32::MAX), None);
    assert_eq!(
        Date::from_days_since_epoch(2_932_896),
        Date::new(9999, 12, 31)
    );
    assert_eq!(Date::from_days_since_epoch(2_932_897), None);
}

#[test]
fn serde_goes_through_the_one_door() {
    #[derive(serde::Deserialize)]
    struct Holder {
        id: PciId,
    }
    let read = |text: &str| toml::from_str::<Holder>(text);
    assert_eq!(
        read("id = \"10de:13ba\"").expect("good").id,
        PciId::nvidia(0x13ba)
    );
    let error = read("id = \"nonsense\"")
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    assert!(error.contains("`nonsense` is not a PCI id"), "{error}");
    assert!(read("id = 7").is_err());
    let shown = serde_json::to_string(&PciId::nvidia(0x13ba)).expect("serialized");
    assert_eq!(shown, "\"10de:13ba\"");
}
