//! What is measured from outside, so that its start, its memory and its processors are those
//! of a process of its own, as those of apt, cp, curl and sha256sum are.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use lab_apt::{Installed, Pin, Request, Universe};
use lab_image::{BaseDigest, Content, Entry, Job, Tree};
use lab_supply::Cache;
use lab_supply::store::{FetchAll, Store, Wanted, fetch_all, verify};

use super::objects::Listed;
use super::resolve::{self, NAMES};

/// One thing to do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Once {
    Resolve,
    Verify,
    Compose,
    Fetch,
}

impl Once {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Verify => "verify",
            Self::Compose => "compose",
            Self::Fetch => "fetch",
        }
    }
}

pub(super) fn run(once: Once, folder: &Path) -> anyhow::Result<()> {
    match once {
        Once::Resolve => resolve(folder),
        Once::Verify => hash(folder),
        Once::Compose => compose(folder),
        Once::Fetch => fetch(folder),
    }
}

/// Reads the lists, chooses, and prints the names of what is chosen.
fn resolve(folder: &Path) -> anyhow::Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
    let lists = resolve::lists(folder)?;
    let bytes = lists.iter().map(|list| read(list));
    let bytes = bytes.collect::<anyhow::Result<Vec<_>>>()?;
    let status = read(&resolve::status(folder))?;
    let mut universe = Universe::new("amd64");
    for (list, bytes) in lists.iter().zip(&bytes) {
        universe.add_index(&list.to_string_lossy(), &Pin::default(), bytes)?;
    }
    universe.set_installed(&Installed::from_status(&status, "amd64")?);
    let solution = universe.solve(&NAMES.map(Request::newest))?;
    for chosen in solution.chosen {
        anstream::println!("{}", chosen.name);
    }
    Ok(())
}

/// The store that a bench works with.
pub(super) fn store(folder: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(&Cache::open(folder.join("store"))?)?)
}

fn hash(folder: &Path) -> anyhow::Result<()> {
    let verified = verify(&store(folder)?, &|_, _| {})?;
    match verified.bad.first() {
        None => Ok(()),
        Some(bad) => bail!("{}: {}", bad.path.display(), bad.why),
    }
}

/// Composes the listed objects and a small file, `edit`, onto the base.
fn compose(folder: &Path) -> anyhow::Result<()> {
    let store = store(folder)?;
    let mut tree = Tree::new();
    for (number, listed) in Listed::read(folder)?.into_iter().enumerate() {
        let content = Content::File {
            path: store.place(listed.sha256),
            len: listed.len,
            sha256: Some(listed.sha256.0),
        };
        let name = format!("lab/payload/{number:04}");
        tree.insert(
            name.parse()?,
            Entry {
                content,
                mode: 0o444,
                listed: false,
            },
        )?;
    }
    let edit = fs::read(folder.join("edit")).context("reading the edit")?;
    tree.insert("lab/machine.toml".parse()?, Entry::bytes(edit))?;
    lab_image::compose(Job {
        base: &folder.join("base.iso"),
        out: &folder.join("lab.iso"),
        tree: &tree,
        base_digest: BaseDigest::Unknown,
        state_dir: Some(&folder.join("state")),
        mode: 0o644,
        progress: &mut |_| {},
    })?;
    Ok(())
}

fn fetch(folder: &Path) -> anyhow::Result<()> {
    let port = fs::read_to_string(folder.join("port")).context("reading the port")?;
    let wanted = |(number, listed): (usize, Listed)| Wanted {
        name: number.to_string(),
        sha256: listed.sha256,
        size: Some(listed.len),
        urls: vec![format!("http://127.0.0.1:{port}/{number}")],
        authority: None,
    };
    let all: Vec<Wanted> = Listed::read(folder)?
        .into_iter()
        .enumerate()
        .map(wanted)
        .collect();
    fetch_all(&store(folder)?, &all, &FetchAll::default(), &|_| {})?;
    Ok(())
}
