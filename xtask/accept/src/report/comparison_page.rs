//! What the page of a comparison shows, in words.

use serde::Serialize;

use super::page::shown;
use super::plain::{clip, count, line, number};
use super::{Change, Changed, Comparison, Moved};

/// The page of a comparison.
#[derive(Debug, Serialize)]
pub(super) struct ComparisonPage<'a> {
    before: &'a str,
    after: &'a str,
    same_machine: bool,
    class: &'static str,
    words: String,
    sections: Vec<Section>,
    moved: Vec<MovedView>,
    changed: Vec<Row3>,
}

#[derive(Debug, Serialize)]
struct Section {
    title: &'static str,
    class: &'static str,
    /// Whether each stands with all that is known of it.
    whole: bool,
    count: usize,
    changes: Vec<Change>,
}

#[derive(Debug, Serialize)]
struct MovedView {
    name: String,
    was: String,
    is: String,
    words: String,
    class: &'static str,
    /// In per cent of the greater of both.
    share_was: u64,
    share_is: u64,
}

#[derive(Debug, Serialize)]
struct Row3 {
    what: String,
    was: String,
    is: String,
}

/// So many changes of one kind are shown.
const CHANGES: usize = 500;

impl<'a> ComparisonPage<'a> {
    /// What the page of a comparison shows.
    pub(super) fn new(comparison: &'a Comparison) -> Self {
        let words = match comparison.broken.len() {
            0 => "Nothing broke".to_owned(),
            broken => format!("{} broke", count(broken, "claim")),
        };
        let sections = [
            ("Broken", "f", true, &comparison.broken),
            ("Not judged any more", "n", true, &comparison.lost),
            ("Mended", "p", true, &comparison.mended),
            ("Failing still", "f", true, &comparison.still_failing),
            ("New, and passed", "p", false, &comparison.gained),
            ("Gone", "n", false, &comparison.gone),
        ];
        let sections = sections
            .into_iter()
            .filter(|(.., changes)| !changes.is_empty());
        Self {
            before: &comparison.before,
            after: &comparison.after,
            same_machine: comparison.same_machine,
            class: if comparison.broke() { "f" } else { "p" },
            words,
            sections: sections
                .map(|(title, class, whole, changes)| section(title, class, whole, changes))
                .collect(),
            moved: comparison.moved.iter().map(moved).collect(),
            changed: comparison.changed.iter().map(changed).collect(),
        }
    }
}

fn section(title: &'static str, class: &'static str, whole: bool, changes: &[Change]) -> Section {
    let shown = changes.iter().take(CHANGES).map(|one| Change {
        name: clip(&line(&one.name), 160),
        claim: shown(&one.claim, 1000),
        was: one.was.clone(),
        is: one.is.clone(),
        evidence: shown(&one.evidence, 1000),
        remedy: shown(&one.remedy, 1000),
    });
    Section {
        title,
        class,
        whole,
        count: changes.len(),
        changes: shown.collect(),
    }
}

fn moved(one: &Moved) -> MovedView {
    let most = one.before.max(one.now.value).max(f64::MIN_POSITIVE);
    let share = |value: f64| (value * 100.0 / most).round() as u64;
    MovedView {
        name: line(&one.now.name),
        was: format!("{} {}", number(one.before), line(&one.now.unit)),
        is: line(&one.now.in_words()),
        words: one.in_words(),
        class: match one.better {
            Some(true) => "p",
            Some(false) => "f",
            None => "same",
        },
        share_was: share(one.before),
        share_is: share(one.now.value),
    }
}

fn changed(one: &Changed) -> Row3 {
    let known = |text: &str| match line(text) {
        text if text.is_empty() => "not known".to_owned(),
        text => text,
    };
    Row3 {
        what: line(&one.what),
        was: known(&one.was),
        is: known(&one.is),
    }
}
