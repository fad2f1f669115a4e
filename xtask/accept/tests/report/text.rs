//! What stands on a terminal.

use lab_accept::report::{Outcome, text};
use unicode_width::UnicodeWidthStr as _;

use crate::common::{evidence, report};

/// A text as it looks, without its escapes.
pub(crate) fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('m').map_or("", |(_, rest)| rest)
    })
}

#[test]
fn the_report_reads_well_on_a_terminal() {
    insta::assert_snapshot!("text", plain(&text(&report())));
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    let mut report = report();
    report.results[0].evidence = "long ".repeat(4000);
    for line in plain(&text(&report)).lines() {
        assert!(line.width() <= 80, "{} columns: {line}", line.width());
    }
}

#[test]
fn failures_come_first_and_passes_are_not_listed() {
    let text = plain(&text(&report()));
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}"));
    assert!(at("gpu.pcie[gtx1050ti]") < at("Not run"));
    assert!(at("Not run") < at("Summary") && at("Summary") < at("Figures"));
    assert!(!text.contains("gpu.bound"));
}

#[test]
fn one_reason_is_said_once() {
    let text = plain(&text(&report()));
    assert_eq!(text.matches("needs restarts of the machine").count(), 1);
    assert!(text.contains("and 2 more") || text.contains("docker.survives-restart"));
}

#[test]
fn a_report_in_which_nothing_could_be_judged_is_no_pass() {
    let mut report = report();
    for one in &mut report.results {
        one.outcome = Outcome::NotRun {
            reason: "no connection".to_owned(),
        };
    }
    assert_eq!(report.exit_code(), 2);
    let shown = plain(&text(&report));
    assert!(shown.contains("none could be judged"), "{shown}");
    assert!(!shown.contains("passed"), "{shown}");
    report.results.clear();
    assert_eq!(report.exit_code(), 2);
    assert!(plain(&text(&report)).contains("of 0 claims none could be judged"));
}

#[test]
fn the_exit_code_follows_the_worst() {
    let mut report = report();
    assert_eq!(report.exit_code(), 1);
    report
        .results
        .retain(|one| !matches!(one.outcome, Outcome::Failed { .. }));
    assert_eq!(report.exit_code(), 0);
    assert!(report.not_run() > 0);
    assert!(plain(&text(&report)).contains("none failed, 8 not run"));
}

#[test]
fn a_machine_that_says_nothing_has_no_figures() {
    let mut evidence = evidence();
    evidence.facts = lab_facts::Fact::unknown("the probe did not run");
    evidence.workloads.clear();
    let text = plain(&text(&crate::common::report_of(&evidence)));
    assert!(!text.contains("Figures"), "{text}");
}
