//! `why`: what pulled something in.

use clap::Args;

use crate::failure::Failure;
use crate::{Done, MachineArg, lab, locked};

/// Says what a package, a file, a model or an image is there for.
///
/// Shows the shortest way from each unit of the machine that needs it.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Its name.
    name: String,
    #[command(flatten)]
    machine: MachineArg,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let lock = locked::must(&described)?;
    let wanted = locked::wanted(machine)?;
    let text = lab_sbom::why(&wanted, &lock, &arguments.name).map_err(Failure::input)?;
    anstream::print!("{text}");
    Ok(())
}
