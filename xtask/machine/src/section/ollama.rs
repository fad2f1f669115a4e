//! `[ollama]`: language models.

use std::net::SocketAddr;

use lab_catalog::{Catalog, ComputeCapability, DottedVersion, DriverBranch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gpu::{GpuChoice, named};
use crate::rules::{Context, Findings, Rule, Severity};
use crate::types::{CardName, ModelName};

/// Ollama and its models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OllamaSection {
    /// Whether it is installed.
    pub enabled: bool,
    /// The version, such as `0.35.1`; by default the newest that the catalog has
    /// the checksum of.
    #[schemars(with = "Option<String>", extend("examples" = ["0.35.1"]))]
    pub version: Option<DottedVersion>,
    /// Where it listens.
    #[schemars(with = "String", extend("examples" = ["127.0.0.1:11434"]))]
    pub listen: SocketAddr,
    /// The models that are there from the beginning.
    pub models: Vec<ModelName>,
    /// The cards that it gets.
    pub gpus: GpuChoice,
    /// How long a model stays loaded after its last use, in minutes.
    pub keep_alive_minutes: u32,
}

/// Ollama with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ollama {
    /// Whether it is installed.
    pub enabled: bool,
    /// The version.
    pub version: DottedVersion,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The models that are there from the beginning.
    pub models: Vec<ModelName>,
    /// The cards that it gets.
    pub gpus: Vec<CardName>,
    /// How long a model stays loaded after its last use, in minutes.
    pub keep_alive_minutes: u32,
}

/// The least that Ollama has code for (Ollama's documentation, "GPU", 2026-11).
const LEAST_CAPABILITY: ComputeCapability = ComputeCapability::new(5, 0);

/// Whether this version of Ollama computes on such a card with this driver.
pub(crate) fn can_use(
    catalog: &Catalog,
    version: DottedVersion,
    capability: ComputeCapability,
    branch: DriverBranch,
) -> bool {
    let floor = catalog.ollama_driver_floor(version, capability);
    capability >= LEAST_CAPABILITY && floor.is_none_or(|floor| branch >= floor.driver)
}

impl Default for OllamaSection {
    fn default() -> Self {
        Self {
            enabled: true,
            version: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 11434)),
            models: Vec::new(),
            gpus: GpuChoice::Auto,
            keep_alive_minutes: 5,
        }
    }
}

static DRIVER_FLOOR: Rule = Rule {
    id: "ollama-driver-floor",
    severity: Severity::Error,
    title: "Ollama refuses the card with this driver",
    story: "From 0.30.11 on, Ollama does not use cards older than Volta when the driver is older than 570. It says so \
        in its log only, and answers on from the processor.",
    way_out: "Use driver branch 580, which all these cards work with.",
    source: "ollama/ollama, discovery of GPUs, 0.30.11; catalog",
};

static NO_CARD: Rule = Rule {
    id: "ollama-no-card",
    severity: Severity::Error,
    title: "Ollama has no card that it can use",
    story: "Given no card, or only cards that it has no code for, Ollama answers from the processor without a word. \
        Nobody notices until an answer takes a minute.",
    way_out: "Give it a card with compute capability 5.0 or better in `ollama.gpus`, or set `ollama.enabled = false`.",
    source: "Ollama's documentation of supported GPUs; catalog",
};

static MODEL_TOO_LARGE: Rule = Rule {
    id: "ollama-model-too-large",
    severity: Severity::Error,
    title: "a model does not fit into the memory of its cards",
    story: "Layers that do not fit are computed by the processor, and the whole answer gets as slow as the slowest \
        part. It works, and it is not what the description says.",
    way_out: "Choose a smaller model or a smaller tag of it, or give Ollama another or one more card.",
    source: "the model's manifest in Ollama's registry; the catalog's rule for memory beyond the weights",
};

static MODEL_UNKNOWN: Rule = Rule {
    id: "ollama-model-unknown",
    severity: Severity::Warning,
    title: "a model that the catalog does not know",
    story: "Of a model that the catalog does not have, nothing can be said of its size: neither whether it fits on \
        the disk nor whether it fits into the cards' memory.",
    way_out: "Check the name at ollama.com/library; sizes stand there, too.",
    source: "xtask/catalog/data/ollama.toml",
};

static OPEN_TO_NETWORK: Rule = Rule {
    id: "ollama-open-to-network",
    severity: Severity::Warning,
    title: "Ollama is open to the network",
    story: "Ollama asks nobody for a password. Whoever reaches the port may use the cards, pull models and delete them.",
    way_out: "Leave `ollama.listen` at 127.0.0.1:11434 and use `ssh -L`, or keep the network to those you trust.",
    source: "Ollama's FAQ; docs/reference/machine.md",
};

static UNKNOWN_VERSION: Rule = Rule {
    id: "ollama-unknown-version",
    severity: Severity::Error,
    title: "a version of Ollama without a known checksum",
    story: "The archive is verified by its sha256 before it is unpacked. Of this version the catalog has none.",
    way_out: "Use a version that the catalog has, or add this one with the sum from its release's sha256sum.txt.",
    source: "https://github.com/ollama/ollama/releases",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[
    &DRIVER_FLOOR,
    &NO_CARD,
    &MODEL_TOO_LARGE,
    &MODEL_UNKNOWN,
    &OPEN_TO_NETWORK,
    &UNKNOWN_VERSION,
];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let ollama = &context.machine.ollama;
    if !ollama.enabled {
        return;
    }
    if !ollama.listen.ip().is_loopback() {
        findings
            .report(
                &OPEN_TO_NETWORK,
                "ollama.listen",
                format!(
                    "{} is reached from the network, without a password",
                    ollama.listen
                ),
            )
            .expecting("127.0.0.1:11434");
    }
    check_version(context, findings);
    check_cards(context, findings);
    check_models(context, findings);
}

fn check_version(context: &Context<'_>, findings: &mut Findings) {
    let version = context.machine.ollama.version;
    if context.catalog.ollama_release(version).is_some() {
        return;
    }
    let known: Vec<String> = context
        .catalog
        .ollama_releases()
        .iter()
        .map(|one| one.version.to_string())
        .collect();
    findings
        .report(
            &UNKNOWN_VERSION,
            "ollama.version",
            format!("the catalog has no checksum of Ollama {version}"),
        )
        .expecting(format!("one of {}", known.join(", ")));
}

fn check_cards(context: &Context<'_>, findings: &mut Findings) {
    let ollama = &context.machine.ollama;
    let chosen = named(context, "ollama.gpus", &ollama.gpus, findings);
    // Where `auto` found no card, each of the machine's says why it is none.
    let all: Vec<&crate::Card> = context.machine.cards.iter().collect();
    let cards = if ollama.gpus.is_empty() {
        &all
    } else {
        &chosen
    };
    let before = findings.count();
    for card in cards {
        check_card(context, card, findings);
    }
    if ollama.gpus.is_empty() && findings.count() == before {
        findings
            .report(
                &NO_CARD,
                "ollama.gpus",
                "no card of this machine can run Ollama's models",
            )
            .expecting(format!(
                "a card with compute capability {LEAST_CAPABILITY} or better"
            ));
    }
}

fn check_card(context: &Context<'_>, card: &crate::Card, findings: &mut Findings) {
    let Some(capability) = card.compute_capability else {
        return;
    };
    let branch = context.machine.driver.branch;
    let (version, words) = (context.machine.ollama.version, card.in_words());
    if capability < LEAST_CAPABILITY {
        findings
            .report(
                &NO_CARD,
                "ollama.gpus",
                format!("Ollama has no code for {words}"),
            )
            .expecting(format!(
                "a card with compute capability {LEAST_CAPABILITY} or better"
            ));
        return;
    }
    let floor = context.catalog.ollama_driver_floor(version, capability);
    if let Some(floor) = floor.filter(|floor| branch < floor.driver) {
        findings
            .report(
                &DRIVER_FLOOR,
                "driver.branch",
                format!("with driver {branch}, Ollama {version} does not use {words}"),
            )
            .expecting(format!("{} or newer", floor.driver));
    }
}

fn check_models(context: &Context<'_>, findings: &mut Findings) {
    let ollama = &context.machine.ollama;
    if ollama.gpus.is_empty() {
        return;
    }
    let memory: Option<u64> = ollama
        .gpus
        .iter()
        .map(|name| context.machine.card(name)?.vram_mib.map(u64::from))
        .sum();
    for (index, name) in ollama.models.iter().enumerate() {
        let key = format!("ollama.models[{index}]");
        let Some(model) = context.catalog.model(name.as_str()) else {
            findings
                .report(
                    &MODEL_UNKNOWN,
                    key,
                    format!("the catalog does not know the model {name}"),
                )
                .expecting("a model of known size");
            continue;
        };
        let needed = model.vram_estimate_mib();
        if let Some(memory) = memory.filter(|memory| needed > *memory) {
            let cards: Vec<&str> = ollama.gpus.iter().map(CardName::as_str).collect();
            findings
                .report(
                    &MODEL_TOO_LARGE,
                    key,
                    format!(
                        "{name} needs about {needed} MiB, and {} has {memory} MiB",
                        cards.join(" with ")
                    ),
                )
                .expecting(format!("a model of at most {memory} MiB"));
        }
    }
}
