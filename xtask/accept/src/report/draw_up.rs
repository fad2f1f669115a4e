//! Drawing up a report: results, and what is worth seeing of the evidence beside them.

use lab_facts::{Fact, Facts, Gpu, Worked};
use lab_machine::{Card, Machine};

use super::{CardGlance, CheckResult, Glance, REPORT_FORMAT, Report};
use crate::{Evidence, Subject};

/// How much of a digest is shown: as much as tells two of them apart.
const SHORT_DIGEST: usize = 12;

impl Report {
    /// Draws up a report of `results`, that `took_ms` milliseconds to come by.
    pub fn new(subject: &Subject<'_>, results: Vec<CheckResult>, took_ms: u64) -> Self {
        let evidence = subject.evidence;
        Self {
            format: REPORT_FORMAT,
            lab: evidence.lab.clone(),
            host: evidence.host.clone(),
            taken_unix_ms: evidence.taken_unix_ms,
            took_ms,
            glance: glance(subject.machine, evidence),
            results,
            stages: evidence.stages.clone(),
            workloads: evidence.workloads.clone(),
        }
    }
}

fn glance(machine: &Machine, evidence: &Evidence) -> Glance {
    let digest = &evidence.expected.description;
    let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
    let mut glance = Glance {
        name: machine.identity.name.to_string(),
        description: digest.chars().take(SHORT_DIGEST).collect(),
        ..Glance::default()
    };
    let facts = evidence.facts.known();
    if let Some(facts) = facts {
        of_the_system(&mut glance, facts);
    }
    glance.cards = cards(machine, evidence, facts);
    glance
}

fn of_the_system(glance: &mut Glance, facts: &Facts) {
    let system = &facts.system;
    glance.probe.clone_from(&facts.probe);
    if let Some(dmi) = system.dmi.known() {
        glance.product = format!("{} {}", dmi.vendor, dmi.product).trim().to_owned();
    }
    if let Some(cpu) = system.cpu.known() {
        glance.cpu = format!("{}, {} threads", cpu.model, cpu.threads);
    }
    glance.memory_mib = system.memory_kib.known().map(|kib| kib / 1024);
    if let Some(os) = system.os.known() {
        glance.os.clone_from(&os.pretty_name);
    }
    if let Some(kernel) = system.kernel.known() {
        glance.kernel.clone_from(&kernel.release);
    }
    if let Some(library) = facts.nvidia.library.known() {
        glance.driver.clone_from(&library.driver);
        glance.cuda.clone_from(&library.cuda);
    }
}

/// The described cards, each beside the one that NVML sees in its place. Those that are
/// described with a slot take theirs first, so that none without takes it from them.
fn cards(machine: &Machine, evidence: &Evidence, facts: Option<&Facts>) -> Vec<CardGlance> {
    let gpus = facts.and_then(|facts| facts.nvidia.gpus.known());
    let mut free: Vec<&Gpu> = gpus.map(|gpus| gpus.iter().collect()).unwrap_or_default();
    free.sort_by(|one, other| one.address.cmp(&other.address));
    let mut seen: Vec<Option<&Gpu>> = vec![None; machine.cards.len()];
    for with_slot in [true, false] {
        for (card, seen) in machine.cards.iter().zip(&mut seen) {
            if card.slot.is_some() == with_slot {
                let found = free.iter().position(|gpu| is(card, gpu));
                *seen = found.map(|index| free.remove(index));
            }
        }
    }
    let both = machine.cards.iter().zip(seen);
    both.map(|(card, gpu)| card_glance(machine, evidence, card, gpu))
        .collect()
}

/// Whether what NVML sees is that card: by its slot, else by what it answers on the bus.
fn is(card: &Card, gpu: &Gpu) -> bool {
    match &card.slot {
        Some(slot) => gpu.address.eq_ignore_ascii_case(slot.as_str()),
        None => gpu.pci_id.eq_ignore_ascii_case(&card.pci_id.to_string()),
    }
}

fn card_glance(
    machine: &Machine,
    evidence: &Evidence,
    card: &Card,
    gpu: Option<&Gpu>,
) -> CardGlance {
    let capability = card.compute_capability.map(|one| one.to_string());
    let slot = card.slot.as_ref().map(|slot| slot.as_str().to_owned());
    let name = gpu.map(|gpu| gpu.name.clone());
    CardGlance {
        name: card.name.to_string(),
        model: card.model.clone().or(name).unwrap_or_default(),
        address: gpu
            .map(|gpu| gpu.address.clone())
            .or(slot)
            .unwrap_or_default(),
        uuid: gpu.map(|gpu| gpu.uuid.clone()).unwrap_or_default(),
        compute_capability: gpu
            .and_then(|gpu| gpu.compute_capability.known().cloned())
            .or(capability)
            .unwrap_or_default(),
        memory_mib: gpu.and_then(|gpu| Some(gpu.memory_total_bytes.known()? >> 20)),
        temperature_c: gpu.and_then(|gpu| gpu.temperature_c.known().copied()),
        bandwidth_mb_s: gpu.and_then(|gpu| bandwidth(evidence, &gpu.uuid)),
        bandwidth_described_mb_s: card.memory_bandwidth_gbps.map(|gb| u64::from(gb) * 1000),
        used_by: used_by(machine, card),
    }
}

/// What was measured when the card was given its small task, else when all of its memory was
/// filled.
fn bandwidth(evidence: &Evidence, uuid: &str) -> Option<u64> {
    let compute = evidence.facts.known()?.nvidia.compute.known();
    let small = compute.and_then(|all| all.iter().find(|one| one.uuid == uuid)?.proof.known());
    let whole = || {
        evidence.workloads.iter().find_map(|one| match &one.worked {
            Fact::Is(Worked::Memory(cards)) => {
                cards.iter().find(|(card, _)| card == uuid)?.1.known()
            }
            _ => None,
        })
    };
    Some(small.or_else(whole)?.bandwidth_mb_s)
}

fn used_by(machine: &Machine, card: &Card) -> Vec<String> {
    let workloads = [
        ("ollama", machine.ollama.enabled, &machine.ollama.gpus),
        ("jupyter", machine.jupyter.enabled, &machine.jupyter.gpus),
        ("dcgan", machine.dcgan.enabled, &machine.dcgan.gpus),
    ];
    let given = workloads
        .into_iter()
        .filter(|(_, enabled, gpus)| *enabled && gpus.contains(&card.name));
    given.map(|(name, ..)| name.to_owned()).collect()
}
