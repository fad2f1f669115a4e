//! Composing an image with a payload, against `cp` of the same bytes and `sha256sum` of the
//! image. As `cp`, it waits for no disk; unlike `cp`, it also checks each object and says the
//! image's digest, and so it has the same to do as `cp` and then `sha256sum` twice.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::hash::{DISTINCT, fill};
use super::objects::Listed;
use super::{Bench, Figure, Once, child, command, demand, fresh, time};

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    demand(&["cp", "sha256sum"])?;
    make_base(&bench.folder)?;
    let objects = fill(bench, DISTINCT)?;
    let mut all: Vec<Listed> = Vec::new();
    while all.iter().map(|one| one.len).sum::<u64>() < bench.size {
        all.extend(objects.iter().take(missing(bench.size, &all)));
    }
    Listed::write(&bench.folder, &all)?;
    let (mut memory, mut edits) = (0, 0);
    let ways = ["cp", "compose, first", "compose, again", "sha256sum"];
    let least = bench.in_turn(ways, |way| {
        edits += 1;
        let (took, used) = one(bench, way, &all, edits)?;
        memory = memory.max(used);
        Ok(took)
    })?;
    let gb = all.iter().map(|one| one.len).sum::<u64>() as f64 / 1e9;
    for (way, took) in ways.iter().zip(least) {
        anstream::println!("{way:36} {:9.3} s/GB", took.as_secs_f64() / gb);
    }
    let [cp, first, again, sums] = least;
    Ok(vec![
        Figure::ratio("composing, against cp", first, cp, 1.2),
        Figure::ratio(
            "composing, against cp and then sha256sum",
            first,
            cp + sums,
            1.0,
        ),
        Figure::ratio("composing again after an edit, against cp", again, cp, 0.1),
        Figure {
            what: "most memory of any composing",
            value: Ok(memory as f64 / 1024.0),
            unit: "MiB",
            at_most: 64.0,
        },
    ])
}

/// How many objects there is still room for, one at least.
fn missing(size: u64, all: &[Listed]) -> usize {
    let len = all.first().map_or(1, |one| one.len);
    let left = match all.is_empty() {
        true => return usize::MAX,
        false => size.saturating_sub(len * all.len() as u64),
    };
    usize::try_from(left.div_ceil(len)).unwrap_or(usize::MAX)
}

/// The stand-in for the vendor's image, without the bytes that make it large.
fn make_base(folder: &Path) -> anyhow::Result<()> {
    let cache = crate::lab::cache().map_err(|_| anyhow::anyhow!("there is no cache folder"))?;
    let inputs = cache.dir().join("stand-in");
    lab_standin::build(
        &lab_standin::Options::default(),
        &inputs,
        &folder.join("base.iso"),
    )
    .context("making the stand-in base")?;
    Ok(())
}

/// How long it takes, and the most memory of what composes, in KiB.
fn one(bench: &Bench, way: &str, all: &[Listed], edits: u32) -> anyhow::Result<(Duration, u64)> {
    let image = bench.folder.join("lab.iso");
    match way {
        "cp" => Ok((copy(bench, all)?, 0)),
        "sha256sum" => {
            let took = time(Command::new("sha256sum").arg(&image))?.0;
            fs::remove_file(&image).context("removing the image")?;
            Ok((took, 0))
        }
        _ => {
            let text = format!("edits = {edits}\n");
            fs::write(bench.folder.join("edit"), text).context("writing the edit")?;
            if way == "compose, first" {
                fresh(&bench.folder.join("state"))?;
            }
            time(&mut command(&bench.once(Once::Compose))?)
        }
    }
}

/// `cp` of the base and of all objects, those that come again into another folder.
fn copy(bench: &Bench, all: &[Listed]) -> anyhow::Result<Duration> {
    let store = child::store(&bench.folder)?;
    let folder = bench.folder.join("copy");
    fresh(&folder)?;
    let distinct = usize::try_from(DISTINCT.div_ceil(all.first().map_or(1, |one| one.len)))?;
    let mut sources = vec![bench.folder.join("base.iso")];
    let mut took = Duration::ZERO;
    for (number, some) in all.chunks(distinct.max(1)).enumerate() {
        sources.extend(some.iter().map(|one| store.place(one.sha256)));
        let to = folder.join(number.to_string());
        fresh(&to)?;
        let mut command = Command::new("cp");
        command
            .args(["--reflink=never", "--target-directory"])
            .arg(&to);
        took += time(command.args(&sources))?.0;
        sources.clear();
    }
    fs::remove_dir_all(&folder).context("removing the copy")?;
    Ok(took)
}
