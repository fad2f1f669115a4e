//! A machine that converges for real, from the image's files to `lab.target`, against the
//! vendors' servers as they are made here.
//!
//! One world of upstreams is shared by all tests. The machine of the first boot is kept
//! as a snapshot, so that the tests of later boots begin where it ended.

mod accept;
mod apply;
mod boots;
mod cards;
mod drift;
mod faults;
mod held;
mod kills;
mod offline;
mod seed;
mod states;
mod world;

use std::process::ExitCode;

use lab_container::harness;
use world::World;

/// A test: its name and what it does.
type Test = harness::Test<World>;

fn main() -> ExitCode {
    let tests = [
        accept::TESTS,
        apply::TESTS,
        boots::TESTS,
        cards::TESTS,
        drift::TESTS,
        faults::TESTS,
        kills::TESTS,
        offline::TESTS,
        seed::TESTS,
    ];
    // The machines of two tests would have half of this one each.
    harness::run_all(World::new(), &tests, Some(1))
}
