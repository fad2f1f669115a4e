//! What on a machine differs from its description: the script that asks the
//! machine, and the comparison of its answer with what would be laid down.
//!
//! The answer comes from a machine that somebody may have changed: it is read as
//! untrusted text, and an answer without its end counts as none.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use lab_machine::Machine;

use crate::manifest::sha256_hex;
use crate::template::verbatim;
use crate::{LaidUnit, Landing, Overlay, Package};

/// The script that asks: for `bash -s` as root. It changes nothing.
///
/// # Errors
///
/// When the script is not part of the program.
pub fn survey(overlay: &Overlay) -> Result<String> {
    let script = verbatim("lab/survey")?;
    let files = overlay.tree.entries().map(|(path, _)| ("file", path));
    let packages = overlay.units.iter().flat_map(|unit| &unit.packages);
    let packages = packages.map(|package| ("package", package.name.as_str()));
    let units = overlay
        .units
        .iter()
        .map(|unit| ("unit", unit.name.as_str()));
    let wanted = files.chain(packages).chain(units);
    let wanted: Vec<String> = wanted
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    Ok(script.replace("\n@wanted@\n", &format!("\n{}\n", wanted.join("\n"))))
}

/// What kind of thing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A file or link that the lab lays down.
    File,
    /// A package, its version, or whether it is held.
    Package,
    /// A unit below `lab.target`.
    Unit,
    /// Something that a unit keeps and somebody changed.
    Setting,
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What kind of thing it is.
    pub part: Part,
    /// Which one: a path, a package, a unit.
    pub name: String,
    /// How it is on the machine, in words.
    pub is: String,
    /// How it should be, in words.
    pub should: String,
}

/// What a machine answered, compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// What differs, by kind and name.
    pub differences: Vec<Difference>,
    /// The units that `apply` would run again.
    pub runs_again: Vec<String>,
    /// Those of them whose inputs are the same: somebody changed by hand what they
    /// installed or started, so `apply` has to name them.
    pub set_up_again: Vec<String>,
    /// Files whose content differs, for who wants to see how.
    pub changed_files: Vec<String>,
    /// The number of the generation that is in place; none where there is no lab.
    pub generation: Option<u32>,
    /// Whether an apply was cut off and is not finished.
    pub pending: bool,
    /// The digest of the description that the machine was made from.
    pub description: Option<String>,
}

impl Drift {
    /// Whether there is nothing to do.
    pub fn is_none(&self) -> bool {
        self.differences.is_empty() && !self.pending
    }

    fn add(&mut self, part: Part, name: &str, is: impl Into<String>, should: impl Into<String>) {
        self.differences.push(Difference {
            part,
            name: name.to_owned(),
            is: is.into(),
            should: should.into(),
        });
    }

    fn runs(&mut self, unit: &str) {
        if !self.runs_again.iter().any(|name| name == unit) {
            self.runs_again.push(unit.to_owned());
        }
    }

    /// What the unit installed is not as it left it.
    fn undone(&mut self, unit: &LaidUnit, answer: &Answer<'_>) {
        self.runs(&unit.name);
        let same = answer
            .units
            .get(unit.name.as_str())
            .is_some_and(|(_, key)| *key == unit.key);
        if same && !self.set_up_again.contains(&unit.name) {
            self.set_up_again.push(unit.name.clone());
        }
    }
}

/// A machine's answer, taken apart.
#[derive(Debug, Default)]
struct Answer<'a> {
    stats: BTreeMap<&'a str, (&'a str, &'a str, &'a str)>,
    digests: BTreeMap<&'a str, &'a str>,
    links: BTreeMap<&'a str, &'a str>,
    left: Vec<&'a str>,
    packages: BTreeMap<&'a str, (&'a str, &'a str)>,
    held: BTreeSet<&'a str>,
    units: BTreeMap<&'a str, (&'a str, &'a str)>,
    drifted: BTreeSet<&'a str>,
    stopped: BTreeMap<&'a str, &'a str>,
    cards: BTreeMap<&'a str, &'a str>,
    generation: Option<u32>,
    pending: bool,
    description: Option<&'a str>,
}

impl<'a> Answer<'a> {
    fn read(text: &'a str) -> Result<Self> {
        let mut answer = Self::default();
        let mut ended = false;
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields.as_slice() {
                ["stat", kind, mode, owner, path] => {
                    answer.stats.insert(path, (kind, mode, owner));
                }
                ["digest", digest, path] => {
                    answer.digests.insert(path, digest);
                }
                ["link", target, path] => {
                    answer.links.insert(path, target);
                }
                ["left", path] => answer.left.push(path),
                ["package", name, status, version] => {
                    answer.packages.insert(name, (status.trim(), version));
                }
                ["hold", name] => {
                    answer.held.insert(name);
                }
                ["unit", name, state, key] => {
                    answer.units.insert(name, (state, key));
                }
                ["drifted", name] => {
                    answer.drifted.insert(name);
                }
                ["stopped", name, service] => {
                    answer.stopped.insert(name, service);
                }
                ["card", name, _uuid, _address, limit] => {
                    answer.cards.insert(name, limit);
                }
                ["generation", current, pending] => {
                    answer.generation = current.parse().ok();
                    answer.pending = *pending != "-";
                }
                ["release", pair] => {
                    if let Some(digest) = pair.strip_prefix("LAB_DESCRIPTION=") {
                        answer.description = Some(digest);
                    }
                }
                ["end"] => ended = true,
                // A newer or an older script may say more.
                _ => {}
            }
        }
        match ended {
            true => Ok(answer),
            false => bail!(
                "the machine's answer breaks off after {} lines",
                text.lines().count()
            ),
        }
    }
}

/// Compares a machine's answer with what would be laid down.
///
/// # Errors
///
/// When the answer is not whole.
pub fn drift(machine: &Machine, overlay: &Overlay, answer: &str) -> Result<Drift> {
    let answer = Answer::read(answer).context("reading what the machine answered")?;
    let mut drift = Drift {
        generation: answer.generation,
        pending: answer.pending,
        description: answer.description.map(str::to_owned),
        ..Drift::default()
    };
    for (path, landing) in overlay.tree.entries() {
        compare_file(path, landing, &answer, &mut drift);
    }
    for path in &answer.left {
        drift.add(Part::File, path, "is there", "not described any more");
    }
    for unit in &overlay.units {
        for package in &unit.packages {
            compare_package(unit, package, &answer, &mut drift);
        }
        compare_unit(unit, &answer, &mut drift);
    }
    compare_limits(machine, &answer, &mut drift);
    drift.differences.sort();
    Ok(drift)
}

fn compare_file(path: &str, landing: &Landing, answer: &Answer<'_>, drift: &mut Drift) {
    match landing {
        Landing::Link(target) => match answer.links.get(path) {
            Some(found) if found == target => {}
            Some(found) => drift.add(
                Part::File,
                path,
                format!("points to {found}"),
                format!("points to {target}"),
            ),
            None => drift.add(
                Part::File,
                path,
                "is not there",
                format!("points to {target}"),
            ),
        },
        Landing::File { bytes, mode } => {
            let Some((kind, found_mode, owner)) = answer.stats.get(path) else {
                drift.add(
                    Part::File,
                    path,
                    "is not there",
                    format!("{} bytes", bytes.len()),
                );
                return;
            };
            if !kind.starts_with("regular") {
                drift.add(Part::File, path, format!("is a {kind}"), "a file");
                return;
            }
            let wanted = format!("{mode:o}");
            if *found_mode != wanted || *owner != "0:0" {
                drift.add(
                    Part::File,
                    path,
                    format!("mode {found_mode}, owner {owner}"),
                    format!("mode {wanted}, owner 0:0"),
                );
            }
            if answer.digests.get(path).copied() != Some(sha256_hex(bytes).as_str()) {
                drift.add(Part::File, path, "has another content", "as described");
                drift.changed_files.push(path.to_owned());
            }
        }
    }
}

fn compare_package(unit: &LaidUnit, package: &Package, answer: &Answer<'_>, drift: &mut Drift) {
    let name = package.name.as_str();
    let should = match &package.version {
        Some(version) => version.clone(),
        None => "installed".to_owned(),
    };
    let wanted = |version: &str| package.version.as_deref().is_none_or(|one| one == version);
    let is = match answer.packages.get(name) {
        // `ii`, or `hi` where it is held.
        Some((status, version)) if status.ends_with('i') => {
            if unit.held && !answer.held.contains(name) {
                drift.add(Part::Package, name, "may be upgraded", "held");
                drift.undone(unit, answer);
            }
            if wanted(version) {
                return;
            }
            (*version).to_owned()
        }
        // Only its settings are left of one that ends in `c`.
        Some((status, version)) if !status.ends_with(['n', 'c']) => {
            format!("half installed ({status}, {version})")
        }
        _ => "is not installed".to_owned(),
    };
    drift.add(Part::Package, name, is, should);
    drift.undone(unit, answer);
}

fn compare_unit(unit: &LaidUnit, answer: &Answer<'_>, drift: &mut Drift) {
    let name = unit.name.as_str();
    let (state, key) = answer.units.get(name).copied().unwrap_or(("", "-"));
    if key != unit.key {
        let is = match key {
            "-" => "has not converged",
            _ => "converged with another description",
        };
        drift.add(Part::Unit, name, is, "converged");
        drift.runs(name);
        return;
    }
    if answer.drifted.contains(name) {
        let is = "what it keeps was changed by hand";
        drift.add(Part::Setting, name, is, "as it was set up");
        drift.undone(unit, answer);
    }
    if let Some(service) = answer.stopped.get(name) {
        drift.add(Part::Setting, service, "does not run", "runs");
        drift.undone(unit, answer);
    }
    if state != "active" {
        drift.add(Part::Unit, name, format!("is {state}"), "ready");
        drift.runs(name);
    }
}

fn compare_limits(machine: &Machine, answer: &Answer<'_>, drift: &mut Drift) {
    for card in &machine.cards {
        let (Some(wanted), Some(found)) =
            (card.power_limit_w, answer.cards.get(card.name.as_str()))
        else {
            continue;
        };
        let watts: Option<f64> = found.trim().parse().ok();
        if watts.is_some_and(|watts| (watts - f64::from(wanted)).abs() >= 1.0) {
            drift.add(
                Part::Setting,
                &format!("power limit of {}", card.name),
                format!("{found} W"),
                format!("{wanted} W"),
            );
            drift.runs("cards");
            drift.set_up_again.push("cards".to_owned());
        }
    }
}
