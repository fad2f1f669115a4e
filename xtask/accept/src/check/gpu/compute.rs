//! What the cards compute: a kernel's result, memory that gives back what was written,
//! and how fast.

use lab_facts::{Fact, Gpu, GpuProcess, Proof, Worked, WorkloadRequest};
use lab_machine::Card;

use super::super::find::{each_driven_card, mib};
use crate::{Check, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "gpu.compute",
        effort: Effort::Quick,
        title: "each card computes, and its results are right",
        story: "A kernel is launched on the card by its UUID through CUDA's driver API, and every number that it computed is checked. `nvidia-smi` can work while CUDA is dead; only this proves it.",
        cause: "CUDA cannot use the card: `nvidia-uvm` is not loaded, another program holds all of its memory, or the card is failing.",
        remedy: "Look at `gpu.uvm` and `gpu.xid` first. `nvidia-smi` shows who has the card's memory. A card with wrong results and no other fault is a broken one.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "pci_id",
                |card| format!("{} computes right results", card.name),
                computes,
            );
        },
    },
    Check {
        id: "gpu.compute-memory",
        effort: Effort::Quick,
        title: "each card's memory gives back what was written",
        story: "A part of the card's free memory is filled with a pattern and read back, word by word.",
        cause: "The card's memory is failing. Without ECC it tells nobody, and a training just does not converge.",
        remedy: "Clean the cooler, take any overclocking away, and try again with `--workloads`, which fills all of it. A card that fails again is broken.",
        reference: "https://docs.nvidia.com/deploy/xid-errors/",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "pci_id",
                |card| format!("{}'s memory keeps what is written", card.name),
                keeps,
            );
        },
    },
    Check {
        id: "gpu.bandwidth",
        effort: Effort::Quick,
        title: "each card's memory is as fast as its maker says",
        story: "Measured by copying inside the card, reading and writing together, against the maker's figure in the catalog. Three fifths of it is what a sound card always reaches; a resting card that has not woken up, or the same model with slower memory chips, does not.",
        cause: "Another program was busy on the card, it is held down (`gpu.throttle`), or it is a variant with slower memory.",
        remedy: "Run it again while nothing computes. If it stays slow and the card is not held down, look at the board's memory chips: then the catalog's figure is not this card's.",
        reference: "docs/src/how-to/add-a-card.md",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "pci_id",
                |card| format!("{}'s memory is fast enough", card.name),
                fast,
            );
        },
    },
    Check {
        id: "gpu.memory-full",
        effort: Effort::Workload,
        title: "all of each card's free memory gives back what was written",
        story: "The whole of the free memory is filled and read back, so that the chips at the far end are tried as well.",
        cause: "A chip of the card's memory is failing; heat makes it worse.",
        remedy: "Clean the cooler and try again. A card that fails twice cannot be trusted with a training: take its `[[gpu]]` table out, and the card with it.",
        reference: "https://docs.nvidia.com/deploy/xid-errors/",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "pci_id",
                |card| format!("all of {}'s memory keeps what is written", card.name),
                keeps_all,
            );
        },
    },
];

/// What a card computed; bad with CUDA's own words where that failed.
fn proof<'a>(subject: &Subject<'a>, card: &Card) -> Result<Result<&'a Proof, Seen>, NotRun> {
    let uuid = &subject.gpu(card)?.uuid;
    let all = subject.nvidia()?.compute.get()?;
    Ok(
        match all
            .iter()
            .find(|one| one.uuid == *uuid)
            .map(|one| &one.proof)
        {
            Some(Fact::Is(proof)) => Ok(proof),
            Some(Fact::Unknown(why)) => Err(Seen::bad(format!("CUDA says: {why}"))),
            None => Err(Seen::bad("CUDA does not see the card that NVML sees")),
        },
    )
}

/// The same for checks that come after `gpu.compute`, which tells the failure.
fn proved<'a>(subject: &Subject<'a>, card: &Card) -> Result<&'a Proof, NotRun> {
    let proof = proof(subject, card)?;
    proof.map_err(|_| NotRun(format!("{} did not compute at all", card.name)))
}

fn computes(subject: &Subject<'_>, card: &Card) -> Judgement {
    let proof = match proof(subject, card)? {
        Ok(proof) => proof,
        Err(seen) => return Ok(seen),
    };
    let good = proof.computed > 0 && proof.wrong == 0;
    let evidence = format!(
        "{} numbers computed, {} wrong, in {} ms",
        proof.computed, proof.wrong, proof.took_ms
    );
    Ok(Seen::when(good, evidence))
}

/// Whether memory was filled at all, and gave all of it back.
fn kept(proof: &Proof) -> Seen {
    let good = proof.filled_bytes > 0 && proof.wrong_words == 0;
    Seen::when(
        good,
        format!(
            "{} MiB filled, {} words wrong",
            mib(proof.filled_bytes),
            proof.wrong_words
        ),
    )
}

fn keeps(subject: &Subject<'_>, card: &Card) -> Judgement {
    Ok(kept(proved(subject, card)?))
}

/// What a sound card reaches of its maker's figure, in per cent.
const LEAST_PERCENT: u64 = 60;

fn fast(subject: &Subject<'_>, card: &Card) -> Judgement {
    let found = proved(subject, card)?.bandwidth_mb_s;
    let Some(gbps) = card.memory_bandwidth_gbps.filter(|figure| *figure > 0) else {
        return Err(NotRun(format!(
            "{} GB/s were measured, and the catalog has no figure of {} to hold that against",
            found / 1000,
            card.pci_id
        )));
    };
    let wanted = u64::from(gbps) * 1000;
    let percent = u128::from(found) * 100 / u128::from(wanted);
    let evidence = format!(
        "{}.{} GB/s measured, {percent} % of its maker's {gbps} GB/s",
        found / 1000,
        found % 1000 / 100
    );
    let enough = percent >= u128::from(LEAST_PERCENT);
    if !enough && let Some(other) = shares(subject.gpu(card)?) {
        return Err(NotRun(format!(
            "{evidence}, while {other} was on the card, too: it is judged when the card is at rest"
        )));
    }
    let seen = Seen::when(enough, evidence);
    let note = subject
        .catalog
        .gpu(card.pci_id)
        .and_then(|known| known.note.as_ref());
    Ok(match note {
        Some(note) => seen.because(format!("The catalog notes of this card: {note}. Else another program was busy on it, or it is held down (`gpu.throttle`).")),
        None => seen,
    })
}

/// The program that shared the card while it was measured, if one did: a training has half
/// of a card's bandwidth, and that is no fault of the card.
fn shares(gpu: &Gpu) -> Option<&str> {
    let Fact::Is(processes) = &gpu.processes else {
        return None;
    };
    let name = |one: &'_ GpuProcess| one.program.as_deref().is_none_or(|name| name != PROBE);
    let other = processes.iter().find(|one| name(one))?;
    Some(other.program.as_deref().unwrap_or("another program"))
}

/// The probe's own name, which is on every card that it measures.
const PROBE: &str = "lab-probe";

fn keeps_all(subject: &Subject<'_>, card: &Card) -> Judgement {
    let memory = |request: &WorkloadRequest| matches!(request, WorkloadRequest::Memory { .. });
    let workload = subject.workload("filling the cards' memory", memory)?;
    let all = match &workload.worked {
        Fact::Is(Worked::Memory(all)) => all,
        Fact::Is(_) => return Err("the answer is that of another workload".into()),
        Fact::Unknown(why) => return Ok(Seen::bad(format!("it failed: {why}"))),
    };
    let uuid = &subject.gpu(card)?.uuid;
    Ok(match all.iter().find(|(one, _)| one == uuid) {
        Some((_, Fact::Is(proof))) => kept(proof),
        Some((_, Fact::Unknown(why))) => Seen::bad(format!("CUDA says: {why}")),
        None => Seen::bad("CUDA does not see the card that NVML sees"),
    })
}
