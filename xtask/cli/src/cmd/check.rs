//! `check`: reads the description and says everything that is wrong with it.

use clap::Args;
use lab_machine::Machine;
use lab_machine::types::CardName;
use serde_json::json;

use super::Format;
use crate::failure::Failure;
use crate::lab::{self, Described};
use crate::ui::{ASIDE, GOOD, STRONG};
use crate::{Done, MachineArg};

/// Reads the description and says everything that is wrong with it, at once.
///
/// Unknown keys, impossible values and descriptions that the hardware cannot
/// keep (a driver that drops a card, a model larger than the card's memory) are
/// shown with file, line and a way out. Nothing is written or downloaded.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// How to print the findings.
    #[arg(long, default_value = "text")]
    format: Format,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    match arguments.format {
        Format::Text => print_text(&described),
        Format::Json => print_json(&described),
    }
    match described.outcome.machine {
        Some(_) => Ok(()),
        None => Err(Failure::Said),
    }
}

fn print_text(described: &Described) {
    for finding in &described.outcome.diagnostics {
        anstream::println!("{}\n", finding.render(&described.sources, true));
    }
    if let Some(machine) = &described.outcome.machine {
        print_machine(machine);
    }
    let mark = if described.outcome.machine.is_some() {
        GOOD
    } else {
        crate::ui::BAD
    };
    anstream::println!("{mark}{}{mark:#}", described.summary());
    let mut rules: Vec<&str> = described
        .outcome
        .diagnostics
        .iter()
        .map(|one| one.rule)
        .collect();
    rules.sort_unstable();
    rules.dedup();
    if !rules.is_empty() {
        let ids = rules.join(", ");
        anstream::println!("{ASIDE}`cargo xtask explain RULE` tells more about: {ids}{ASIDE:#}");
    }
}

fn print_machine(machine: &Machine) {
    let identity = &machine.identity;
    let product = identity
        .product
        .as_ref()
        .map_or("any machine", |product| product.as_str());
    anstream::println!(
        "{STRONG}{}{STRONG:#}: {product}, Ubuntu {}",
        identity.name,
        machine.ubuntu.release
    );
    anstream::println!("  disk     {}", machine.disk.in_words());
    for card in &machine.cards {
        let facts = [
            card.model.clone(),
            card.vram_mib.map(|mib| format!("{mib} MiB")),
            card.compute_capability
                .map(|one| format!("compute capability {one}")),
        ];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        let slot = card.slot.as_ref().map_or("any slot", |slot| slot.as_str());
        anstream::println!("  card     {} at {slot}: {}", card.name, facts.join(", "));
    }
    if machine.driver.enabled {
        anstream::println!("  driver   {}", machine.driver.branch);
    }
    for (name, enabled, gpus) in [
        ("ollama", machine.ollama.enabled, &machine.ollama.gpus),
        ("jupyter", machine.jupyter.enabled, &machine.jupyter.gpus),
        ("dcgan", machine.dcgan.enabled, &machine.dcgan.gpus),
    ] {
        if enabled {
            let gpus: Vec<&str> = gpus.iter().map(CardName::as_str).collect();
            anstream::println!("  {name:8} on {}", gpus.join(", "));
        }
    }
}

fn print_json(described: &Described) {
    let findings: Vec<_> = described
        .outcome
        .diagnostics
        .iter()
        .map(|one| one.json(&described.sources))
        .collect();
    let report = json!({
        "format": 1,
        "description": described.path,
        "ok": described.outcome.machine.is_some(),
        "digest": described.outcome.machine.as_ref().map(Machine::digest),
        "findings": findings,
    });
    anstream::println!("{report:#}");
}
