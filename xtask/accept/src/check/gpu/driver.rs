//! NVIDIA's driver: module, library, device nodes, persistence, packages.

use lab_catalog::KernelModule;
use lab_facts::{Fact, Kind, Module};
use lab_machine::Card;

use super::super::find::{each_driven_card, listed};
use super::super::{package, service};
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "gpu.packages",
        effort: Effort::Quick,
        title: "the driver's packages are installed",
        story: "Modules that Ubuntu built and signed, and the user space of the same branch, as they follow from the branch, the kernel and the kind of module.",
        cause: "Another branch was installed over them, or the unit `driver` has not ended.",
        remedy: "`lab status` says where the unit `driver` is; `sudo lab retry driver` installs what is missing. Remove drivers that came from elsewhere: `ubuntu-drivers`, NVIDIA's .run file, a PPA.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            if subject.machine.driver.enabled {
                package::each_package(subject, claims, "driver", "driver.branch");
            }
        },
    },
    Check {
        id: "gpu.held",
        effort: Effort::Quick,
        title: "no upgrade moves the driver's packages",
        story: "An upgrade that replaces the library under a loaded module ends every CUDA program with `Driver/library version mismatch`, days later and without a cause in sight. So the packages are held.",
        cause: "Somebody ran `apt-mark unhold`, or the packages were installed by hand.",
        remedy: "`sudo lab retry driver` holds them again.",
        reference: "docs/src/reference/units.md",
        claims: held,
    },
    Check {
        id: "gpu.module",
        effort: Effort::Quick,
        title: "the module of the described branch is loaded",
        story: "What counts is the module in the kernel (`/sys/module/nvidia/version`), not the package on the disk. 580 is the last branch for Maxwell, Pascal and Volta: a newer one silently leaves such cards out.",
        cause: "The running kernel has no module of this branch, another branch is installed, or nouveau has the cards.",
        remedy: "`lab status` has the reason at the unit `driver`. Often a newer kernel was installed and not started: `sudo reboot`.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: module,
    },
    Check {
        id: "gpu.library",
        effort: Effort::Quick,
        title: "module and library are of one version",
        story: "The library talks to the module in a form of their own, which every version changes.",
        cause: "The library was upgraded while the old module stayed loaded.",
        remedy: "`sudo reboot` loads the module that belongs to the library. If it stays so, `dpkg -l '*nvidia*'` shows packages of two versions: `sudo lab retry driver`.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: library,
    },
    Check {
        id: "gpu.module-kind",
        effort: Effort::Quick,
        title: "the described kind of module is loaded, and it drives every card",
        story: "NVIDIA's open module needs a processor that only Turing and newer cards have. On older ones it loads and sees nothing.",
        cause: "A package with `-open` in its name was installed; `ubuntu-drivers` may choose one.",
        remedy: "Remove the packages with `-open` (`dpkg -l '*nvidia*open*'`), then `sudo lab retry driver` and `sudo reboot`.",
        reference: "docs/src/reference/machine.md",
        claims: kind,
    },
    Check {
        id: "gpu.uvm",
        effort: Effort::Quick,
        title: "the device that CUDA needs is there",
        story: "`nvidia-smi` works without `nvidia-uvm`, and CUDA does not. The module must be loaded and `/dev/nvidia-uvm` must exist.",
        cause: "`nvidia-uvm` was not loaded at boot; a machine without a display has nothing else that would load it.",
        remedy: "`sudo lab retry driver` loads it and makes the node; `lab logs driver` says why if it cannot.",
        reference: "docs/src/reference/units.md",
        claims: uvm,
    },
    Check {
        id: "gpu.persistence-daemon",
        effort: Effort::Quick,
        title: "the persistence daemon runs as described",
        story: "Without it a card is initialised anew for every program, which takes a second or more, and loses its power limit in between.",
        cause: "The daemon failed to start, or was switched off or on by hand.",
        remedy: "`systemctl status nvidia-persistenced` says why; `sudo lab retry driver` sets it as described.",
        reference: "https://docs.nvidia.com/deploy/driver-persistence/",
        claims: daemon,
    },
    Check {
        id: "gpu.persistence",
        effort: Effort::Quick,
        title: "each card stays initialised between two programs",
        story: "NVML says it of each card. Ubuntu's unit starts the daemon with `--no-persistence-mode`, and then it runs and does nothing; the lab's drop-in takes that away.",
        cause: "The daemon runs without persistence mode: the lab's drop-in is missing.",
        remedy: "`systemctl cat nvidia-persistenced` must show 10-lab.conf; `cargo xtask apply` lays it down. At once: `sudo nvidia-smi -pm 1`.",
        reference: "https://docs.nvidia.com/deploy/driver-persistence/",
        claims: |subject, claims| {
            if subject.machine.driver.persistence {
                each_persistent(subject, claims);
            }
        },
    },
    Check {
        id: "gpu.seen",
        effort: Effort::Quick,
        title: "NVML sees each described card",
        story: "The driver has to see at that address what the bus shows there.",
        cause: "The driver gave the card up: it fell off the bus (Xid 79), has no power cable, or is of a generation that this branch dropped.",
        remedy: "`sudo dmesg | grep -i -e xid -e nvrm` says which. Check the power cable and the seat of the card; restart.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "slot",
                |card| format!("NVML sees {} there", card.name),
                seen,
            );
        },
    },
    Check {
        id: "gpu.name",
        effort: Effort::Quick,
        title: "the machine knows each card by its described name",
        story: "Workloads are given cards by name; the machine's own list (`lab gpus`) leads from there to the UUID. It must be the UUID of the card that sits at the described place.",
        cause: "The list is of an earlier boot or of an earlier set of cards.",
        remedy: "`sudo lab retry cards` makes the list anew.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            each_driven_card(
                subject,
                claims,
                "name",
                |card| format!("`lab gpus` knows {}", card.name),
                named,
            );
        },
    },
];

fn held(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if subject.machine.driver.enabled {
        claims.claim("driver.branch", "the driver's packages are held", || {
            package::held(subject, "driver")
        });
    }
}

/// The module that is loaded.
fn loaded<'a>(subject: &Subject<'a>) -> Result<&'a Module, NotRun> {
    let module = subject.nvidia()?.module.get()?.as_ref();
    module.ok_or_else(|| NotRun("no module of the driver is loaded".to_owned()))
}

fn module(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let driver = &subject.machine.driver;
    if !driver.enabled {
        return;
    }
    let branch = driver.branch;
    claims.claim(
        "driver.branch",
        format!("a module of branch {branch} is loaded"),
        || {
            Ok(match subject.nvidia()?.module.get()? {
                None => Seen::bad("no module of NVIDIA's is loaded"),
                Some(module) => {
                    let good =
                        module.version.split('.').next() == Some(branch.to_string().as_str());
                    Seen::when(good, format!("the module {} is loaded", module.version))
                }
            })
        },
    );
}

fn library(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if subject.machine.driver.enabled {
        claims.claim(
            "driver.branch",
            "module and library are of one version",
            || equal_versions(subject),
        );
    }
}

fn equal_versions(subject: &Subject<'_>) -> Judgement {
    let module = &loaded(subject)?.version;
    let library = match &subject.nvidia()?.library {
        Fact::Is(library) => library,
        // With such a library NVML does not even start, and says just this.
        Fact::Unknown(why) if why.to_lowercase().contains("mismatch") => {
            return Ok(Seen::bad(format!(
                "the module is {module}; NVML says: {why}"
            )));
        }
        Fact::Unknown(why) => return Err(why.as_str().into()),
    };
    let evidence = format!(
        "the module is {module}, the library {} (CUDA {})",
        library.driver, library.cuda
    );
    Ok(Seen::when(*module == library.driver, evidence))
}

fn kind(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let driver = &subject.machine.driver;
    if !driver.enabled {
        return;
    }
    let (wanted, word) = match driver.module {
        KernelModule::Closed => (Kind::Closed, "closed"),
        KernelModule::Open => (Kind::Open, "open"),
    };
    claims.claim(
        "driver.module",
        format!("the {word} module is loaded"),
        || {
            let found = *loaded(subject)?.kind.get()?;
            let (module, has) = match found {
                Kind::Closed => (KernelModule::Closed, "closed"),
                Kind::Open => (KernelModule::Open, "open"),
            };
            let lost = subject.machine.cards.iter();
            let lost = lost.filter(|card| card.architecture.is_some_and(|one| !module.drives(one)));
            let lost = listed(lost.map(Card::in_words));
            let evidence = match lost.as_str() {
                "none" => format!("the {has} module is loaded, which drives every described card"),
                cards => format!("the {has} module is loaded, which does not drive {cards}"),
            };
            Ok(Seen::when(found == wanted && lost == "none", evidence))
        },
    );
}

fn uvm(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if !subject.machine.driver.enabled {
        return;
    }
    claims.claim(
        "driver.enabled",
        "/dev/nvidia-uvm is there, and its module",
        || {
            let module = loaded(subject)?.uvm;
            let nodes = subject.nvidia()?.nodes.get()?;
            let node = nodes.iter().any(|one| one == "/dev/nvidia-uvm");
            let word = |there: bool| if there { "there" } else { "missing" };
            let evidence = format!(
                "the module nvidia_uvm is {}, /dev/nvidia-uvm is {}",
                word(module),
                word(node)
            );
            Ok(Seen::when(module && node, evidence))
        },
    );
}

const DAEMON: &str = "nvidia-persistenced.service";

fn daemon(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let driver = &subject.machine.driver;
    match (driver.enabled, driver.persistence) {
        (false, _) => {}
        (true, true) => claims.claim("driver.persistence", "the persistence daemon runs", || {
            service::active(subject, DAEMON)
        }),
        (true, false) => claims.claim(
            "driver.persistence",
            "the persistence daemon does not run",
            || {
                let unit = subject.unit(DAEMON)?;
                Ok(Seen::when(
                    unit.active != "active",
                    format!("{DAEMON} is {}", unit.active),
                ))
            },
        ),
    }
}

fn each_persistent(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let claim = |card: &Card| format!("{} stays initialised", card.name);
    each_driven_card(subject, claims, "name", claim, |subject, card| {
        let on = *subject.gpu(card)?.persistence.get()?;
        Ok(Seen::when(
            on,
            format!("persistence mode is {}", if on { "on" } else { "off" }),
        ))
    });
}

fn seen(subject: &Subject<'_>, card: &Card) -> Judgement {
    let device = subject.on_bus(card)?;
    let gpus = subject.nvidia()?.gpus.get()?;
    let found = gpus.iter().find(|gpu| gpu.address == device.address);
    Ok(match found {
        Some(gpu) => {
            let good = gpu.pci_id == card.pci_id.to_string();
            Seen::when(
                good,
                format!(
                    "{} ({}, {}) at {}",
                    gpu.name, gpu.pci_id, gpu.uuid, gpu.address
                ),
            )
        }
        None => Seen::bad(format!(
            "at {} it sees nothing; it sees {}",
            device.address,
            listed(gpus.iter().map(|gpu| &gpu.address))
        )),
    })
}

fn named(subject: &Subject<'_>, card: &Card) -> Judgement {
    let uuid = &subject.gpu(card)?.uuid;
    let list = subject.software()?.lab_gpus.get()?;
    let line = list.iter().find(|(name, _, _)| name == card.name.as_str());
    Ok(match line {
        Some((_, listed, address)) => Seen::when(
            listed == uuid,
            format!("it lists {listed} at {address}, NVML has {uuid}"),
        ),
        None => Seen::bad(format!(
            "it lists {}",
            super::super::find::listed(list.iter().map(|(name, _, _)| name))
        )),
    })
}
