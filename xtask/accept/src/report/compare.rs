//! Two runs held against each other: what broke, what was mended, what is slower.

use std::collections::HashMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthStr as _;

use super::plain::{clip, count, line, mebibytes, moment, number};
use super::text::{ASIDE, BAD, FAINT, GOOD, STRONG, paragraph};
use super::{Better, CheckResult, Figure, Outcome, Report, figures};

/// A figure that moved by less than this part of it is about the same: two runs of one
/// machine differ by as much.
const ABOUT_THE_SAME: f64 = 0.05;

/// What lies between an earlier run and a later one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The earlier one: its host and when it was taken.
    pub before: String,
    /// The later one.
    pub after: String,
    /// Whether both are of the same machine, by the description's name.
    pub same_machine: bool,
    /// Claims that failed in the later run and did not in the earlier one.
    pub broken: Vec<Change>,
    /// Claims that passed and are not judged any more.
    pub lost: Vec<Change>,
    /// Claims that failed and pass now.
    pub mended: Vec<Change>,
    /// Claims that failed and fail still.
    pub still_failing: Vec<Change>,
    /// Claims that were not run or not there, and pass now.
    pub gained: Vec<Change>,
    /// Claims that are only in the earlier run.
    pub gone: Vec<Change>,
    /// Figures of both, in the order of the later run.
    pub moved: Vec<Moved>,
    /// What differs of the machine and its software.
    pub changed: Vec<Changed>,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The check, with what it is about.
    pub name: String,
    /// What is claimed.
    pub claim: String,
    /// What came of it before: `passed`, `failed`, `not run` or `not there`.
    pub was: String,
    /// What came of it now, in the same words.
    pub is: String,
    /// What was seen now, or why nothing was.
    pub evidence: String,
    /// What to do about it, where it fails; else empty.
    pub remedy: String,
}

/// A figure in both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// The figure as it is now.
    pub now: Figure,
    /// What it was.
    pub before: f64,
    /// How many times what it was it is now.
    pub ratio: f64,
    /// Better or worse by more than two runs of one machine differ; none where it is about
    /// the same.
    pub better: Option<bool>,
}

/// Something of the machine or its software that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// What, such as `kernel`.
    pub what: String,
    /// What it was; empty where that is not known.
    pub was: String,
    /// What it is.
    pub is: String,
}

impl Comparison {
    /// Whether something broke, which `report` ends with 1 for.
    pub fn broke(&self) -> bool {
        !self.broken.is_empty()
    }
}

/// Holds the later run against the earlier one.
pub fn compare(before: &Report, after: &Report) -> Comparison {
    let named = |report: &Report| {
        let moment = moment(report.taken_unix_ms);
        format!("{}, {moment}", line(&report.host))
    };
    let mut comparison = Comparison {
        before: named(before),
        after: named(after),
        same_machine: before.glance.name == after.glance.name,
        broken: Vec::new(),
        lost: Vec::new(),
        mended: Vec::new(),
        still_failing: Vec::new(),
        gained: Vec::new(),
        gone: Vec::new(),
        moved: moved(before, after),
        changed: changed(before, after),
    };
    for (was, is) in pairs(before, after) {
        comparison.sort_in(was, is);
    }
    comparison
}

impl Comparison {
    fn sort_in(&mut self, was: Option<&CheckResult>, is: Option<&CheckResult>) {
        use Outcome::{Failed, NotRun, Passed};
        let outcome = |one: Option<&CheckResult>| one.map(|one| one.outcome.clone());
        let list = match (outcome(was), outcome(is)) {
            (Some(Failed { .. }), Some(Failed { .. })) => &mut self.still_failing,
            (_, Some(Failed { .. })) => &mut self.broken,
            (Some(Failed { .. }), Some(Passed)) => &mut self.mended,
            (Some(Passed | Failed { .. }), Some(NotRun { .. })) => &mut self.lost,
            (Some(NotRun { .. }) | None, Some(Passed)) => &mut self.gained,
            (Some(_), None) => &mut self.gone,
            _ => return,
        };
        list.extend(change(was, is));
    }
}

fn word(one: Option<&CheckResult>) -> &'static str {
    match one.map(|one| &one.outcome) {
        Some(Outcome::Passed) => "passed",
        Some(Outcome::Failed { .. }) => "failed",
        Some(Outcome::NotRun { .. }) => "not run",
        None => "not there",
    }
}

fn change(was: Option<&CheckResult>, is: Option<&CheckResult>) -> Option<Change> {
    let one = is.or(was)?;
    let (evidence, remedy) = match is.map(|one| &one.outcome) {
        Some(Outcome::NotRun { reason }) => (reason.clone(), String::new()),
        Some(Outcome::Failed { remedy, .. }) => (one.evidence.clone(), remedy.clone()),
        _ => (one.evidence.clone(), String::new()),
    };
    Some(Change {
        name: one.name(),
        claim: one.claim.clone(),
        was: word(was).to_owned(),
        is: word(is).to_owned(),
        evidence,
        remedy,
    })
}

type Pair<'a> = (Option<&'a CheckResult>, Option<&'a CheckResult>);

/// The claims of both, each beside itself: of one name by what is claimed, and where that was
/// put in other words, in their order.
fn pairs<'a>(before: &'a Report, after: &'a Report) -> Vec<Pair<'a>> {
    let mut left: HashMap<String, Vec<&CheckResult>> = HashMap::new();
    for one in &before.results {
        left.entry(one.name()).or_default().push(one);
    }
    let mut pairs: Vec<Pair<'a>> = Vec::with_capacity(after.results.len());
    for is in &after.results {
        let same = left.get_mut(&is.name()).and_then(|all| {
            let index = all.iter().position(|was| was.claim == is.claim)?;
            Some(all.remove(index))
        });
        pairs.push((same, Some(is)));
    }
    for pair in pairs.iter_mut().filter(|(was, _)| was.is_none()) {
        let all = pair.1.and_then(|is| left.get_mut(&is.name()));
        pair.0 = all.filter(|all| !all.is_empty()).map(|all| all.remove(0));
    }
    let gone = before.results.iter().filter(|one| {
        let all = left.get(&one.name());
        all.is_some_and(|all| all.iter().any(|other| std::ptr::eq(*other, *one)))
    });
    pairs.extend(gone.map(|one| (Some(one), None)));
    pairs
}

fn moved(before: &Report, after: &Report) -> Vec<Moved> {
    let earlier = figures(before);
    let mut now = figures(after);
    now.extend(whole(before, after));
    let both = now.into_iter().filter_map(|now| {
        let same = |one: &&Figure| one.name == now.name && one.unit == now.unit;
        let before = match now.name == WHOLE {
            true => before.took_ms as f64 / 1000.0,
            false => earlier.iter().find(same)?.value,
        };
        (before > 0.0).then(|| held_against(now, before))
    });
    both.collect()
}

const WHOLE: &str = "the whole run";

/// How long the later run took: to be compared only where both did the same.
fn whole(before: &Report, after: &Report) -> Option<Figure> {
    let asked = |report: &Report| -> Vec<_> {
        report
            .workloads
            .iter()
            .map(|one| one.request.clone())
            .collect()
    };
    let stages = |report: &Report| -> Vec<String> {
        report.stages.iter().map(|one| one.name.clone()).collect()
    };
    let same = asked(before) == asked(after) && stages(before) == stages(after);
    same.then(|| Figure {
        name: WHOLE.to_owned(),
        value: after.took_ms as f64 / 1000.0,
        unit: "s".to_owned(),
        better: Better::Lower,
        note: String::new(),
    })
}

fn held_against(now: Figure, before: f64) -> Moved {
    let ratio = now.value / before;
    let better = ((ratio - 1.0).abs() > ABOUT_THE_SAME)
        .then_some((ratio > 1.0) == (now.better == Better::Higher));
    Moved {
        now,
        before,
        ratio,
        better,
    }
}

fn changed(before: &Report, after: &Report) -> Vec<Changed> {
    let memory = |report: &Report| report.glance.memory_mib.map(mebibytes).unwrap_or_default();
    let own = |report: &Report| {
        let glance = report.glance.clone();
        [
            ("machine", glance.name),
            ("product", glance.product),
            ("processor", glance.cpu),
            ("memory", memory(report)),
            ("system", glance.os),
            ("kernel", glance.kernel),
            ("driver", glance.driver),
            ("CUDA", glance.cuda),
            ("description", glance.description),
            ("probe", glance.probe),
            ("lab", report.lab.clone()),
        ]
    };
    let all = own(before).into_iter().zip(own(after));
    let own = all.map(|((what, was), (_, is))| (what.to_owned(), was, is));
    let differs = own
        .chain(cards(before, after))
        .filter(|(_, was, is)| was != is);
    differs
        .map(|(what, was, is)| Changed { what, was, is })
        .collect()
}

/// The cards of both by their names, each by what tells that it is another.
fn cards(before: &Report, after: &Report) -> Vec<(String, String, String)> {
    let said = |report: &Report, name: &str| {
        let card = report.glance.cards.iter().find(|card| card.name == name);
        card.map(|card| format!("{} {} {}", card.model, card.address, card.uuid))
            .unwrap_or_default()
    };
    let mut names: Vec<&str> = Vec::new();
    for card in before.glance.cards.iter().chain(&after.glance.cards) {
        if !names.contains(&card.name.as_str()) {
            names.push(&card.name);
        }
    }
    let both = |name: &str| {
        (
            format!("card {name}"),
            said(before, name),
            said(after, name),
        )
    };
    names.into_iter().map(both).collect()
}

impl Moved {
    /// The style's meaning in a word, with how many times as much it is.
    pub(super) fn in_words(&self) -> String {
        let times = number(self.ratio);
        let word = match (self.better, self.now.unit.as_str()) {
            (None, _) => return "about the same".to_owned(),
            (Some(true), _) => "faster",
            (Some(false), _) => "slower",
        };
        format!("{word}, {times} ×")
    }
}

/// The comparison as text with ANSI escapes, for lines of 80 columns.
pub fn compare_text(comparison: &Comparison) -> String {
    let mut out = String::new();
    verdict(&mut out, comparison);
    let detailed = [
        (BAD, "Broken", &comparison.broken),
        (ASIDE, "Not judged any more", &comparison.lost),
        (GOOD, "Mended", &comparison.mended),
        (ASIDE, "Failing still", &comparison.still_failing),
    ];
    for (style, title, changes) in detailed {
        if !changes.is_empty() {
            let _ = writeln!(out, "\n{style}{title}{style:#}");
        }
        for change in changes {
            one_change(&mut out, change);
        }
    }
    for (title, changes) in [("New", &comparison.gained), ("Gone", &comparison.gone)] {
        names(&mut out, title, changes);
    }
    figures_text(&mut out, &comparison.moved);
    changed_text(&mut out, &comparison.changed);
    out
}

fn verdict(out: &mut String, comparison: &Comparison) {
    let (style, words) = match comparison.broken.len() {
        0 => (GOOD, "nothing broke".to_owned()),
        broken => (BAD, format!("{} broke", count(broken, "claim"))),
    };
    let mended = match comparison.mended.len() {
        0 => String::new(),
        mended => format!(", {mended} mended"),
    };
    let _ = writeln!(out, "{style}{words}{style:#}{mended}");
    paragraph(out, "from", 5, &comparison.before);
    paragraph(out, "to", 5, &comparison.after);
    if !comparison.same_machine {
        let _ = writeln!(out, "  {ASIDE}these are reports of two machines{ASIDE:#}");
    }
}

fn one_change(out: &mut String, change: &Change) {
    let name = line(&change.name);
    let _ = writeln!(
        out,
        "  {STRONG}{name}{STRONG:#} {FAINT}({} before){FAINT:#}",
        change.was
    );
    for (label, text) in [
        ("claim", &change.claim),
        ("seen", &change.evidence),
        ("remedy", &change.remedy),
    ] {
        paragraph(out, label, 7, text);
    }
}

/// So many names are listed; the rest are counted.
const NAMES: usize = 30;

fn names(out: &mut String, title: &str, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{STRONG}{title}{STRONG:#} ({})", changes.len());
    let mut names: Vec<String> = changes
        .iter()
        .take(NAMES)
        .map(|one| line(&one.name))
        .collect();
    if let Some(more) = changes.len().checked_sub(NAMES).filter(|more| *more > 0) {
        names.push(format!("and {more} more"));
    }
    paragraph(out, "", 0, &names.join(", "));
}

fn figures_text(out: &mut String, moved: &[Moved]) {
    if moved.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{STRONG}Figures{STRONG:#}");
    let names: Vec<String> = moved
        .iter()
        .map(|one| clip(&line(&one.now.name), 36))
        .collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    for (one, name) in moved.iter().zip(names) {
        let style = match one.better {
            Some(true) => GOOD,
            Some(false) => BAD,
            None => FAINT,
        };
        let pad = widest - name.width();
        let (was, is) = (number(one.before), one.now.in_words());
        let words = one.in_words();
        let _ = writeln!(
            out,
            "  {name}{:pad$}  {was} → {is}  {style}{words}{style:#}",
            ""
        );
    }
}

fn changed_text(out: &mut String, changed: &[Changed]) {
    if changed.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{STRONG}Changed{STRONG:#}");
    for one in changed {
        let known = |text: &str| match line(text) {
            text if text.is_empty() => "(not known)".to_owned(),
            text => text,
        };
        let text = format!("{} → {}", known(&one.was), known(&one.is));
        paragraph(out, &line(&one.what), 12, &text);
    }
}
