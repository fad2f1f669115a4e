//! The parts of the machine, a module each: what a part asks of the installer, what
//! it lays down on the installed system, the unit that makes it work there, and what it
//! asks for from outside.
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
mod probe;
pub(crate) mod record;
pub(crate) mod system;
pub(crate) mod toolkit;
pub(crate) mod updates;

use anyhow::{Context as _, Result};
use lab_catalog::Catalog;
use lab_lock::{Lock, Wanted};
use lab_machine::Machine;

use crate::locked;
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
    /// The program `lab-probe`, built for the machine.
    pub probe: &'a [u8],
    /// What everything from outside was resolved to; none: whatever there is on the day.
    pub lock: Option<&'a Lock>,
}

/// Everything that lands on the installed system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The files.
    pub tree: TargetTree,
    /// The units among them, each after what it needs.
    pub units: Vec<LaidUnit>,
}

impl Overlay {
    /// The list of everything in it, as it stands on the machine: `file MODE:SHA256 PATH`
    /// and `link TARGET PATH`, a line each.
    pub fn list(&self) -> String {
        crate::bundle::list(&self.tree)
    }
}

/// What a part lays down, and the unit that it is, where it is one.
type LayDown = fn(&Subject<'_>, &mut TargetTree) -> Result<Option<Unit>>;

/// What a part asks for from outside, added to what others ask for.
type Wants = fn(&Machine, &Catalog, &mut Wanted) -> Result<()>;

/// Every part that lays something down, and what it wants from outside. A part with a
/// unit comes after the parts that its unit needs.
const COMPONENTS: &[(&str, LayDown, Option<Wants>)] = &[
    ("access", access::lay_down, None),
    ("record", record::lay_down, None),
    ("probe", probe::lay_down, None),
    ("network", network::lay_down, None),
    ("system", system::lay_down, Some(system::wants)),
    ("updates", updates::lay_down, Some(updates::wants)),
    ("base", base::lay_down, Some(base::wants)),
    ("monitoring", monitoring::lay_down, Some(monitoring::wants)),
    ("driver", driver::lay_down, Some(driver::wants)),
    ("cards", driver::cards, None),
    ("docker", docker::lay_down, Some(docker::wants)),
    ("toolkit", toolkit::lay_down, Some(toolkit::wants)),
    ("ollama", ollama::lay_down, Some(ollama::wants)),
    ("jupyter", jupyter::lay_down, Some(jupyter::wants)),
    ("dcgan", dcgan::lay_down, Some(dcgan::wants)),
];

/// What each part asks for from outside, by the part's name.
pub(crate) fn all_wants() -> impl Iterator<Item = (&'static str, Wants)> {
    let parts = COMPONENTS.iter();
    parts.filter_map(|(name, _, wants)| Some((*name, (*wants)?)))
}

/// Everything that lands on the installed system.
///
/// # Errors
///
/// When the secrets are not those that the description refers to, when the catalog
/// lacks what the machine needs, when the lock lacks what the machine wants, or when two
/// parts want the same path.
pub fn overlay(subject: &Subject<'_>) -> Result<Overlay> {
    subject.secrets.check_for(subject.machine)?;
    let mut tree = TargetTree::default();
    let mut units = Vec::new();
    locked::check(subject)?;
    for (name, lay_down, _) in COMPONENTS {
        let unit = lay_down(subject, &mut tree)
            .with_context(|| format!("laying out the component `{name}`"))?;
        units.extend(unit);
    }
    locked::lay_down(subject, &mut units, &mut tree)?;
    let machine = subject.machine.identity.name.as_str();
    let units = unit::lay_down(&units, machine, &mut tree)?;
    Ok(Overlay { tree, units })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::Subject;
    use crate::unit::Unit;
    use crate::{Secrets, TargetTree};

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

    /// What the example assigns, for its script.
    fn example() -> Unit {
        let text = include_str!("../../../../images/gpu-server/machine.toml");
        let catalog = lab_catalog::Catalog::builtin();
        let read = lab_machine::read(&lab_machine::Sources::single("it", text), catalog, None);
        let secrets = Secrets {
            admin_keys: Vec::new(),
            host_key: crate::HostKey {
                private_openssh: String::new(),
                public: String::new(),
            },
            password_hash: None,
            luks_passphrase: None,
            wifi_passphrase: None,
        };
        let subject = Subject {
            machine: &read.machine.unwrap(),
            catalog,
            secrets: &secrets,
            description: &[],
            probe: b"probe",
            lock: None,
        };
        let unit = super::example::lay_down(&subject, &mut TargetTree::default());
        unit.unwrap().unwrap()
    }

    /// The page's script with what the example assigns, and the functions that it uses cut
    /// down to what they do.
    #[test]
    fn the_page_about_components_shows_what_runs() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("scratch");
        let script = format!(
            "set -Eeuo pipefail\n{}folder={}\nsay() {{ :; }}\nput() {{ cat >\"$2\"; chmod \"$1\" \"$2\"; }}\n{}\n\
             ! present\ninstall\npresent\ninstall\nstart\nrm -r \"$folder\"\n! present\necho whole",
            crate::unit::assignments(&example().variables),
            place.display(),
            block("bash")
        );
        let run = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&run.stdout), "whole\n", "{run:?}");
    }
}
