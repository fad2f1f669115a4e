//! The identifiers of the SPDX License List 3.28.0, and which of the deprecated ones say
//! today what (SPDX specification 2.3, annex A.3).

use std::collections::BTreeMap;
use std::sync::LazyLock;

const LIST: &str = include_str!("../data/spdx.txt");

struct Identifiers {
    licences: BTreeMap<String, &'static str>,
    exceptions: BTreeMap<String, &'static str>,
}

static KNOWN: LazyLock<Identifiers> = LazyLock::new(|| {
    let mut known = Identifiers {
        licences: BTreeMap::new(),
        exceptions: BTreeMap::new(),
    };
    let mut exceptions = false;
    for line in LIST.lines().filter(|line| !line.starts_with('#')) {
        match line {
            "" => {}
            "[licences]" => exceptions = false,
            "[exceptions]" => exceptions = true,
            _ if exceptions => drop(known.exceptions.insert(line.to_ascii_lowercase(), line)),
            _ => drop(known.licences.insert(line.to_ascii_lowercase(), line)),
        }
    }
    known
});

/// The identifier of a licence, written as the list writes it; none where the list has none.
/// Case does not matter (SPDX 2.3, annex D.2). Deprecated names of the GNU licences, which
/// left open whether a later version may be taken, give today's.
pub(crate) fn licence(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let found = *KNOWN.licences.get(&lower)?;
    let gnu = ["gpl-", "lgpl-", "agpl-", "gfdl-"]
        .iter()
        .any(|family| lower.starts_with(family));
    if let Some(bare) = found.strip_suffix('+')
        && gnu
    {
        return Some(format!("{bare}-or-later"));
    }
    let today = format!("{lower}-only");
    match KNOWN.licences.get(&today) {
        Some(only) if gnu => Some((*only).to_owned()),
        _ => Some(found.to_owned()),
    }
}

/// The identifier of an exception, written as the list writes it.
pub(crate) fn exception(name: &str) -> Option<&'static str> {
    KNOWN.exceptions.get(&name.to_ascii_lowercase()).copied()
}
