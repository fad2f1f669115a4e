//! `generate`: the files of this repository that are made from its code.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use lab_accept::{check, report};
use lab_machine::reference;

use crate::failure::Failure;
use crate::{Done, lab};

/// Makes JSON Schemas and reference pages from the types and the checks.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Change nothing, but fail when something would change.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let root = lab::workspace()?;
    let files: [(PathBuf, String); 4] = [
        (root.join("images/machine.schema.json"), reference::schema()),
        (
            root.join("docs/src/reference/machine.md"),
            reference::page(),
        ),
        (
            root.join("docs/src/reference/checks.md"),
            check::reference(),
        ),
        (
            root.join("docs/src/reference/report.schema.json"),
            report::schema().context("making the report's schema")?,
        ),
    ];
    for (path, text) in files {
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        if there == text {
            continue;
        }
        if arguments.check {
            return Err(Failure::input(format!(
                "{} is out of date: run `cargo xtask generate`",
                path.display()
            )));
        }
        write(&path, &text)?;
        anstream::println!("wrote {}", path.display());
    }
    Ok(())
}

fn write(path: &std::path::Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let file = tempfile::Builder::new()
        .tempfile_in(folder)
        .with_context(|| format!("writing in {}", folder.display()))?;
    std::fs::write(file.path(), text).with_context(|| format!("writing {}", path.display()))?;
    crate::cmd::render::open_to_all(file.as_file())?;
    file.persist(path)
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(())
}
