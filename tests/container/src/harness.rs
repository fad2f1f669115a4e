//! What test programs of containers have in common: a world that the tests share, made
//! bit by bit by whoever needs a bit first, and gone when the last test has ended. The
//! ordinary harness never lets go of what tests share.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::{Result, anyhow};
use libtest_mimic::{Arguments, Trial};

use crate::not_run;

/// Made once, by whoever comes first; a failure is everybody's.
pub struct Shared<T>(OnceLock<Result<T, String>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Shared<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// What it holds, made now where it is not there.
    ///
    /// # Errors
    ///
    /// When making it failed, now or before.
    pub fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        let made = self
            .0
            .get_or_init(|| make().map_err(|error| format!("{error:#}")));
        made.as_ref().map_err(|error| anyhow!("{error}"))
    }
}

/// What tests share.
pub trait World: Send + Sync + 'static {
    /// Why no test can run here.
    fn missing(&self) -> Option<&str>;
}

/// A test: its name and what it does.
pub type Test<W> = (&'static str, fn(&W) -> Result<()>);

/// Runs the tests that the command line asks for, `threads` at a time unless it says
/// otherwise.
#[must_use]
pub fn run_all<W: World>(world: W, tests: &[&[Test<W>]], threads: Option<usize>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(threads);
    let world = Arc::new(world);
    let trials = tests.iter().copied().flatten();
    let trials = trials
        .map(|test| trial(*test, Arc::clone(&world)))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The last hand on what the tests share: here it is removed.
    drop(world);
    conclusion.exit_code()
}

fn trial<W: World>((name, test): Test<W>, world: Arc<W>) -> Trial {
    Trial::test(name, move || {
        if let Some(reason) = world.missing() {
            not_run(name, reason);
            return Ok(());
        }
        test(&world).map_err(|error| format!("{error:#}").into())
    })
}
