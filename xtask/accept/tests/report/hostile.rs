//! What no machine should say, and pages that are empty or huge.

use lab_accept::report::{
    CheckResult, Outcome, Place, Report, compare, compare_html, compare_text, from_json, html,
    text, to_json,
};
use lab_facts::{Fact, Sample, Worked};
use serde_json::Value;

use crate::common::report;

const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{ 7919*7907 }}{% raw %}</style></title>\u{1b}]0;owned\u{7}\u{202e}\u{0}";

/// Puts `evil` into every text of a JSON value but the words that give it its form.
fn poison(value: &mut Value, key: &str, evil: &str) {
    const FORM: [&str; 3] = ["outcome", "workload", "uuid"];
    match value {
        Value::String(text) if !FORM.contains(&key) => evil.clone_into(text),
        Value::Array(all) => all.iter_mut().for_each(|one| poison(one, key, evil)),
        Value::Object(all) => {
            for (key, value) in all.iter_mut() {
                poison(value, key, evil);
            }
        }
        _ => {}
    }
}

fn poisoned(evil: &str) -> Report {
    let mut json: Value = serde_json::from_str(&to_json(&report()).unwrap()).unwrap();
    poison(&mut json, "", evil);
    let mut report = from_json("poisoned", &json.to_string()).unwrap();
    for card in &mut report.glance.cards {
        card.uuid = format!("{evil}{}", card.name);
    }
    report
}

/// The page without its own style and script.
fn body(page: &str) -> &str {
    let body = page.split_once("</style>").unwrap().1;
    body.rsplit_once("<script>").unwrap().0
}

#[test]
fn no_markup_of_the_machine_gets_onto_a_page() {
    let evil = poisoned(EVIL);
    let pages = [
        html(&evil).unwrap(),
        compare_html(&compare(&report(), &evil)).unwrap(),
        compare_html(&compare(&evil, &report())).unwrap(),
    ];
    for page in &pages {
        let body = body(page);
        for bad in [
            "<script>alert",
            "<img src=x",
            "onerror=alert(2)>",
            "</style>",
        ] {
            assert!(!body.contains(bad), "{bad}");
        }
        // Once in the head, once at the end: the page's own.
        assert_eq!(page.matches("<script>").count(), 1);
        assert_eq!(page.matches("<style>").count(), 1);
        assert!(page.contains("&lt;script&gt;alert(1)"));
        assert!(
            !page
                .chars()
                .any(|one| one.is_control() && one != '\n' && one != '\t')
        );
        assert!(!page.contains('\u{202e}'));
    }
    assert!(
        !pages[0].contains("62615533"),
        "a template in a value was run"
    );
}

#[test]
fn no_control_sequence_of_the_machine_gets_to_a_terminal() {
    let evil = poisoned("\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\r\u{8}\u{202e}ok");
    let styles = [
        "\u{1b}[1m",
        "\u{1b}[0m",
        "\u{1b}[2m",
        "\u{1b}[31m",
        "\u{1b}[32m",
        "\u{1b}[33m",
    ];
    for text in [text(&evil), compare_text(&compare(&report(), &evil))] {
        let own = styles
            .iter()
            .fold(text, |text, style| text.replace(style, ""));
        let bad = |one: char| one.is_control() && one != '\n';
        assert!(
            !own.contains(bad),
            "{:?}",
            own.split(bad).next().map(str::len)
        );
        assert!(!own.contains('\u{202e}'));
    }
}

#[test]
fn only_a_picture_is_shown_as_one() {
    let with = |picture: &str| {
        let mut report = report();
        let Fact::Is(Worked::Dcgan(run)) = &mut report.workloads[2].worked else {
            panic!("no training")
        };
        run.picture = Some(picture.to_owned());
        html(&report).unwrap()
    };
    assert!(
        html(&report())
            .unwrap()
            .contains("<img src=\"data:image/png;base64,iVBOR")
    );
    for bad in [
        "",
        "no base64!",
        "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+",
        "iVBORw0KGgo=",
        "\" onerror=alert(1) x=\"",
    ] {
        assert!(!with(bad).contains("<img"), "{bad}");
    }
    assert!(!with(&"A".repeat(3 << 20)).contains("<img"));
}

#[test]
fn an_empty_report_is_a_whole_page() {
    let mut empty = report();
    empty.results.clear();
    empty.workloads.clear();
    empty.stages.clear();
    empty.glance = lab_accept::report::Glance::default();
    let page = html(&empty).unwrap();
    assert!(page.contains("Nothing could be judged") && page.ends_with("</html>\n"));
    assert!(page.contains("No check was asked for"));
    let page = compare_html(&compare(&empty, &empty)).unwrap();
    assert!(page.contains("Nothing broke"));
}

fn many(count: usize) -> Vec<CheckResult> {
    let one = |index: usize| CheckResult {
        id: format!("group{}.check-{index}", index % 12),
        subject: Some(format!("subject-{index}")),
        claim: format!("claim {index}: {}", "words that go on ".repeat(20)),
        place: Some(Place {
            file: "images/gpu-server/machine.toml".to_owned(),
            line: 12,
            key: "gpu.0.slot".to_owned(),
        }),
        evidence: "evidence <&> ".repeat(400),
        outcome: match index % 100 {
            0 => Outcome::Failed {
                cause: "a cause ".repeat(100),
                remedy: "a remedy ".repeat(100),
                reference: "a page".to_owned(),
            },
            1..9 => Outcome::NotRun {
                reason: format!("reason {}", index % 7),
            },
            _ => Outcome::Passed,
        },
    };
    (0..count).map(one).collect()
}

#[test]
fn a_huge_report_is_a_page_that_can_be_opened() {
    let mut huge = report();
    huge.results = many(10_000);
    let samples = &huge.workloads[2].samples;
    let long: Vec<Sample> = (0..50_000_u64)
        .map(|index| Sample {
            at_ms: index * 250,
            ..samples[index as usize % samples.len()].clone()
        })
        .collect();
    huge.workloads[2].samples = long;
    let page = html(&huge).unwrap();
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(page.contains("check-9999") && page.contains("more characters"));
    let text = text(&huge);
    assert!(text.len() < 2_000_000, "{} bytes", text.len());
    let found = compare(&report(), &huge);
    assert!(compare_html(&found).unwrap().len() < 5_000_000);
}

#[test]
fn a_page_names_no_place_outside_itself() {
    let page = html(&report()).unwrap();
    for bad in [
        "src=\"http",
        "href=\"http",
        "url(",
        "@import",
        "<link",
        "<iframe",
    ] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(
        page.contains("default-src &#39;none&#39;")
            || page.contains("default-src &#x27;none&#x27;")
    );
    assert!(
        !page.contains(" style=\""),
        "the policy forbids style attributes"
    );
}
