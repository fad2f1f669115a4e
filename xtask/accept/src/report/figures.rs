//! The figures of a report that matter, each with what it is measured in and which way is
//! better, so that a run can be held against another.
//!
//! The training tells of itself in lines of JSON, one an epoch: `epoch`, `seconds`,
//! `images_per_second`, `generator_loss`, `discriminator_loss`. A line that is none of that,
//! or lacks a value, takes nothing from the others.

use lab_facts::{DcganRun, Fact, Generated, Worked, WorkloadRequest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Report;
use super::plain::number;

/// Which way a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better, as of a bandwidth.
    Higher,
    /// Less is better, as of a time.
    Lower,
}

/// Something that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// What, and of what: `memory bandwidth of gt1030`.
    pub name: String,
    /// How much.
    pub value: f64,
    /// In what.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// What else to know, such as the maker's figure; else empty.
    pub note: String,
}

impl Figure {
    fn new(name: String, value: f64, unit: &str, better: Better) -> Self {
        Self {
            name,
            value,
            unit: unit.to_owned(),
            better,
            note: String::new(),
        }
    }

    /// The value with its unit.
    pub(super) fn in_words(&self) -> String {
        format!("{} {}", number(self.value), self.unit)
    }
}

/// The figures of a report: the bandwidth of each card's memory, and what the workloads did.
pub fn figures(report: &Report) -> Vec<Figure> {
    let mut figures = bandwidths(report);
    for workload in &report.workloads {
        match (&workload.worked, &workload.request) {
            (Fact::Is(Worked::Ollama(answer)), WorkloadRequest::Ollama { model, .. }) => {
                figures.extend(of_an_answer(model, answer));
            }
            (Fact::Is(Worked::Dcgan(run)), _) => figures.extend(of_training(run)),
            _ => {}
        }
    }
    figures
}

fn bandwidths(report: &Report) -> Vec<Figure> {
    let measured = report.glance.cards.iter().filter_map(|card| {
        let measured = card.bandwidth_mb_s?;
        let name = format!("memory bandwidth of {}", card.name);
        let mut figure = Figure::new(name, measured as f64 / 1000.0, "GB/s", Better::Higher);
        if let Some(described) = card.bandwidth_described_mb_s.filter(|most| *most > 0) {
            figure.note = format!(
                "{} % of the maker's {} GB/s",
                number(measured as f64 * 100.0 / described as f64),
                number(described as f64 / 1000.0)
            );
        }
        Some(figure)
    });
    measured.collect()
}

/// Tokens a second of an answer; none where nothing was answered or no time passed.
pub(super) fn tokens_per_second(answer: &Generated) -> Option<f64> {
    let known = answer.tokens > 0 && answer.took_ns > 0;
    known.then(|| answer.tokens as f64 * 1e9 / answer.took_ns as f64)
}

fn of_an_answer(model: &str, answer: &Generated) -> Vec<Figure> {
    let speed = tokens_per_second(answer).map(|speed| {
        let name = format!("answers of {model}");
        Figure::new(name, speed, "tokens/s", Better::Higher)
    });
    let load = (answer.load_ns > 0).then(|| {
        let name = format!("loading {model}");
        Figure::new(name, answer.load_ns as f64 / 1e9, "s", Better::Lower)
    });
    speed.into_iter().chain(load).collect()
}

fn of_training(run: &DcganRun) -> Option<Figure> {
    let epochs = epochs(run);
    let (seconds, of) = seconds_per_epoch(&epochs)?;
    let mut figure = Figure::new("DCGAN's epoch".to_owned(), seconds, "s", Better::Lower);
    figure.note = match of {
        1 => "of one epoch".to_owned(),
        _ => format!("median of {of} epochs"),
    };
    Some(figure)
}

/// What the training says of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Epoch {
    /// Which, from 1.
    pub(super) epoch: u32,
    /// How long it took.
    #[serde(default)]
    pub(super) seconds: Option<f64>,
    /// How fast that is.
    #[serde(default)]
    pub(super) images_per_second: Option<f64>,
    /// The generator's loss.
    #[serde(default)]
    pub(super) generator_loss: Option<f64>,
    /// The discriminator's loss.
    #[serde(default)]
    pub(super) discriminator_loss: Option<f64>,
    /// The share of new digits that could be read, where they were scored.
    #[serde(default)]
    pub(super) legible: Option<f64>,
}

/// The epochs that the training told of, each once: one that was done again after a restart
/// counts as it was done last.
pub(super) fn epochs(run: &DcganRun) -> Vec<Epoch> {
    let lines = run.metrics.iter();
    let read: Vec<Epoch> = lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let last: std::collections::BTreeMap<u32, Epoch> =
        read.into_iter().map(|one| (one.epoch, one)).collect();
    last.into_values().collect()
}

/// The median of the seconds that an epoch took, and of how many. The first one also builds
/// the program for the card, so it counts only where there is no other.
pub(super) fn seconds_per_epoch(epochs: &[Epoch]) -> Option<(f64, usize)> {
    let sane = |one: &Epoch| one.seconds.filter(|took| took.is_finite() && *took > 0.0);
    let later = epochs.iter().filter(|one| one.epoch > 1);
    let mut all: Vec<f64> = later.filter_map(sane).collect();
    if all.is_empty() {
        all = epochs.iter().filter_map(sane).collect();
    }
    all.sort_by(f64::total_cmp);
    Some((*all.get(all.len() / 2)?, all.len()))
}
