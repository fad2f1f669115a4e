//! Which cards the server may use. They are looked for once, at the start, as in the real
//! one: a server that was started before the driver stays on the CPU.

use std::path::Path;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use crate::settings::variable;
use crate::slog;

/// A card that can be used.
pub(crate) struct Card {
    pub(crate) uuid: String,
    description: String,
    compute: (i32, i32),
    driver: String,
    pci_id: String,
    total: u64,
    pub(crate) available: u64,
}

/// The cards that NVML shows and `CUDA_VISIBLE_DEVICES` allows.
pub(crate) fn discover() -> Vec<Card> {
    slog::log("INFO", "runner.go:67", "discovering available GPUs...", &[]);
    let required = variable("OLLAMA_STANDIN_REQUIRES").unwrap_or_default();
    let missing = required
        .split(':')
        .find(|path| !path.is_empty() && !Path::new(path).exists());
    if let Some(path) = missing {
        let values = [("missing", path)];
        slog::log("WARN", "runner.go:90", "CUDA does not start", &values);
        return Vec::new();
    }
    match all() {
        Ok(cards) => visible(cards),
        Err(error) => {
            let error = error.to_string();
            let values = [("error", error.as_str())];
            slog::log("DEBUG", "runner.go:90", "no NVIDIA driver", &values);
            Vec::new()
        }
    }
}

fn all() -> Result<Vec<Card>, NvmlError> {
    let nvml = Nvml::init()?;
    let version = nvml.sys_cuda_driver_version()?;
    let driver = format!("{}.{}", version / 1000, version % 1000 / 10);
    // A card that does not answer is left out, and the others are used.
    Ok((0..nvml.device_count()?)
        .filter_map(|index| {
            let card = nvml.device_by_index(index).ok()?;
            read(&card, &driver).ok()
        })
        .collect())
}

fn read(card: &Device<'_>, driver: &str) -> Result<Card, NvmlError> {
    let compute = card.cuda_compute_capability()?;
    let memory = card.memory_info()?;
    Ok(Card {
        uuid: card.uuid()?,
        description: card.name()?,
        compute: (compute.major, compute.minor),
        driver: driver.to_owned(),
        pci_id: lab_vendors::words::short_bus_id(&card.pci_info()?.bus_id),
        total: memory.total,
        available: memory.free,
    })
}

/// Those that `CUDA_VISIBLE_DEVICES` allows, in its order. As CUDA does, the list ends at
/// the first word that names no card.
fn visible(cards: Vec<Card>) -> Vec<Card> {
    let Ok(words) = std::env::var("CUDA_VISIBLE_DEVICES") else {
        return cards;
    };
    let mut cards: Vec<Option<Card>> = cards.into_iter().map(Some).collect();
    words
        .split(',')
        .map_while(|word| place(&cards, word.trim()).and_then(|place| cards[place].take()))
        .collect()
}

/// Where the card stands that a word means: a number, or how its UUID begins.
fn place(cards: &[Option<Card>], word: &str) -> Option<usize> {
    if let Ok(number) = word.parse::<usize>() {
        return (number < cards.len()).then_some(number);
    }
    let begins = |card: &Option<Card>| {
        card.as_ref()
            .is_some_and(|card| card.uuid.starts_with(word))
    };
    cards
        .iter()
        .position(begins)
        .filter(|_| word.starts_with("GPU-"))
}

/// One line a card, or one for the CPU.
pub(crate) fn log(cards: &[Card]) {
    for (number, card) in cards.iter().enumerate() {
        let values = [
            ("id", card.uuid.clone()),
            ("library", "CUDA".to_owned()),
            ("compute", format!("{}.{}", card.compute.0, card.compute.1)),
            ("name", format!("CUDA{number}")),
            ("description", card.description.clone()),
            ("libdirs", "ollama,cuda_v12".to_owned()),
            ("driver", card.driver.clone()),
            ("pci_id", card.pci_id.clone()),
            ("type", "discrete".to_owned()),
            ("total", gib(card.total)),
            ("available", gib(card.available)),
        ];
        line(&values);
    }
    if cards.is_empty() {
        let names = ["id", "library", "name", "description"];
        let cpu = names.map(|name| (name, "cpu".to_owned()));
        line(&cpu);
    }
}

fn line(values: &[(&str, String)]) {
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    slog::log("INFO", "types.go:130", "inference compute", &values);
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}
