//! The kept form, and its schema.

use lab_accept::report::{from_json, schema, to_json};
use serde_json::{Value, json};

use crate::common::report;

#[test]
fn what_is_written_is_read_again() {
    let report = report();
    let text = to_json(&report).unwrap();
    assert_eq!(from_json("a.json", &text).unwrap(), report);
}

#[test]
fn no_control_character_stands_in_it() {
    let mut report = report();
    report.results[0].evidence = "a\u{1b}[2J\u{9b}2J\u{7f}\u{85}é".to_owned();
    let text = to_json(&report).unwrap();
    assert!(!text.contains(|one: char| one.is_control() && one != '\n'));
    assert_eq!(from_json("a.json", &text).unwrap(), report);
}

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let mut json: Value = serde_json::from_str(&to_json(&report()).unwrap()).unwrap();
    change(&mut json);
    from_json("a.json", &json.to_string())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_newer_form_is_refused_whatever_else_is_in_it() {
    let error = refusal(|json| *json = json!({ "format": 2, "results": "of another kind" }));
    assert_eq!(
        error,
        "a.json is a report of format 2, and this lab reads 1 only: use a newer lab"
    );
    let error = refusal(|json| json["format"] = json!(0));
    assert!(error.contains("make it anew"), "{error}");
}

#[test]
fn a_broken_report_says_where() {
    let error = refusal(|json| json["glance"]["cards"][1]["memory_mib"] = json!("much"));
    assert!(error.contains("`glance.cards[1].memory_mib`"), "{error}");
    let error = refusal(|json| json["results"][4]["outcome"] = json!("perhaps"));
    assert!(
        error.contains("results[4]") && error.contains("perhaps"),
        "{error}"
    );
    let error = refusal(|json| json["workloads"][0]["samples"][3]["at_ms"] = json!(-1));
    assert!(error.contains("workloads[0].samples[3].at_ms"), "{error}");
    for text in [
        "",
        "[]",
        "{}",
        "{\"format\":1}",
        "\u{0}",
        "{\"format\":1,\"results\":[",
    ] {
        let error = from_json("a.json", text).unwrap_err().to_string();
        assert!(error.starts_with("a.json is no report: "), "{error}");
    }
    let deep = "{\"format\":1,\"x\":".to_owned() + &"[".repeat(100_000);
    assert!(from_json("a.json", &deep).is_err());
}

#[test]
fn a_report_fits_its_schema_and_another_thing_does_not() {
    let schema: Value = serde_json::from_str(&schema().unwrap()).unwrap();
    let rules = jsonschema::validator_for(&schema).unwrap();
    let whole: Value = serde_json::from_str(&to_json(&report()).unwrap()).unwrap();
    let errors: Vec<String> = rules
        .iter_errors(&whole)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());

    let fits = |change: &dyn Fn(&mut Value)| {
        let mut json = whole.clone();
        change(&mut json);
        rules.is_valid(&json)
    };
    assert!(!fits(&|json| json["format"] = json!(2)));
    assert!(!fits(
        &|json| json["results"][0]["outcome"] = json!("perhaps")
    ));
    assert!(!fits(
        &|json| json["workloads"][0]["worked"] = json!({ "is": { "chess": 1 } })
    ));
    assert!(!fits(&|json| drop(
        json.as_object_mut().unwrap().remove("glance")
    )));
}
