//! `[dcgan]`: the training service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gpu::GpuChoice;
use super::jupyter::check_workload;
use crate::rules::{Context, Findings, Rule, Severity};
use crate::types::CardName;

/// The DCGAN training service: a network that learns to write digits, and a
/// page to watch it. It runs in the image of `[jupyter]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DcganSection {
    /// Whether it is installed.
    pub enabled: bool,
    /// How many times it goes through the training data.
    pub epochs: u32,
    /// How many images make a step.
    pub batch: u32,
    /// After how many epochs a checkpoint is written.
    pub checkpoint_every: u32,
    /// Where all randomness comes from.
    pub seed: u32,
    /// How it trains: `single` on one card, `mirrored` on all that it gets.
    pub strategy: Strategy,
    /// The page's port on 127.0.0.1.
    pub port: u16,
    /// The cards that it gets.
    pub gpus: GpuChoice,
}

/// How a training uses cards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// One card.
    #[default]
    Single,
    /// Every card computes a part of each batch.
    Mirrored,
}

/// The service with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dcgan {
    /// Whether it is installed.
    pub enabled: bool,
    /// How many times it goes through the training data.
    pub epochs: u32,
    /// How many images make a step.
    pub batch: u32,
    /// After how many epochs a checkpoint is written.
    pub checkpoint_every: u32,
    /// Where all randomness comes from.
    pub seed: u32,
    /// How it uses its cards.
    pub strategy: Strategy,
    /// The page's port on 127.0.0.1.
    pub port: u16,
    /// The cards that it gets.
    pub gpus: Vec<CardName>,
}

impl Default for DcganSection {
    fn default() -> Self {
        Self {
            enabled: true,
            epochs: 50,
            batch: 256,
            checkpoint_every: 15,
            seed: 1,
            strategy: Strategy::Single,
            port: 8890,
            gpus: GpuChoice::Auto,
        }
    }
}

static ZERO: Rule = Rule {
    id: "dcgan-zero",
    severity: Severity::Error,
    title: "a training of nothing",
    story: "A training of no epochs, in steps of no images, or with a checkpoint after none does nothing at all.",
    way_out: "Write a number from 1 up, or `dcgan.enabled = false`.",
    source: "docs/reference/machine.md",
};

static SINGLE_ON_MANY: Rule = Rule {
    id: "dcgan-single-on-many",
    severity: Severity::Error,
    title: "several cards for a training on one",
    story: "With the strategy `single` all cards but the first would sit idle, and nobody would notice.",
    way_out: "Name one card, or set `dcgan.strategy = \"mirrored\"`.",
    source: "TensorFlow's guide on distributed training",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[&ZERO, &SINGLE_ON_MANY];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let dcgan = &context.machine.dcgan;
    if !dcgan.enabled {
        return;
    }
    for (key, value) in [
        ("epochs", dcgan.epochs),
        ("batch", dcgan.batch),
        ("checkpoint_every", dcgan.checkpoint_every),
    ] {
        if value == 0 {
            findings
                .report(
                    &ZERO,
                    format!("dcgan.{key}"),
                    format!("`{key}` is 0, so nothing would be trained or kept"),
                )
                .expecting("a number from 1 up");
        }
    }
    if dcgan.strategy == Strategy::Single && dcgan.gpus.len() > 1 {
        findings
            .report(
                &SINGLE_ON_MANY,
                "dcgan.gpus",
                format!("{} cards for a training on a single one", dcgan.gpus.len()),
            )
            .expecting("one card, or `strategy = \"mirrored\"`");
    }
    check_workload(
        context,
        "dcgan",
        &context.machine.jupyter.image,
        &dcgan.gpus,
        findings,
    );
}
