//! Faults of the training and of its page.

use lab_facts::{DcganRun, Fact, Worked, WorkloadRequest};
use serde_json::json;

use super::{Fault, container, fault, known, listener, software, text, unit, worked, workload};
use crate::fixture::K2200;

fn is_dcgan(request: &WorkloadRequest) -> bool {
    matches!(request, WorkloadRequest::Dcgan { .. })
}

fn training(evidence: &mut lab_accept::Evidence) -> &mut DcganRun {
    match worked(evidence, is_dcgan) {
        Worked::Dcgan(run) => run,
        other => panic!("{other:?}"),
    }
}

/// Sets a value in the line of an epoch.
fn epoch(evidence: &mut lab_accept::Evidence, number: usize, key: &str, value: serde_json::Value) {
    let line = &mut training(evidence).metrics[number - 1];
    let mut read: serde_json::Value = serde_json::from_str(line).unwrap();
    read[key] = value;
    *line = read.to_string();
}

pub(super) static FAULTS: &[Fault] = &[
    fault(
        "the page's service ended",
        |e| unit(e, "dcgan.service", "failed"),
        &["dcgan.service"],
    ),
    fault(
        "the training ended with an error",
        |e| unit(e, "dcgan-train.service", "failed"),
        &["dcgan.training"],
    ),
    fault(
        "the page's container ended",
        |e| container(e, "lab-dcgan").running = false,
        &["dcgan.container"],
    ),
    fault(
        "the training's page is open to everybody",
        |e| listener(e, 8890).address = "::".parse().unwrap(),
        &["dcgan.loopback"],
    ),
    fault(
        "the training's page is an error",
        |e| known(&mut software(e).dcgan_page).status = 500,
        &["dcgan.page"],
    ),
    fault(
        "an epoch is missing",
        |e| {
            training(e).metrics.remove(20);
        },
        &["dcgan.metrics"],
    ),
    fault(
        "a loss is no number",
        |e| epoch(e, 33, "generator_loss", json!(null)),
        &["dcgan.metrics"],
    ),
    fault(
        "a broken line",
        |e| training(e).metrics[49].truncate(20),
        &["dcgan.metrics"],
    ),
    fault(
        "the training cannot be watched",
        |e| workload(e, is_dcgan).worked = Fact::unknown("/var/lib/lab/dcgan: no such folder"),
        &["dcgan.metrics"],
    ),
    fault(
        "the last checkpoint is missing",
        |e| {
            training(e)
                .checkpoints
                .retain(|name| name != "ckpt-0045.npz");
        },
        &["dcgan.checkpoints"],
    ),
    fault(
        "it has learnt to write noise",
        |e| epoch(e, 50, "legible", json!(0.03)),
        &["dcgan.legible"],
    ),
    fault(
        "it writes the same digits for ever",
        |e| {
            epoch(e, 50, "digits", json!([0, 400, 0, 0, 0, 0, 0, 500, 0, 0]));
        },
        &["dcgan.legible"],
    ),
    fault(
        "no checkpoint at all",
        |e| training(e).checkpoints.clear(),
        &["dcgan.checkpoints"],
    ),
    fault("no film", |e| training(e).gif_bytes = None, &["dcgan.gif"]),
    fault(
        "an empty film",
        |e| training(e).gif_bytes = Some(0),
        &["dcgan.gif"],
    ),
    fault(
        "the last epoch was slow",
        |e| epoch(e, 50, "seconds", json!(75.5)),
        &["dcgan.speed"],
    ),
    fault(
        "an epoch in no time",
        |e| epoch(e, 7, "seconds", json!(0.0)),
        &["dcgan.speed"],
    ),
    fault(
        "it trained on the processor for a while",
        |e| epoch(e, 12, "device", json!("CPU:0")),
        &["dcgan.device"],
    ),
    fault(
        "it trains on another card",
        |e| workload(e, is_dcgan).seen[0].uuid = text(K2200),
        &["dcgan.card"],
    ),
    fault(
        "its card sits idle in the middle of the training",
        |e| {
            for sample in &mut workload(e, is_dcgan).samples {
                sample.gpus[2].busy_percent = Some(0);
            }
            training(e).metrics.truncate(30);
        },
        &["dcgan.used"],
    ),
];
