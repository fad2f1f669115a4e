//! The report on a terminal: failures first, each a short paragraph, then what was not run,
//! then the sums and the figures that matter.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSplitter};
use unicode_width::UnicodeWidthStr as _;

use super::plain::{clip, count, duration, line, moment};
use super::{CheckResult, Figure, Outcome, Report, figures};

/// Bold.
pub(super) const STRONG: Style = Style::new().bold();
/// For what is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// For what is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what is neither.
pub(super) const ASIDE: Style = AnsiColor::Yellow.on_default();
/// For what is only there to be looked up.
pub(super) const FAINT: Style = Style::new().dimmed();

/// The widest line, in columns.
const WIDTH: usize = 80;
/// As much of a text as a terminal is the place for, in characters.
const LONGEST: usize = 1200;
/// So many names stand behind a reason; the rest are counted.
const NAMES: usize = 12;

/// The report as text with ANSI escapes, for lines of 80 columns.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    headline(&mut out, report);
    failures(&mut out, report);
    not_run(&mut out, report);
    sums(&mut out, report);
    measured(&mut out, &figures(report));
    out
}

/// A paragraph with a label before it, and all its lines indented behind that. Nothing where
/// there is no text.
pub(super) fn paragraph(out: &mut String, label: &str, indent: usize, text: &str) {
    let text = clip(&line(text), LONGEST);
    if text.is_empty() {
        return;
    }
    let first = format!(
        "  {FAINT}{label}{FAINT:#}{:1$}",
        "",
        indent.saturating_sub(label.width())
    );
    let rest = " ".repeat(indent + 2);
    // A name or an address that is broken at its hyphens cannot be copied.
    let options = Options::new(WIDTH)
        .word_splitter(WordSplitter::NoHyphenation)
        .initial_indent(&first)
        .subsequent_indent(&rest);
    for line in textwrap::wrap(&text, options) {
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn headline(out: &mut String, report: &Report) {
    let all = count(report.results.len(), "claim");
    let (style, verdict) = match (report.failed(), report.not_run(), report.passed()) {
        (0, _, 0) => (BAD, format!("of {all} none could be judged")),
        (0, 0, _) => (GOOD, format!("all of {all} hold")),
        (0, not_run, _) => (GOOD, format!("of {all} none failed, {not_run} not run")),
        (failed, ..) => (BAD, format!("{failed} of {all} failed")),
    };
    let host = line(&report.host);
    let _ = writeln!(out, "{STRONG}{host}{STRONG:#}: {style}{verdict}{style:#}");
    let glance = &report.glance;
    let known = [&glance.product, &glance.os, &glance.kernel];
    let known = known
        .iter()
        .map(|one| line(one))
        .filter(|one| !one.is_empty());
    let mut known: Vec<String> = known.collect();
    if !glance.driver.is_empty() {
        known.push(format!("driver {}", line(&glance.driver)));
    }
    known.push(moment(report.taken_unix_ms));
    let wrapped = textwrap::fill(&known.join(", "), WIDTH);
    let _ = writeln!(out, "{wrapped}");
}

fn failures(out: &mut String, report: &Report) {
    for one in &report.results {
        if let Outcome::Failed {
            cause,
            remedy,
            reference,
        } = &one.outcome
        {
            let _ = writeln!(
                out,
                "\n{BAD}failed{BAD:#} {STRONG}{}{STRONG:#}",
                line(&one.name())
            );
            paragraph(out, "claim", 7, &one.claim);
            paragraph(out, "of", 7, &place(one));
            paragraph(out, "seen", 7, &one.evidence);
            paragraph(out, "cause", 7, cause);
            paragraph(out, "remedy", 7, remedy);
            paragraph(out, "see", 7, reference);
        }
    }
}

fn place(one: &CheckResult) -> String {
    let place = one.place.as_ref();
    place.map_or_else(String::new, |place| {
        format!("{}:{} ({})", place.file, place.line, place.key)
    })
}

fn not_run(out: &mut String, report: &Report) {
    let reasons = report.not_run_by_reason();
    if reasons.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{STRONG}Not run{STRONG:#}");
    for (reason, results) in reasons {
        let label = results.len().to_string();
        paragraph(out, &label, 4, reason);
        let mut names: Vec<String> = results.iter().take(NAMES).map(|one| one.name()).collect();
        if let Some(more) = results.len().checked_sub(NAMES).filter(|more| *more > 0) {
            names.push(format!("and {more} more"));
        }
        paragraph(out, "", 4, &names.join(", "));
    }
}

/// How many passed, failed and were not run, in words.
fn sum<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> String {
    let mut counts = [0_usize; 3];
    for outcome in outcomes {
        counts[match outcome {
            Outcome::Passed => 0,
            Outcome::Failed { .. } => 1,
            Outcome::NotRun { .. } => 2,
        }] += 1;
    }
    let words = [(GOOD, "passed"), (BAD, "failed"), (ASIDE, "not run")];
    let said = counts
        .into_iter()
        .zip(words)
        .filter(|(count, _)| *count > 0);
    let said: Vec<String> = said
        .map(|(count, (style, word))| format!("{style}{count} {word}{style:#}"))
        .collect();
    said.join(", ")
}

fn sums(out: &mut String, report: &Report) {
    let groups = report.groups();
    if groups.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{STRONG}Summary{STRONG:#}");
    for (group, results) in groups {
        let sum = sum(results.iter().map(|(_, one)| &one.outcome));
        let _ = writeln!(out, "  {:10} {sum}", line(group));
    }
    let all = sum(report.results.iter().map(|one| &one.outcome));
    let took = duration(report.took_ms);
    let _ = writeln!(out, "  {:10} {all} in {took}", "in all");
}

fn measured(out: &mut String, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{STRONG}Figures{STRONG:#}");
    let names: Vec<String> = figures
        .iter()
        .map(|one| clip(&line(&one.name), 40))
        .collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    for (figure, name) in figures.iter().zip(names) {
        let note = match figure.note.is_empty() {
            true => String::new(),
            false => format!("  {FAINT}{}{FAINT:#}", line(&figure.note)),
        };
        let pad = widest - name.width();
        let _ = writeln!(out, "  {name}{:pad$}  {}{note}", "", figure.in_words());
    }
}
