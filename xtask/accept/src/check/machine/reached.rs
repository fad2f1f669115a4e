//! Whether the files, models and images on the machine are those of `machine.lock`: by their
//! digests where they lie, whatever brought them there.

use std::collections::BTreeSet;

use lab_facts::Object;

use super::super::find::listed;
use super::super::jupyter::containers;
use super::locked::{not_locked, short};
use crate::{
    Check, Claims, Effort, Judgement, LockedFile, LockedImage, LockedModel, NotRun, Seen, Subject,
};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "machine.locked-keys",
        effort: Effort::Quick,
        title: "the vendors' keys are the very files that are locked",
        story: "Each key file below /etc/apt/keyrings is measured and compared with the lock: a file may hold the right key and another beside it.",
        cause: "Somebody put another file there, or the vendor renewed the key and it was fetched by hand.",
        remedy: "`sudo systemctl restart` with the unit's name (`lab-docker.service`, `lab-toolkit.service`) puts the locked file back. A key that the vendor renewed: `cargo xtask lock --update`, then `cargo xtask apply --host HOST`.",
        reference: "docs/src/how-to/lock.md",
        claims: keys,
    },
    Check {
        id: "machine.locked-files",
        effort: Effort::Quick,
        title: "archives and data sets are those that are locked",
        story: "A data set is measured where it lies. An archive does not stay: beside what was unpacked stands the digest of the archive that it came out of, and that record is compared.",
        cause: "Somebody replaced the file, or unpacked another archive in its place.",
        remedy: "`sudo systemctl restart` with the unit's name (`lab-ollama.service`, `lab-dcgan.service`) fetches the locked one.",
        reference: "docs/src/how-to/lock.md",
        claims: files,
    },
    Check {
        id: "machine.locked-models",
        effort: Effort::Quick,
        title: "each locked model is there: its manifest by digest, and everything that the manifest names",
        story: "Ollama is asked for the digest that it lists the model by. On the disk the manifest and each blob up to 64 MiB is measured; of a larger one the length counts, as reading gigabytes takes longer than somebody waits.",
        cause: "The model was pulled anew by hand after the registry's tag moved, or a blob is damaged or was removed.",
        remedy: "`sudo systemctl restart lab-ollama.service` fetches what is missing or of another length; remove a file of the right length and another content first.",
        reference: "docs/src/how-to/lock.md",
        claims: models,
    },
    Check {
        id: "machine.locked-images",
        effort: Effort::Quick,
        title: "each locked image is there under its name, and the containers run it",
        story: "Docker says which image bears the locked image's name, and which image each container of the lab was made from. Both identities are digests, and are compared with the lock.",
        cause: "Somebody pulled or tagged another image under that name, or made the container by hand.",
        remedy: "`sudo systemctl restart` with the unit's name (`lab-jupyter.service`, `lab-dcgan.service`) gives the name back to the locked image. A container by hand: `docker rm -f NAME` first.",
        reference: "docs/src/how-to/lock.md",
        claims: images,
    },
];

fn keys(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let Some(locked) = &subject.evidence.expected.locked else {
        return not_locked(claims, "the vendors' keys are the locked files");
    };
    for one in &locked.keys {
        let claim = format!("the key file of {} is the locked one", one.name);
        claims.claim_of(&one.name, "", claim, || compared(subject, [one]));
    }
}

fn files(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let Some(locked) = &subject.evidence.expected.locked else {
        return not_locked(claims, "archives and data sets are the locked ones");
    };
    for one in &locked.files {
        let key = match one.name.as_str() {
            "ollama" => "ollama.version",
            _ => "dcgan.enabled",
        };
        let claim = format!("{} is the locked one", one.name);
        claims.claim_of(&one.name, key, claim, || compared(subject, [one]));
    }
}

fn models(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let Some(locked) = &subject.evidence.expected.locked else {
        return not_locked(claims, "the models are the locked ones");
    };
    for one in &locked.models {
        let described = subject.machine.ollama.models.iter();
        let place = described
            .enumerate()
            .find(|(_, name)| name.as_str() == one.name);
        let key = place.map_or_else(
            || "ollama.models".to_owned(),
            |(index, _)| format!("ollama.models[{index}]"),
        );
        let claim = format!("{} is the locked one", one.name);
        claims.claim_of(&one.name, &key, claim, || model(subject, one));
    }
}

fn model(subject: &Subject<'_>, locked: &LockedModel) -> Judgement {
    let on_disk = compared(subject, &locked.files)?;
    let Seen::Good(evidence) = on_disk else {
        return Ok(on_disk);
    };
    let models = &subject.software()?.ollama.get()?.models;
    let found = models.iter().find(|one| one.name == locked.name);
    let digest = found.map_or("nothing", |one| one.digest.trim_start_matches("sha256:"));
    Ok(match digest == locked.manifest {
        true => Seen::good(format!("Ollama lists it by {}; {evidence}", short(digest))),
        false => Seen::bad(format!(
            "Ollama lists it by {}, locked is {}",
            short(digest),
            short(&locked.manifest)
        )),
    })
}

fn images(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let Some(locked) = &subject.evidence.expected.locked else {
        return not_locked(claims, "the images are the locked ones");
    };
    for one in &locked.images {
        let claim = format!("{} is the locked image", one.tag);
        claims.claim_of(&one.reference, "jupyter.image", claim, || {
            image(subject, one)
        });
    }
}

fn image(subject: &Subject<'_>, locked: &LockedImage) -> Judgement {
    let docker = subject.docker()?;
    let fact = docker.images.get(&locked.tag);
    let fact = fact.ok_or_else(|| NotRun(format!("Docker was not asked for {}", locked.tag)))?;
    let is_locked = |id: &str| locked.ids.iter().any(|one| one == id);
    let mut wrong = Vec::new();
    match fact.get()? {
        None => wrong.push(format!("no image is called {}", locked.tag)),
        Some(id) if !is_locked(id) => wrong.push(format!("{} is {id}", locked.tag)),
        Some(_) => {}
    }
    let own: BTreeSet<&str> = match subject.machine.jupyter.image.as_str() == locked.reference {
        true => containers(subject.machine)
            .iter()
            .map(|one| one.name)
            .collect(),
        false => BTreeSet::new(),
    };
    let there = docker.containers.iter();
    let (right, other): (Vec<_>, Vec<_>) = there
        .filter(|one| own.contains(one.name.as_str()))
        .partition(|one| is_locked(&one.image));
    wrong.extend(
        other
            .iter()
            .map(|one| format!("{} is made from {}", one.name, one.image)),
    );
    Ok(match wrong.is_empty() {
        true => Seen::good(format!(
            "{} and {} are {}",
            locked.tag,
            listed(right.iter().map(|one| &one.name)),
            listed(&locked.ids)
        )),
        false => Seen::bad(format!(
            "{}; locked is {}",
            listed(wrong),
            listed(&locked.ids)
        )),
    })
}

/// How a file stands to the locked one.
enum Stands {
    Same,
    /// Too large to be measured, and of the right length.
    AsLong,
    Wrong(String),
    Unknown(NotRun),
}

/// How many files of a thing are named where they are wrong.
const MOST_NAMED: usize = 2;

/// All of these files, by what lies there. What is wrong is wrong whatever is not known.
fn compared<'l>(
    subject: &Subject<'_>,
    files: impl IntoIterator<Item = &'l LockedFile>,
) -> Judgement {
    let (mut same, mut as_long, mut wrong, mut unknown) = (0, 0, Vec::new(), None);
    for one in files {
        match stands(subject, one) {
            Stands::Same => same += 1,
            Stands::AsLong => as_long += 1,
            Stands::Wrong(why) => wrong.push(why),
            Stands::Unknown(why) => unknown = Some(why),
        }
    }
    if !wrong.is_empty() {
        let more = wrong.len().saturating_sub(MOST_NAMED);
        wrong.truncate(MOST_NAMED);
        wrong.extend((more > 0).then(|| format!("and {more} more")));
        return Ok(Seen::bad(listed(wrong)));
    }
    match unknown {
        Some(why) => Err(why),
        None if as_long == 0 => Ok(Seen::good(format!("{same} by digest"))),
        None => Ok(Seen::good(format!("{same} by digest, {as_long} by length"))),
    }
}

fn stands(subject: &Subject<'_>, locked: &LockedFile) -> Stands {
    match object(subject, &locked.path) {
        Ok(Some(found)) => held_against(found, locked),
        Ok(None) => Stands::Wrong(format!("{} is not there", locked.path)),
        Err(why) => Stands::Unknown(why),
    }
}

fn object<'a>(subject: &Subject<'a>, path: &str) -> Result<Option<&'a Object>, NotRun> {
    let fact = subject.root()?.objects.get(path);
    let fact = fact.ok_or_else(|| NotRun(format!("{path} was not asked about")))?;
    Ok(fact.get()?.as_ref())
}

fn held_against(found: &Object, locked: &LockedFile) -> Stands {
    let path = &locked.path;
    match &found.sha256 {
        Some(sha256) if *sha256 == locked.sha256 => Stands::Same,
        Some(sha256) => Stands::Wrong(format!(
            "the sha256 of {path} is {}, locked is {}",
            short(sha256),
            short(&locked.sha256)
        )),
        None if found.bytes == locked.bytes => Stands::AsLong,
        None => Stands::Wrong(format!(
            "{path} has {} bytes, locked are {}",
            found.bytes, locked.bytes
        )),
    }
}
