//! The containers of the lab: the cards that each sees, its ports, and whether it keeps
//! both when something is started again around it.

use std::collections::BTreeSet;

use lab_facts::{Container, Fact};

use super::super::find::{listed, running_in};
use super::super::jupyter::{Contained, containers};
use crate::{Check, Claims, Effort, Judgement, Seen, Step, Subject};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "docker.sees",
        effort: Effort::Quick,
        title: "each container sees exactly the cards that it was given",
        story: "`nvidia-smi -L` is run inside the container. One card too many, and two workloads fight for one memory; one too few, and it trains on the processor.",
        cause: "The container was made with other cards than are described now, or lost them by a `systemctl daemon-reload` (then it was not given them by CDI).",
        remedy: "`sudo lab retry` with the unit's name makes the container anew; `docker inspect NAME` shows what it was given.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            each(
                subject,
                claims,
                "gpus",
                "it sees its cards and no other",
                sees,
            );
        },
    },
    Check {
        id: "docker.given-by-cdi",
        effort: Effort::Quick,
        title: "each container was given its cards by CDI and UUID",
        story: "Cards that came by `--gpus` or the runtime's hook are lost at the next `systemctl daemon-reload`, and a number instead of a UUID may be another card after a restart.",
        cause: "Somebody started the container by hand, or an image's NVIDIA_VISIBLE_DEVICES made the hook add cards.",
        remedy: "`docker rm -f NAME`, then `sudo lab retry` with the unit's name: the lab makes it as it should be.",
        reference: "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/cdi-support.html",
        claims: |subject, claims| {
            each(
                subject,
                claims,
                "gpus",
                "it was given its cards by CDI",
                by_cdi,
            );
        },
    },
    Check {
        id: "docker.published",
        effort: Effort::Quick,
        title: "each container's port is published on loopback only",
        story: "A published port goes past the firewall's input rules, so only its address keeps strangers out. `cargo xtask tunnel` leads there.",
        cause: "The container was started by hand with `-p PORT:PORT`, or `ip` is missing in /etc/docker/daemon.json.",
        remedy: "`docker rm -f NAME`, then `sudo lab retry` with the unit's name.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            each(
                subject,
                claims,
                "port",
                "its port is published on loopback only",
                published,
            );
        },
    },
    Check {
        id: "docker.survives-daemon-reload",
        effort: Effort::Disruptive,
        title: "each container keeps its cards over a `systemctl daemon-reload`",
        story: "Every package installation does one, and with the legacy hook the cards are gone from then on: `Failed to initialize NVML: Unknown Error`.",
        cause: "The container was not given its cards by CDI.",
        remedy: "Look at `docker.given-by-cdi`.",
        reference: "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/troubleshooting.html",
        claims: |subject, claims| {
            each(
                subject,
                claims,
                "gpus",
                "it keeps its cards over a daemon-reload",
                |subject, one| survives(subject, one, "daemon-reload", true),
            );
        },
    },
    Check {
        id: "docker.survives-restart",
        effort: Effort::Disruptive,
        title: "each container runs on while Docker's daemon is started again",
        story: "With live-restore a restart of the daemon, as an upgrade does it, ends no training: it is the same container before and after, with its cards.",
        cause: "`live-restore` is off in /etc/docker/daemon.json, or the daemon did not find the container again.",
        remedy: "`sudo lab retry docker` sets it; `journalctl -u docker -b` says what the daemon found.",
        reference: "https://docs.docker.com/engine/daemon/live-restore/",
        claims: |subject, claims| {
            each(
                subject,
                claims,
                "gpus",
                "it runs on while Docker is started again",
                |subject, one| survives(subject, one, "docker-restart", true),
            );
        },
    },
    Check {
        id: "docker.survives-recreation",
        effort: Effort::Disruptive,
        title: "each container that is removed is made again as described",
        story: "Its service makes a new one from image, volumes and cards; nothing that matters lies in the container itself.",
        cause: "The service does not start: its card is missing, or its image was removed.",
        remedy: "`lab status` and `lab logs` with the unit's name say why.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            each(
                subject,
                claims,
                "gpus",
                "it is made again as described",
                |subject, one| survives(subject, one, "recreate", false),
            );
        },
    },
];

/// A claim for each container of the lab that has what the claim is about: cards, or a
/// port. `key` is that of its section.
fn each(
    subject: &Subject<'_>,
    claims: &mut Claims<'_>,
    key: &str,
    claim: &str,
    judge: impl Fn(&Subject<'_>, &Contained<'_>) -> Judgement,
) {
    let concerned = |one: &Contained<'_>| match key {
        "port" => one.port.is_some(),
        _ => !one.gpus.is_empty(),
    };
    for one in containers(subject.machine).into_iter().filter(concerned) {
        let key = format!("{}.{key}", one.section);
        claims.claim_of(one.name, &key, claim, || judge(subject, &one));
    }
}

fn sees(subject: &Subject<'_>, one: &Contained<'_>) -> Judgement {
    let container = subject.running(one.name)?;
    exactly(subject, one, container)
}

fn exactly(subject: &Subject<'_>, one: &Contained<'_>, container: &Container) -> Judgement {
    let given = subject.uuids(one.gpus)?;
    let sees: BTreeSet<&str> = container.sees.get()?.iter().map(String::as_str).collect();
    let evidence = format!(
        "it sees {}, given is {}",
        subject.names_of(sees.iter().copied()),
        subject.names_of(given.iter().copied())
    );
    Ok(Seen::when(sees == given, evidence))
}

fn by_cdi(subject: &Subject<'_>, one: &Contained<'_>) -> Judgement {
    let container = subject.running(one.name)?;
    if container.legacy_gpus {
        return Ok(Seen::bad(
            "it was given cards by the legacy hook (`--gpus` or the runtime `nvidia`)",
        ));
    }
    let given = subject.uuids(one.gpus)?;
    let prefix = "nvidia.com/gpu=";
    let wanted: BTreeSet<String> = given.iter().map(|uuid| format!("{prefix}{uuid}")).collect();
    let found: BTreeSet<String> = container.cdi.iter().cloned().collect();
    Ok(Seen::when(
        found == wanted,
        format!("it was given {}", listed(&container.cdi)),
    ))
}

/// The port of a published one, and whether its address is loopback.
fn on_loopback(published: &str) -> Option<(u16, bool)> {
    let (address, port) = published.rsplit_once(':')?;
    let address = address.trim_matches(['[', ']']);
    let loopback = address
        .parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_loopback());
    Some((port.parse().ok()?, loopback))
}

fn published(subject: &Subject<'_>, one: &Contained<'_>) -> Judgement {
    let container = subject.running(one.name)?;
    let ports: Vec<Option<(u16, bool)>> = container
        .published
        .iter()
        .map(|port| on_loopback(port))
        .collect();
    let inside = ports.iter().all(|port| matches!(port, Some((_, true))));
    let there = one
        .port
        .is_some_and(|port| ports.contains(&Some((port, true))));
    let evidence = format!("published: {}", listed(&container.published));
    Ok(Seen::when(inside && there, evidence))
}

/// That the container has its cards after a disturbance; and whether it is the same one.
fn survives(subject: &Subject<'_>, one: &Contained<'_>, step: &str, same: bool) -> Judgement {
    let step = subject.step(step)?;
    let before = running_in(docker_before(step)?, one.name)?;
    if let Some(why) = &step.failed {
        return Ok(Seen::bad(format!("{}: {why}", step.name)));
    }
    let after = step.root_after.get()?.docker.get()?;
    let Ok(after) = running_in(after, one.name) else {
        return Ok(Seen::bad(format!("after {} it does not run", step.name)));
    };
    if same && (after.id != before.id || after.restarts != before.restarts) {
        return Ok(Seen::bad(format!(
            "after {} it is not the same container, or was started again",
            step.name
        )));
    }
    if !same && after.id == before.id {
        return Ok(Seen::bad(
            "it is still the container that should have been removed",
        ));
    }
    exactly(subject, one, after)
}

fn docker_before(step: &Step) -> Result<&lab_facts::DockerFacts, crate::NotRun> {
    match step.root_before.get()?.docker {
        Fact::Is(ref docker) => Ok(docker),
        Fact::Unknown(ref why) => Err(why.as_str().into()),
    }
}
