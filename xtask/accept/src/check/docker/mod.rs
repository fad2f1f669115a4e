//! `docker`: the engine, and the cards that its containers see.

mod containers;

use super::find::{each_driven_card, listed};
use super::{Group, package, service};
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static GROUP: Group = Group {
    name: "docker",
    about: "Docker: that it comes from where it should, runs as described, and gives each container exactly its cards.",
    checks: &[CHECKS, containers::CHECKS],
};

static CHECKS: &[Check] = &[
    Check {
        id: "docker.source",
        effort: Effort::Quick,
        title: "Docker comes from its own repository, signed by the pinned key",
        story: "One source, the lab's, and in its key file the one key whose fingerprint the catalog has. get.docker.com and most instructions add another source with another key file.",
        cause: "The lab's source is missing, or somebody replaced it.",
        remedy: "`sudo lab retry docker` puts source and key in their places.",
        reference: "https://docs.docker.com/engine/install/ubuntu/",
        claims: |subject, claims| {
            if subject.machine.docker.enabled {
                claims.claim("docker.enabled", "one signed source brings Docker", || {
                    package::source(subject, subject.catalog.apt_repository("docker"))
                });
            }
        },
    },
    Check {
        id: "docker.packages",
        effort: Effort::Quick,
        title: "Docker's packages are installed, in the described version",
        story: "The engine and its client as described; what goes with them in the version that was seen together with it.",
        cause: "Somebody upgraded Docker by hand, Ubuntu's docker.io is in its place, or the vendor's repository dropped the version.",
        remedy: "`apt-cache policy docker-ce` shows what there is. `sudo lab retry docker` installs the described version, or describe the newer one in `docker.version`.",
        reference: "docs/src/reference/machine.md",
        claims: |subject, claims| {
            if subject.machine.docker.enabled {
                package::each_package(subject, claims, "docker", "docker.version");
            }
        },
    },
    Check {
        id: "docker.held",
        effort: Effort::Quick,
        title: "no upgrade moves Docker's packages",
        story: "A new engine restarts the daemon at an hour that nobody chose, and is not the described one.",
        cause: "Somebody ran `apt-mark unhold`, or installed the packages by hand.",
        remedy: "`sudo lab retry docker` holds them again.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            if subject.machine.docker.enabled {
                claims.claim("docker.version", "Docker's packages are held", || {
                    package::held(subject, "docker")
                });
            }
        },
    },
    Check {
        id: "docker.service",
        effort: Effort::Quick,
        title: "Docker's daemon runs",
        story: "systemd says so of docker.service.",
        cause: "The daemon does not start: its settings are refused, its disk is full, or containerd does not run.",
        remedy: "`journalctl -u docker -b -n 50` says why; `sudo dockerd --validate` checks /etc/docker/daemon.json. Then `sudo lab retry docker`.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            if subject.machine.docker.enabled {
                claims.claim("docker.enabled", "docker.service runs", || {
                    service::active(subject, "docker.service")
                });
            }
        },
    },
    Check {
        id: "docker.version",
        effort: Effort::Quick,
        title: "the daemon that answers is the described version",
        story: "A package that was replaced does not replace the daemon that runs.",
        cause: "The package was upgraded and the daemon was not started again.",
        remedy: "`sudo systemctl restart docker`: containers run on meanwhile (live-restore).",
        reference: "https://docs.docker.com/engine/daemon/live-restore/",
        claims: version,
    },
    Check {
        id: "docker.data-root",
        effort: Effort::Quick,
        title: "images and containers lie where described",
        story: "Where the daemon itself says that its data lies.",
        cause: "Somebody changed `data-root` in /etc/docker/daemon.json, or the daemon was not started again after an apply.",
        remedy: "`sudo lab retry docker` merges the described settings and starts the daemon again.",
        reference: "docs/src/reference/units.md",
        claims: data_root,
    },
    Check {
        id: "docker.logging",
        effort: Effort::Quick,
        title: "what containers print is kept in files that are rotated",
        story: "Only with the driver `json-file` do `docker.log_max_mb` and `docker.log_files` mean anything. Without a limit one talkative container fills the disk.",
        cause: "Somebody set another `log-driver` in /etc/docker/daemon.json.",
        remedy: "Take it out there, then `sudo lab retry docker`.",
        reference: "docs/src/reference/machine.md",
        claims: logging,
    },
    Check {
        id: "docker.runtime",
        effort: Effort::Quick,
        title: "Docker has NVIDIA's runtime",
        story: "`nvidia-ctk runtime configure` writes it into daemon.json, for images and commands that ask for it by name.",
        cause: "daemon.json was replaced, or the daemon was not started again after the toolkit was installed.",
        remedy: "`sudo lab retry toolkit`.",
        reference: "docs/src/reference/units.md",
        claims: runtime,
    },
    Check {
        id: "docker.cdi",
        effort: Effort::Quick,
        title: "Docker takes devices by CDI",
        story: "The lab gives cards to containers by CDI, which a `systemctl daemon-reload` does not take away again.",
        cause: "`features.cdi` is off in /etc/docker/daemon.json, or the engine is older than 25.",
        remedy: "`sudo lab retry docker` sets it.",
        reference: "https://docs.docker.com/reference/cli/dockerd/",
        claims: cdi,
    },
    Check {
        id: "docker.cdi-driver",
        effort: Effort::Quick,
        title: "the description of the cards for containers is of the driver that is loaded",
        story: "The specification (`/run/cdi/nvidia.yaml`) names the driver's libraries with their version. One of an older driver names files that are gone, and no container with a card starts.",
        cause: "The driver was changed and the specification was not made anew; or an old one lies in /etc/cdi, which stays over restarts.",
        remedy: "`sudo lab retry toolkit` makes it anew. Remove /etc/cdi/nvidia.yaml if somebody made one there.",
        reference: "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/cdi-support.html",
        claims: cdi_driver,
    },
    Check {
        id: "docker.cdi-cards",
        effort: Effort::Quick,
        title: "each card can be given to a container by its UUID",
        story: "The specification must have a device for each described card.",
        cause: "The specification was made when the driver did not see the card.",
        remedy: "Look at `gpu.seen` first; then `sudo lab retry toolkit` makes it anew.",
        reference: "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/cdi-support.html",
        claims: |subject, claims| {
            if toolkit_wanted(subject) {
                each_driven_card(
                    subject,
                    claims,
                    "name",
                    |card| format!("{} can be given to a container", card.name),
                    |subject, card| {
                        let uuid = &subject.gpu(card)?.uuid;
                        let cdi = specification(subject)?;
                        Ok(Seen::when(
                            cdi.devices.contains(uuid),
                            format!("{} has {}", cdi.path, listed(&cdi.devices)),
                        ))
                    },
                );
            }
        },
    },
];

/// Whether containers are to get cards.
pub(super) fn toolkit_wanted(subject: &Subject<'_>) -> bool {
    let machine = subject.machine;
    machine.toolkit.enabled && machine.docker.enabled && machine.driver.enabled
}

fn version(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let docker = &subject.machine.docker;
    let Some(wanted) = docker.version.filter(|_| docker.enabled) else {
        return;
    };
    claims.claim("docker.version", format!("the daemon is {wanted}"), || {
        let found = &subject.docker()?.docker.version;
        let same = found.parse() == Ok(wanted);
        Ok(Seen::when(
            same,
            format!("the daemon says that it is {found}"),
        ))
    });
}

fn data_root(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let docker = &subject.machine.docker;
    if !docker.enabled {
        return;
    }
    let wanted = docker.data_root.as_str();
    claims.claim(
        "docker.data_root",
        format!("its data lies in {wanted}"),
        || {
            let found = &subject.docker()?.docker.root;
            Ok(Seen::when(found == wanted, format!("it lies in {found}")))
        },
    );
}

fn logging(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if !subject.machine.docker.enabled {
        return;
    }
    claims.claim(
        "docker.log_max_mb",
        "logs go to files that are rotated",
        || {
            let found = &subject.docker()?.docker.logging;
            Ok(Seen::when(
                found == "json-file",
                format!("the log driver is {found}"),
            ))
        },
    );
}

fn runtime(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if !toolkit_wanted(subject) {
        return;
    }
    claims.claim("toolkit.enabled", "the runtime `nvidia` is there", || {
        let runtimes = &subject.docker()?.docker.runtimes;
        let there = runtimes.iter().any(|one| one == "nvidia");
        Ok(Seen::when(
            there,
            format!("its runtimes are {}", listed(runtimes)),
        ))
    });
}

fn cdi(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if !toolkit_wanted(subject) {
        return;
    }
    claims.claim("toolkit.enabled", "CDI is on", || {
        let folders = &subject.docker()?.docker.cdi_dirs;
        Ok(match folders.is_empty() {
            true => Seen::bad("the daemon looks for CDI specifications nowhere"),
            false => Seen::good(format!(
                "the daemon looks for CDI specifications in {}",
                listed(folders)
            )),
        })
    });
}

/// The specification of the cards, for the checks that need one.
fn specification<'a>(subject: &Subject<'a>) -> Result<&'a lab_facts::Cdi, NotRun> {
    let cdi = subject.nvidia()?.cdi.get()?.as_ref();
    cdi.ok_or_else(|| NotRun("there is no CDI specification".to_owned()))
}

fn cdi_driver(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if toolkit_wanted(subject) {
        claims.claim(
            "toolkit.enabled",
            "the CDI specification is of this driver",
            || of_this_driver(subject),
        );
    }
}

fn of_this_driver(subject: &Subject<'_>) -> Judgement {
    let nvidia = subject.nvidia()?;
    let Some(cdi) = nvidia.cdi.get()? else {
        return Ok(Seen::bad(
            "neither /run/cdi/nvidia.yaml nor /etc/cdi/nvidia.yaml is there",
        ));
    };
    let module = nvidia.module.get()?.as_ref();
    let module = module.ok_or("no module of the driver is loaded")?;
    let named = cdi.driver.as_deref();
    let evidence = format!(
        "{} is of {}, the module is {}",
        cdi.path,
        named.unwrap_or("no version"),
        module.version
    );
    Ok(Seen::when(named == Some(module.version.as_str()), evidence))
}
