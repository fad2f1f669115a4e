//! What a page shows of a workload: what came of it, and what the cards did meanwhile.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lab_facts::{DcganRun, Fact, Generated, GpuSample, Worked, Workload, WorkloadRequest};
use serde::Serialize;

use super::Report;
use super::chart::{Chart, Measured, chart};
use super::figures::{Epoch, epochs, seconds_per_epoch, tokens_per_second};
use super::page::{COLOURS, Row, colour, shown};
use super::plain::{count, duration, line, mebibytes, number};

/// So many workloads are drawn.
const WORKLOADS: usize = 24;
/// So many cards are drawn in one chart.
const CARDS: usize = 16;
/// As much of an answer or a screen as is shown, in characters.
const LONGEST: usize = 4000;
/// The longest picture, in bytes of base64.
const PICTURE: usize = 1 << 20;

/// A workload, in words and curves.
#[derive(Debug, Serialize)]
pub(super) struct WorkloadView {
    title: String,
    took: String,
    failed: String,
    rows: Vec<Row>,
    answer: String,
    screen: String,
    picture: String,
    charts: Vec<Chart>,
    silent: Vec<String>,
    losses: Option<Chart>,
    programs: Vec<Row>,
    cards_left_out: usize,
}

/// The workloads of a report, and how many more there are.
pub(super) fn workloads(report: &Report) -> (Vec<WorkloadView>, usize) {
    let shown = report.workloads.iter().take(WORKLOADS);
    let views = shown.map(|one| view(report, one)).collect();
    (views, report.workloads.len().saturating_sub(WORKLOADS))
}

fn view(report: &Report, workload: &Workload) -> WorkloadView {
    let cards = Cards::of(report, workload);
    let (charts, silent) = charts(&cards, workload);
    let mut view = WorkloadView {
        title: title(&workload.request),
        took: duration(workload.took_ms),
        failed: String::new(),
        rows: Vec::new(),
        answer: String::new(),
        screen: String::new(),
        picture: String::new(),
        charts,
        silent,
        losses: None,
        programs: programs(&cards, workload),
        cards_left_out: cards.left_out,
    };
    match &workload.worked {
        Fact::Unknown(why) => view.failed = shown(why, LONGEST),
        Fact::Is(worked) => came_of(&mut view, &cards, worked),
    }
    view
}

fn title(request: &WorkloadRequest) -> String {
    match request {
        WorkloadRequest::Ollama { model, .. } => format!("Ollama answers with {}", line(model)),
        WorkloadRequest::TensorFlow { container, .. } => {
            format!("TensorFlow computes in {}", line(container))
        }
        WorkloadRequest::Memory { .. } => "The cards' memory is filled and read back".to_owned(),
        WorkloadRequest::Dcgan { .. } => "DCGAN trains".to_owned(),
        WorkloadRequest::Nvtop { .. } => "nvtop draws".to_owned(),
    }
}

/// The cards of a workload: their UUIDs in the order of their colours, and their names.
struct Cards {
    all: Vec<(String, String)>,
    left_out: usize,
}

impl Cards {
    /// The described cards first, so that each has its colour whatever else was seen.
    fn of(report: &Report, workload: &Workload) -> Self {
        let described = report.glance.cards.iter();
        let mut all: Vec<(String, String)> = described
            .map(|card| (card.uuid.clone(), line(&card.name)))
            .collect();
        // A card comes or goes seldom: each sample that has another number of them is asked.
        let mut number = usize::MAX;
        for sample in &workload.samples {
            if sample.gpus.len() == number {
                continue;
            }
            number = sample.gpus.len();
            for gpu in sample.gpus.iter().take(4 * CARDS) {
                if !all.iter().any(|(uuid, _)| *uuid == gpu.uuid) {
                    all.push((gpu.uuid.clone(), short(&gpu.uuid)));
                }
            }
        }
        let left_out = all.len().saturating_sub(CARDS);
        all.truncate(CARDS);
        Self { all, left_out }
    }

    fn name(&self, uuid: &str) -> String {
        let known = self.all.iter().find(|(other, _)| other == uuid);
        known.map_or_else(|| short(uuid), |(_, name)| name.clone())
    }

    /// One quantity of each card over time. A sample that lacks a card is a gap in its curve.
    fn measured(
        &self,
        workload: &Workload,
        of: impl Fn(&GpuSample) -> Option<f64>,
    ) -> Vec<Measured> {
        let curve = |(index, (uuid, name)): (usize, &(String, String))| {
            let points = workload.samples.iter().map(|sample| {
                let gpu = sample.gpus.iter().find(|gpu| gpu.uuid == *uuid);
                (sample.at_ms as f64 / 1000.0, gpu.and_then(&of))
            });
            let turn = if index < COLOURS { "" } else { " again" };
            Measured {
                name: name.clone(),
                class: colour(index) + turn,
                points: points.collect(),
            }
        };
        let all = self.all.iter().enumerate().map(curve);
        all.filter(|one| one.points.iter().any(|(_, value)| value.is_some()))
            .collect()
    }
}

/// A UUID as short as tells cards apart.
fn short(uuid: &str) -> String {
    line(uuid).chars().take(12).collect()
}

/// The four quantities, and those that no card says anything of.
fn charts(cards: &Cards, workload: &Workload) -> (Vec<Chart>, Vec<String>) {
    if workload.samples.is_empty() {
        return (Vec::new(), Vec::new());
    }
    type Of = fn(&GpuSample) -> Option<f64>;
    let quantities: [(&str, &str, Option<f64>, Of); 4] = [
        ("Utilisation", "%", Some(100.0), |gpu| {
            gpu.busy_percent.map(f64::from)
        }),
        ("Memory in use", "GiB", None, |gpu| {
            gpu.memory_mib.map(|mib| mib as f64 / 1024.0)
        }),
        ("Temperature", "°C", Some(100.0), |gpu| {
            gpu.temperature_c.map(f64::from)
        }),
        ("Power", "W", None, |gpu| {
            gpu.power_mw.map(|mw| f64::from(mw) / 1000.0)
        }),
    ];
    let mut charts = Vec::new();
    let mut silent = Vec::new();
    for (title, unit, top, of) in quantities {
        match chart(title, unit, "s", top, &cards.measured(workload, of)) {
            Some(chart) => charts.push(chart),
            None => silent.push(title.to_lowercase()),
        }
    }
    (charts, silent)
}

fn programs(cards: &Cards, workload: &Workload) -> Vec<Row> {
    let rows = workload.seen.iter().take(40).map(|seen| {
        let process = &seen.process;
        let program = process.program.as_deref().map_or_else(
            || format!("process {}", process.pid),
            |name| format!("{} ({})", line(name), process.pid),
        );
        let unit = process
            .unit
            .as_deref()
            .map(|unit| format!(" of {}", line(unit)));
        let memory = process
            .memory_bytes
            .map(|bytes| format!(", {}", mebibytes(bytes >> 20)));
        let words = program + &unit.unwrap_or_default() + &memory.unwrap_or_default();
        Row::new(&cards.name(&seen.uuid), words)
    });
    rows.collect()
}

fn came_of(view: &mut WorkloadView, cards: &Cards, worked: &Worked) {
    match worked {
        Worked::Ollama(answer) => of_an_answer(view, answer),
        Worked::TensorFlow(tensorflow) => {
            view.rows = vec![
                Row::new("TensorFlow", line(&tensorflow.version)),
                Row::new("Devices", line(&tensorflow.devices.join(", "))),
                Row::new("Computed on", line(&tensorflow.computed_on)),
                Row::new("Product", if tensorflow.right { "right" } else { "wrong" }),
            ];
        }
        Worked::Memory(proofs) => {
            let row = |(uuid, proof): &(String, Fact<lab_facts::Proof>)| {
                Row::new(&cards.name(uuid), proved(proof))
            };
            view.rows = proofs.iter().take(CARDS).map(row).collect();
        }
        Worked::Dcgan(run) => of_training(view, run),
        Worked::Nvtop(screen) => view.screen = shown(screen, LONGEST),
    }
}

fn proved(proof: &Fact<lab_facts::Proof>) -> String {
    match proof {
        Fact::Unknown(why) => shown(why, LONGEST),
        Fact::Is(proof) => format!(
            "{} filled, {}, {} GB/s",
            mebibytes(proof.filled_bytes >> 20),
            match proof.wrong_words {
                0 => "all of it came back".to_owned(),
                wrong => format!("{wrong} words came back wrong"),
            },
            number(proof.bandwidth_mb_s as f64 / 1000.0)
        ),
    }
}

fn of_an_answer(view: &mut WorkloadView, answer: &Generated) {
    let speed = tokens_per_second(answer).map(|speed| format!("{} tokens/s", number(speed)));
    view.rows = vec![
        Row::new("Speed", speed.unwrap_or_else(|| "not known".to_owned())),
        Row::new("Answer", format!("{} tokens", answer.tokens)),
        Row::new("Loaded in", duration(answer.load_ns / 1_000_000)),
    ];
    for loaded in answer.loaded.iter().take(8) {
        let share = loaded.size_vram as f64 * 100.0 / loaded.size.max(1) as f64;
        let words = format!("{} % of {}", number(share), mebibytes(loaded.size >> 20));
        view.rows.push(Row::new("In the cards' memory", words));
    }
    view.answer = shown(&answer.text, LONGEST);
}

fn of_training(view: &mut WorkloadView, run: &DcganRun) {
    let epochs = epochs(run);
    let per_epoch = seconds_per_epoch(&epochs).map_or_else(
        || "not known".to_owned(),
        |(took, _)| format!("{} s", number(took)),
    );
    let speed = epochs.last().and_then(|epoch| epoch.images_per_second);
    view.rows = vec![
        Row::new("Epochs", epochs.len().to_string()),
        Row::new("An epoch", per_epoch),
    ];
    if let Some(speed) = speed {
        view.rows
            .push(Row::new("Images", format!("{} a second", number(speed))));
    }
    if let Some(share) = epochs.last().and_then(|epoch| epoch.legible) {
        let words = format!("{} % of new digits", number(share * 100.0));
        view.rows.push(Row::new("Legible", words));
    }
    let checkpoints = count(run.checkpoints.len(), "checkpoint");
    view.rows.push(Row::new("Kept", checkpoints));
    let gif = run.gif_bytes.map(|bytes| format!("{} kB", bytes / 1000));
    view.rows.push(Row::new(
        "GIF",
        gif.unwrap_or_else(|| "none yet".to_owned()),
    ));
    view.losses = losses(&epochs);
    view.picture = run.picture.as_deref().and_then(picture).unwrap_or_default();
}

fn losses(epochs: &[Epoch]) -> Option<Chart> {
    let curve = |name: &str, class: &str, of: fn(&Epoch) -> Option<f64>| Measured {
        name: name.to_owned(),
        class: class.to_owned(),
        points: epochs
            .iter()
            .map(|epoch| {
                let sane = of(epoch).filter(|loss| loss.is_finite() && *loss >= 0.0);
                (f64::from(epoch.epoch), sane)
            })
            .collect(),
    };
    let both = [
        curve("generator", "g0", |epoch| epoch.generator_loss),
        curve("discriminator", "g1", |epoch| epoch.discriminator_loss),
    ];
    chart("Losses per epoch", "", "", None, &both)
}

/// A picture as a `data:` address: nothing but a whole, short PNG (PNG, third edition,
/// section 5.2) gets onto the page.
fn picture(base64: &str) -> Option<String> {
    if base64.len() > PICTURE {
        return None;
    }
    let bytes = STANDARD.decode(base64.trim()).ok()?;
    let whole = bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.ends_with(b"IEND\xaeB`\x82");
    whole.then(|| format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
}
