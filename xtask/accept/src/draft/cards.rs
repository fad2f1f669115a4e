//! The cards: their names here, the driver for all of them, and what each can run.

use lab_catalog::{Architecture, Catalog, DriverBranch, Gpu, PciId};
use lab_facts::{Facts, PciDevice};
use lab_machine::types::{Bdf, CardName};
use lab_machine::{Severity, Sources};

use super::page::{Page, shown};

/// Whether a card can run something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ability {
    /// It can.
    Can,
    /// It cannot, and why.
    Cannot(String),
    /// The catalog does not know the card.
    Unknown,
}

impl Ability {
    /// Whether it is worth a try.
    pub(super) fn may(&self) -> bool {
        !matches!(self, Self::Cannot(_))
    }
}

/// A card of NVIDIA, with what the catalog knows of it.
pub(super) struct Card {
    /// Its name in the description.
    pub(super) name: CardName,
    pci_id: PciId,
    slot: Bdf,
    known: Option<Gpu>,
    /// Its memory in MiB: as NVML says it, else the least that it is sold with.
    pub(super) memory_mib: Option<u64>,
    /// Its memory's bandwidth in GB/s, by its maker.
    pub(super) bandwidth: Option<u32>,
    /// Whether the notebook image's TensorFlow can use it.
    pub(super) tensorflow: Ability,
    /// Whether Ollama can use it.
    pub(super) ollama: Ability,
}

/// The cards of a machine.
#[derive(Default)]
pub(super) struct Cards {
    /// Those of NVIDIA, by their address.
    pub(super) nvidia: Vec<Card>,
    /// Those of other makers, and what cannot be read, in words.
    left_out: Vec<String>,
    /// The branch that the catalog advises for all that it knows.
    pub(super) branch: Option<DriverBranch>,
    /// Why nothing is known of any card.
    pub(super) unknown: Option<String>,
}

/// Finds the cards on the bus and asks the catalog about them.
pub(super) fn find(facts: &Facts, catalog: &Catalog) -> Cards {
    let devices = match facts.nvidia.pci.get() {
        Ok(devices) => devices,
        Err(why) => {
            return Cards {
                unknown: Some(shown(why)),
                ..Cards::default()
            };
        }
    };
    let mut left_out = Vec::new();
    let mut sound: Vec<(Bdf, PciId)> = Vec::new();
    for device in devices {
        match read(device) {
            Ok(card) => sound.push(card),
            Err(why) => left_out.push(why),
        }
    }
    sound.sort();
    sound.dedup_by(|one, other| one.0 == other.0);
    let known: Vec<Option<Gpu>> = sound
        .iter()
        .map(|(_, id)| catalog.gpu_or_derived(*id))
        .collect();
    let branch = advised(catalog, known.iter().flatten());
    let names = names(&known);
    let cards = sound.into_iter().zip(known).zip(names);
    let nvidia = cards
        .map(|(((slot, pci_id), known), name)| {
            card(name, slot, pci_id, known, branch, facts, catalog)
        })
        .collect();
    Cards {
        nvidia,
        left_out,
        branch,
        unknown: None,
    }
}

/// Takes a device of the bus for a card of NVIDIA, or says why it is none.
fn read(device: &PciDevice) -> Result<(Bdf, PciId), String> {
    let place = format!("{} at {}", shown(&device.id), shown(&device.address));
    let id = device.id.parse::<PciId>();
    let slot = device.address.parse::<Bdf>();
    match (id, slot) {
        (Ok(id), Ok(slot)) if id.is_nvidia() => Ok((slot, id)),
        (Ok(id), _) if !id.is_nvidia() => Err(format!("{place} is not NVIDIA's")),
        _ => Err(format!("{place} cannot be read")),
    }
}

fn advised<'a>(catalog: &Catalog, known: impl Iterator<Item = &'a Gpu>) -> Option<DriverBranch> {
    let architectures: Vec<Architecture> = known.map(|gpu| gpu.architecture).collect();
    if architectures.is_empty() {
        return None;
    }
    catalog.advised_driver(&architectures).map(|one| one.branch)
}

/// The catalog's short names; numbered where several cards share one.
fn names(known: &[Option<Gpu>]) -> Vec<CardName> {
    let base = |gpu: &Option<Gpu>| match gpu {
        Some(gpu) => gpu.short.clone(),
        None => "gpu".to_owned(),
    };
    let all: Vec<String> = known.iter().map(base).collect();
    let name = |(index, base): (usize, &String)| {
        let several = all.iter().filter(|other| *other == base).count() > 1;
        let before = all
            .iter()
            .take(index)
            .filter(|other| *other == base)
            .count();
        let name = match several {
            true => format!("{base}-{}", before + 1),
            false => base.clone(),
        };
        let numbered = format!("gpu-{}", index + 1);
        // A catalog of one's own may have names that are none here.
        name.parse().or_else(|_| numbered.parse()).ok()
    };
    all.iter().enumerate().filter_map(name).collect()
}

fn card(
    name: CardName,
    slot: Bdf,
    pci_id: PciId,
    known: Option<Gpu>,
    branch: Option<DriverBranch>,
    facts: &Facts,
    catalog: &Catalog,
) -> Card {
    let seen = facts.nvidia.gpus.known().map_or(&[][..], Vec::as_slice);
    let seen = seen.iter().find(|gpu| gpu.address == slot.as_str());
    let measured = seen.and_then(|gpu| gpu.memory_total_bytes.known());
    let listed = known.as_ref().and_then(Gpu::least_vram_mib).map(u64::from);
    let branch = branch.or_else(|| advised(catalog, known.iter()));
    let (tensorflow, ollama) = match (&known, branch) {
        (Some(_), Some(branch)) => abilities(&name, pci_id, branch, catalog),
        (Some(_), None) => {
            let why = "no driver that is still offered supports it".to_owned();
            (Ability::Cannot(why.clone()), Ability::Cannot(why))
        }
        (None, _) => (Ability::Unknown, Ability::Unknown),
    };
    Card {
        memory_mib: measured.map(|bytes| bytes >> 20).or(listed),
        bandwidth: known.as_ref().and_then(|gpu| gpu.memory_bandwidth_gbps),
        name,
        pci_id,
        slot,
        known,
        tensorflow,
        ollama,
    }
}

/// What a card can run, as the rules of a description judge it: nothing of them is said
/// here again.
fn abilities(
    name: &CardName,
    id: PciId,
    branch: DriverBranch,
    catalog: &Catalog,
) -> (Ability, Ability) {
    let text = format!(
        "[[gpu]]\nname = \"{name}\"\npci_id = \"{id}\"\n[disk]\nserial = \"0000\"\n[driver]\nbranch = {branch}\n\
         [ollama]\ngpus = [\"{name}\"]\n[jupyter]\ngpus = [\"{name}\"]\n[dcgan]\nenabled = false\n"
    );
    let outcome = lab_machine::read(&Sources::single("a card", text), catalog, None);
    let ability = |rules: &str| {
        let against = outcome
            .diagnostics
            .iter()
            .find(|one| one.severity == Severity::Error && one.rule.starts_with(rules));
        against.map_or(Ability::Can, |one| Ability::Cannot(one.message.clone()))
    };
    (ability("tensorflow-"), ability("ollama-"))
}

/// Writes a table for each card, and the driver for all.
pub(super) fn write(page: &mut Page, cards: &Cards, facts: &Facts, catalog: &Catalog) {
    if let Some(why) = &cards.unknown {
        page.line("");
        page.comment(&format!("Which cards there are is not known: {why}."));
        let way = "`lspci -Dnn | grep -i nvidia` prints them";
        page.comment(&format!("To be filled in, a table for each: {way}."));
        page.line("# [[gpu]]\n# pci_id = \"10de:1c82\"\n# slot = \"0000:03:00.0\"");
        page.open("gpu", &format!("the cards could not be seen; {way}"));
    }
    for card in &cards.nvidia {
        write_card(page, card);
    }
    if !cards.left_out.is_empty() {
        page.line("");
        page.comment(&format!("Left out: {}.", cards.left_out.join("; ")));
    }
    write_driver(page, cards, facts, catalog);
}

fn write_card(page: &mut Page, card: &Card) {
    page.table("[[gpu]]");
    page.comment(&in_words(card));
    page.set("name", card.name.as_str());
    page.set("pci_id", card.pci_id.to_string());
    page.set("slot", card.slot.as_str());
}

/// A card in words, with what can use it.
fn in_words(card: &Card) -> String {
    let memory = match card.memory_mib {
        Some(mib) => format!("{mib} MiB"),
        None => "memory not known".to_owned(),
    };
    let Some(gpu) = &card.known else {
        return format!(
            "The catalog does not know this card ({memory}), so nothing tells what can use it \
             (docs/how-to/add-a-card.md)."
        );
    };
    let uses = match (&card.tensorflow, &card.ollama) {
        (Ability::Can, Ability::Can) => "TensorFlow and Ollama can use it.".to_owned(),
        (Ability::Cannot(why), Ability::Can) => {
            format!("Ollama can use it. TensorFlow cannot: {why}.")
        }
        (Ability::Can, Ability::Cannot(why)) => {
            format!("TensorFlow can use it. Ollama cannot: {why}.")
        }
        (Ability::Cannot(one), Ability::Cannot(other)) if one == other => {
            format!("Neither TensorFlow nor Ollama can use it: {one}.")
        }
        (Ability::Cannot(one), Ability::Cannot(other)) => {
            format!("Neither TensorFlow nor Ollama can use it: {one}; {other}.")
        }
        _ => "Nothing tells what can use it.".to_owned(),
    };
    format!(
        "{}: {}, compute capability {}, {memory}. {uses}",
        gpu.name, gpu.architecture, gpu.compute_capability
    )
}

fn write_driver(page: &mut Page, cards: &Cards, facts: &Facts, catalog: &Catalog) {
    if cards.unknown.is_some() {
        return;
    }
    page.table("[driver]");
    if cards.nvidia.is_empty() {
        page.comment("No card of NVIDIA was seen: what needs one is switched off.");
        page.set("enabled", false);
        return;
    }
    let now = facts.nvidia.module.known().and_then(Option::as_ref);
    let now = now.map_or_else(String::new, |module| {
        format!(" Now {} is loaded.", shown(&module.version))
    });
    match cards.branch {
        Some(branch) => {
            let why = last_for(cards, branch, catalog);
            page.comment(&format!(
                "What the catalog advises for these cards{why}.{now}"
            ));
            page.set("branch", i64::from(branch.0));
        }
        None => {
            let why = "the catalog knows no branch that drives all these cards";
            page.comment(&now);
            page.fill_in("branch", "580", why);
        }
    }
}

/// The generations of which this is the last branch, in words.
fn last_for(cards: &Cards, branch: DriverBranch, catalog: &Catalog) -> String {
    let known = cards.nvidia.iter().filter_map(|card| card.known.as_ref());
    let mut last: Vec<Architecture> = known
        .map(|gpu| gpu.architecture)
        .filter(|one| catalog.last_branch_for(*one).map(|last| last.branch) == Some(branch))
        .collect();
    last.sort();
    last.dedup();
    let names: Vec<String> = last.iter().map(ToString::to_string).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(", and the last branch for {}", names.join(" and ")),
    }
}
