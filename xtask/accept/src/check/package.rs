//! Judging packages and the sources that they come from, for every group that has some.

use std::collections::BTreeMap;

use lab_catalog::AptRepository;
use lab_facts::{AptSource, Fact, Package};

use super::find::listed;
use crate::{Claims, ExpectedPackage, Judgement, Seen, Subject};

/// A claim for each package of a unit: it is installed whole, in the version that is
/// described.
pub(super) fn each_package(subject: &Subject<'_>, claims: &mut Claims<'_>, unit: &str, key: &str) {
    let Some(expected) = subject.expected_unit(unit) else {
        claims.claim(key, "its packages are installed", || {
            Err(format!("the evidence does not say which packages the unit {unit} has").into())
        });
        return;
    };
    for package in &expected.packages {
        let version = package.version.as_deref().unwrap_or("any version");
        let claim = format!("{} is installed, {version}", package.name);
        claims.claim_of(&package.name, key, claim, || installed(subject, package));
    }
}

fn installed(subject: &Subject<'_>, wanted: &ExpectedPackage) -> Judgement {
    let packages = subject.software()?.packages.get()?;
    Ok(installed_among(packages, wanted))
}

fn installed_among(packages: &BTreeMap<String, Package>, wanted: &ExpectedPackage) -> Seen {
    let Some(found) = packages.get(&wanted.name) else {
        return Seen::bad("it is not installed");
    };
    // dpkg's letters: what is wanted, what is there, and `R` where it must be set up again.
    if found.status.trim_end().get(1..) != Some("i") {
        return Seen::bad(format!(
            "{} is there, but dpkg says `{}`",
            found.version, found.status
        ))
        .because("Its setting up was cut off or failed.")
        .way_out("`sudo dpkg --configure -a` ends what was begun and says why it cannot.");
    }
    match &wanted.version {
        Some(version) if *version != found.version => {
            Seen::bad(format!("{} is installed, not {version}", found.version))
        }
        _ => Seen::good(format!("{} is installed", found.version)),
    }
}

/// That no upgrade moves the packages of a unit.
pub(super) fn held(subject: &Subject<'_>, unit: &str) -> Judgement {
    let expected = subject.expected_unit(unit);
    let expected = expected.ok_or("the evidence does not say which packages it has")?;
    let held = subject.software()?.held.get()?;
    let names = expected.packages.iter().map(|one| &one.name);
    let (kept, loose): (Vec<&String>, Vec<&String>) = names.partition(|name| held.contains(name));
    Ok(match loose.is_empty() {
        true => Seen::good(format!("held: {}", listed(kept))),
        false => Seen::bad(format!("not held: {}", listed(loose))),
    })
}

/// That packages come from the vendor's repository, by the lab's own source, signed by the
/// one key that is pinned.
pub(super) fn source(subject: &Subject<'_>, repository: Option<&AptRepository>) -> Judgement {
    let repository = repository.ok_or("the catalog does not know this repository")?;
    let sources = subject.software()?.apt_sources.get()?;
    let same = |one: &&AptSource| plain(&one.uri) == plain(&repository.uri);
    let found: Vec<&AptSource> = sources.iter().filter(same).collect();
    let own = format!("/etc/apt/sources.list.d/lab-{}.sources", repository.name);
    let foreign: Vec<&str> = found
        .iter()
        .filter(|one| one.file != own)
        .map(|one| one.file.as_str())
        .collect();
    if !foreign.is_empty() {
        return Ok(Seen::bad(format!("{} names {} as well", listed(foreign), repository.uri))
            .because("A vendor's install script or an instruction from the web added a source of its own.")
            .way_out("Remove that file: two sources of one repository with different keys make apt refuse both. Then `sudo apt-get update`."));
    }
    let Some(source) = found.first() else {
        return Ok(Seen::bad(format!("no source names {}", repository.uri)));
    };
    signed(source, repository)
}

fn plain(uri: &str) -> &str {
    uri.trim_end_matches('/')
}

fn signed(source: &AptSource, repository: &AptRepository) -> Judgement {
    if source.trusted {
        return Ok(Seen::bad(format!("{} says `Trusted: yes`", source.file))
            .because("Somebody switched the signatures off to get past an error.")
            .way_out("Take that line out, or lay the file down again: `cargo xtask apply`."));
    }
    let key = format!("/etc/apt/keyrings/lab-{}.asc", repository.name);
    if source.signed_by.as_deref() != Some(key.as_str()) {
        let by = source
            .signed_by
            .as_deref()
            .unwrap_or("any key of the system");
        return Ok(Seen::bad(format!(
            "{} is signed by {by}, not by {key}",
            source.file
        )));
    }
    let fingerprints = match &source.fingerprints {
        Fact::Is(found) => found,
        Fact::Unknown(why) => return Err(why.as_str().into()),
    };
    let wanted = repository.key_fingerprint.to_string();
    let right = *fingerprints == [wanted.clone()];
    let seen = Seen::when(right, format!("{key} holds {}", listed(fingerprints)));
    Ok(seen
        .because(format!("The pinned key is {wanted}. The vendor changed its key, or somebody else's key was put there."))
        .way_out("Never trust a key by hand: a vendor announces a new one. Then `cargo xtask apply` with a catalog that pins it."))
}
