//! `bench`: figures, measured here and now, as ratios against a reference in
//! the same run.

use clap::{Args, Subcommand};

use crate::Done;

mod converge;
mod iso;

/// Measures, in one run, against other ways to do the same.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Converge(converge::Arguments),
    Iso(iso::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    match &arguments.what {
        What::Converge(arguments) => converge::run(arguments),
        What::Iso(arguments) => iso::run(arguments),
    }
}
