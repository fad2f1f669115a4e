//! NVIDIA's container toolkit: four packages of one version.

use anyhow::{Context as _, Result};
use lab_catalog::{AptRepository, Catalog};
use lab_lock::Wanted;
use lab_machine::Machine;

use super::Subject;
use crate::TargetTree;
use crate::locked;
use crate::source;
use crate::unit::{Package, Unit, Variable};

const REPOSITORY: &str = "nvidia-container-toolkit";

fn is_on(machine: &Machine) -> bool {
    machine.toolkit.enabled && machine.docker.enabled && machine.driver.enabled
}

fn repository(catalog: &Catalog) -> Result<&AptRepository> {
    let repository = catalog.apt_repository(REPOSITORY);
    repository.context("the catalog has no repository of the toolkit")
}

fn packages(machine: &Machine, catalog: &Catalog) -> Vec<Package> {
    let package = |name: &String| Package {
        name: name.clone(),
        version: Some(format!("{}-1", machine.toolkit.version)),
    };
    catalog.toolkit_packages().iter().map(package).collect()
}

pub(crate) fn wants(machine: &Machine, catalog: &Catalog, wanted: &mut Wanted) -> Result<()> {
    if is_on(machine) {
        let packages = packages(machine, catalog);
        let packages = packages.iter();
        let packages = packages.map(|one| one.wanted("toolkit", Some(REPOSITORY)));
        wanted.packages.extend(packages);
        let repository = repository(catalog)?;
        wanted.repositories.push(source::wanted(repository));
    }
    Ok(())
}

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    if !is_on(machine) {
        return Ok(None);
    }
    let repository = repository(subject.catalog)?;
    let version = machine.toolkit.version;
    let packages = locked::exact(subject.lock, packages(machine, subject.catalog));
    let inputs = source::lay_down(repository, &packages, subject, tree)?;
    let mut variables = vec![
        ("key_url", Variable::text(&repository.key_url)),
        (
            "key_fingerprint",
            Variable::text(&repository.key_fingerprint),
        ),
        ("version", Variable::text(&version)),
    ];
    variables.extend(locked::key_variables(subject.lock, &repository.name));
    Ok(Some(Unit {
        name: "toolkit",
        title: format!("NVIDIA's container toolkit {version}"),
        needs: vec!["driver", "docker"],
        follows: Vec::new(),
        minutes: 20,
        variables,
        inputs,
        packages,
        held: true,
    }))
}
