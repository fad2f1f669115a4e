//! Where the output goes: its real place, and that it is none of the inputs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::identity::Identity;
use crate::{ComposeError, Content, Job};

/// Refuses an output that is the base or a file of the tree, by whatever name.
pub(super) fn refuse_inputs(job: &Job<'_>, base: &Identity) -> Result<(), ComposeError> {
    let Ok(meta) = std::fs::metadata(job.out) else {
        return Ok(());
    };
    let out = Identity::of(&meta);
    if !meta.is_file() {
        return Err(ComposeError::Output(anyhow::anyhow!(
            "{} is not a regular file: an image is not written over it",
            job.out.display()
        )));
    }
    if out.same_file(base) {
        return Err(ComposeError::Base(anyhow::anyhow!(
            "the output {} is the base image itself: choose another name",
            job.out.display()
        )));
    }
    for (path, entry) in job.tree.entries() {
        if let Content::File { path: from, .. } = &entry.content
            && let Ok(meta) = std::fs::metadata(from)
            && out.same_file(&Identity::of(&meta))
        {
            return Err(ComposeError::Tree(anyhow::anyhow!(
                "the output {} is also the source of {path}: choose another name",
                job.out.display()
            )));
        }
    }
    Ok(())
}

/// The output's place with all links followed, so that a rename replaces the
/// file and not a link to it.
pub(super) fn real_path(out: &Path) -> Result<PathBuf> {
    if out.is_symlink() {
        return std::fs::canonicalize(out)
            .with_context(|| format!("following the link {}", out.display()));
    }
    let Some(name) = out.file_name() else {
        bail!("{} does not name a file", out.display());
    };
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parent = std::fs::canonicalize(parent)
        .with_context(|| format!("the folder of {} cannot be used", out.display()))?;
    Ok(parent.join(name))
}

/// Bytes free for this user on the file system of `dir`.
pub(super) fn free_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}
