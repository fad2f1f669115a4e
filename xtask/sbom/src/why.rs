//! What pulled something in, in words.

use std::collections::BTreeSet;

use lab_lock::{Key, Lock, Package, Wanted, reasons};
use thiserror::Error;

/// How alike two names must be to be offered (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.85;
/// The most names that are offered.
const MOST_OFFERED: usize = 3;

/// A name that neither the lock nor the description has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("nothing called {name:?} is locked{}", offer(.closest))]
pub struct Unknown {
    /// The name.
    pub name: String,
    /// Names like it, the closest first; at most three.
    pub closest: Vec<String>,
}

fn offer(closest: &[String]) -> String {
    match closest {
        [] => "; `cargo xtask sbom` lists everything that is".to_owned(),
        names => format!("; did you mean {}?", names.join(" or ")),
    }
}

/// What pulled a package, a file, a model, an image or a key in: a paragraph for each thing
/// of that name, with a newline at the end.
///
/// # Errors
///
/// Where nothing has that name, with names that are like it.
pub fn why(wanted: &Wanted, lock: &Lock, name: &str) -> Result<String, Unknown> {
    let mut said = Vec::new();
    if let Some(package) = lock.package(name) {
        said.push(of_package(wanted, lock, package));
    }
    said.extend(of_file(wanted, lock, name));
    if lock.model(name).is_some() {
        let asking = wanted.models.iter().filter(|one| one.name == name);
        let units = asking.flat_map(|one| &one.units).map(String::as_str);
        said.push(used_by(name, "a model", &units.collect()));
    }
    if lock.image(name).is_some() {
        let asking = wanted.images.iter().filter(|one| one.reference == name);
        let units = asking.flat_map(|one| &one.units).map(String::as_str);
        said.push(used_by(name, "an image", &units.collect()));
    }
    let key = lock.keys.iter().find(|one| one.name == name);
    said.extend(key.map(|key| of_key(lock, key)));
    if name == lock.base.file || name == lock.base.release {
        said.push(format!(
            "{} ({}) is what the machine is installed from\n",
            lock.base.file, lock.base.release
        ));
    }
    if said.is_empty() {
        said.extend(not_locked(wanted, name));
    }
    match said.is_empty() {
        true => Err(unknown(lock, name)),
        false => Ok(said.join("\n")),
    }
}

fn of_package(wanted: &Wanted, lock: &Lock, package: &Package) -> String {
    let head = format!("{} {}", package.name, package.version);
    let ways = reasons(wanted, lock, &package.name);
    if ways.is_empty() {
        return no_longer(&head);
    }
    let lines = ways
        .iter()
        .map(|way| format!("  {}: {}\n", way.unit, way.packages.join(" > ")));
    format!("{head} is installed by\n{}", lines.collect::<String>())
}

fn of_file(wanted: &Wanted, lock: &Lock, name: &str) -> Option<String> {
    let file = lock.file(name)?;
    let head = match &file.version {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    };
    let asking = wanted.files.iter().filter(|one| one.name == name);
    let units = asking.map(|one| one.unit.as_str()).collect();
    Some(used_by(&head, "a file", &units))
}

/// The units that use a thing of which nothing is made on the way.
fn used_by(head: &str, what: &str, units: &BTreeSet<&str>) -> String {
    if units.is_empty() {
        return no_longer(head);
    }
    let lines: String = units.iter().map(|unit| format!("  {unit}\n")).collect();
    format!("{head} is {what} that is used by\n{lines}")
}

fn of_key(lock: &Lock, key: &Key) -> String {
    let packages = lock.packages.iter();
    let count = packages.filter(|one| one.repository == key.name).count();
    let packages = if count == 1 {
        "package comes"
    } else {
        "packages come"
    };
    format!(
        "the key {} signs the repository {}, from which {count} {packages}\n",
        key.fingerprint, key.name
    )
}

fn no_longer(head: &str) -> String {
    format!("{head} is locked, but nothing asks for it any more: `cargo xtask lock` takes it out\n")
}

/// What the description asks for and the lock does not have.
fn not_locked(wanted: &Wanted, name: &str) -> Option<String> {
    let packages = wanted.packages.iter().filter(|one| one.name == name);
    let files = wanted.files.iter().filter(|one| one.name == name);
    let models = wanted.models.iter().filter(|one| one.name == name);
    let images = wanted.images.iter().filter(|one| one.reference == name);
    let mut units: BTreeSet<&str> = packages.map(|one| one.unit.as_str()).collect();
    units.extend(files.map(|one| one.unit.as_str()));
    units.extend(models.flat_map(|one| &one.units).map(String::as_str));
    units.extend(images.flat_map(|one| &one.units).map(String::as_str));
    if units.is_empty() {
        return None;
    }
    let by = units.into_iter().collect::<Vec<_>>().join(", ");
    Some(format!(
        "{name} is asked for by {by}, but not locked yet: `cargo xtask lock`\n"
    ))
}

fn unknown(lock: &Lock, name: &str) -> Unknown {
    let names = lock.packages.iter().map(|one| &one.name);
    let names = names
        .chain(lock.files.iter().map(|one| &one.name))
        .chain(lock.models.iter().map(|one| &one.name))
        .chain(lock.images.iter().map(|one| &one.reference));
    let mut alike: Vec<(f64, &String)> = names
        .map(|one| (strsim::jaro_winkler(one, name), one))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    alike.dedup_by(|a, b| a.1 == b.1);
    Unknown {
        name: name.to_owned(),
        closest: alike
            .into_iter()
            .take(MOST_OFFERED)
            .map(|(_, one)| one.clone())
            .collect(),
    }
}
