//! Making an image from a plan: the first time from the base, later by editing
//! what an earlier run left.
//!
//! Nothing is synced to the disk: an image can be made again at any time, and
//! a sync of gigabytes would take longer than making it. The record that lets
//! a later run trust an output therefore holds only until the machine boots
//! again (where a boot can be told from another; elsewhere the image is synced).

mod feed;
mod identity;
mod output;
mod payload;
mod run;
mod span;
mod state;
mod stream;
mod target;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use anyhow::Context;

pub use stream::compose_stream;

use crate::layout::Plan;
use crate::{ComposeError, Composed, Image, Job, Layout, Tree};
use identity::Identity;

/// Makes the image that the job asks for.
///
/// An output that an earlier run made, and that nobody touched since, is
/// edited: only what changed is written and hashed. While that goes on it is
/// called `.NAME.partial`; the name itself never leads to half an image. A run
/// that is killed leaves that file behind, and the next one removes it.
///
/// # Errors
///
/// See [`ComposeError`]. No partial output stays behind an error.
pub fn compose(mut job: Job<'_>) -> Result<Composed, ComposeError> {
    let base = Base::open(job.base)?;
    output::refuse_inputs(&job, &base.identity)?;
    let mut image = Image::open(&base.file, &base.name).map_err(ComposeError::Base)?;
    let plan = Plan::new(&mut image, job.tree)
        .context("planning the image")
        .map_err(ComposeError::Base)?;
    drop(image);
    run::run(&mut job, &base, &plan)
}

/// Where things would lie if `tree` were composed onto the base.
///
/// # Errors
///
/// When the tree does not fit the base, or the base is not supported.
pub fn preview<R: Read + Seek>(image: &mut Image<R>, tree: &Tree) -> anyhow::Result<Layout> {
    Ok(Plan::new(image, tree)?.layout)
}

/// The base, open for reading.
struct Base {
    file: File,
    name: String,
    identity: Identity,
}

impl Base {
    fn open(path: &Path) -> Result<Self, ComposeError> {
        let name = path.display().to_string();
        let open = || {
            let file = File::open(path).with_context(|| format!("opening the base {name}"))?;
            let meta = file.metadata()?;
            if !meta.is_file() {
                anyhow::bail!("opening the base {name}: it is not a regular file");
            }
            let identity = Identity::of(&meta);
            Ok((file, identity))
        };
        let (file, identity) = open().map_err(ComposeError::Base)?;
        Ok(Self {
            file,
            name,
            identity,
        })
    }

    /// Refuses a base that was written to in the meantime.
    fn still_same(&self) -> Result<(), ComposeError> {
        let now = self.file.metadata().map(|meta| Identity::of(&meta));
        match now {
            Ok(now) if now == self.identity => Ok(()),
            _ => Err(ComposeError::Base(anyhow::anyhow!(
                "{} changed while it was read: nothing was made of it",
                self.name
            ))),
        }
    }
}
