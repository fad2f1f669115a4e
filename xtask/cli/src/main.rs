//! `cargo xtask`: everything this repository can do with a machine's
//! description. One file a subcommand, under `cmd`; this one takes the command
//! line apart and turns what came of it into an exit code.

mod cargo;
mod cmd;
mod failure;
mod keys;
mod lab;
mod locked;
mod outside;
mod payload;
mod probe;
mod programs;
mod reach;
mod secrets;
mod ui;

use std::process::ExitCode;

use clap::{Args, ColorChoice, Parser, Subcommand};

use failure::Failure;

/// Turns one machine.toml into an unattended Ubuntu installer for a GPU machine.
///
/// A first try needs no hardware and no download:
///
///   cargo xtask check              says what is wrong with the description
///   cargo xtask iso --base stand-in   builds an image on a small stand-in base
///
/// Exit codes: 0 done, 1 the input is at fault, 2 could not run.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    verbatim_doc_comment,
    disable_help_subcommand = true
)]
struct Cli {
    /// When to use colours.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

/// Which machine a command is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct MachineArg {
    /// The machine: a name under images/, or the path of a machine.toml.
    ///
    /// Without it: the only machine under images/, else gpu-server.
    #[arg(long, short, value_name = "NAME|FILE", env = "LAB_MACHINE")]
    pub(crate) machine: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(cmd::init::Arguments),
    Check(cmd::check::Arguments),
    Explain(cmd::explain::Arguments),
    Render(cmd::render::Arguments),
    Seed(cmd::seed::Arguments),
    Diff(cmd::diff::Arguments),
    Apply(cmd::apply::Arguments),
    Accept(cmd::accept::Arguments),
    Report(cmd::report::Arguments),
    Tunnel(cmd::tunnel::Arguments),
    Lock(cmd::lock::Arguments),
    Outdated(cmd::outdated::Arguments),
    Sbom(cmd::sbom::Arguments),
    Why(cmd::why::Arguments),
    Fetch(cmd::fetch::Arguments),
    Cache(cmd::cache::Arguments),
    Iso(cmd::iso::Arguments),
    Rehearse(cmd::rehearse::Arguments),
    Usb(cmd::usb::Arguments),
    Serve(cmd::serve::Arguments),
    Inspect(cmd::inspect::Arguments),
    Doctor(cmd::doctor::Arguments),
    Test(cmd::test::Arguments),
    Bench(cmd::bench::Arguments),
    Generate(cmd::generate::Arguments),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    ui::choose_color(cli.color);
    let done = match cli.command {
        Command::Check(arguments) => cmd::check::run(&arguments),
        Command::Explain(arguments) => cmd::explain::run(&arguments),
        Command::Render(arguments) => cmd::render::run(&arguments),
        Command::Diff(arguments) => cmd::diff::run(&arguments),
        Command::Apply(arguments) => cmd::apply::run(&arguments),
        Command::Accept(arguments) => cmd::accept::run(&arguments),
        Command::Report(arguments) => cmd::report::run(&arguments),
        Command::Tunnel(arguments) => cmd::tunnel::run(&arguments),
        Command::Init(arguments) => cmd::init::run(&arguments),
        Command::Seed(arguments) => cmd::seed::run(&arguments),
        Command::Lock(arguments) => cmd::lock::run(&arguments),
        Command::Outdated(arguments) => cmd::outdated::run(&arguments),
        Command::Sbom(arguments) => cmd::sbom::run(&arguments),
        Command::Why(arguments) => cmd::why::run(&arguments),
        Command::Cache(arguments) => cmd::cache::run(&arguments),
        Command::Fetch(arguments) => cmd::fetch::run(&arguments),
        Command::Iso(arguments) => cmd::iso::run(&arguments),
        Command::Rehearse(arguments) => cmd::rehearse::run(&arguments),
        Command::Usb(arguments) => cmd::usb::run(&arguments),
        Command::Serve(arguments) => cmd::serve::run(&arguments),
        Command::Inspect(arguments) => cmd::inspect::run(&arguments),
        Command::Doctor(arguments) => cmd::doctor::run(&arguments),
        Command::Test(arguments) => cmd::test::run(&arguments),
        Command::Bench(arguments) => cmd::bench::run(&arguments),
        Command::Generate(arguments) => cmd::generate::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            ui::error(&failure);
            failure.exit_code()
        }
    }
}

/// What every command answers with.
type Done = Result<(), Failure>;
