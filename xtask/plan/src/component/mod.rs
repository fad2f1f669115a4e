//! The parts of the machine, a module each: what a part asks of the installer, what
//! it lays down on the installed system, and the unit that makes it work there.
//! Adding one adds a module, its templates, and a line in [`COMPONENTS`].

pub(crate) mod access;
pub(crate) mod base;
pub(crate) mod dcgan;
pub(crate) mod disk;
pub(crate) mod docker;
pub(crate) mod driver;
#[cfg(test)]
mod example;
pub(crate) mod jupyter;
pub(crate) mod monitoring;
pub(crate) mod network;
pub(crate) mod ollama;
pub(crate) mod record;
pub(crate) mod system;
pub(crate) mod toolkit;
pub(crate) mod updates;

use anyhow::{Context as _, Result};
use lab_catalog::Catalog;
use lab_machine::Machine;

use crate::unit::{self, LaidUnit, Unit};
use crate::{Secrets, TargetTree};

/// What everything here is made from.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// Where vendors' servers are, their keys, and what is pinned there.
    pub catalog: &'a Catalog,
    /// What the description refers to and does not hold.
    pub secrets: &'a Secrets,
    /// The description's own texts by name, the most basic first and the machine's
    /// own last: they are laid down for the record.
    pub description: &'a [(String, String)],
}

/// Everything that lands on the installed system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The files.
    pub tree: TargetTree,
    /// The units among them, each after what it needs.
    pub units: Vec<LaidUnit>,
}

/// What a part lays down, and the unit that it is, where it is one.
type LayDown = fn(&Subject<'_>, &mut TargetTree) -> Result<Option<Unit>>;

/// Every part that lays something down. A part with a unit comes after the parts
/// that its unit needs.
const COMPONENTS: &[(&str, LayDown)] = &[
    ("access", access::lay_down),
    ("record", record::lay_down),
    ("network", network::lay_down),
    ("system", system::lay_down),
    ("updates", updates::lay_down),
    ("base", base::lay_down),
    ("monitoring", monitoring::lay_down),
    ("driver", driver::lay_down),
    ("cards", driver::cards),
    ("docker", docker::lay_down),
    ("toolkit", toolkit::lay_down),
    ("ollama", ollama::lay_down),
    ("jupyter", jupyter::lay_down),
    ("dcgan", dcgan::lay_down),
];

/// Everything that lands on the installed system.
///
/// # Errors
///
/// When the secrets are not those that the description refers to, when the catalog
/// lacks what the machine needs, or when two parts want the same path.
pub fn overlay(subject: &Subject<'_>) -> Result<Overlay> {
    subject.secrets.check_for(subject.machine)?;
    let mut tree = TargetTree::default();
    let mut units = Vec::new();
    for (name, lay_down) in COMPONENTS {
        let unit = lay_down(subject, &mut tree)
            .with_context(|| format!("laying out the component `{name}`"))?;
        units.extend(unit);
    }
    let machine = subject.machine.identity.name.as_str();
    let units = unit::lay_down(&units, machine, &mut tree)?;
    Ok(Overlay { tree, units })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    const PAGE: &str = include_str!("../../../../docs/src/how-to/add-a-component.md");
    const EXAMPLE: &str = include_str!("example.rs");

    /// The first block of code in that language.
    fn block(language: &str) -> &'static str {
        let begin = format!("```{language}\n");
        let (_, rest) = PAGE.split_once(&begin).unwrap();
        rest.split_once("```").unwrap().0
    }

    #[test]
    fn the_page_about_components_shows_what_is_compiled() {
        assert_eq!(block("rust"), EXAMPLE);
    }

    /// The page's script with the functions that it uses cut down to what they do.
    #[test]
    fn the_page_about_components_shows_what_runs() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("scratch");
        let script = format!(
            "set -Eeuo pipefail\nfolder={}; owner=admin\nsay() {{ :; }}\nput() {{ cat >\"$2\"; chmod \"$1\" \"$2\"; }}\n{}\n\
             ! present\ninstall\npresent\ninstall\nstart\nrm -r \"$folder\"\n! present\necho whole",
            place.display(),
            block("bash")
        );
        let run = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&run.stdout), "whole\n", "{run:?}");
    }

    #[test]
    fn the_example_is_a_component_like_the_others() {
        let listed: super::LayDown = super::example::lay_down;
        let _ = listed;
    }
}
