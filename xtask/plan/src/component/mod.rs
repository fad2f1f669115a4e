//! The parts of the machine, a module each: what a part asks of the installer and
//! what it lays down on the installed system. Adding one adds a module, its
//! templates, and a line in [`COMPONENTS`].

pub(crate) mod access;
pub(crate) mod disk;
pub(crate) mod driver;
pub(crate) mod network;
pub(crate) mod record;
pub(crate) mod system;
pub(crate) mod updates;

use anyhow::{Context as _, Result};
use lab_machine::Machine;

use crate::{Secrets, TargetTree};

/// What the parts are made from.
pub(crate) struct Subject<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) secrets: &'a Secrets,
    /// The description's own texts by name, the machine's last.
    pub(crate) description: &'a [(String, String)],
}

type LayDown = fn(&Subject<'_>, &mut TargetTree) -> Result<()>;

/// Every part that lays something down.
const COMPONENTS: &[(&str, LayDown)] = &[
    ("access", access::lay_down),
    ("driver", driver::lay_down),
    ("record", record::lay_down),
    ("system", system::lay_down),
    ("updates", updates::lay_down),
];

/// Everything that lands on the installed system.
///
/// `description` has the texts that the description was read from by name, the most
/// basic first and the machine's own last: they are laid down for the record.
///
/// # Errors
///
/// When the secrets are not those that the description refers to, or when two
/// parts want the same path.
pub fn overlay(
    machine: &Machine,
    secrets: &Secrets,
    description: &[(String, String)],
) -> Result<TargetTree> {
    secrets.check_for(machine)?;
    let subject = Subject {
        machine,
        secrets,
        description,
    };
    let mut tree = TargetTree::default();
    for (name, lay_down) in COMPONENTS {
        lay_down(&subject, &mut tree)
            .with_context(|| format!("laying out the component `{name}`"))?;
    }
    Ok(tree)
}
