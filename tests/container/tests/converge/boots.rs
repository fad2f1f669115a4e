//! The first boot, and the second.

use anyhow::{Context, Result, ensure};
use lab_container::Guest;

use crate::Test;
use crate::world::{FIRST_BOOT, World};

pub(crate) const TESTS: &[Test] = &[
    ("the_machine_converges", converges),
    ("a_second_boot_fetches_nothing", second_boot),
];

fn converges(world: &World) -> Result<()> {
    let converged = world.converged().context("the first boot")?;
    ensure!(converged.took < FIRST_BOOT, "it took {:?}", converged.took);
    let asked = world.upstreams()?.requests()?;
    for host in [
        "archive.ubuntu.com",
        "download.docker.com",
        "github.com",
        "nvidia.github.io",
        "quay.io",
        "registry.ollama.ai",
    ] {
        let count = asked.get(host).copied().unwrap_or_default();
        ensure!(count > 0, "{host} was never asked: {asked:?}");
    }
    Ok(())
}

fn second_boot(world: &World) -> Result<()> {
    let converged = world.converged()?;
    let upstreams = world.upstreams()?;
    let before = upstreams.requests()?;
    let guest = Guest::from_snapshot(&converged.snapshot, upstreams)?;
    let took = guest.converged(FIRST_BOOT)?;
    println!(
        "second boot: lab.target {:.1} s after login",
        took.as_secs_f64()
    );
    let after = upstreams.requests()?;
    ensure!(before == after, "before {before:?}, after {after:?}");
    Ok(())
}
