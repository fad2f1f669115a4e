//! The machine of an offline image against its lock: what is there is what is locked, each
//! thing that is replaced turns one claim red, and the unit that put it there puts it back.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use lab_container::{Command, Guest};

use crate::accept::Proved;

/// What the scripts below use: a file in place of another, as a new one, because what was laid
/// down may share its bytes with the payload.
const WORDS: &str = r#"set -e
models=/var/lib/ollama/models
manifest=$models/manifests/registry.ollama.ai/library/gemma3/1b
other() { { cat "$1"; echo; } >/run/other; rm "$1"; cp /run/other "$1"; }
image_tag=$(bash -c ". /etc/lab/units/jupyter.conf; echo \$image_tag")
"#;

/// What is replaced, what must go red, and the unit that puts it back.
const FAULTS: &[(&str, &str, &str)] = &[
    (
        r#"other "$manifest""#,
        "machine.locked-models[gemma3:1b]",
        "ollama",
    ),
    (
        r#"other "$models/blobs/sha256-$(jq -r .config.digest "$manifest" | cut -d : -f 2)""#,
        "machine.locked-models[gemma3:1b]",
        "ollama",
    ),
    (
        r#"for f in /opt/ollama/*/archive.sha256; do other "$f"; echo 0 >"$f"; done"#,
        "machine.locked-files[ollama]",
        "ollama",
    ),
    (
        "other /var/lib/lab/data/mnist.npz",
        "machine.locked-files[mnist]",
        "dcgan",
    ),
    (
        r#"docker tag "$(docker commit lab-jupyter)" "$image_tag""#,
        IMAGE,
        "jupyter",
    ),
    (
        "other /etc/apt/keyrings/lab-docker.asc",
        "machine.locked-keys[docker]",
        "docker",
    ),
];

/// Any image: its reference is the description's.
const IMAGE: &str = "machine.locked-images";

/// Looks at what is locked and at nothing else.
const ONLY: [&str; 2] = ["--only", "machine.lock*"];

/// A sound machine, each fault by itself, and a lock that no longer fits.
pub(crate) fn against_the_lock(command: Command, guest: Guest) -> Result<()> {
    let proved = Proved { guest, command };
    let sound = proved.claims(&ONLY)?;
    ensure!(sound.failed.is_empty(), "{}", sound.of(&sound.failed));
    ensure!(sound.not_run.is_empty(), "{sound:#?}");
    let ids: BTreeSet<&str> = sound
        .passed
        .iter()
        .filter_map(|one| one.split('[').next())
        .collect();
    ensure!(
        ids.len() == 6,
        "not all that is locked is looked at: {ids:?}"
    );
    for (plant, red, unit) in FAULTS {
        proved.guest.ok(&format!("{WORDS}{plant}"))?;
        let claims = proved.claims(&ONLY).with_context(|| (*plant).to_owned())?;
        let red_alone =
            claims.failed.len() == 1 && claims.failed.iter().all(|one| one.starts_with(red));
        ensure!(
            red_alone,
            "{plant}\nwanted {red}, found {:?}\n{}",
            claims.failed,
            claims.of(&claims.failed)
        );
        let back = format!("systemctl restart lab-{unit}.service");
        proved
            .guest
            .ok(&back)
            .with_context(|| format!("after {plant}\n{}", proved.guest.story()))?;
        let mended = proved.claims(&ONLY)?;
        ensure!(
            mended.failed.is_empty(),
            "{back} did not mend {plant}: {}",
            mended.of(&mended.failed)
        );
    }
    println!("tried: {} things that are not what is locked", FAULTS.len());
    stale(&proved)
}

/// A lock that was made for another description is judged, and fails with the way out.
fn stale(proved: &Proved) -> Result<()> {
    let place = proved.command.scratch().join("machine.lock");
    let text = std::fs::read_to_string(&place).context("reading the lock")?;
    let line = text
        .lines()
        .find(|line| line.starts_with("resolved_for = "));
    let line = line.context("the lock does not say what it was resolved for")?;
    let other = format!("resolved_for = \"{}\"", "0".repeat(64));
    std::fs::write(&place, text.replacen(line, &other, 1)).context("writing the lock")?;
    let claims = proved.claims(&ONLY);
    let ended = proved.accept(&ONLY);
    std::fs::write(&place, text).context("writing the lock")?;
    let (claims, ended) = (claims?, ended?);
    ensure!(
        claims.failed == BTreeSet::from(["machine.lock".to_owned()]),
        "{claims:#?}"
    );
    // Its lines are broken where the screen ends.
    let said: Vec<&str> = ended.text.split_whitespace().collect();
    let said = said.join(" ");
    for words in ["resolved for another description", "cargo xtask lock"] {
        ensure!(said.contains(words), "no `{words}`: {ended:#?}");
    }
    Ok(())
}
