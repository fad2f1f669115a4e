//! Whether the machine is what was laid down: the description's digest, the list of files,
//! and everything that differs.

use super::super::find::listed;
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "machine.description",
        effort: Effort::Quick,
        title: "the machine was made from this very description",
        story: "`/etc/lab/release` bears the digest of the description with every default filled in. It is compared with the digest of the description here, under the catalog here.",
        cause: "The description or the catalog changed since the machine was installed or last applied, or it was made from another file.",
        remedy: "`cargo xtask diff --host HOST` shows what that means, `cargo xtask apply --host HOST` makes it so.",
        reference: "docs/src/how-to/day-two.md",
        claims: description,
    },
    Check {
        id: "machine.manifest",
        effort: Effort::Quick,
        title: "the list of what was laid down is the one that follows from this description",
        story: "The list names every file of the lab with its mode and digest. Two machines with one list were laid down alike.",
        cause: "An older or newer lab laid the files down, or another description did.",
        remedy: "`cargo xtask apply --host HOST` lays down what is described now.",
        reference: "docs/src/how-to/day-two.md",
        claims: manifest,
    },
    Check {
        id: "machine.differences",
        effort: Effort::Quick,
        title: "no file, package or setting differs from the description",
        story: "The same comparison as `cargo xtask diff`: every file that was laid down, every package and every setting, whether the description changed or somebody changed the machine.",
        cause: "Somebody changed the machine by hand, a package replaced a file, or the description changed since.",
        remedy: "`cargo xtask diff --host HOST --content` shows how each differs. `cargo xtask apply --host HOST` puts it back; what should stay belongs into machine.toml.",
        reference: "docs/src/how-to/day-two.md",
        claims: differences,
    },
];

/// The list of what was laid down, as the current generation has it; root alone may read it.
pub(crate) const MANIFEST: &str = "/var/lib/lab/generations/current/overlay.list";

fn description(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("machine.name", "it was made from this description", || {
        let release = subject.software()?.release.get()?;
        let found = release.get("LAB_DESCRIPTION");
        let found = found.map_or("no digest", String::as_str);
        let wanted = &subject.evidence.expected.description;
        let evidence = match found == wanted {
            true => format!("/etc/lab/release has {}", short(found)),
            false => format!(
                "/etc/lab/release has {}, here it is {}",
                short(found),
                short(wanted)
            ),
        };
        Ok(Seen::when(found == wanted, evidence))
    });
}

/// The beginning of a digest, which is enough for people.
fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

fn manifest(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim(
        "machine.name",
        "exactly what follows from it was laid down",
        || same_list(subject),
    );
}

/// By words, and not by digests: kept evidence has none of this list (see `gather`).
fn same_list(subject: &Subject<'_>) -> Judgement {
    let fact = subject.root()?.files.get(MANIFEST);
    let found = fact.ok_or_else(|| NotRun(format!("{MANIFEST} was not asked about")))?;
    let same = found.get()? == &subject.evidence.expected.manifest;
    Ok(match same {
        true => Seen::good(format!("{MANIFEST} is the list that follows from it")),
        false => Seen::bad(format!("{MANIFEST} is another list")),
    })
}

fn differences(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("", "nothing differs from the description", || {
        let found = subject.evidence.differences.get()?;
        let words = found.iter().map(|one| {
            format!(
                "the {} {} is {}, should be {}",
                one.part, one.name, one.is, one.should
            )
        });
        Ok(match found.is_empty() {
            true => Seen::good("files, packages and settings are as described"),
            false => Seen::bad(format!("{} differ: {}", found.len(), listed(words))),
        })
    });
}
