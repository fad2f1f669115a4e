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
    if let Some(model) = lock.model(name) {
        let asked = wanted.models.iter().any(|one| one.name == model.name);
        said.push(asked_for(name, "a model", asked));
    }
    if let Some(image) = lock.image(name) {
        let asked = wanted
            .images
            .iter()
            .any(|one| one.reference == image.reference);
        said.push(asked_for(name, "an image", asked));
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
    let units: BTreeSet<&str> = asking.map(|one| one.unit.as_str()).collect();
    if units.is_empty() {
        return Some(no_longer(&head));
    }
    let lines: String = units.iter().map(|unit| format!("  {unit}\n")).collect();
    Some(format!("{head} is a file that is used by\n{lines}"))
}

fn asked_for(name: &str, what: &str, asked: bool) -> String {
    match asked {
        true => format!("{name} is {what} that the description names\n"),
        false => no_longer(name),
    }
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
    let mut units: BTreeSet<&str> = packages.map(|one| one.unit.as_str()).collect();
    units.extend(files.map(|one| one.unit.as_str()));
    let named = wanted.models.iter().any(|one| one.name == name)
        || wanted.images.iter().any(|one| one.reference == name);
    let by = match (units.is_empty(), named) {
        (false, _) => units.into_iter().collect::<Vec<_>>().join(", "),
        (true, true) => "the description".to_owned(),
        (true, false) => return None,
    };
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
