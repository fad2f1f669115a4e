//! An answer: what would have to be fetched and installed.

use crate::marks::Marks;
use crate::universe::EntryId;
use crate::version::Version;

/// A package to fetch and install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// `amd64` or `all`.
    pub architecture: String,
    /// The name under which its index was added.
    pub source: String,
    /// Relative to the archive.
    pub filename: String,
    /// Of the `.deb`.
    pub sha256: [u8; 32],
    /// Of the `.deb`, in bytes.
    pub size: u64,
    /// In KiB, as its maker estimated it.
    pub installed_size: u64,
    /// `admin`, `non-free/libs`.
    pub section: String,
    /// What is chosen with it and meets one of its `Pre-Depends` or `Depends`; sorted.
    pub dependencies: Vec<String>,
    /// The version that it takes the place of.
    pub replaces_installed: Option<Version>,
}

/// What would have to be fetched and installed, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Solution {
    /// Empty where everything is there.
    pub chosen: Vec<Chosen>,
    /// Whether apt's own way led here; where not, the complete search found it.
    pub as_apt: bool,
}

impl Solution {
    pub(crate) fn of(marks: &Marks<'_, '_, '_>, as_apt: bool) -> Self {
        let new = marks.all().into_iter().filter(|id| !marks.stays(*id));
        let mut chosen: Vec<_> = new.filter_map(|id| choose(marks, id)).collect();
        chosen.sort_by(|a: &Chosen, b| a.name.cmp(&b.name));
        Self { chosen, as_apt }
    }
}

/// `None` for what is in no index, which is never new.
fn choose(marks: &Marks<'_, '_, '_>, id: EntryId) -> Option<Chosen> {
    let universe = marks.book.universe;
    let entry = universe.entry(id);
    let package = &entry.package;
    let installed = universe.groups.get(entry.group)?.installed;
    let before = installed.map(|id| universe.entry(id).package.version);
    Some(Chosen {
        name: package.name.to_owned(),
        version: package.version.parse().ok()?,
        architecture: package.architecture.to_owned(),
        source: universe.sources.get(entry.source?)?.clone(),
        filename: package.filename.to_owned(),
        sha256: package.sha256?,
        size: package.size,
        installed_size: package.installed_size,
        section: package.section.to_owned(),
        dependencies: dependencies(marks, id),
        replaces_installed: before.and_then(|version| version.parse().ok()),
    })
}

fn dependencies(marks: &Marks<'_, '_, '_>, id: EntryId) -> Vec<String> {
    let book = marks.book;
    let mut names = Vec::new();
    for term in book.links(id).needs.iter().flatten() {
        let there = book
            .matching(term)
            .filter(|other| marks.has(*other) && !marks.stays(*other));
        let others = there.filter(|other| *other != id);
        names.extend(others.map(|other| book.universe.entry(other).package.name.to_owned()));
    }
    names.sort_unstable();
    names.dedup();
    names
}
