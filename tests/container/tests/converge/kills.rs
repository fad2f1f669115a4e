//! The power goes while a unit is at work, once for every unit.
//!
//! What it does not prove: that what was written is on the disk. The container's file
//! system is the host's, which goes on.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lab_container::Guest;

use crate::Test;
use crate::states::nothing_by_halves;
use crate::world::{FIRST_BOOT, World};

pub(crate) const TESTS: &[Test] = &[("killed_at_every_unit", killed_at_every_unit)];

fn killed_at_every_unit(world: &World) -> Result<()> {
    let (guest, _) = world.installed()?;
    let begin = Instant::now();
    guest.restart()?;
    let order = guest.ok("cat /etc/lab/units/order")?;
    let mut left: Vec<_> = order.lines().collect();
    let mut tried = 0;
    while !left.is_empty() {
        let caught = catch(&guest, &left)?;
        let (unit, doing) = caught.trim().split_once(' ').with_context(|| {
            format!(
                "{left:?} were never caught at work: {caught}\n{}",
                guest.story()
            )
        })?;
        println!("killed: {unit}, when it {doing}");
        left.retain(|name| *name != unit);
        guest.kill()?;
        guest.start_again()?;
        tried += 1;
    }
    guest.converged(FIRST_BOOT)?;
    nothing_by_halves(&guest)?;
    ensure!(tried == order.lines().count(), "tried {tried} of {order}");
    println!(
        "tried: {tried} kills, in {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Waits until one of these units is in the middle of something and holds it there, so
/// that it has not gone on when the power goes.
fn catch(guest: &Guest, units: &[&str]) -> Result<String> {
    let script = format!("cat >/run/lab-test.catch <<'END'\n{CATCH}\nEND\n");
    guest.ok(&script)?;
    let words = units.join(" ");
    guest.ok(&format!("bash /run/lab-test.catch {words}"))
}

/// What a unit looks at before it does something is no middle, nor is what all of them do
/// first; the cards are only looked at.
const CATCH: &str = r#"
doing() {
    state= text=
    while IFS= read -r line; do
        case $line in
            state=*) state=${line#*=} ;;
            text=*) text=${line#*=} ;;
        esac
    done 2>/dev/null <"/run/lab/units/$1"
    [[ $state == working ]] || return 1
    case $text in
        'looks at what is there') [[ $1 == cards ]] ;;
        'was set up before' | 'refreshes the lists'*) return 1 ;;
    esac
}
end=$((SECONDS + 240))
while ((SECONDS < end)); do
    for unit; do
        doing "$unit" 2>/dev/null || continue
        # Not always while packages are still being fetched.
        [[ $text != installs* ]] || sleep "0.$(($# / 2))"
        pid=$(pgrep -o -f "^/bin/bash /usr/lib/lab/run $unit\$") || continue
        kill -STOP "$pid" || continue
        if doing "$unit"; then
            echo "$unit $text"
            exit
        fi
        kill -CONT "$pid"
    done
    sleep 0.005
done
systemctl list-units --all 'lab-*' >&2
"#;
