//! What is asked of a person, because the machine cannot say it.

use lab_catalog::Catalog;
use lab_facts::{Disk, Facts};
use lab_machine::types::{MacAddress, Subnet};

use super::{Answers, disk, in_use, name};

/// A question whose answer goes into [`Answers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What the machine is called.
    Name,
    /// What the power supply gives, in watts.
    PowerSupply {
        /// With which the model was sold, smallest first; none where that is not known.
        sold_with: Vec<u32>,
    },
    /// Which disk may be written.
    Disk {
        /// The kernel's name of each that it may be, and the disk in words.
        candidates: Vec<(String, String)>,
    },
    /// Whether the address is a fixed one, and then its gateway and name servers.
    FixedAddress {
        /// The card that has it now.
        mac: MacAddress,
        /// The address that it has now.
        address: Subnet,
    },
}

/// What there is to ask, given what was answered already.
#[must_use]
pub fn questions(facts: &Facts, catalog: &Catalog, answers: &Answers) -> Vec<Question> {
    let mut all = Vec::new();
    if name(facts, answers).is_none() {
        all.push(Question::Name);
    }
    if answers.power_supply_w.is_none() {
        let sold_with = sold_with(facts, catalog);
        all.push(Question::PowerSupply { sold_with });
    }
    if let disk::Choice::Open(candidates, _) = disk::choose(facts, answers.disk.as_deref())
        && !candidates.is_empty()
    {
        let worded = |disk: &&Disk| (disk.name.clone(), disk::in_words(disk));
        all.push(Question::Disk {
            candidates: candidates.iter().map(worded).collect(),
        });
    }
    if answers.fixed.is_none()
        && let Some((mac, address)) = address(facts)
    {
        all.push(Question::FixedAddress { mac, address });
    }
    all
}

/// The first IPv4 address of the wired card that is in use.
fn address(facts: &Facts) -> Option<(MacAddress, Subnet)> {
    let (nic, mac) = in_use(facts)?;
    let mut subnets = nic
        .addresses
        .iter()
        .filter_map(|one| one.parse::<Subnet>().ok());
    let address = subnets.find(|one| one.address().is_some_and(|address| address.is_ipv4()))?;
    Some((mac, address))
}

/// The power supplies that a machine of this model was sold with, in watts.
pub(super) fn sold_with(facts: &Facts, catalog: &Catalog) -> Vec<u32> {
    let product = facts.system.dmi.known().map(|dmi| dmi.product.as_str());
    let model = product.and_then(|product| catalog.workstation(product));
    model.map_or_else(Vec::new, |model| model.power_supply_w.clone())
}
