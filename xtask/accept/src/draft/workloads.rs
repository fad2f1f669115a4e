//! Which card gets which work.

use lab_catalog::Catalog;
use lab_facts::Facts;
use lab_machine::types::ModelName;

use super::cards::{Ability, Card, Cards};
use super::page::{Page, shown};

/// More models than this are not taken over.
const MOST_MODELS: usize = 32;

/// The cards by what they are to do; none where no card can.
#[derive(Default)]
struct Assigned<'a> {
    ollama: Option<&'a Card>,
    jupyter: Option<&'a Card>,
    dcgan: Option<&'a Card>,
}

/// Training gets the most memory of what TensorFlow can use. Ollama gets what TensorFlow
/// cannot use, else what training leaves; the notebook gets the rest, else Ollama's card,
/// which a model leaves after a while, and training's only at last.
fn assign(cards: &[Card]) -> Assigned<'_> {
    let best = |fits: &dyn Fn(&Card) -> bool, ability: &dyn Fn(&Card) -> &Ability| {
        let fitting = cards.iter().enumerate().filter(|(_, card)| fits(card));
        let rank = |(index, card): &(usize, &Card)| {
            (
                *ability(card) == Ability::Can,
                card.memory_mib,
                card.bandwidth,
                std::cmp::Reverse(*index),
            )
        };
        fitting.max_by_key(rank).map(|(_, card)| card)
    };
    let trains = |card: &Card| card.tensorflow.may();
    let answers = |card: &Card| card.ollama.may();
    let is = |one: Option<&Card>, card: &Card| one.is_some_and(|one| one.name == card.name);
    let dcgan = best(&trains, &|card| &card.tensorflow);
    let ollama = best(&|card| answers(card) && !trains(card), &|card| &card.ollama)
        .or_else(|| {
            best(&|card| answers(card) && !is(dcgan, card), &|card| {
                &card.ollama
            })
        })
        .or_else(|| best(&answers, &|card| &card.ollama));
    let rest = |card: &Card| trains(card) && !is(dcgan, card) && !is(ollama, card);
    let jupyter = best(&rest, &|card| &card.tensorflow)
        .or_else(|| ollama.filter(|card| trains(card)))
        .or(dcgan);
    Assigned {
        ollama,
        jupyter,
        dcgan,
    }
}

/// Writes what each workload gets.
pub(super) fn write(page: &mut Page, cards: &Cards, facts: &Facts, catalog: &Catalog) {
    if cards.unknown.is_some() {
        return;
    }
    if cards.nvidia.is_empty() {
        for table in ["[toolkit]", "[ollama]", "[jupyter]", "[dcgan]"] {
            page.table(table);
            page.set("enabled", false);
        }
        return;
    }
    let assigned = assign(&cards.nvidia);
    let alone = cards.nvidia.len() == 1;
    write_ollama(page, &assigned, alone, facts, catalog);
    write_tensorflow(
        page,
        "jupyter",
        assigned.jupyter,
        &why_jupyter(&assigned, alone),
    );
    let why = match alone {
        true => String::new(),
        false => "It needs memory most, so it gets the most of what TensorFlow can use.".to_owned(),
    };
    write_tensorflow(page, "dcgan", assigned.dcgan, &why);
    write_free(page, &cards.nvidia, &assigned);
}

fn write_ollama(
    page: &mut Page,
    assigned: &Assigned<'_>,
    alone: bool,
    facts: &Facts,
    catalog: &Catalog,
) {
    page.table("[ollama]");
    let Some(card) = assigned.ollama else {
        page.comment("No card can run its models.");
        page.set("enabled", false);
        return;
    };
    let trains = assigned.dcgan.is_some_and(|dcgan| dcgan.name == card.name);
    let why = match (alone, card.tensorflow.may(), trains) {
        (true, _, true) => "The only card: all that runs on it shares its memory.",
        (true, _, false) => "The only card.",
        (false, false, _) => "TensorFlow cannot use this card, so it is Ollama's alone.",
        (false, true, false) => "The best of the cards that training leaves.",
        (false, true, true) => "No other card can run it: it shares this one with training.",
    };
    page.comment(why);
    if card.ollama == Ability::Unknown {
        page.comment("Nothing is known of the card: `cargo xtask accept` proves whether it works.");
    }
    write_models(page, card, facts, catalog);
    write_gpus(page, card);
}

/// Takes over the models that the machine has, as far as they fit on the card.
fn write_models(page: &mut Page, card: &Card, facts: &Facts, catalog: &Catalog) {
    let found = facts.software.ollama.known();
    let found = found.map_or(&[][..], |ollama| ollama.models.as_slice());
    let fits = |name: &str| match (catalog.model(name), card.memory_mib) {
        (Some(model), Some(memory)) => model.vram_estimate_mib() <= memory,
        _ => true,
    };
    let sound = |name: &str| name.parse::<ModelName>().is_ok();
    let (models, rest): (Vec<&str>, Vec<&str>) = found
        .iter()
        .take(MOST_MODELS)
        .map(|model| model.name.as_str())
        .partition(|name| sound(name) && fits(name));
    if !rest.is_empty() {
        let names: Vec<String> = rest.iter().map(|name| shown(name)).collect();
        page.comment(&format!(
            "The machine also has {}, which does not fit into this card's memory or has no name that can stand here.",
            names.join(", ")
        ));
    }
    match models.is_empty() {
        true => page.fill_in(
            "models",
            "[\"gemma3:1b\"]",
            "which models shall be there from the beginning",
        ),
        false => page.set(
            "models",
            models
                .into_iter()
                .map(toml::Value::from)
                .collect::<Vec<_>>(),
        ),
    }
}

fn why_jupyter(assigned: &Assigned<'_>, alone: bool) -> String {
    let shares = |other: Option<&Card>| match (assigned.jupyter, other) {
        (Some(one), Some(other)) => one.name == other.name,
        _ => false,
    };
    match (alone, shares(assigned.ollama), shares(assigned.dcgan)) {
        (true, ..) => String::new(),
        (_, true, _) => {
            "No card is left for it alone: it shares Ollama's, whose models leave the memory after a while."
                .to_owned()
        }
        (_, _, true) => "TensorFlow can use no other card: it shares this one with training.".to_owned(),
        _ => "What the others leave.".to_owned(),
    }
}

fn write_tensorflow(page: &mut Page, section: &str, card: Option<&Card>, why: &str) {
    page.table(&format!("[{section}]"));
    let Some(card) = card else {
        page.comment("TensorFlow can use no card of this machine.");
        page.set("enabled", false);
        return;
    };
    if !why.is_empty() {
        page.comment(why);
    }
    write_gpus(page, card);
}

fn write_gpus(page: &mut Page, card: &Card) {
    page.set("gpus", vec![toml::Value::from(card.name.as_str())]);
}

fn write_free(page: &mut Page, cards: &[Card], assigned: &Assigned<'_>) {
    let taken = [assigned.ollama, assigned.jupyter, assigned.dcgan];
    let free: Vec<&str> = cards
        .iter()
        .filter(|card| !taken.iter().flatten().any(|one| one.name == card.name))
        .map(|card| card.name.as_str())
        .collect();
    if !free.is_empty() {
        page.line("");
        page.comment(&format!(
            "Nothing runs on {} yet. A workload may get several cards: Ollama spreads a large model over them, \
             and training does with `strategy = \"mirrored\"`.",
            free.join(", ")
        ));
    }
}
