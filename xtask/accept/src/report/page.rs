//! What a page shows, in words: the report with every value cleaned, cut to what a page can
//! hold, and put in its unit.

use serde::Serialize;

use super::figures::figures;
use super::plain::{clean, clip, clip_escaped, count, duration, line, mebibytes, moment, number};
use super::workload::{WorkloadView, workloads};
use super::{CardGlance, CheckResult, Glance, Outcome, Report};

/// As much of a result's text as is shown, in characters; less where there are many results.
const LONGEST: usize = 4000;
/// What the texts of all results may come to, in characters.
const ALL_TEXTS: usize = 600_000;
/// So many results are drawn as a square each; more of them as a bar.
const SQUARES: usize = 600;

/// A label and its value.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) value: String,
}

impl Row {
    pub(super) fn new(label: &str, value: impl Into<String>) -> Self {
        Self {
            label: label.to_owned(),
            value: value.into(),
        }
    }
}

/// The page of a report.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    host: String,
    name: String,
    subtitle: String,
    when: String,
    took: String,
    lab: String,
    format: u32,
    verdict: Verdict,
    facts: Vec<Row>,
    cards: Vec<CardView>,
    figures: Vec<FigureView>,
    failures: Vec<ResultView>,
    not_run: Vec<ReasonView>,
    groups: Vec<GroupView>,
    squares: bool,
    workloads: Vec<WorkloadView>,
    workloads_left_out: usize,
    stages: Vec<StageView>,
}

/// The verdict in big.
#[derive(Debug, Serialize)]
struct Verdict {
    class: &'static str,
    words: String,
    passed: usize,
    failed: usize,
    not_run: usize,
    all: usize,
}

#[derive(Debug, Serialize)]
struct CardView {
    class: String,
    name: String,
    model: String,
    address: String,
    uuid: String,
    seen: bool,
    memory: String,
    temperature: String,
    capability: String,
    bandwidth: String,
    bandwidth_of: String,
    /// In per cent of the maker's, no more than 100, for the bar; none where it is not known.
    share: Option<u64>,
    used_by: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FigureView {
    name: String,
    value: String,
    unit: String,
    note: String,
}

#[derive(Debug, Serialize)]
struct ResultView {
    index: usize,
    id: String,
    subject: String,
    class: &'static str,
    word: &'static str,
    claim: String,
    place: String,
    evidence: String,
    cause: String,
    remedy: String,
    reference: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct ReasonView {
    reason: String,
    count: String,
    names: Vec<Link>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct Link {
    index: usize,
    name: String,
}

#[derive(Debug, Serialize)]
struct GroupView {
    name: String,
    passed: usize,
    failed: usize,
    not_run: usize,
    all: usize,
    results: Vec<ResultView>,
}

#[derive(Debug, Serialize)]
struct StageView {
    name: String,
    took: String,
    /// In per mille of the longest.
    share: u64,
}

impl Page {
    /// What a page of this report shows.
    pub(super) fn new(report: &Report) -> Self {
        let room = (ALL_TEXTS / report.results.len().max(1)).clamp(48, LONGEST);
        let groups: Vec<GroupView> = report
            .groups()
            .into_iter()
            .map(|(name, results)| group(name, &results, room))
            .collect();
        let failed = report.results.iter().enumerate();
        let failed = failed.filter(|(_, one)| matches!(one.outcome, Outcome::Failed { .. }));
        let (workloads, workloads_left_out) = workloads(report);
        Self {
            host: line(&report.host),
            name: match report.glance.name.is_empty() {
                true => line(&report.host),
                false => line(&report.glance.name),
            },
            subtitle: line(&report.glance.product),
            when: moment(report.taken_unix_ms),
            took: duration(report.took_ms),
            lab: line(&report.lab),
            format: report.format,
            verdict: verdict(report),
            facts: facts(&report.glance),
            cards: cards(&report.glance.cards),
            figures: figure_views(report),
            failures: failed
                .map(|(index, one)| result(index, one, room))
                .collect(),
            not_run: reasons(report),
            squares: report.results.len() <= SQUARES,
            groups,
            workloads,
            workloads_left_out,
            stages: stages(report),
        }
    }
}

fn verdict(report: &Report) -> Verdict {
    let (passed, failed, not_run) = (report.passed(), report.failed(), report.not_run());
    let (class, words) = match (failed, passed) {
        (0, 0) => ("n", "Nothing could be judged".to_owned()),
        (0, _) if not_run == 0 => ("p", "Every claim holds".to_owned()),
        (0, _) => ("p", "Nothing failed".to_owned()),
        (1, _) => ("f", "1 claim does not hold".to_owned()),
        _ => ("f", format!("{failed} claims do not hold")),
    };
    Verdict {
        class,
        words,
        passed,
        failed,
        not_run,
        all: report.results.len(),
    }
}

fn facts(glance: &Glance) -> Vec<Row> {
    let memory = glance.memory_mib.map(mebibytes).unwrap_or_default();
    let driver = match (glance.driver.is_empty(), glance.cuda.is_empty()) {
        (true, _) => String::new(),
        (_, true) => glance.driver.clone(),
        _ => format!("{}, CUDA {}", glance.driver, glance.cuda),
    };
    let rows = [
        ("Processor", glance.cpu.clone()),
        ("Memory", memory),
        ("System", glance.os.clone()),
        ("Kernel", glance.kernel.clone()),
        ("Driver", driver),
        ("Description", glance.description.clone()),
        ("Seen by", glance.probe.clone()),
    ];
    let known = rows.into_iter().map(|(label, value)| match line(&value) {
        value if value.is_empty() => Row::new(label, "not known"),
        value => Row::new(label, value),
    });
    known.collect()
}

/// The class of the card that stands at this place, which gives it the same colour all over
/// the page.
pub(super) fn colour(index: usize) -> String {
    format!("s{}", index % COLOURS)
}

/// As many colours as the style sheet has.
pub(super) const COLOURS: usize = 8;

fn cards(cards: &[CardGlance]) -> Vec<CardView> {
    let views = cards.iter().enumerate();
    views.map(|(index, one)| card(index, one)).collect()
}

fn card(index: usize, card: &CardGlance) -> CardView {
    let gb = |mb: u64| number(mb as f64 / 1000.0);
    let described = card.bandwidth_described_mb_s.filter(|most| *most > 0);
    let share = card.bandwidth_mb_s.zip(described);
    let per_cent = share.map(|(is, most)| (is as f64 * 100.0 / most as f64).round() as u64);
    CardView {
        class: colour(index),
        name: line(&card.name),
        model: line(&card.model),
        address: line(&card.address),
        uuid: line(&card.uuid),
        seen: !card.uuid.is_empty(),
        memory: card.memory_mib.map(mebibytes).unwrap_or_default(),
        temperature: card
            .temperature_c
            .map(|c| format!("{c} °C"))
            .unwrap_or_default(),
        capability: line(&card.compute_capability),
        bandwidth: card
            .bandwidth_mb_s
            .map(|mb| format!("{} GB/s", gb(mb)))
            .unwrap_or_default(),
        bandwidth_of: match (per_cent, described) {
            (Some(share), Some(most)) => format!("{share} % of the maker's {} GB/s", gb(most)),
            (None, Some(most)) => format!("not measured; the maker says {} GB/s", gb(most)),
            _ => String::new(),
        },
        share: per_cent.map(|share| share.min(100)),
        used_by: card.used_by.iter().map(|one| line(one)).collect(),
    }
}

fn figure_views(report: &Report) -> Vec<FigureView> {
    // Bandwidths stand in the cards' own tiles.
    let figures = figures(report).into_iter().filter(|one| one.unit != "GB/s");
    let views = figures.map(|figure| FigureView {
        name: line(&figure.name),
        value: number(figure.value),
        unit: figure.unit,
        note: line(&figure.note),
    });
    views.collect()
}

fn group(name: &str, results: &[(usize, &CheckResult)], room: usize) -> GroupView {
    let count = |which: &str| {
        let all = results.iter().map(|(_, one)| class(&one.outcome).0);
        all.filter(|class| *class == which).count()
    };
    GroupView {
        name: line(name),
        passed: count("p"),
        failed: count("f"),
        not_run: count("n"),
        all: results.len(),
        results: results
            .iter()
            .map(|(index, one)| result(*index, one, room))
            .collect(),
    }
}

/// The class and the word of an outcome.
fn class(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Passed => ("p", "passed"),
        Outcome::Failed { .. } => ("f", "failed"),
        Outcome::NotRun { .. } => ("n", "not run"),
    }
}

/// Text of several lines, safe and short enough.
pub(super) fn shown(text: &str, room: usize) -> String {
    clip_escaped(clean(text).trim(), room)
}

fn result(index: usize, one: &CheckResult, room: usize) -> ResultView {
    let (class, word) = class(&one.outcome);
    let place = one.place.as_ref();
    let mut view = ResultView {
        index,
        id: clip(&line(&one.id), 120),
        subject: clip(&line(one.subject.as_deref().unwrap_or_default()), 120),
        class,
        word,
        claim: shown(&one.claim, room),
        place: place.map_or_else(String::new, |place| {
            line(&format!("{}:{} ({})", place.file, place.line, place.key))
        }),
        evidence: shown(&one.evidence, room),
        cause: String::new(),
        remedy: String::new(),
        reference: String::new(),
        reason: String::new(),
    };
    match &one.outcome {
        Outcome::Passed => {}
        Outcome::NotRun { reason } => view.reason = shown(reason, room),
        Outcome::Failed {
            cause,
            remedy,
            reference,
        } => {
            view.cause = shown(cause, room);
            view.remedy = shown(remedy, room);
            view.reference = shown(reference, room);
        }
    }
    view
}

/// So many names stand behind a reason; the rest are counted.
const NAMES: usize = 60;
/// So many reasons; all others stand with their checks.
const REASONS: usize = 100;

fn reasons(report: &Report) -> Vec<ReasonView> {
    let mut place: std::collections::HashMap<*const CheckResult, usize> =
        std::collections::HashMap::new();
    for (index, one) in report.results.iter().enumerate() {
        place.insert(std::ptr::from_ref(one), index);
    }
    let link = |one: &&CheckResult| Link {
        index: place
            .get(&std::ptr::from_ref(*one))
            .copied()
            .unwrap_or_default(),
        name: clip(&line(&one.name()), 120),
    };
    let reasons = report.not_run_by_reason().into_iter().take(REASONS);
    reasons
        .map(|(reason, results)| ReasonView {
            reason: shown(reason, LONGEST),
            count: count(results.len(), "check"),
            names: results.iter().take(NAMES).map(link).collect(),
            more: results.len().saturating_sub(NAMES),
        })
        .collect()
}

fn stages(report: &Report) -> Vec<StageView> {
    let longest = report
        .stages
        .iter()
        .map(|one| one.took_ms)
        .max()
        .unwrap_or(0);
    let stages = report.stages.iter().take(60).map(|stage| StageView {
        name: line(&stage.name),
        took: duration(stage.took_ms),
        share: (stage.took_ms as f64 * 1000.0 / longest.max(1) as f64).round() as u64,
    });
    stages.collect()
}
