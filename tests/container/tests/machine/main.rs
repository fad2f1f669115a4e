//! The installed system, as it is seen on the system and from outside.
//!
//! Three containers are shared by the tests that only look at them, and removed when the
//! last test has ended, whatever came of it.

mod cloud;
mod debian;
mod laying;
mod ssh;
mod system;
mod world;

use std::process::ExitCode;

use lab_container::harness;
use world::World;

/// A test: its name and what it does.
type Test = harness::Test<World>;

fn main() -> ExitCode {
    let tests = [
        ssh::TESTS,
        system::TESTS,
        cloud::TESTS,
        laying::TESTS,
        debian::TESTS,
    ];
    harness::run_all(World::new(), &tests, None)
}
