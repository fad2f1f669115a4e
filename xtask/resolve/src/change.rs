//! What differs between two locks, for people.

use std::collections::BTreeMap;
use std::fmt;

use lab_lock::Lock;

/// A difference between two locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added(String, String),
    /// It is gone.
    Removed(String, String),
    /// It is another.
    Moved(String, String, String),
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(name, now) => write!(out, "+ {name} {now}"),
            Self::Removed(name, was) => write!(out, "- {name} {was}"),
            Self::Moved(name, was, now) => write!(out, "~ {name} {was} -> {now}"),
        }
    }
}

/// What is new, gone or another, sorted by name.
#[must_use]
pub fn changes(old: Option<&Lock>, new: &Lock) -> Vec<Change> {
    let before = old.map(names).unwrap_or_default();
    let after = names(new);
    let mut all = Vec::new();
    for (name, now) in &after {
        match before.get(name) {
            None => all.push(Change::Added(name.clone(), now.clone())),
            Some(was) if was != now => {
                all.push(Change::Moved(name.clone(), was.clone(), now.clone()));
            }
            Some(_) => {}
        }
    }
    for (name, was) in &before {
        if !after.contains_key(name) {
            all.push(Change::Removed(name.clone(), was.clone()));
        }
    }
    all
}

/// Everything by name, with its version, or the beginning of its digest where it has none.
fn names(lock: &Lock) -> BTreeMap<String, String> {
    let short = |digest: lab_lock::Sha256| {
        let text = digest.to_string();
        text.get(..12).unwrap_or(&text).to_owned()
    };
    let mut all = BTreeMap::new();
    for one in &lock.packages {
        all.insert(one.name.clone(), one.version.clone());
    }
    for one in &lock.files {
        let version = one.version.clone().unwrap_or_else(|| short(one.sha256));
        all.insert(one.name.clone(), version);
    }
    for one in &lock.models {
        all.insert(one.name.clone(), short(one.manifest));
    }
    for one in &lock.images {
        all.insert(one.reference.clone(), short(one.digest));
    }
    for one in &lock.keys {
        all.insert(format!("key of {}", one.name), short(one.sha256));
    }
    all
}
