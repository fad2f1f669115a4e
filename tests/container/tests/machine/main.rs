//! The installed system, as it is seen on the system and from outside.
//!
//! Three containers are shared by the tests that only look at them, and removed when the
//! last test has ended, whatever came of it. That is why this has a harness of its own:
//! the ordinary one never lets go of what tests share.

mod cloud;
mod laying;
mod ssh;
mod system;
mod world;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use world::World;

/// A test: its name and what it does.
type Test = (&'static str, fn(&World) -> anyhow::Result<()>);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let world = Arc::new(World::new());
    let all = [ssh::TESTS, system::TESTS, cloud::TESTS, laying::TESTS];
    let trials = all.into_iter().flatten();
    let trials = trials
        .map(|test| trial(*test, Arc::clone(&world)))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The last hand on the containers: here they are removed.
    drop(world);
    conclusion.exit_code()
}

fn trial((name, test): Test, world: Arc<World>) -> Trial {
    Trial::test(name, move || {
        if let Some(reason) = world.missing() {
            lab_container::not_run(name, reason);
            return Ok(());
        }
        test(&world).map_err(|error| format!("{error:#}").into())
    })
}
