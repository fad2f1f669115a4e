//! `bench converge`: how long a machine takes to become what its description says, in a
//! container among upstreams made here. The measuring is a program of the container
//! tests, which have both; this builds and runs it.

use std::process::Command;

use anyhow::Context as _;
use clap::Args;

use crate::failure::Failure;
use crate::{Done, lab};

/// Measures the first boot, a boot with nothing to do, and a change from outside.
///
/// It needs Docker and what `cargo xtask doctor` lists for the container tests, and
/// takes some minutes. Exit codes: 0 all aims are met, 2 one is missed or nothing could
/// be measured.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// How many rounds; the least of them counts.
    #[arg(long, default_value_t = 3)]
    rounds: u16,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let cargo = crate::cargo::program();
    let status = Command::new(&cargo)
        .args(["run", "--quiet", "--package", "lab-container"])
        .args(["--bin", "bench-converge", "--"])
        .arg(arguments.rounds.to_string())
        .current_dir(lab::workspace()?)
        .status()
        .with_context(|| format!("running {}", cargo.display()))?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Environment(anyhow::anyhow!(
            "an aim was missed, or nothing could be measured: see above"
        ))),
    }
}
