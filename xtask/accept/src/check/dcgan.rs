//! `dcgan`: the training service, by its own metrics and files, and by what its card does.
//!
//! Each line of the metrics file is a JSON object for an epoch, with at least `epoch` (from
//! 1), `seconds`, `generator_loss`, `discriminator_loss` and `device` (such as `GPU:0`), and
//! where digits were scored `legible` and `digits`. The first number in a checkpoint's file
//! name is the epochs that were completed.

use std::collections::BTreeSet;

use lab_facts::{DcganRun, Fact, Worked, Workload, WorkloadRequest};
use serde::Deserialize;

use super::find::listed;
use super::{Group, jupyter, service};
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static GROUP: Group = Group {
    name: "dcgan",
    about: "The DCGAN training: that its service runs, writes what it should, and trains on its card.",
    checks: &[CHECKS],
};

/// The container of the page.
pub(super) const PAGE: &str = "lab-dcgan";
/// The container that trains, until it has trained.
pub(super) const TRAINING: &str = "lab-dcgan-train";
/// Its service; active beyond the end of the training.
pub(super) const SERVICE: &str = "dcgan-train.service";

static CHECKS: &[Check] = &[
    Check {
        id: "dcgan.service",
        effort: Effort::Quick,
        title: "the page's service runs",
        story: "systemd says so of dcgan.service, which keeps the page's container.",
        cause: "The page's container ends soon after its start, or its unit waits.",
        remedy: "`lab status` says where the unit stands, `lab logs dcgan` what the page printed.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            claim(
                subject,
                claims,
                "enabled",
                "dcgan.service runs",
                |subject| service::active(subject, "dcgan.service"),
            );
        },
    },
    Check {
        id: "dcgan.training",
        effort: Effort::Quick,
        title: "the training runs, or has reached its end",
        story: "systemd says so of dcgan-train.service. It goes on from a checkpoint by itself after a power cut, and is left alone after an error that no other try mends.",
        cause: "It ended with an error: its card is gone or too old, its memory is taken by another program, the disk is full, or its data is not what it should be.",
        remedy: "`lab logs dcgan` has its own line about it. When that is mended: `sudo lab retry dcgan`.",
        reference: "docs/src/how-to/dcgan.md",
        claims: |subject, claims| {
            claim(
                subject,
                claims,
                "enabled",
                "it trains, or has trained",
                |subject| service::active(subject, SERVICE),
            );
        },
    },
    Check {
        id: "dcgan.container",
        effort: Effort::Quick,
        title: "the page's container runs, and was not started again and again",
        story: "As Docker itself says; a container that ends every minute looks active most of the time.",
        cause: "The page ends with an error: its port is taken inside, or the package was not laid down whole.",
        remedy: "`lab logs dcgan` has its last words; `docker ps -a` its exit status.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            claim(
                subject,
                claims,
                "enabled",
                "its container runs",
                |subject| jupyter::runs(subject, PAGE),
            );
        },
    },
    Check {
        id: "dcgan.loopback",
        effort: Effort::Quick,
        title: "the training's page takes connections on loopback only",
        story: "The way there is SSH: `cargo xtask tunnel`, or `ssh -L`.",
        cause: "The container was started by hand with `-p PORT:PORT`, or another program has the port.",
        remedy: "`sudo ss -ltnp` shows whose it is. `docker rm -f lab-dcgan`, then `sudo lab retry dcgan`.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            claim(
                subject,
                claims,
                "port",
                "its port is on loopback only",
                |subject| service::on_loopback(subject, subject.machine.dcgan.port),
            );
        },
    },
    Check {
        id: "dcgan.page",
        effort: Effort::Quick,
        title: "the training's page answers",
        story: "`/` is asked on the machine itself.",
        cause: "The page ended with an error, or is starting.",
        remedy: "Ask again in a minute; then `lab logs dcgan`.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| claim(subject, claims, "port", "its page answers", page),
    },
    Check {
        id: "dcgan.metrics",
        effort: Effort::Workload,
        title: "the training tells of every epoch, and its losses are numbers",
        story: "The metrics file has a line for each epoch. A gap is an epoch that was lost; a loss that is no number is a training that has failed and goes on all the same.",
        cause: "The file was edited, the disk was full, or the training diverged (seldom with the tutorial's settings: then suspect the card's memory).",
        remedy: "`lab logs dcgan` says what happened. Look at `gpu.memory-full` of its card, then begin anew: move /var/lib/lab/dcgan away and `sudo lab retry dcgan`.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| claim(subject, claims, "epochs", "every epoch is told", metrics),
    },
    Check {
        id: "dcgan.checkpoints",
        effort: Effort::Workload,
        title: "a checkpoint is written after every described number of epochs",
        story: "The newest checkpoint must be the last one that was due. Older ones may be pruned.",
        cause: "Writing failed: the disk is full, or the folder is not the container's user's.",
        remedy: "`df -h /var/lib/lab` and `ls -ln /var/lib/lab/dcgan` (1000:100) show which. `lab logs dcgan` has the training's words.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            claim(
                subject,
                claims,
                "checkpoint_every",
                "the checkpoint that was due is there",
                checkpoints,
            );
        },
    },
    Check {
        id: "dcgan.legible",
        effort: Effort::Workload,
        title: "what it has learnt to write can be read",
        story: "A second network reads new digits after every epoch. At the end it must be sure of at least half of them, and each of the ten must come up: a training that went wrong in silence writes noise, or the same digit for ever.",
        cause: "The training diverged or collapsed, or its card computes wrong.",
        remedy: "Look at `gpu.compute` and `gpu.memory-full` of its card, then begin anew with another `dcgan.seed`.",
        reference: "docs/src/reference/training.md",
        claims: |subject, claims| {
            claim(
                subject,
                claims,
                "epochs",
                "what it writes can be read",
                legible,
            );
        },
    },
    Check {
        id: "dcgan.gif",
        effort: Effort::Workload,
        title: "the film of the samples is there at the end",
        story: "After the last epoch the samples of all epochs are put together to a GIF.",
        cause: "Writing failed, or the training was stopped right after its last epoch.",
        remedy: "`sudo systemctl restart dcgan-train`: it goes on from the last checkpoint and makes the film.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            claim(
                subject,
                claims,
                "epochs",
                "the film is there at the end",
                film,
            );
        },
    },
    Check {
        id: "dcgan.speed",
        effort: Effort::Workload,
        title: "an epoch takes about as long at the end as in the middle",
        story: "The seconds of an epoch are the figure to compare two runs by. A last epoch of more than twice the median has lost its card's speed: heat, or another program on the card. The first epoch, which compiles, does not count.",
        cause: "The card is held down by heat, or another program computes on it.",
        remedy: "Look at `gpu.throttle` and `gpu.temperature` while it trains; `nvtop` shows other programs.",
        reference: "docs/src/reference/machine.md",
        claims: |subject, claims| {
            claim(
                subject,
                claims,
                "epochs",
                "an epoch takes as long as the others",
                speed,
            );
        },
    },
    Check {
        id: "dcgan.device",
        effort: Effort::Workload,
        title: "the training says that it trains on a card",
        story: "Every line of the metrics names the device that was used. On the processor of a workstation an epoch takes three minutes and more.",
        cause: "TensorFlow fell back to the processor: no card in the container, or no code for it.",
        remedy: "Look at `docker.sees` and at what `cargo xtask check` says of image and card; then `sudo lab retry dcgan`.",
        reference: "https://www.tensorflow.org/guide/gpu",
        claims: |subject, claims| claim(subject, claims, "gpus", "it trains on a card", device),
    },
    Check {
        id: "dcgan.card",
        effort: Effort::Workload,
        title: "the training's programs are on the cards that it was given, and on no other",
        story: "While it trains, NVML says which programs of the container are on which card.",
        cause: "The container was given other cards than are described.",
        remedy: "Look at `docker.given-by-cdi`; `sudo lab retry dcgan` makes the container anew.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            claim(
                subject,
                claims,
                "gpus",
                "it is on the given cards",
                on_cards,
            );
        },
    },
    Check {
        id: "dcgan.used",
        effort: Effort::Workload,
        title: "the cards of the training are really busy",
        story: "NVML is asked four times a second while the training is watched: each given card must have been at work.",
        cause: "The training waits: for its data, for the disk, or for nothing at all.",
        remedy: "`nvtop` shows the card, `lab logs dcgan` what the training does. With several cards, `dcgan.strategy = \"mirrored\"` uses them all.",
        reference: "docs/src/reference/machine.md",
        claims: |subject, claims| claim(subject, claims, "gpus", "its cards are at work", used),
    },
];

/// A claim about the training, where it is described.
fn claim(
    subject: &Subject<'_>,
    claims: &mut Claims<'_>,
    key: &str,
    claim: &str,
    judge: impl Fn(&Subject<'_>) -> Judgement,
) {
    if subject.machine.dcgan.enabled {
        claims.claim(&format!("dcgan.{key}"), claim, || judge(subject));
    }
}

fn page(subject: &Subject<'_>) -> Judgement {
    let found = subject.answer(&subject.software()?.dcgan_page, subject.machine.dcgan.port)?;
    Ok(match found {
        Ok(answer) => Seen::when(
            answer.status == 200,
            format!("it answers {}", answer.status),
        ),
        Err(silent) => silent,
    })
}

/// An epoch, as the metrics file tells it.
#[derive(Debug, Deserialize)]
struct Epoch {
    epoch: u64,
    seconds: f64,
    // JSON has no NaN: Python writes the bare word, others `null`.
    generator_loss: Option<f64>,
    discriminator_loss: Option<f64>,
    device: String,
    #[serde(default)]
    legible: Option<f64>,
    #[serde(default)]
    digits: Option<Vec<u64>>,
}

/// The watching of the training.
fn workload<'a>(subject: &Subject<'a>) -> Result<&'a Workload, NotRun> {
    let dcgan = |request: &WorkloadRequest| matches!(request, WorkloadRequest::Dcgan { .. });
    subject.workload("watching the training", dcgan)
}

/// What was seen of it, for the checks beside the one that tells its failure.
fn run<'a>(subject: &Subject<'a>) -> Result<&'a DcganRun, NotRun> {
    match &workload(subject)?.worked {
        Fact::Is(Worked::Dcgan(run)) => Ok(run),
        Fact::Is(_) => Err("the answer is that of another workload".into()),
        Fact::Unknown(why) => Err(NotRun(format!("the training could not be watched: {why}"))),
    }
}

/// The epochs, or the line that is none.
fn epochs(run: &DcganRun) -> Result<Vec<Epoch>, String> {
    let read =
        |line: &String| serde_json::from_str(line).map_err(|_| line.chars().take(120).collect());
    run.metrics.iter().map(read).collect()
}

/// The epochs, for the checks beside the one that tells of a broken line.
fn told(run: &DcganRun) -> Result<Vec<Epoch>, NotRun> {
    let epochs =
        epochs(run).map_err(|_| NotRun("a line of the metrics cannot be read".to_owned()))?;
    match epochs.is_empty() {
        true => Err("no epoch has ended yet".into()),
        false => Ok(epochs),
    }
}

fn metrics(subject: &Subject<'_>) -> Judgement {
    if let Fact::Unknown(why) = &workload(subject)?.worked {
        return Ok(Seen::bad(format!(
            "the training could not be watched: {why}"
        )));
    }
    let run = run(subject)?;
    let epochs = match epochs(run) {
        Ok(epochs) => epochs,
        Err(line) => {
            return Ok(Seen::bad(format!(
                "a line of the metrics cannot be read: {line}"
            )));
        }
    };
    let Some(last) = epochs.last() else {
        return Err("no epoch has ended yet".into());
    };
    // The file may have been cut at its head; from there on every epoch must be there.
    let in_row = epochs
        .windows(2)
        .all(|pair| matches!(pair, [one, next] if one.epoch.checked_add(1) == Some(next.epoch)));
    let number = |loss: Option<f64>| loss.is_some_and(f64::is_finite);
    let wild = epochs
        .iter()
        .find(|one| !number(one.generator_loss) || !number(one.discriminator_loss));
    let evidence = format!(
        "{} epochs to {}; losses {:.3} and {:.3}",
        epochs.len(),
        last.epoch,
        last.generator_loss.unwrap_or(f64::NAN),
        last.discriminator_loss.unwrap_or(f64::NAN)
    );
    Ok(match wild {
        Some(one) => Seen::bad(format!("the losses of epoch {} are no numbers", one.epoch)),
        None if !in_row => Seen::bad(format!("{evidence}, and not every one in between")),
        None => Seen::good(evidence),
    })
}

/// The first number of a name: 17 of `rolling-0017-0120.npz`.
fn epoch_of(name: &str) -> Option<u64> {
    let digits = name
        .split(|c: char| !c.is_ascii_digit())
        .find(|part| !part.is_empty())?;
    digits.parse().ok()
}

fn checkpoints(subject: &Subject<'_>) -> Judgement {
    let run = run(subject)?;
    let reached = told(run)?.last().map_or(0, |last| last.epoch);
    let every = u64::from(subject.machine.dcgan.checkpoint_every).max(1);
    let due = reached / every * every;
    if due == 0 {
        return Err(NotRun(format!(
            "epoch {reached}; the first checkpoint is due at {every}"
        )));
    }
    // One that only serves to go on does not stand for it: it makes room for the next.
    let kept = run
        .checkpoints
        .iter()
        .filter(|name| !name.starts_with("rolling"));
    let there = kept.filter_map(|name| epoch_of(name)).any(|one| one == due);
    let evidence = format!(
        "at epoch {reached}, due is {due}; there: {}",
        listed(&run.checkpoints)
    );
    Ok(Seen::when(there, evidence))
}

/// Of fewer epochs nothing is expected yet.
const LEARNT_AT: u64 = 30;
/// The share of digits that a sound training writes legibly by then, at the least.
const LEGIBLE: f64 = 0.5;

fn legible(subject: &Subject<'_>) -> Judgement {
    let epochs = told(run(subject)?)?;
    let Some(last) = epochs.last().filter(|last| last.epoch >= LEARNT_AT) else {
        return Err(NotRun(format!("judged from epoch {LEARNT_AT} on")));
    };
    let (Some(share), Some(digits)) = (last.legible, &last.digits) else {
        return Err("the digits were not scored (`--score 0`)".into());
    };
    let missing: Vec<usize> = (0..10)
        .filter(|digit| digits.get(*digit).is_none_or(|count| *count == 0))
        .collect();
    let evidence = format!(
        "after {} epochs {:.0} % of the digits can be read, missing: {}",
        last.epoch,
        share * 100.0,
        listed(&missing)
    );
    Ok(Seen::when(share >= LEGIBLE && missing.is_empty(), evidence))
}

/// Whether the training has ended, by its last line.
fn ended(subject: &Subject<'_>, epochs: &[Epoch]) -> bool {
    let all = u64::from(subject.machine.dcgan.epochs);
    epochs.last().is_some_and(|last| last.epoch >= all)
}

fn film(subject: &Subject<'_>) -> Judgement {
    let run = run(subject)?;
    let epochs = told(run)?;
    if !ended(subject, &epochs) {
        let reached = epochs.last().map_or(0, |last| last.epoch);
        return Err(NotRun(format!(
            "the training is at epoch {reached} of {}",
            subject.machine.dcgan.epochs
        )));
    }
    Ok(match run.gif_bytes {
        Some(bytes) => Seen::when(bytes > 0, format!("the film has {bytes} bytes")),
        None => Seen::bad("there is no film"),
    })
}

fn speed(subject: &Subject<'_>) -> Judgement {
    let epochs = told(run(subject)?)?;
    let seconds: Vec<f64> = epochs.iter().skip(1).map(|one| one.seconds).collect();
    let mut sorted = seconds.clone();
    sorted.sort_by(f64::total_cmp);
    let (Some(last), Some(median)) = (seconds.last(), sorted.get(sorted.len() / 2)) else {
        return Err("not more than one epoch has ended yet".into());
    };
    let sound = sorted.first().is_some_and(|least| *least > 0.0);
    let evidence = format!("the last epoch took {last:.1} s, the median is {median:.1} s");
    Ok(Seen::when(sound && *last <= 2.0 * median, evidence))
}

fn device(subject: &Subject<'_>) -> Judgement {
    let epochs = told(run(subject)?)?;
    let devices: BTreeSet<&str> = epochs.iter().map(|one| one.device.as_str()).collect();
    let cards = devices
        .iter()
        .all(|one| one.to_ascii_uppercase().contains("GPU"));
    Ok(Seen::when(cards, format!("it names {}", listed(devices))))
}

fn on_cards(subject: &Subject<'_>) -> Judgement {
    let workload = workload(subject)?;
    run(subject)?;
    jupyter::of_container(subject, workload, TRAINING, &subject.machine.dcgan.gpus)
}

/// From how many per cent on a card counts as being at work.
const AT_WORK_PERCENT: u32 = 10;

fn used(subject: &Subject<'_>) -> Judgement {
    let workload = workload(subject)?;
    let epochs = told(run(subject)?)?;
    let given = subject.uuids(&subject.machine.dcgan.gpus)?;
    let mut idle = Vec::new();
    let mut words = Vec::new();
    for uuid in given {
        let samples = workload.samples.iter().flat_map(|one| &one.gpus);
        let busy = samples
            .filter(|gpu| gpu.uuid == uuid)
            .filter_map(|gpu| gpu.busy_percent);
        let busy: Vec<u32> = busy.collect();
        let most = busy
            .iter()
            .max()
            .ok_or("NVML does not say how busy its card is")?;
        let name = subject.name_of(uuid);
        words.push(format!(
            "{name} was busy up to {most} % in {} samples",
            busy.len()
        ));
        if *most < AT_WORK_PERCENT {
            idle.push(name);
        }
    }
    match idle.is_empty() {
        true => Ok(Seen::good(listed(words))),
        false if ended(subject, &epochs) => {
            Err("the training had ended before it was watched".into())
        }
        false => Ok(Seen::bad(listed(words))),
    }
}
