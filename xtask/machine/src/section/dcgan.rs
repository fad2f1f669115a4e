//! `[dcgan]`: the training service.

use lab_catalog::Architecture;
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
    /// How many images make a step; by default what the recipe says, 256 for `tutorial` and
    /// 64 for `fast`.
    pub batch: Option<u32>,
    /// How many digits the picture of an epoch has.
    pub samples: u8,
    /// After how many epochs a checkpoint is kept. One to go on from after a power cut is
    /// written after every epoch.
    pub checkpoint_every: u32,
    /// Where all randomness comes from.
    pub seed: u32,
    /// The settings of learning: `tutorial` is TensorFlow's, `fast` writes legible digits in
    /// a third of the epochs.
    pub recipe: Recipe,
    /// The numbers it computes with: `auto` is the fastest that the card is made for.
    pub precision: Precision,
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

/// The settings of learning that are tried and documented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// The numbers of TensorFlow's tutorial.
    Tutorial,
    /// Legible digits in a third of the epochs.
    #[default]
    Fast,
}

/// The form of the numbers that a training computes with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// The fastest that the card is made for.
    #[default]
    Auto,
    /// 32 bits: right everywhere, and the fastest on cards before Volta.
    Float32,
    /// 16 bits, fast from Volta on.
    Float16,
    /// 16 bits with the range of 32, fast from Ampere on.
    Bfloat16,
}

impl Recipe {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tutorial => "tutorial",
            Self::Fast => "fast",
        }
    }

    /// How many images make a step of it.
    pub fn batch(self) -> u32 {
        match self {
            Self::Tutorial => 256,
            Self::Fast => 64,
        }
    }
}

impl Precision {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Bfloat16 => "bfloat16",
        }
    }

    /// The oldest generation that computes with it faster than with 32 bits.
    fn fast_from(self) -> Option<Architecture> {
        match self {
            Self::Auto | Self::Float32 => None,
            Self::Float16 => Some(Architecture::Volta),
            Self::Bfloat16 => Some(Architecture::Ampere),
        }
    }
}

impl Strategy {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Mirrored => "mirrored",
        }
    }
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
    /// How many digits the picture of an epoch has.
    pub samples: u8,
    /// After how many epochs a checkpoint is kept. One to go on from after a power cut is
    /// written after every epoch.
    pub checkpoint_every: u32,
    /// Where all randomness comes from.
    pub seed: u32,
    /// The settings of learning.
    pub recipe: Recipe,
    /// The numbers it computes with.
    pub precision: Precision,
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
            batch: None,
            samples: 16,
            checkpoint_every: 15,
            seed: 1,
            recipe: Recipe::Fast,
            precision: Precision::Auto,
            strategy: Strategy::Single,
            port: 8890,
            gpus: GpuChoice::Auto,
        }
    }
}

/// So many epochs can be asked for: a file for each has four digits in its name.
pub const MAX_EPOCHS: u32 = 9999;
/// So many images can make a step.
pub const MAX_BATCH: u32 = 4096;

static RANGE: Rule = Rule {
    id: "dcgan-range",
    severity: Severity::Error,
    title: "a training of nothing, or of too much",
    story: "A training of no epochs or with a checkpoint after none does nothing at all, a step of one image has \
        nothing to take a mean of, and one of thousands fits into the memory of no card that this is made for.",
    way_out: "Write a number of the range that the message names, or `dcgan.enabled = false`.",
    source: "images/dcgan/dcgan/settings.py",
};

static SINGLE_ON_MANY: Rule = Rule {
    id: "dcgan-single-on-many",
    severity: Severity::Error,
    title: "several cards for a training on one",
    story: "With the strategy `single` all cards but the first would sit idle, and nobody would notice.",
    way_out: "Name one card, or set `dcgan.strategy = \"mirrored\"`.",
    source: "TensorFlow's guide on distributed training",
};

static MIRRORED_ON_ONE: Rule = Rule {
    id: "dcgan-mirrored-on-one",
    severity: Severity::Error,
    title: "a training on several cards, with one card",
    story: "With the strategy `mirrored` every card computes a part of each batch. With one card there is nothing to \
        share, and the training refuses to begin.",
    way_out: "Name more cards in `dcgan.gpus`, or leave `strategy` out.",
    source: "docs/how-to/dcgan.md",
};

static SLOW_PRECISION: Rule = Rule {
    id: "dcgan-slow-precision",
    severity: Severity::Warning,
    title: "numbers that the card computes with slowly",
    story: "Numbers of 16 bits are faster only where the silicon is made for it: float16 since Volta, bfloat16 since \
        Ampere. A GeForce of the Pascal generation computes float16 at a sixty-fourth of its float32.",
    way_out: "Leave `dcgan.precision` out: `auto` takes what the card is made for.",
    source: "https://www.anandtech.com/show/10325/the-nvidia-geforce-gtx-1080-and-1070-founders-edition-review/5, looked at 2026-11",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[&RANGE, &SINGLE_ON_MANY, &MIRRORED_ON_ONE, &SLOW_PRECISION];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let dcgan = &context.machine.dcgan;
    if !dcgan.enabled {
        return;
    }
    for (key, value, range) in [
        ("epochs", dcgan.epochs, 1..=MAX_EPOCHS),
        ("batch", dcgan.batch, 2..=MAX_BATCH),
        ("samples", dcgan.samples.into(), 1..=u8::MAX.into()),
        ("checkpoint_every", dcgan.checkpoint_every, 1..=MAX_EPOCHS),
    ] {
        if !range.contains(&value) {
            findings
                .report(
                    &RANGE,
                    format!("dcgan.{key}"),
                    format!("`{key}` is {value}, which cannot be trained with"),
                )
                .expecting(format!(
                    "a number from {} to {}",
                    range.start(),
                    range.end()
                ));
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
    if dcgan.strategy == Strategy::Mirrored && dcgan.gpus.len() == 1 {
        findings
            .report(
                &MIRRORED_ON_ONE,
                "dcgan.strategy",
                "`mirrored` has one card, so nothing is shared",
            )
            .expecting("several cards, or `strategy = \"single\"`");
    }
    check_precision(context, findings);
    check_workload(
        context,
        "dcgan",
        &context.machine.jupyter.image,
        &dcgan.gpus,
        findings,
    );
}

fn check_precision(context: &Context<'_>, findings: &mut Findings) {
    let machine = context.machine;
    let precision = machine.dcgan.precision;
    let Some(first) = precision.fast_from() else {
        return;
    };
    let given = machine
        .dcgan
        .gpus
        .iter()
        .filter_map(|name| machine.card(name));
    for card in given {
        if card.architecture.is_some_and(|one| one < first) {
            findings
                .report(
                    &SLOW_PRECISION,
                    "dcgan.precision",
                    format!("{} computes {} slowly", card.in_words(), precision.name()),
                )
                .expecting(format!("a card from {first} on, or `auto`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use lab_catalog::Catalog;

    use crate::{Sources, read};

    const GPU_SERVER: &str = include_str!("../../../../images/gpu-server/machine.toml");

    fn batch(section: &str) -> u32 {
        let text = GPU_SERVER.replace("[dcgan]", &format!("[dcgan]\n{section}"));
        let sources = Sources::single("machine.toml", &text);
        let outcome = read(&sources, Catalog::builtin(), None);
        outcome.machine.unwrap().dcgan.batch
    }

    #[test]
    fn the_batch_is_the_recipes_unless_it_is_named() {
        for (section, expected) in [
            ("", 64),
            ("recipe = \"fast\"", 64),
            ("recipe = \"tutorial\"", 256),
            ("recipe = \"tutorial\"\nbatch = 32", 32),
            ("batch = 256", 256),
        ] {
            assert_eq!(batch(section), expected, "{section}");
        }
    }
}
