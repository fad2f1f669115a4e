//! Faults that show only when something is started again.

use lab_facts::{Container, Fact, Facts, RootFacts};

use super::{Fault, fault, known, step, text};

fn after<'e>(evidence: &'e mut lab_accept::Evidence, name: &str) -> &'e mut Facts {
    known::<Box<Facts>>(&mut step(evidence, name).after)
}

fn root_after<'e>(evidence: &'e mut lab_accept::Evidence, name: &str) -> &'e mut RootFacts {
    known::<Box<RootFacts>>(&mut step(evidence, name).root_after)
}

/// 0 is JupyterLab's container, 1 the page's, 2 the training's.
fn container<'e>(
    evidence: &'e mut lab_accept::Evidence,
    name: &str,
    index: usize,
) -> &'e mut Container {
    &mut known(&mut root_after(evidence, name).docker).containers[index]
}

pub(super) static FAULTS: &[Fault] = &[
    fault(
        "the cards are gone after a daemon-reload",
        |e| {
            container(e, "daemon-reload", 0).sees = Fact::Is(Vec::new());
        },
        &["docker.survives-daemon-reload[lab-jupyter]"],
    ),
    fault(
        "a container ended at a daemon-reload",
        |e| container(e, "daemon-reload", 2).running = false,
        &["docker.survives-daemon-reload[lab-dcgan-train]"],
    ),
    fault(
        "a daemon-reload failed",
        |e| step(e, "daemon-reload").failed = Some(text("Failed to reload daemon: timed out")),
        &[
            "docker.survives-daemon-reload[lab-dcgan-train]",
            "docker.survives-daemon-reload[lab-jupyter]",
        ],
    ),
    fault(
        "a container was started again with Docker",
        |e| container(e, "docker-restart", 2).restarts = 1,
        &["docker.survives-restart[lab-dcgan-train]"],
    ),
    fault(
        "another container after Docker's restart",
        |e| container(e, "docker-restart", 0).id = "9".repeat(64),
        &["docker.survives-restart[lab-jupyter]"],
    ),
    fault(
        "a container was not made again",
        |e| {
            known(&mut root_after(e, "recreate").docker)
                .containers
                .remove(0);
        },
        &["docker.survives-recreation[lab-jupyter]"],
    ),
    fault(
        "a container that was not removed",
        |e| {
            let before = known(&mut known(&mut step(e, "recreate").root_before).docker).containers
                [2]
            .clone();
            *container(e, "recreate", 2) = before;
        },
        &["docker.survives-recreation[lab-dcgan-train]"],
    ),
    fault(
        "the machine did not come back",
        |e| {
            let one = step(e, "reboot-1");
            one.failed = Some(text("no answer within 10 min"));
            one.after = Fact::unknown("no answer within 10 min");
            one.root_after = Fact::unknown("no answer within 10 min");
        },
        &["lab.comes-back[reboot-1]"],
    ),
    fault(
        "the machine was not restarted at all",
        |e| {
            let before = known(&mut step(e, "reboot-2").before)
                .system
                .boot_id
                .clone();
            after(e, "reboot-2").system.boot_id = before;
        },
        &["lab.comes-back[reboot-2]"],
    ),
    fault(
        "coming back took too long",
        |e| step(e, "reboot-1").took_ms = 601_000,
        &["lab.comes-back[reboot-1]"],
    ),
    // The target is one of the checks that only look, too.
    fault(
        "the lab was not ready again",
        |e| {
            let units = known(&mut after(e, "reboot-2").system.units);
            units.get_mut("lab.target").unwrap().active = text("inactive");
        },
        &["lab.same-after[reboot-2]", "lab.target-again[reboot-2]"],
    ),
    fault(
        "nvidia-uvm was loaded by hand",
        |e| {
            known(&mut after(e, "reboot-1").nvidia.nodes).retain(|node| node != "/dev/nvidia-uvm");
        },
        &["lab.same-after[reboot-1]"],
    ),
    fault(
        "the firewall is not loaded at boot",
        |e| known(&mut root_after(e, "reboot-2").firewall).clear(),
        &["lab.same-after[reboot-2]"],
    ),
];
