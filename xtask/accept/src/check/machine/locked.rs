//! Whether what reached the machine is what `machine.lock` names.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use lab_apt::Version;
use lab_facts::Package;

use super::super::find::listed;
use crate::{Check, Claims, Effort, Judgement, Locked, LockedPackage, Seen, Subject};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "machine.lock",
        effort: Effort::Quick,
        title: "the machine was made from this very machine.lock",
        story: "`/etc/lab/release` bears the digest of the lock that the machine was last made or changed by. It is compared with the digest of the lock beside the description, which must have all that the description asks for.",
        cause: "The lock moved on since (`cargo xtask lock --update`), or the machine was made without it.",
        remedy: "`cargo xtask diff --host HOST` shows what that means, `cargo xtask apply --host HOST` makes it so.",
        reference: "docs/src/how-to/lock.md",
        claims: lock,
    },
    Check {
        id: "machine.locked-packages",
        effort: Effort::Quick,
        title: "every locked package is installed, in the locked version or a newer one where no unit holds it",
        story: "Each package of machine.lock is looked up in dpkg's list. A package that a unit holds must have the very version, and so must what it needs where no security update comes to it: a vendor's, or one that updates leave alone. Any other may have a newer one, because security updates move it on, and that is shown.",
        cause: "Somebody installed or removed packages by hand, or a hold was taken away and an upgrade moved one.",
        remedy: "`sudo lab retry` installs what is missing. To take the newer versions for good: `cargo xtask lock --update`, then `cargo xtask apply --host HOST`.",
        reference: "docs/src/how-to/lock.md",
        claims: packages,
    },
];

fn lock(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let Some(locked) = &subject.evidence.expected.locked else {
        return not_locked(claims, "it was made from the lock of this description");
    };
    claims.claim("", "it was made from the lock of this description", || {
        same_lock(subject, locked)
    });
}

/// A claim that nobody can judge, for want of a lock.
pub(super) fn not_locked(claims: &mut Claims<'_>, claim: &str) {
    claims.claim("", claim, || {
        Err("beside the description lies no machine.lock; `cargo xtask lock` makes one".into())
    });
}

/// The beginning of a digest, which is enough for people.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

fn same_lock(subject: &Subject<'_>, locked: &Locked) -> Judgement {
    if !locked.lacks.is_empty() {
        return Ok(stale(&locked.lacks));
    }
    let release = subject.software()?.release.get()?;
    let found = release.get("LAB_LOCK").map_or("no lock", String::as_str);
    let seen = format!(
        "/etc/lab/release has {}, here it is {}",
        short(found),
        short(&locked.digest)
    );
    Ok(Seen::when(found == locked.digest, seen))
}

/// A lock that was made for another description says nothing of what this one means.
fn stale(lacks: &[String]) -> Seen {
    let named = lacks.iter().take(5);
    let more = lacks.len().saturating_sub(5);
    let more = (more > 0).then(|| format!("and {more} more"));
    let words = named.cloned().chain(more);
    Seen::bad(format!(
        "machine.lock does not fit the description: {}",
        listed(words)
    ))
    .because("The description or the catalog changed since machine.lock was made.")
    .way_out(
        "`cargo xtask lock` locks what is new, then `cargo xtask apply --host HOST` makes it so.",
    )
}

fn packages(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let Some(locked) = &subject.evidence.expected.locked else {
        return not_locked(claims, "all packages of machine.lock are there");
    };
    let claim = format!(
        "all {} packages of machine.lock are there",
        locked.packages.len()
    );
    claims.claim("", &claim, || {
        let installed = subject.software()?.packages.get()?;
        Ok(compared(installed, &locked.packages))
    });
}

/// How an installed package stands to the locked one.
enum Stands {
    Same,
    Newer,
    Wrong(String),
}

fn compared(installed: &BTreeMap<String, Package>, locked: &[LockedPackage]) -> Seen {
    let (mut same, mut newer, mut wrong) = (0, Vec::new(), Vec::new());
    for one in locked {
        match stands(installed.get(&one.name), one) {
            Stands::Same => same += 1,
            Stands::Newer => newer.push(&one.name),
            Stands::Wrong(why) => wrong.push(why),
        }
    }
    if !wrong.is_empty() {
        return Seen::bad(listed(wrong));
    }
    match newer.is_empty() {
        true => Seen::good(format!("{same} in the locked version")),
        false => Seen::good(format!(
            "{same} in the locked version, {} newer: {}",
            newer.len(),
            listed(newer)
        )),
    }
}

fn stands(found: Option<&Package>, locked: &LockedPackage) -> Stands {
    let (name, wanted) = (&locked.name, &locked.version);
    let Some(found) = found.filter(|one| one.status.get(1..2) == Some("i")) else {
        return Stands::Wrong(format!("{name} {wanted} is not installed"));
    };
    let order = match (found.version.parse::<Version>(), wanted.parse::<Version>()) {
        (Ok(found), Ok(wanted)) => Some(found.cmp(&wanted)),
        _ => None,
    };
    match order {
        Some(Ordering::Equal) => Stands::Same,
        Some(Ordering::Greater) if !locked.held => Stands::Newer,
        _ => Stands::Wrong(format!("{name} is {}, locked is {wanted}", found.version)),
    }
}
