//! An independent judge of answers: reads the stanzas anew, in the simplest way, and tries every
//! relation of every package against every other.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use lab_apt::Version;

/// The fields of a stanza that relate to others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stanza {
    pub(crate) name: String,
    pub(crate) version: String,
    multi_arch: String,
    needs: Vec<String>,
    bars: Vec<String>,
    provides: Vec<(String, Option<String>)>,
}

impl Stanza {
    pub(crate) fn read(text: &str) -> Self {
        let mut stanza = Self::default();
        for line in text.lines() {
            let Some((field, value)) = line.split_once(": ") else {
                continue;
            };
            let list = || value.split(',').map(|part| part.trim().to_owned());
            match field {
                "Package" => stanza.name = value.to_owned(),
                "Version" => stanza.version = value.to_owned(),
                "Multi-Arch" => stanza.multi_arch = value.to_owned(),
                "Depends" | "Pre-Depends" => stanza.needs.extend(list()),
                "Conflicts" | "Breaks" => stanza.bars.extend(list()),
                "Provides" => stanza.provides.extend(list().map(|part| provided(&part))),
                _ => {}
            }
        }
        stanza
    }

    /// Under its name and version.
    pub(crate) fn keyed(self) -> ((String, String), Self) {
        ((self.name.clone(), self.version.clone()), self)
    }

    fn is_meant(&self, atom: &str) -> bool {
        let (full, restriction) = split(atom);
        let (name, qualifier) = full.split_once(':').unwrap_or((full, ""));
        let qualified = match qualifier {
            "" | "native" | "amd64" => true,
            "any" => self.multi_arch == "allowed",
            _ => false,
        };
        let own = name == self.name && compares(Some(&self.version), restriction);
        let given = |(provided, version): &(String, Option<String>)| {
            name == provided && compares(version.as_deref(), restriction)
        };
        qualified && (own || self.provides.iter().any(given))
    }
}

fn provided(part: &str) -> (String, Option<String>) {
    let (name, restriction) = split(part);
    (
        name.to_owned(),
        restriction.map(|text| text.trim_start_matches('=').trim().to_owned()),
    )
}

fn split(atom: &str) -> (&str, Option<&str>) {
    match atom.split_once('(') {
        Some((name, rest)) => (name.trim(), Some(rest.trim().trim_end_matches(')').trim())),
        None => (atom.trim(), None),
    }
}

fn compares(version: Option<&str>, restriction: Option<&str>) -> bool {
    let Some(restriction) = restriction else {
        return true;
    };
    let Some(version) = version else { return false };
    let (sign, bound) = restriction.split_at(restriction.find(|c| !"<>=".contains(c)).unwrap());
    let order = version
        .parse::<Version>()
        .unwrap()
        .cmp(&bound.trim().parse().unwrap());
    match sign {
        "<<" => order == Ordering::Less,
        ">>" => order == Ordering::Greater,
        "<=" | "<" => order != Ordering::Greater,
        ">=" | ">" => order != Ordering::Less,
        _ => order == Ordering::Equal,
    }
}

/// Everything that is wrong with a system of these packages.
pub(crate) fn complaints(system: &BTreeMap<String, Stanza>) -> Vec<String> {
    let mut complaints = Vec::new();
    for stanza in system.values() {
        for need in &stanza.needs {
            let met = need
                .split('|')
                .any(|atom| system.values().any(|other| other.is_meant(atom)));
            if !met {
                complaints.push(format!("{} needs {need}", stanza.name));
            }
        }
        for bar in &stanza.bars {
            let other = system
                .values()
                .find(|other| other.name != stanza.name && other.is_meant(bar));
            if let Some(other) = other {
                complaints.push(format!("{} conflicts with {}", stanza.name, other.name));
            }
        }
    }
    complaints
}
