//! NVIDIA's driver, and the cards by name.

use anyhow::{Context as _, Result};
use lab_catalog::{Catalog, KernelFlavour};
use lab_lock::Wanted;
use lab_machine::Machine;
use lab_machine::section::ubuntu::Kernel;

use super::Subject;
use crate::TargetTree;
use crate::locked;
use crate::template::verbatim;
use crate::unit::{Package, Unit, Variable};

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    if !machine.driver.enabled {
        return Ok(None);
    }
    for name in [
        "etc/modprobe.d/lab-nvidia.conf",
        "etc/systemd/system/nvidia-persistenced.service.d/10-lab.conf",
    ] {
        tree.file(name, 0o644, verbatim(name)?)?;
    }
    Ok(Some(Unit {
        name: "driver",
        title: format!("NVIDIA's driver, branch {}", machine.driver.branch),
        needs: vec!["base"],
        follows: Vec::new(),
        minutes: 45,
        variables: vec![
            ("branch", Variable::text(&machine.driver.branch)),
            ("persistence", Variable::flag(machine.driver.persistence)),
        ],
        inputs: vec![
            "etc/modprobe.d/lab-nvidia.conf".to_owned(),
            "etc/systemd/system/nvidia-persistenced.service.d/10-lab.conf".to_owned(),
        ],
        packages: locked::exact(subject.lock, packages(machine, subject.catalog)?),
        held: true,
    }))
}

/// The driver's packages in Ubuntu, the kernel's modules first.
fn packages(machine: &Machine, catalog: &Catalog) -> Result<Vec<Package>> {
    let number = machine.driver.branch;
    let branch = catalog
        .driver_branch(number)
        .with_context(|| format!("the catalog knows no driver branch {number}"))?;
    let kernel = match machine.ubuntu.kernel {
        Kernel::Ga => KernelFlavour::Ga,
        Kernel::Hwe => KernelFlavour::Hwe,
    };
    let names = branch.packages(machine.driver.module, kernel);
    Ok(names.iter().map(|name| Package::any(name)).collect())
}

pub(crate) fn wants(machine: &Machine, catalog: &Catalog, wanted: &mut Wanted) -> Result<()> {
    if machine.driver.enabled {
        let packages = packages(machine, catalog)?;
        let packages = packages.iter().map(|one| one.wanted("driver", None));
        wanted.packages.extend(packages);
    }
    Ok(())
}

/// Words that the installer's kernel line carries over to the installed system's
/// (curtin takes those behind `---`). The initramfs was made before the overlay
/// is laid down and knows nothing of modprobe.d.
pub(crate) fn carried_words(machine: &Machine) -> Vec<&'static str> {
    if machine.driver.enabled {
        vec!["modprobe.blacklist=nouveau"]
    } else {
        Vec::new()
    }
}

/// The list by which the machine finds a card, and the unit that looks for all of
/// them.
pub(crate) fn cards(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let line = |card: &lab_machine::Card| {
        let slot = card
            .slot
            .as_ref()
            .map_or("-".to_owned(), ToString::to_string);
        let model = card.model.as_deref().unwrap_or("a card of NVIDIA's");
        format!("{} {slot} {} {model}\n", card.name, card.pci_id)
    };
    let list: String = machine.cards.iter().map(line).collect();
    tree.file("etc/lab/gpus", 0o644, list)?;
    if machine.cards.is_empty() || !machine.driver.enabled {
        return Ok(None);
    }
    let limit = |card: &lab_machine::Card| match card.power_limit_w {
        Some(watts) => watts.to_string(),
        None => "-".to_owned(),
    };
    Ok(Some(Unit {
        name: "cards",
        title: "the cards by name".to_owned(),
        needs: vec!["driver"],
        follows: Vec::new(),
        minutes: 5,
        variables: vec![
            (
                "names",
                Variable::list(machine.cards.iter().map(|card| &card.name)),
            ),
            ("limits", Variable::list(machine.cards.iter().map(limit))),
        ],
        inputs: vec!["etc/lab/gpus".to_owned()],
        packages: Vec::new(),
        held: false,
    }))
}
