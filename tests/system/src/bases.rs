//! Base images, and images composed onto them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab_image::{BaseDigest, Composed, Entry, Job, Tree, compose};
use lab_standin::{Options, build};

use crate::not_run;

/// Files to put onto an image: path without leading slash, and bytes.
pub type Added<'a> = &'a [(&'a str, &'a [u8])];

/// A folder in cargo's target folder that stays from run to run.
///
/// # Errors
///
/// When it cannot be made.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let program = env::current_exe().context("finding this program")?;
    // …/target/debug/deps/NAME-HASH
    let target = program
        .ancestors()
        .nth(3)
        .context("finding cargo's target folder")?;
    let folder = target.join("lab-tests").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// The stand-in with these options, made once and kept. Where a program for it is missing,
/// `None`, and `test` is said not to have run.
///
/// # Errors
///
/// When making it fails.
pub fn base(test: &str, options: &Options) -> Result<Option<PathBuf>> {
    let mut missing = lab_standin::missing();
    if options.live.is_some() {
        let more = lab_standin::live_requirements().iter();
        missing.extend(more.filter(|wanted| !wanted.need.is_met()));
    }
    let missing: Vec<_> = missing
        .iter()
        .map(|wanted| format!("{} (Debian package {})", wanted.need.name(), wanted.package))
        .collect();
    if !missing.is_empty() {
        not_run(
            test,
            &format!("the stand-in image needs {}", missing.join(", ")),
        );
        return Ok(None);
    }
    let Options {
        joliet,
        hwe,
        fill,
        oversize,
        live,
    } = options;
    let live = if live.is_some() { "-live" } else { "" };
    let name = format!("base-joliet-{joliet}-hwe-{hwe}-fill-{fill}-oversize-{oversize}{live}.iso");
    let out = scratch("bases")?.join(name);
    let made = build(options, &scratch("cache")?, &out).context("making the stand-in image")?;
    Ok(Some(made.path))
}

/// Composes `added` onto `base`.
///
/// # Errors
///
/// When a path cannot be on an image, or the image cannot be made.
pub fn composed(base: &Path, added: Added, out: &Path) -> Result<Composed> {
    let mut tree = Tree::new();
    for (path, bytes) in added {
        let path = path.parse().with_context(|| format!("adding {path}"))?;
        tree.insert(path, Entry::bytes(*bytes))?;
    }
    composed_of(base, &tree, out)
}

/// Composes `tree` onto `base`.
///
/// # Errors
///
/// When the image cannot be made.
pub fn composed_of(base: &Path, tree: &Tree, out: &Path) -> Result<Composed> {
    let job = Job {
        base,
        out,
        tree,
        base_digest: BaseDigest::Unknown,
        state_dir: None,
        mode: 0o644,
        progress: &mut |_| {},
    };
    compose(job).with_context(|| format!("composing {}", out.display()))
}
