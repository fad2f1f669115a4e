//! NVIDIA's container toolkit: four packages of one version.

use anyhow::{Context as _, Result};

use super::Subject;
use crate::TargetTree;
use crate::source;
use crate::unit::{Package, Unit, Variable};

const REPOSITORY: &str = "nvidia-container-toolkit";

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let on = machine.toolkit.enabled && machine.docker.enabled && machine.driver.enabled;
    if !on {
        return Ok(None);
    }
    let repository = subject.catalog.apt_repository(REPOSITORY);
    let repository = repository.context("the catalog has no repository of the toolkit")?;
    let version = machine.toolkit.version;
    let names = subject.catalog.toolkit_packages();
    let package = |name: &String| Package {
        name: name.clone(),
        version: Some(format!("{version}-1")),
    };
    let packages: Vec<Package> = names.iter().map(package).collect();
    let inputs = source::lay_down(repository, &packages, machine, tree)?;
    Ok(Some(Unit {
        name: "toolkit",
        title: format!("NVIDIA's container toolkit {version}"),
        needs: vec!["driver", "docker"],
        follows: Vec::new(),
        minutes: 20,
        variables: vec![
            ("key_url", Variable::text(&repository.key_url)),
            (
                "key_fingerprint",
                Variable::text(&repository.key_fingerprint),
            ),
            ("version", Variable::text(&version)),
        ],
        inputs,
        packages,
    }))
}
