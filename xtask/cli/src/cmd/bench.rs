//! `bench`: figures, measured here and now, as ratios against a reference in
//! the same run.

use clap::{Args, Subcommand};

use crate::Done;

mod accept;
mod converge;
mod figure;
mod iso;
mod rehearse;
mod supply;

/// Measures, in one run, against other ways to do the same.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Accept(accept::Arguments),
    Converge(converge::Arguments),
    Iso(iso::Arguments),
    Rehearse(rehearse::Arguments),
    Supply(supply::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    match &arguments.what {
        What::Accept(arguments) => accept::run(arguments),
        What::Converge(arguments) => converge::run(arguments),
        What::Iso(arguments) => iso::run(arguments),
        What::Rehearse(arguments) => rehearse::run(arguments),
        What::Supply(arguments) => supply::run(arguments),
    }
}
