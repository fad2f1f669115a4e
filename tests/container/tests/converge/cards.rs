//! Cards that are not where they were described to be, and a driver of two versions.

use anyhow::{Context, Result, ensure};
use lab_container::{Guest, Hardware};

use crate::Test;
use crate::states::{becomes, failed_are, no_secrets, nothing_by_halves, stands_still, states};
use crate::world::{FIRST_BOOT, World};

pub(crate) const TESTS: &[Test] = &[
    ("cards_that_are_not_there_are_named", cards),
    ("a_driver_of_two_versions_is_named", two_versions),
];

/// Ollama's card.
const K2200: &str = "0000:02:00.0";
/// JupyterLab's.
const GT1030: &str = "0000:01:00.0";
/// A slot in which nothing is.
const ELSEWHERE: &str = "0000:04:00.0";

fn cards(world: &World) -> Result<()> {
    let guest = Guest::from_snapshot(&world.converged()?.snapshot, world.upstreams()?)?;
    removed(&guest).context("with a card taken out")?;
    moved_and_fallen(&guest).context("with a card elsewhere and one that fell off the bus")?;
    rebuilt(&guest, &Hardware::z440()?)?;
    guest.converged(FIRST_BOOT)?;
    nothing_by_halves(&guest)?;
    println!("tried: 3 cards that were not where they should be");
    Ok(())
}

/// Cards go and come while the machine is off.
fn rebuilt(guest: &Guest, hardware: &Hardware) -> Result<()> {
    hardware.build_into(guest)?;
    guest.restart()
}

fn removed(guest: &Guest) -> Result<()> {
    let mut hardware = Hardware::z440()?;
    hardware.remove(K2200);
    rebuilt(guest, &hardware)?;
    for unit in ["cards", "ollama"] {
        stands_still(guest, unit, "k2200")?;
        stands_still(guest, unit, "is not on the PCI bus")?;
    }
    for unit in ["jupyter", "dcgan"] {
        becomes(guest, unit, "ready", "")?;
    }
    failed_are(guest, &["lab-cards.service", "lab-ollama.service"])?;
    no_secrets(guest)
}

fn moved_and_fallen(guest: &Guest) -> Result<()> {
    let mut hardware = Hardware::z440()?;
    hardware.move_card(K2200, ELSEWHERE);
    hardware.fall_off(GT1030);
    rebuilt(guest, &hardware)?;
    let words = format!("moved: it is not at {K2200} but at {ELSEWHERE}");
    stands_still(guest, "ollama", &words)?;
    stands_still(guest, "jupyter", "gt1030 is on the bus")?;
    stands_still(guest, "jupyter", "the driver does not see it")?;
    becomes(guest, "dcgan", "ready", "")?;
    let wanted = [
        "lab-cards.service",
        "lab-jupyter.service",
        "lab-ollama.service",
    ];
    failed_are(guest, &wanted)
}

fn two_versions(world: &World) -> Result<()> {
    let upstreams = world.upstreams()?;
    let guest = Guest::from_snapshot(&world.converged()?.snapshot, upstreams)?;
    guest.converged(FIRST_BOOT)?;
    let _new = upstreams.publish_new_driver()?;
    // What somebody does who takes the hold away: the module stays in use.
    guest.ok("touch /run/lab-test.module-in-use\n\
         apt-mark unhold $(apt-mark showhold | grep nvidia)\n\
         apt-get -q update\napt-get -q -y upgrade")?;
    guest.ok("systemctl restart --no-block lab-driver.service lab.target")?;
    stands_still(&guest, "driver", "driver and library disagree")?;
    let driver = states(&guest)?.remove("driver").unwrap_or_default();
    for version in [lab_container::DRIVER, lab_container::NEW_DRIVER] {
        ensure!(driver.text.contains(version), "{driver:?} and {version}");
    }
    ensure!(driver.way_out.contains("sudo reboot"), "{driver:?}");
    guest.restart()?;
    guest.converged(FIRST_BOOT)?;
    nothing_by_halves(&guest)
}
