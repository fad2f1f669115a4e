//! JUnit, as another parser reads it.

use lab_accept::report::{Outcome, junit};
use roxmltree::{Document, Node};

use crate::common::report;

fn attribute<'a>(node: &'a Node<'a, 'a>, name: &str) -> &'a str {
    node.attribute(name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn every_claim_is_a_case_of_its_groups_suite() {
    let report = report();
    let text = junit(std::slice::from_ref(&report)).unwrap();
    let document = Document::parse(&text).unwrap();
    let root = document.root_element();
    let tests = report.results.len().to_string();
    assert_eq!(attribute(&root, "tests"), tests);
    assert_eq!(
        (attribute(&root, "failures"), attribute(&root, "skipped")),
        ("4", "8")
    );

    let suites: Vec<Node> = root.children().filter(Node::is_element).collect();
    assert_eq!(suites.len(), 10);
    assert_eq!(attribute(&suites[1], "name"), "admin@gpu-server.gpu");
    assert_eq!(attribute(&suites[1], "timestamp"), "2026-11-23T11:18:00");
    let cases = root
        .descendants()
        .filter(|node| node.has_tag_name("testcase"));
    let names: Vec<String> = cases
        .clone()
        .map(|case| attribute(&case, "name").to_owned())
        .collect();
    let expected: Vec<String> = report
        .results
        .iter()
        .map(lab_accept::report::CheckResult::name)
        .collect();
    assert_eq!(names, expected);
    let failed = cases
        .clone()
        .find(|case| attribute(case, "name") == "gpu.xid")
        .unwrap();
    let failure = failed.first_element_child().unwrap();
    assert_eq!(failure.tag_name().name(), "failure");
    assert!(attribute(&failure, "message").contains("fallen off the bus"));
    assert!(
        failure
            .text()
            .unwrap()
            .contains("remedy: Restart the machine.")
    );
    for case in cases.filter(|case| attribute(case, "name").starts_with("gpu.survives")) {
        let skipped = case.first_element_child().unwrap();
        assert_eq!(skipped.tag_name().name(), "skipped");
        assert!(attribute(&skipped, "message").contains("--disruptive"));
    }
}

#[test]
fn it_is_well_formed_whatever_it_holds() {
    let mut report = report();
    let bad = "]]> <![CDATA[ \"'&<>\u{0}\u{1b}[0m\u{b}\u{fffe}\u{ffff}\u{85} é 🂡";
    report.host = bad.to_owned();
    report.glance.product = bad.to_owned();
    for one in &mut report.results {
        one.id = format!("{bad}.x");
        one.subject = Some(bad.to_owned());
        one.claim = bad.to_owned();
        one.evidence = bad.to_owned();
        if let Outcome::NotRun { reason } = &mut one.outcome {
            *reason = bad.to_owned();
        }
    }
    let text = junit(&[report.clone(), report]).unwrap();
    let document = Document::parse(&text).unwrap();
    let case = document
        .descendants()
        .find(|node| node.has_tag_name("testcase"))
        .unwrap();
    assert!(attribute(&case, "name").contains("]]> <![CDATA[ \"'&<>[0m"));
    assert!(attribute(&case, "name").contains("é 🂡"));
}

#[test]
fn no_results_are_an_empty_file() {
    let text = junit(&[]).unwrap();
    assert_eq!(
        attribute(&Document::parse(&text).unwrap().root_element(), "tests"),
        "0"
    );
}
