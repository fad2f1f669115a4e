//! Two runs held against each other.

use lab_accept::report::{Outcome, Report, compare, compare_html, compare_text};
use lab_facts::{Fact, Worked};

use crate::common::report;
use crate::text::plain;

fn fail(report: &mut Report, name: &str) {
    let one = report
        .results
        .iter_mut()
        .find(|one| one.name() == name)
        .unwrap();
    one.evidence = "something else".to_owned();
    one.outcome = Outcome::Failed {
        cause: "a cause".to_owned(),
        remedy: "a remedy".to_owned(),
        reference: "a page".to_owned(),
    };
}

/// The same machine a week later.
pub(crate) fn later() -> Report {
    let mut later = report();
    later.taken_unix_ms += 7 * 86_400_000;
    later.took_ms = 240_000;
    later.glance.kernel = "6.8.0-94-generic".to_owned();
    later.glance.driver = "580.181.01".to_owned();
    later.glance.cards[2].bandwidth_mb_s = Some(61_200);
    fail(&mut later, "ollama.vram[gemma3:1b]");
    fail(&mut later, "gpu.survives-reboot[k2200]");
    for one in &mut later.results {
        match one.id.as_str() {
            "machine.reboot" => one.outcome = Outcome::Passed,
            "tools.nvtop" => {
                one.outcome = Outcome::NotRun {
                    reason: "nvtop is not asked".to_owned(),
                }
            }
            "jupyter.tensorflow" => one.outcome = Outcome::Passed,
            _ => {}
        }
    }
    later.results.retain(|one| one.id != "tools.exporter");
    if let Fact::Is(Worked::Ollama(answer)) = &mut later.workloads[0].worked {
        answer.took_ns *= 2;
    }
    later
}

fn names(changes: &[lab_accept::report::Change]) -> Vec<&str> {
    changes.iter().map(|one| one.name.as_str()).collect()
}

#[test]
fn what_broke_is_told_from_what_was_mended() {
    let found = compare(&report(), &later());
    assert!(found.broke());
    assert_eq!(
        names(&found.broken),
        ["gpu.survives-reboot[k2200]", "ollama.vram[gemma3:1b]"]
    );
    assert_eq!(found.broken[0].was, "not run");
    assert_eq!(names(&found.mended), ["machine.reboot"]);
    assert_eq!(names(&found.lost), ["tools.nvtop"]);
    assert_eq!(
        names(&found.still_failing),
        ["gpu.pcie[gtx1050ti]", "gpu.xid", "jupyter.service"]
    );
    assert_eq!(names(&found.gained), ["jupyter.tensorflow"]);
    assert_eq!(names(&found.gone), ["tools.exporter"]);
    let changed: Vec<&str> = found.changed.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(changed, ["kernel", "driver"]);
}

#[test]
fn what_got_slower_is_told_with_its_ratio() {
    let found = compare(&report(), &later());
    let of = |name: &str| found.moved.iter().find(|one| one.now.name == name).unwrap();
    let bandwidth = of("memory bandwidth of gtx1050ti");
    assert_eq!(bandwidth.better, Some(false));
    assert!((bandwidth.ratio - 61.2 / 96.88).abs() < 1e-9);
    let speed = of("answers of gemma3:1b");
    assert_eq!(speed.better, Some(false));
    assert!((speed.ratio - 0.5).abs() < 1e-9);
    assert_eq!(of("DCGAN's epoch").better, None);
    // Less is better of a time.
    assert_eq!(of("the whole run").better, Some(false));
    let back = compare(&later(), &report());
    let whole = back
        .moved
        .iter()
        .find(|one| one.now.name == "the whole run")
        .unwrap();
    assert_eq!(whole.better, Some(true));
}

#[test]
fn runs_that_did_not_do_the_same_are_not_timed_against_each_other() {
    let mut short = report();
    short.workloads.truncate(1);
    short.took_ms = 10_000;
    let found = compare(&report(), &short);
    assert!(
        found
            .moved
            .iter()
            .all(|one| one.now.name != "the whole run")
    );
    assert!(!found.broke());
}

#[test]
fn a_report_held_against_itself_has_nothing_to_say() {
    let found = compare(&report(), &report());
    assert!(!found.broke() && found.changed.is_empty() && found.gone.is_empty());
    assert!(found.moved.iter().all(|one| one.better.is_none()));
}

#[test]
fn claims_of_one_name_are_not_mixed_up() {
    let mut before = report();
    before.results.truncate(1);
    let mut second = before.results[0].clone();
    second.claim = "another".to_owned();
    before.results.push(second);
    let mut after = before.clone();
    after.results.reverse();
    fail(&mut after, &before.results[0].name());
    let found = compare(&before, &after);
    assert_eq!(found.broken.len(), 1);
    assert_eq!(found.broken[0].claim, "another");
    assert!(found.gone.is_empty());
}

#[test]
fn the_comparison_reads_well_on_a_terminal() {
    insta::assert_snapshot!(
        "compared",
        plain(&compare_text(&compare(&report(), &later())))
    );
}

#[test]
fn and_is_drawn_as_a_page() {
    let page = compare_html(&compare(&report(), &later())).unwrap();
    for part in [
        "2 claims broke",
        "ollama.vram[gemma3:1b]",
        "6.8.0-94-generic",
        "slower",
    ] {
        assert!(page.contains(part), "no {part}");
    }
}
