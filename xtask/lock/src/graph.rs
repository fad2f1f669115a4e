//! Why something is locked: the ways from what a unit asks for to a package.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{Lock, Wanted};

/// A way to a package: the unit that asks, and the packages on the way, the wanted one last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// The unit.
    pub unit: String,
    /// The packages, each needing the next.
    pub packages: Vec<String>,
}

/// The shortest way from each unit to that package; none where nothing asks for it.
#[must_use]
pub fn reasons(wanted: &Wanted, lock: &Lock, name: &str) -> Vec<Path> {
    let needs: BTreeMap<&str, &[String]> = lock
        .packages
        .iter()
        .map(|one| (one.name.as_str(), one.needs.as_slice()))
        .collect();
    let mut roots: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in &wanted.packages {
        roots.entry(&one.unit).or_default().push(&one.name);
    }
    let way = |(unit, from): (&str, Vec<&str>)| {
        shortest(&needs, &from, name).map(|packages| Path {
            unit: unit.to_owned(),
            packages,
        })
    };
    roots.into_iter().filter_map(way).collect()
}

/// The packages that these need, and what those need, themselves included.
#[must_use]
pub(crate) fn closure<'l>(lock: &'l Lock, roots: &[&'l str]) -> BTreeSet<&'l str> {
    let mut found = BTreeSet::new();
    let mut rest: Vec<&str> = roots.to_vec();
    while let Some(name) = rest.pop() {
        if let Some(package) = lock.package(name)
            && found.insert(package.name.as_str())
        {
            rest.extend(package.needs.iter().map(String::as_str));
        }
    }
    found
}

fn shortest(needs: &BTreeMap<&str, &[String]>, roots: &[&str], name: &str) -> Option<Vec<String>> {
    let mut from: BTreeMap<&str, Option<&str>> = roots.iter().map(|one| (*one, None)).collect();
    let mut rest: VecDeque<&str> = roots.iter().copied().collect();
    while let Some(here) = rest.pop_front() {
        if here == name {
            return Some(way_back(&from, here));
        }
        for need in needs.get(here).copied().unwrap_or_default() {
            if !from.contains_key(need.as_str()) {
                from.insert(need, Some(here));
                rest.push_back(need);
            }
        }
    }
    None
}

fn way_back(from: &BTreeMap<&str, Option<&str>>, end: &str) -> Vec<String> {
    let mut way = vec![end.to_owned()];
    let mut here = end;
    while let Some(Some(before)) = from.get(here) {
        way.push((*before).to_owned());
        here = before;
    }
    way.reverse();
    way
}
