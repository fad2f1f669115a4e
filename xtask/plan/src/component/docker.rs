//! Docker, from its own signed repository.

use anyhow::{Context as _, Result};
use lab_catalog::{AptRepository, Catalog};
use lab_lock::Wanted;
use lab_machine::Machine;
use serde_json::json;

use super::Subject;
use crate::TargetTree;
use crate::locked;
use crate::source;
use crate::unit::{Package, Unit, Variable};

const PACKAGES: [&str; 5] = [
    "docker-ce",
    "docker-ce-cli",
    "containerd.io",
    "docker-buildx-plugin",
    "docker-compose-plugin",
];

/// Our part of the daemon's settings.
const DAEMON: &str = "etc/lab/docker/daemon.json";

/// Where Docker keeps everything unless it is told otherwise.
const DEFAULT_ROOT: &str = "/var/lib/docker";

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    if !machine.docker.enabled {
        return Ok(None);
    }
    let repository = repository(subject.catalog)?;
    let packages = locked::exact(subject.lock, packages(machine, repository));
    let mut inputs = source::lay_down(repository, &packages, subject, tree)?;
    tree.file(DAEMON, 0o644, daemon(machine)?)?;
    inputs.push(DAEMON.to_owned());
    let version = machine.docker.version;
    let mut variables = vec![
        ("key_url", Variable::text(&repository.key_url)),
        (
            "key_fingerprint",
            Variable::text(&repository.key_fingerprint),
        ),
        ("data_root", Variable::text(&machine.docker.data_root)),
    ];
    variables.extend(locked::key_variables(subject.lock, &repository.name));
    Ok(Some(Unit {
        name: "docker",
        title: version.map_or("Docker".to_owned(), |version| format!("Docker {version}")),
        needs: vec!["base"],
        follows: Vec::new(),
        minutes: 30,
        variables,
        inputs,
        packages,
        held: true,
    }))
}

fn repository(catalog: &Catalog) -> Result<&AptRepository> {
    let repository = catalog.apt_repository("docker");
    repository.context("the catalog has no repository of Docker")
}

pub(crate) fn wants(machine: &Machine, catalog: &Catalog, wanted: &mut Wanted) -> Result<()> {
    if machine.docker.enabled {
        let repository = repository(catalog)?;
        let packages = packages(machine, repository);
        let from = Some(repository.name.as_str());
        let packages = packages.iter().map(|one| one.wanted("docker", from));
        wanted.packages.extend(packages);
        wanted.repositories.push(source::wanted(repository));
    }
    Ok(())
}

/// The engine and its client in the version of the description; the others in the
/// version that was seen with it, where it is known.
fn packages(machine: &Machine, repository: &AptRepository) -> Vec<Package> {
    let wanted = machine.docker.version.map(|version| version.to_string());
    let of = |name: &str| {
        let engine = name.starts_with("docker-ce");
        let form = wanted
            .as_ref()
            .map(|version| format!("5:{version}-1~ubuntu.24.04~noble"));
        let newest = repository
            .newest("docker-ce")
            .map(|one| one.version.as_str());
        let version = match engine {
            true => form,
            false if form.as_deref() == newest => {
                repository.newest(name).map(|one| one.version.clone())
            }
            false => None,
        };
        Package {
            name: name.to_owned(),
            version,
        }
    };
    PACKAGES.into_iter().map(of).collect()
}

/// What the lab wants of the daemon. Whatever else stands in its file stays.
fn daemon(machine: &Machine) -> Result<String> {
    let docker = &machine.docker;
    let mut wanted = json!({
        "features": { "cdi": true },
        // Containers run on while the daemon starts again.
        "live-restore": true,
        "log-driver": "json-file",
        "log-opts": {
            "max-size": format!("{}m", docker.log_max_mb),
            "max-file": docker.log_files.to_string(),
        },
        // A published port goes past the firewall: on loopback nobody sees it.
        "ip": "127.0.0.1",
    });
    if docker.data_root.to_string() != DEFAULT_ROOT {
        wanted["data-root"] = json!(docker.data_root);
        // Docker 29 keeps images with containerd, which knows nothing of data-root.
        wanted["features"]["containerd-snapshotter"] = json!(false);
    }
    let mut text = serde_json::to_string_pretty(&wanted).context("writing Docker's settings")?;
    text.push('\n');
    Ok(text)
}
