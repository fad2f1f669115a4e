//! `[jupyter]`: JupyterLab with TensorFlow.

use lab_catalog::{ComputeCapability, Reason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gpu::{GpuChoice, named};
use crate::rules::{Context, Findings, Rule, Severity};
use crate::types::{CardName, ImageReference};

/// JupyterLab with TensorFlow, in a container, on loopback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JupyterSection {
    /// Whether it is installed.
    pub enabled: bool,
    /// The image; by default the one that the catalog advises for old cards.
    pub image: Option<ImageReference>,
    /// Its port on 127.0.0.1; `cargo xtask tunnel` or `ssh -L` leads there.
    pub port: u16,
    /// The cards that it gets.
    pub gpus: GpuChoice,
}

/// JupyterLab with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jupyter {
    /// Whether it is installed.
    pub enabled: bool,
    /// The image.
    pub image: ImageReference,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The cards that it gets.
    pub gpus: Vec<CardName>,
}

impl Default for JupyterSection {
    fn default() -> Self {
        Self {
            enabled: true,
            image: None,
            port: 8888,
            gpus: GpuChoice::Auto,
        }
    }
}

static CANNOT_RUN: Rule = Rule {
    id: "tensorflow-cannot-use-card",
    severity: Severity::Error,
    title: "TensorFlow in this image cannot use the card",
    story: "A TensorFlow wheel has code for some generations only: since 2.17 none for Maxwell. And cuDNN since 9.11 \
        has none for anything before Turing, so that an image built after August 2025 breaks on Pascal, too. \
        TensorFlow then trains on the processor, or stops at the first convolution.",
    way_out: "Give the workload another card, or use an image built before 2025-08-12 and name it by its date.",
    source: "the wheels and cuDNN's libraries themselves, looked at 2026-11; catalog",
};

static MOVING: Rule = Rule {
    id: "image-moves",
    severity: Severity::Warning,
    title: "an image whose tag moves",
    story: "What this tag names is built anew every week or so. The machine built next year would not be the one \
        that was tested.",
    way_out: "Name a dated tag, or better a digest: `name@sha256:…`.",
    source: "quay.io/jupyter, tag list",
};

static UNKNOWN: Rule = Rule {
    id: "image-unknown",
    severity: Severity::Warning,
    title: "nothing is known of what is in this image",
    story: "Whether its TensorFlow can use the assigned card cannot be told from the name.",
    way_out: "Name an image that the catalog knows, or try it: `accept` proves it on the machine.",
    source: "xtask/catalog/data/notebooks.toml",
};

static NEEDS_TOOLKIT: Rule = Rule {
    id: "container-needs-toolkit",
    severity: Severity::Error,
    title: "a container with a card, without Docker or its toolkit",
    story: "JupyterLab and the DCGAN service run in containers that get their card through the container toolkit.",
    way_out: "Set `docker.enabled` and `toolkit.enabled` to true, or switch the workload off.",
    source: "docs/reference/machine.md",
};

static NO_CARD: Rule = Rule {
    id: "tensorflow-no-card",
    severity: Severity::Error,
    title: "no card for TensorFlow",
    story: "No card of this machine can run the TensorFlow of the image, so the workload would train on the processor.",
    way_out: "Use an image that fits a card, or switch the workload off.",
    source: "the catalog's table of what each TensorFlow has code for",
};

static SAME_PORT: Rule = Rule {
    id: "port-taken-twice",
    severity: Severity::Error,
    title: "two services on one port",
    story: "Only one program can listen on a port; the second one fails to start, whichever it is.",
    way_out: "Give each service a port of its own.",
    source: "the manual page bind(2), EADDRINUSE",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[
    &CANNOT_RUN,
    &MOVING,
    &UNKNOWN,
    &NEEDS_TOOLKIT,
    &NO_CARD,
    &SAME_PORT,
];

/// Whether `image` can use a card, by the catalog.
pub(crate) fn can_run(
    catalog: &lab_catalog::Catalog,
    image: &ImageReference,
    capability: ComputeCapability,
) -> Result<(), Reason> {
    let name = image.as_str().split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        Some((repository, tag)) if repository == catalog.notebook_repository() => {
            catalog.can_run(&catalog.notebook_image(tag), capability)
        }
        _ => Err(Reason::Unknown),
    }
}

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let jupyter = &context.machine.jupyter;
    check_ports(context, findings);
    if !jupyter.enabled {
        return;
    }
    check_image(context, &jupyter.image, findings);
    check_workload(context, "jupyter", &jupyter.image, &jupyter.gpus, findings);
}

fn check_image(context: &Context<'_>, image: &ImageReference, findings: &mut Findings) {
    let (name, digest) = image
        .as_str()
        .split_once('@')
        .map_or((image.as_str(), None), |(name, digest)| {
            (name, Some(digest))
        });
    let tag = name
        .rsplit_once(':')
        .map(|(_, tag)| tag)
        .unwrap_or_default();
    let moves = tag == "latest" || context.catalog.notebook_image(tag).moving;
    if moves && digest.is_none() {
        findings
            .report(
                &MOVING,
                "jupyter.image",
                format!("what `{tag}` names today is not what it names next month"),
            )
            .expecting("a dated tag or a digest");
    }
}

/// The rules that every workload on TensorFlow shares.
pub(crate) fn check_workload(
    context: &Context<'_>,
    section: &str,
    image: &ImageReference,
    gpus: &[CardName],
    findings: &mut Findings,
) {
    let machine = context.machine;
    let key = format!("{section}.gpus");
    if !machine.docker.enabled || !machine.toolkit.enabled {
        findings
            .report(
                &NEEDS_TOOLKIT,
                section,
                format!(
                    "{section} runs in a container with a card, but Docker or its toolkit is off"
                ),
            )
            .expecting("`docker.enabled` and `toolkit.enabled`");
    }
    if gpus.is_empty() {
        findings
            .report(
                &NO_CARD,
                key.clone(),
                format!("{section} has no card that can run {image}"),
            )
            .expecting("a card that it has code for");
    }
    for card in named(context, &key, gpus, findings) {
        let Some(capability) = card.compute_capability else {
            continue;
        };
        match can_run(context.catalog, image, capability) {
            Ok(()) => {}
            Err(Reason::Unknown) => {
                findings
                    .report(
                        &UNKNOWN,
                        "jupyter.image",
                        format!("nothing is known of what is in {image}"),
                    )
                    .expecting("an image that the catalog knows");
            }
            Err(reason) => {
                findings
                    .report(
                        &CANNOT_RUN,
                        key.clone(),
                        format!("{image} cannot use {}: {reason}", card.in_words()),
                    )
                    .expecting("a card that its TensorFlow has code for");
            }
        }
    }
}

fn check_ports(context: &Context<'_>, findings: &mut Findings) {
    let machine = context.machine;
    let all = [
        (
            "ollama.listen",
            machine.ollama.enabled,
            machine.ollama.listen.port(),
        ),
        (
            "jupyter.port",
            machine.jupyter.enabled,
            machine.jupyter.port,
        ),
        ("dcgan.port", machine.dcgan.enabled, machine.dcgan.port),
        (
            "monitoring.exporter_port",
            machine.monitoring.exporter,
            machine.monitoring.exporter_port,
        ),
    ];
    let used: Vec<_> = all.iter().filter(|(_, on, _)| *on).collect();
    for (index, (key, _, port)) in used.iter().enumerate() {
        if let Some((other, _, _)) = used.iter().take(index).find(|(_, _, taken)| taken == port) {
            findings
                .report(
                    &SAME_PORT,
                    *key,
                    format!("port {port} is `{other}` already"),
                )
                .expecting("a port of its own");
        }
    }
}
