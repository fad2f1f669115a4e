//! The units below `lab.target`: how a part of the machine comes to be what it was
//! described to be. docs/src/architecture/convergence.md has the contract between
//! what is rendered here and the scripts.
//!
//! The key of a unit is a digest of everything that it is made from and of the keys
//! of the units that it needs, so a change of the description runs just those units
//! again whose inputs changed, and what depends on them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use lab_lock::WantedPackage;
use sha2::{Digest, Sha256};
use tera::Context;

use crate::template::{quoted, render, verbatim};
use crate::{Landing, TargetTree};

/// A unit, before it is laid down.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// Its name: `lab-NAME.service`, `units/NAME`.
    pub(crate) name: &'static str,
    /// What it is, in words: `Docker 29.8.2`.
    pub(crate) title: String,
    /// The units that must be ready before it begins.
    pub(crate) needs: Vec<&'static str>,
    /// Units that are waited for where they are there, whatever came of them.
    pub(crate) follows: Vec<&'static str>,
    /// How long one try may take.
    pub(crate) minutes: u32,
    /// What the description says, for the script.
    pub(crate) variables: Vec<(&'static str, Variable)>,
    /// Files of the overlay that it uses: a change of one runs it again.
    pub(crate) inputs: Vec<String>,
    /// The packages that it installs, each with its version where that is fixed.
    pub(crate) packages: Vec<Package>,
    /// Whether they are held, so that no upgrade moves them.
    pub(crate) held: bool,
}

/// A package that a unit installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version as apt writes it; any where there is none.
    pub version: Option<String>,
}

impl Package {
    /// A package in any version.
    pub(crate) fn any(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: None,
        }
    }

    /// What a unit wants from outside by it, from that repository or from any.
    pub(crate) fn wanted(&self, unit: &str, repository: Option<&str>) -> WantedPackage {
        WantedPackage {
            name: self.name.clone(),
            version: self.version.clone(),
            repository: repository.map(str::to_owned),
            unit: unit.to_owned(),
        }
    }

    /// As apt takes it: `NAME` or `NAME=VERSION`.
    fn word(&self) -> String {
        match &self.version {
            Some(version) => format!("{}={version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// A shell variable of a unit.
#[derive(Debug, Clone)]
pub(crate) enum Variable {
    /// One word.
    Text(String),
    /// An array.
    List(Vec<String>),
}

impl Variable {
    pub(crate) fn text<T: ToString + ?Sized>(value: &T) -> Self {
        Self::Text(value.to_string())
    }

    pub(crate) fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> Self {
        Self::List(values.into_iter().map(|one| one.to_string()).collect())
    }

    /// `yes` or `no`.
    pub(crate) fn flag(value: bool) -> Self {
        Self::text(if value { "yes" } else { "no" })
    }
}

/// A unit as it is laid down: what other machines are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaidUnit {
    /// Its name.
    pub name: String,
    /// What it is, in words.
    pub title: String,
    /// The digest of all its inputs.
    pub key: String,
    /// The packages that it installs.
    pub packages: Vec<Package>,
    /// Whether they are held, so that no upgrade moves them.
    pub held: bool,
}

/// What every script is run by: a change of it concerns all.
const ENGINE: [&str; 6] = [
    "usr/lib/lab/run",
    "usr/lib/lab/lib.sh",
    "usr/lib/lab/payload.sh",
    "usr/lib/lab/packages.sh",
    "usr/lib/lab/cards",
    "usr/lib/lab/workload.sh",
];

/// Writes shell assignments. A shell that reads them gets these very values.
pub(crate) fn assignments(variables: &[(&'static str, Variable)]) -> String {
    let mut text = String::from("# Made from machine.toml: change that, not this.\n");
    for (name, value) in variables {
        match value {
            Variable::Text(word) => text.push_str(&format!("{name}={}\n", quoted(word))),
            Variable::List(words) => {
                let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                text.push_str(&format!("{name}=({})\n", words.join(" ")));
            }
        }
    }
    text
}

/// Lays all units down, in an order in which each comes after what it needs, and
/// says what they are.
///
/// # Errors
///
/// When a unit needs one that is not there or comes later, or two want one path.
pub(crate) fn lay_down(
    units: &[Unit],
    machine: &str,
    tree: &mut TargetTree,
) -> Result<Vec<LaidUnit>> {
    for name in ENGINE.into_iter().chain(["usr/lib/lab/adopt"]) {
        tree.file(name, mode_of(name), verbatim(name)?)?;
    }
    let mut keys: BTreeMap<&str, String> = BTreeMap::new();
    let mut laid = Vec::new();
    for unit in units {
        lay_one(unit, tree).with_context(|| format!("laying out the unit `{}`", unit.name))?;
        let key = key(unit, tree, &keys)?;
        tree.file(
            format!("etc/lab/units/{}.key", unit.name),
            0o644,
            format!("{key}\n"),
        )?;
        keys.insert(unit.name, key.clone());
        laid.push(LaidUnit {
            name: unit.name.to_owned(),
            title: unit.title.clone(),
            key,
            packages: unit.packages.clone(),
            held: unit.held,
        });
    }
    let names: Vec<&str> = units.iter().map(|unit| unit.name).collect();
    tree.file("etc/lab/units/order", 0o644, names.join("\n") + "\n")?;
    lay_target(&names, machine, tree)?;
    Ok(laid)
}

fn mode_of(name: &str) -> u32 {
    match name.ends_with(".sh") {
        true => 0o644,
        false => 0o755,
    }
}

fn lay_target(names: &[&str], machine: &str, tree: &mut TargetTree) -> Result<()> {
    let mut context = Context::new();
    context.insert("machine", machine);
    context.insert("units", names);
    let target = "etc/systemd/system/lab.target";
    tree.file(target, 0o644, render(target, &context)?)?;
    tree.link(
        "etc/systemd/system/multi-user.target.wants/lab.target",
        "../lab.target",
    )?;
    for name in ["lab-adopt.service", "lab-firewall.service"] {
        let path = format!("etc/systemd/system/{name}");
        tree.file(path.as_str(), 0o644, verbatim(&path)?)?;
        tree.link(
            format!("etc/systemd/system/sysinit.target.wants/{name}"),
            format!("../{name}"),
        )?;
    }
    Ok(())
}

/// What every unit comes after: whoever is locked out cannot look.
const FIRST: [&str; 2] = ["ssh.socket", "ssh.service"];

fn lay_one(unit: &Unit, tree: &mut TargetTree) -> Result<()> {
    let script = format!("usr/lib/lab/units/{}", unit.name);
    tree.file(script.as_str(), 0o644, verbatim(&script)?)?;
    let mut variables = unit.variables.clone();
    variables.push((
        "packages",
        Variable::list(unit.packages.iter().map(Package::word)),
    ));
    variables.push(("held", Variable::flag(unit.held)));
    tree.file(
        format!("etc/lab/units/{}.conf", unit.name),
        0o644,
        assignments(&variables),
    )?;
    let mut context = Context::new();
    context.insert("name", unit.name);
    context.insert("title", &unit.title);
    context.insert("minutes", &unit.minutes);
    let service = |name: &&str| format!("lab-{name}.service");
    let needs: Vec<String> = unit.needs.iter().map(service).collect();
    let first = FIRST.into_iter().map(str::to_owned);
    let follows = unit.follows.iter().map(service);
    let after: Vec<String> = first.chain(needs.iter().cloned()).chain(follows).collect();
    context.insert("needs", &needs.join(" "));
    context.insert("after", &after.join(" "));
    tree.file(
        format!("etc/systemd/system/lab-{}.service", unit.name),
        0o644,
        render("etc/systemd/system/lab-unit.service", &context)?,
    )
}

fn key(unit: &Unit, tree: &TargetTree, keys: &BTreeMap<&str, String>) -> Result<String> {
    let own = [
        format!("usr/lib/lab/units/{}", unit.name),
        format!("etc/lab/units/{}.conf", unit.name),
        format!("etc/systemd/system/lab-{}.service", unit.name),
    ];
    let mut digest = Sha256::new();
    let engine = ENGINE.into_iter().map(str::to_owned);
    for path in engine.chain(own).chain(unit.inputs.iter().cloned()) {
        let Some(Landing::File { bytes, mode }) = tree.get(&path) else {
            bail!(
                "the unit `{}` uses /{path}, which nothing lays down",
                unit.name
            );
        };
        digest.update(format!("{path} {mode:o} {}\n", bytes.len()));
        digest.update(bytes);
    }
    for need in &unit.needs {
        let key = keys.get(need);
        let key = key.with_context(|| {
            format!(
                "the unit `{}` needs `{need}`, which does not come before it",
                unit.name
            )
        })?;
        digest.update(format!("{need} {key}\n"));
    }
    Ok(hex::encode(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_reads_back_what_was_assigned() {
        let odd = ["", "it's", "$(reboot)", "a b", "`x`", "-n"];
        let text = assignments(&[
            ("one", Variable::text("it's $HOME")),
            ("many", Variable::list(odd)),
        ]);
        let script = format!("{text}\nprintf '%s|' \"$one\" \"${{many[@]}}\"");
        let run = std::process::Command::new("bash")
            .args(["-c", &script])
            .output()
            .unwrap();
        let said = String::from_utf8(run.stdout).unwrap();
        assert_eq!(said, format!("it's $HOME|{}|", odd.join("|")));
    }
}
