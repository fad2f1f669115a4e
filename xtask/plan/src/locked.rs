//! What a machine gets of its lock: exact versions, digests, and files below
//! `/etc/lab/lock` by which the units hold what they fetch against it.
//!
//! `UNIT.packages` has a line for each package that a unit installs or that these need:
//! name, version, architecture, the .deb's sha256, its length in bytes. `digest` names the
//! lock, `snapshot` the state of Ubuntu's archive that has all of it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use lab_lock::{Image, Lock, Wanted, missing};

use crate::component::updates::LEFT_ALONE;
use crate::unit::{LaidUnit, Package, Unit, Variable};
use crate::wanted::wanted;
use crate::{Subject, TargetTree};

/// The text of the file by which a payload and a machine say which lock they are of: its
/// digest, in a line.
///
/// # Errors
///
/// When the lock cannot be written as text.
pub fn digest_file(lock: &Lock) -> Result<String> {
    let digest = lock.digest().context("writing the lock")?;
    Ok(format!("{digest}\n"))
}

/// Refuses a lock that lacks something which the machine wants.
///
/// # Errors
///
/// What it lacks, each by its name.
pub(crate) fn check(subject: &Subject<'_>) -> Result<()> {
    let Some(lock) = subject.lock else {
        return Ok(());
    };
    let lacks = missing(&wanted(subject.machine, subject.catalog)?, lock);
    if lacks.is_empty() {
        return Ok(());
    }
    let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
    bail!(
        "{} does not fit the description: {}. `cargo xtask lock` locks what is new and leaves the rest",
        lab_lock::FILE_NAME,
        lacks.join("; ")
    )
}

/// Lays down what the lock has for each unit's packages, and makes it the unit's input.
///
/// # Errors
///
/// When a path is taken, or the lock cannot be written as text.
pub(crate) fn lay_down(
    subject: &Subject<'_>,
    units: &mut [Unit],
    tree: &mut TargetTree,
) -> Result<()> {
    let Some(lock) = subject.lock else {
        return Ok(());
    };
    tree.file("etc/lab/lock/digest", 0o644, digest_file(lock)?)?;
    if let Some(snapshot) = &lock.snapshot {
        tree.file("etc/lab/lock/snapshot", 0o644, format!("{snapshot}\n"))?;
    }
    let wanted = wanted(subject.machine, subject.catalog)?;
    for unit in units.iter_mut().filter(|unit| !unit.packages.is_empty()) {
        let lines = lock.packages_of(&wanted, unit.name).into_iter().map(|one| {
            format!(
                "{} {} {} {} {}\n",
                one.name, one.version, one.architecture, one.sha256, one.size
            )
        });
        let path = format!("etc/lab/lock/{}.packages", unit.name);
        tree.file(path.as_str(), 0o644, lines.collect::<String>())?;
        unit.inputs.push(path);
    }
    Ok(())
}

/// These packages in their locked versions: for a unit that holds what it installs.
/// Others may be moved by security updates, and are as described whatever their version.
pub(crate) fn exact(lock: Option<&Lock>, packages: Vec<Package>) -> Vec<Package> {
    let exact = |package: Package| {
        let locked = lock.and_then(|lock| lock.package(&package.name));
        let version = locked.map(|one| one.version.clone());
        Package {
            version: version.or(package.version),
            name: package.name,
        }
    };
    packages.into_iter().map(exact).collect()
}

/// The packages that stay in their locked version whatever updates come: those that a unit
/// holds; and of what these need a vendor's, which no update of Ubuntu's brings, and those that
/// security updates leave alone. What else they need (`libc6`) moves with security updates.
pub fn fixed(lock: &Lock, wanted: &Wanted, units: &[LaidUnit]) -> BTreeSet<String> {
    let own = |name: &str| {
        wanted
            .repositories
            .iter()
            .any(|one| one.own && one.name == name)
    };
    let stays = |one: &&lab_lock::Package| {
        !own(&one.repository) || LEFT_ALONE.iter().any(|begin| one.name.starts_with(begin))
    };
    let mut fixed = BTreeSet::new();
    for unit in units.iter().filter(|unit| unit.held) {
        fixed.extend(unit.packages.iter().map(|one| one.name.clone()));
        let closure = lock.packages_of(wanted, &unit.name).into_iter();
        fixed.extend(closure.filter(stays).map(|one| one.name.clone()));
    }
    fixed
}

/// The digest of a vendor's key file, for the unit that fetches it.
pub(crate) fn key_variables(
    lock: Option<&Lock>,
    repository: &str,
) -> Vec<(&'static str, Variable)> {
    let mut keys = lock.into_iter().flat_map(|lock| &lock.keys);
    let key = keys.find(|key| key.name == repository);
    key.map(|key| ("key_sha256", Variable::text(&key.sha256)))
        .into_iter()
        .collect()
}

/// The image by its digests, for the unit that pulls it: `image_locked` is pulled and gets
/// the name `image_tag`; what Docker calls its id is the digest of `image_config`, or of
/// `image_manifest` where containerd keeps the images.
pub(crate) fn image_variables(
    lock: Option<&Lock>,
    reference: &str,
) -> Vec<(&'static str, Variable)> {
    let image = lock.and_then(|lock| lock.image(reference));
    image.map(by_digest).unwrap_or_default()
}

fn by_digest(image: &Image) -> Vec<(&'static str, Variable)> {
    let (name, tag) = name_and_tag(&image.reference);
    let manifest = image.manifest.sha256;
    vec![
        (
            "image_locked",
            Variable::text(&format!("{name}@sha256:{manifest}")),
        ),
        (
            "image_tag",
            Variable::text(&format!("{name}:{}", tag.unwrap_or("locked"))),
        ),
        ("image_manifest", Variable::text(&manifest)),
        ("image_config", Variable::text(&image.config.sha256)),
    ]
}

/// The parts of `NAME:TAG`, `NAME@sha256:…` or both.
pub(crate) fn name_and_tag(reference: &str) -> (&str, Option<&str>) {
    let name = reference.split('@').next().unwrap_or(reference);
    // A colon before the last slash is the registry's port.
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::name_and_tag;

    #[test]
    fn a_reference_has_a_name_and_perhaps_a_tag() {
        let digest = format!("@sha256:{}", "a".repeat(64));
        for (name, tag) in [
            ("quay.io/a/b", Some("t-1")),
            ("host:5000/a", None),
            ("host:5000/a", Some("1.0")),
        ] {
            let plain = tag.map_or(name.to_owned(), |tag| format!("{name}:{tag}"));
            for reference in [plain.clone(), format!("{plain}{digest}")] {
                assert_eq!(name_and_tag(&reference), (name, tag), "{reference}");
            }
        }
    }
}
