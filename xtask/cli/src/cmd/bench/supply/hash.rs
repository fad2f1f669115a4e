//! Hashing the store against `sha256sum`, on one processor and on all.

use std::fs;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context as _;

use super::objects::{Listed, bytes};
use super::{Bench, Figure, Once, child, command, demand, time};

/// The length of an object in bytes: a large package's.
const OBJECT: u64 = 100_000_000;

/// How much of a payload is objects of its own; the rest is the same ones again, because a
/// bench of 12 GB shall not need 36.
pub(super) const DISTINCT: u64 = 4_000_000_000;

/// Puts objects into the bench's store: as much as it measures, or `most` bytes.
pub(super) fn fill(bench: &Bench, most: u64) -> anyhow::Result<Vec<Listed>> {
    let store = child::store(&bench.folder)?;
    let count = bench.size.min(most).div_ceil(OBJECT);
    let put = |number| {
        let sha256 = store.put(&bytes(number, OBJECT))?;
        Ok(Listed {
            sha256,
            len: OBJECT,
        })
    };
    (0..count).map(put).collect()
}

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    demand(&["sha256sum", "taskset", "xargs"])?;
    let objects = fill(bench, DISTINCT)?;
    let store = child::store(&bench.folder)?;
    let paths: Vec<PathBuf> = objects.iter().map(|one| store.place(one.sha256)).collect();
    let lines: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    fs::write(bench.folder.join("paths"), lines.join("\n")).context("writing the paths")?;
    let ways = [
        "verify, one core",
        "sha256sum, one core",
        "verify",
        "sha256sum, all cores",
    ];
    let least = bench.in_turn(ways, |way| one(bench, way))?;
    let gib = (objects.len() as u64 * OBJECT) as f64 / f64::from(1 << 30);
    for (way, took) in ways.iter().zip(least) {
        anstream::println!("{way:36} {:9.3} s/GiB", took.as_secs_f64() / gib);
    }
    let [ours, sums, ours_all, sums_all] = least;
    Ok(vec![
        Figure::ratio("hashing on one core, against sha256sum", ours, sums, 1.1),
        Figure::ratio(
            "hashing on all, against as many sha256sum",
            ours_all,
            sums_all,
            1.1,
        ),
    ])
}

fn one(bench: &Bench, way: &str) -> anyhow::Result<Duration> {
    let jobs = match way.ends_with("one core") {
        true => 1,
        false => available_parallelism().map_or(1, usize::from),
    };
    let mut words: Vec<String> = Vec::new();
    if jobs == 1 {
        words.extend(["taskset", "--cpu-list", "0"].map(str::to_owned));
    }
    if way.starts_with("verify") {
        words.extend(bench.once(Once::Verify));
    } else {
        let paths = bench.folder.join("paths").display().to_string();
        words.extend(["xargs", "--delimiter=\\n", "--max-args=1", "--arg-file"].map(str::to_owned));
        words.extend([paths, format!("--max-procs={jobs}"), "sha256sum".to_owned()]);
    }
    Ok(time(&mut command(&words)?)?.0)
}
