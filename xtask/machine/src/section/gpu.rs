//! `[[gpu]]`: the cards, each with its slot, and how workloads name them.

use std::collections::BTreeMap;

use lab_catalog::PciId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::{Context, Findings, Rule, Severity};
use crate::types::{Bdf, CardName};

/// One graphics card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuSection {
    /// The card's name in this description; by default the catalog's, such as
    /// `gtx1050ti`.
    pub name: Option<CardName>,
    /// Vendor and device, as `lspci -nn` prints them.
    #[schemars(with = "String", regex(pattern = "^[0-9a-f]{4}:[0-9a-f]{4}$"), extend("examples" = ["10de:1c82"]))]
    pub pci_id: PciId,
    /// Where it sits, as `lspci -D` prints it. Needed where two cards are of one
    /// kind.
    pub slot: Option<Bdf>,
    /// The most it may draw, in watts; by default what its maker set.
    pub power_limit_w: Option<u32>,
}

/// The cards that a workload gets: `"auto"`, or a list of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GpuChoice {
    /// The best card that can run it, by the catalog.
    #[default]
    Auto,
    /// These cards.
    Named(Vec<CardName>),
}

impl Serialize for GpuChoice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Named(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for GpuChoice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = GpuChoice;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"auto\" or a list of cards' names, such as [\"gtx1050ti\"]")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<GpuChoice, E> {
                match text {
                    "auto" => Ok(GpuChoice::Auto),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                seq: A,
            ) -> Result<GpuChoice, A::Error> {
                Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))
                    .map(GpuChoice::Named)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for GpuChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GpuChoice".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = generator.subschema_for::<CardName>();
        schemars::json_schema!({
            "description": "The cards that a workload gets: \"auto\" for the best one that can run it, or a list of names.",
            "anyOf": [{ "const": "auto" }, { "type": "array", "items": name }],
        })
    }
}

static UNKNOWN_CARD: Rule = Rule {
    id: "gpu-unknown-name",
    severity: Severity::Error,
    title: "a workload is given a card that the description does not have",
    story: "Workloads name their cards as the `[[gpu]]` tables do. A name that fits none would leave the workload \
        on the processor without a word.",
    way_out: "Use the `name` of one of the `[[gpu]]` tables, or \"auto\".",
    source: "docs/reference/machine.md",
};

static NOT_IN_CATALOG: Rule = Rule {
    id: "gpu-not-in-catalog",
    severity: Severity::Warning,
    title: "the catalog does not know this card",
    story: "Whether a driver, TensorFlow or Ollama can use a card follows from its architecture. Of this PCI id the \
        catalog knows too little, so those rules say nothing about it.",
    way_out: "Check the id with `lspci -nn`; if it is right, add the card to the catalog (docs/how-to/add-a-card.md).",
    source: "xtask/catalog/data",
};

static NOT_NVIDIA: Rule = Rule {
    id: "gpu-not-nvidia",
    severity: Severity::Error,
    title: "a card of another maker",
    story: "Driver, toolkit and checks of this lab are NVIDIA's. A card of another maker may stay in the machine, \
        but it cannot be described as one that works here.",
    way_out: "Remove its `[[gpu]]` table.",
    source: "PCI vendor id 10de, pci.ids",
};

static AMBIGUOUS: Rule = Rule {
    id: "gpu-ambiguous",
    severity: Severity::Error,
    title: "two cards cannot be told apart",
    story: "Two cards with the same name, the same slot, or the same PCI id and no slot are one and the same to \
        every check and every workload.",
    way_out: "Give each card a `name` and its `slot`, as `lspci -D` prints it.",
    source: "docs/reference/machine.md",
};

static POWER_LIMIT: Rule = Rule {
    id: "gpu-power-limit",
    severity: Severity::Error,
    title: "a power limit that the card cannot have",
    story: "A limit above the card's board power is refused by the driver, and one far below half of it as well: \
        the card then runs without any limit.",
    way_out: "Choose a limit between half and the whole of the board power.",
    source: "`nvidia-smi -q -d POWER` prints the range of a card; the catalog has its board power",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[
    &UNKNOWN_CARD,
    &NOT_IN_CATALOG,
    &NOT_NVIDIA,
    &AMBIGUOUS,
    &POWER_LIMIT,
];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    for (index, card) in context.machine.cards.iter().enumerate() {
        check_card(index, card, findings);
    }
    check_distinct(context, findings);
}

fn check_card(index: usize, card: &crate::Card, findings: &mut Findings) {
    let key = format!("gpu[{index}].pci_id");
    if !card.pci_id.is_nvidia() {
        findings
            .report(
                &NOT_NVIDIA,
                key,
                format!("{} is not a card of NVIDIA", card.pci_id),
            )
            .expecting("an id that begins with 10de");
        return;
    }
    if card.architecture.is_none() {
        findings
            .report(
                &NOT_IN_CATALOG,
                key,
                format!("the catalog does not know {}", card.pci_id),
            )
            .expecting("the id of a card since Kepler, as `lspci -nn` prints it");
    }
    let (Some(limit), Some(board)) = (card.power_limit_w, card.board_power_w) else {
        return;
    };
    if limit > board || limit < board / 2 {
        findings
            .report(
                &POWER_LIMIT,
                format!("gpu[{index}].power_limit_w"),
                format!("{} cannot be limited to {limit} W", card.name),
            )
            .expecting(format!("{} to {board} W", board / 2));
    }
}

fn check_distinct(context: &Context<'_>, findings: &mut Findings) {
    let mut names = BTreeMap::new();
    let mut slots = BTreeMap::new();
    for (index, card) in context.machine.cards.iter().enumerate() {
        if let Some(first) = names.insert(&card.name, index) {
            let message = format!(
                "gpu[{first}] and gpu[{index}] are both called {}",
                card.name
            );
            findings
                .report(&AMBIGUOUS, format!("gpu[{index}].name"), message)
                .expecting("a name of its own");
        }
        let twin = match &card.slot {
            Some(slot) => slots.insert(slot, index),
            None => context
                .machine
                .cards
                .iter()
                .take(index)
                .position(|other| other.pci_id == card.pci_id),
        };
        if let Some(first) = twin {
            let message = format!("gpu[{first}] and gpu[{index}] would be the same card");
            findings
                .report(&AMBIGUOUS, format!("gpu[{index}].slot"), message)
                .expecting("the slot, as `lspci -D` prints it");
        }
    }
}

/// Finds the cards that a workload names; reports names that fit none.
pub(crate) fn named<'a>(
    context: &Context<'a>,
    key: &str,
    names: &[CardName],
    findings: &mut Findings,
) -> Vec<&'a crate::Card> {
    let mut found = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match context.machine.card(name) {
            Some(card) => found.push(card),
            None => {
                let known: Vec<&str> = context
                    .machine
                    .cards
                    .iter()
                    .map(|card| card.name.as_str())
                    .collect();
                let finding = findings.report(
                    &UNKNOWN_CARD,
                    format!("{key}[{index}]"),
                    format!("no `[[gpu]]` is called `{name}`"),
                );
                let finding = finding.expecting(format!("one of {}", known.join(", ")));
                if let Some(close) = crate::rules::closest(name.as_str(), &known) {
                    finding.help(format!("did you mean `{close}`?"));
                }
            }
        }
    }
    found
}
