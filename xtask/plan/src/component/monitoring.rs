//! What shows how the cards are: nvtop, and an exporter on loopback.

use anyhow::Result;
use lab_catalog::Catalog;
use lab_lock::Wanted;
use lab_machine::Machine;
use tera::Context;

use super::Subject;
use crate::TargetTree;
use crate::template::{render, verbatim};
use crate::unit::{Package, Unit, Variable};

const SOCKET: &str = "etc/systemd/system/lab-exporter.socket";
const SERVICE: &str = "etc/systemd/system/lab-exporter@.service";
const EXPORTER: &str = "usr/lib/lab/exporter";

fn packages(machine: &Machine) -> impl Iterator<Item = Package> {
    let nvtop = machine.monitoring.nvtop.then(|| Package::any("nvtop"));
    nvtop.into_iter()
}

pub(crate) fn wants(machine: &Machine, _: &Catalog, wanted: &mut Wanted) -> Result<()> {
    let packages = packages(machine).map(|one| one.wanted("monitoring", None));
    wanted.packages.extend(packages);
    Ok(())
}

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let monitoring = &subject.machine.monitoring;
    if !monitoring.nvtop && !monitoring.exporter {
        return Ok(None);
    }
    let mut inputs = Vec::new();
    if monitoring.exporter {
        let mut context = Context::new();
        context.insert("port", &monitoring.exporter_port);
        tree.file(SOCKET, 0o644, render(SOCKET, &context)?)?;
        tree.file(SERVICE, 0o644, verbatim(SERVICE)?)?;
        tree.file(EXPORTER, 0o755, verbatim(EXPORTER)?)?;
        inputs.extend([SOCKET, SERVICE, EXPORTER].map(str::to_owned));
    }
    Ok(Some(Unit {
        name: "monitoring",
        title: "nvtop and the exporter".to_owned(),
        needs: vec!["base"],
        follows: Vec::new(),
        minutes: 20,
        variables: vec![("exporter", Variable::flag(monitoring.exporter))],
        inputs,
        packages: packages(subject.machine).collect(),
        held: false,
    }))
}
