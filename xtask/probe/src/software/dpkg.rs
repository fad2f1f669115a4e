//! What is installed, by dpkg's own list (`/var/lib/dpkg/status`, deb-control(5)): one
//! reading gives versions, states and holds.

use std::collections::BTreeMap;

use lab_facts::Package;

use crate::root::Root;

/// The most that is read of the list, in bytes; a large system has some ten million.
const MOST: u64 = 128 << 20;

/// What the list says.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    /// The packages that were asked for.
    pub(crate) packages: BTreeMap<String, Package>,
    /// Names of packages that are held, sorted.
    pub(crate) held: Vec<String>,
}

/// Reads the list for these packages.
pub(crate) fn read(root: &Root, wanted: &[String]) -> Result<Installed, String> {
    let text = root.text("/var/lib/dpkg/status", MOST)?;
    Ok(parse(&text, wanted))
}

pub(crate) fn parse(text: &str, wanted: &[String]) -> Installed {
    let mut installed = Installed::default();
    for paragraph in text.split("\n\n") {
        let Some((name, package)) = entry(paragraph) else {
            continue;
        };
        if package.status.starts_with('h') {
            installed.held.push(name.to_owned());
        }
        let known = installed
            .packages
            .get(name)
            .map_or("", |other| &other.status);
        // The same name of another architecture: the one that is installed counts.
        if wanted.iter().any(|one| one == name) && !known.ends_with('i') {
            installed.packages.insert(name.to_owned(), package);
        }
    }
    installed.held.sort();
    installed.held.dedup();
    installed
}

/// A paragraph's name, version and state; none where nothing of it is there any more.
fn entry(paragraph: &str) -> Option<(&str, Package)> {
    let field = |name: &str| {
        paragraph
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let status = letters(field("Status")?)?;
    let package = Package {
        version: field("Version").unwrap_or_default().to_owned(),
        status,
    };
    Some((field("Package")?, package))
}

/// `install ok installed` as dpkg-query(1) abbreviates it: `ii`.
fn letters(status: &str) -> Option<String> {
    let mut words = status.split_whitespace();
    let wanted = match words.next()? {
        "install" => 'i',
        "hold" => 'h',
        "deinstall" => 'r',
        "purge" => 'p',
        _ => 'u',
    };
    let _flag = words.next()?;
    let is = match words.next()? {
        "installed" => 'i',
        "config-files" => 'c',
        "half-installed" => 'H',
        "unpacked" => 'U',
        "half-configured" => 'F',
        "triggers-awaited" => 'W',
        "triggers-pending" => 't',
        _ => return None,
    };
    Some([wanted, is].iter().collect())
}
