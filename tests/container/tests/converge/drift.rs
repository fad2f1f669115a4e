//! What changes between boots: the description, and what somebody did by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lab_container::{Described, Guest};

use crate::Test;
use crate::states::{becomes, nothing_by_halves};
use crate::world::{FIRST_BOOT, World};

pub(crate) const TESTS: &[Test] = &[
    ("an_adopt_that_was_cut_off_is_finished", cut_off),
    ("what_somebody_removed_comes_back", comes_back),
    ("a_full_disk_is_named", full_disk),
];

/// What is other in the next description, and the units that it concerns.
const CHANGES: &[(&str, &str)] = &[
    ("[jupyter]\n", "[jupyter]\nport = 8899\n"),
    ("[ollama]\n", "[ollama]\nkeep_alive_minutes = 7\n"),
];
const CHANGED: &[&str] = &["jupyter", "ollama"];

fn cut_off(world: &World) -> Result<()> {
    let upstreams = world.upstreams()?;
    let guest = Guest::from_snapshot(&world.converged()?.snapshot, upstreams)?;
    let before = upstreams.requests()?;
    guest.converged(FIRST_BOOT)?;
    let described = Described::by(upstreams.catalog(), CHANGES)?;
    guest.copy_in(&described.cdrom().join("lab"), "/var/tmp/next")?;
    guest.ok(HALF_ADOPTED).context("laying half of it down")?;
    guest.kill()?;
    guest.start_again()?;
    let begin = Instant::now();
    guest.converged(FIRST_BOOT)?;
    println!("ready {:.1} s after login", begin.elapsed().as_secs_f64());
    let differs = guest.ok(NOT_LAID_DOWN)?;
    ensure!(differs.is_empty(), "not as described:\n{differs}");
    let ran = installed_this_boot(&guest)?;
    ensure!(ran == CHANGED, "set up anew: {ran:?}, changed: {CHANGED:?}");
    guest.ok("curl --fail --silent --max-time 20 http://127.0.0.1:8899/api")?;
    nothing_by_halves(&guest)?;
    let after = upstreams.requests()?;
    ensure!(before == after, "before {before:?}, after {after:?}");
    println!("tried: 1 adopt cut off; set up anew: {}", ran.join(", "));
    Ok(())
}

/// Up to where some files are new and others are not: it is let go on for a moment at a
/// time.
const HALF_ADOPTED: &str = "new=/var/lib/lab/generations/2/overlay\n\
     /usr/lib/lab/adopt new /var/tmp/next >/run/lab-test.adopt 2>&1 &\n\
     end=$(($(date +%s) + 60))\n\
     until laying=$(pgrep -o -f '[l]ay-down files'); do\n\
     [ $(date +%s) -lt $end ] || { cat /run/lab-test.adopt; exit 1; }\ndone\n\
     kill -STOP $laying\n\
     until cmp -s /etc/lab/machine.toml $new/etc/lab/machine.toml; do\n\
     kill -CONT $laying; sleep 0.01; kill -STOP $laying\ndone\n\
     readlink /var/lib/lab/generations/pending\n\
     ! cmp -s /etc/ssh/ssh_host_ed25519_key.pub $new/etc/ssh/ssh_host_ed25519_key.pub";

/// Every file that is not of the second generation.
const NOT_LAID_DOWN: &str = "cd /var/lib/lab/generations\n\
     [ \"$(readlink current) $(readlink previous)\" = '2 1' ] || ls -l .\n\
     while read -r kind what path; do\n\
     [ \"$kind\" = link ] || echo \"${what#*:}  /$path\" | sha256sum -c --quiet -\n\
     done <2/overlay.list\nexit 0";

/// The units that did more in this boot than look. By the run and not by the boot: the
/// boots of a container are one to the journal.
fn installed_this_boot(guest: &Guest) -> Result<Vec<String>> {
    let said = guest.ok("while read -r unit; do\n\
         run=$(systemctl show -p InvocationID --value \"lab-$unit\")\n\
         journalctl -q -o cat \"_SYSTEMD_INVOCATION_ID=$run\" | grep -q 'was set up before' || echo \"$unit\"\n\
         done </etc/lab/units/order | sort")?;
    Ok(said.lines().map(str::to_owned).collect())
}

/// What somebody removes, and what shows that it is there.
const BY_HAND: &[(&str, &str)] = &[
    (
        "apt-get -q -y purge nvtop",
        "dpkg-query -W -f '${db:Status-Status}' nvtop | grep -x installed",
    ),
    (
        "find /var/lib/ollama/models/blobs -size +1M -delete",
        "find /var/lib/ollama/models/blobs -size +1M | grep .",
    ),
    (
        "jq 'del(.\"live-restore\")' /etc/docker/daemon.json >/var/tmp/daemon.json\n\
         mv /var/tmp/daemon.json /etc/docker/daemon.json",
        "jq -e '.\"live-restore\" == true' /etc/docker/daemon.json",
    ),
    (
        "docker rm --force lab-jupyter",
        "docker inspect --format '{{.State.Running}}' lab-jupyter | grep true",
    ),
    ("rm /run/cdi/nvidia.yaml", "grep GPU- /run/cdi/nvidia.yaml"),
];

fn comes_back(world: &World) -> Result<()> {
    let upstreams = world.upstreams()?;
    let guest = Guest::from_snapshot(&world.converged()?.snapshot, upstreams)?;
    guest.converged(FIRST_BOOT)?;
    for (_, there) in BY_HAND {
        guest.ok(there)?;
    }
    for (remove, there) in BY_HAND {
        guest.ok(remove)?;
        ensure!(guest.sh(there)?.code != 0, "{remove} did not remove it");
    }
    let before = upstreams.requests()?;
    guest.restart()?;
    guest.converged(FIRST_BOOT)?;
    for (_, there) in BY_HAND {
        guest.ok(there)?;
    }
    nothing_by_halves(&guest)?;
    let asked = more(&before, &upstreams.requests()?);
    for host in ["quay.io", "github.com", "storage.googleapis.com"] {
        ensure!(!asked.contains(host), "{host} was asked: {asked:?}");
    }
    let ran = installed_this_boot(&guest)?;
    println!(
        "tried: {} removals; set up anew: {}; asked: {asked:?}",
        BY_HAND.len(),
        ran.join(", ")
    );
    ensure!(
        !ran.iter().any(|unit| unit == "driver" || unit == "base"),
        "{ran:?}"
    );
    Ok(())
}

fn more(before: &BTreeMap<String, usize>, after: &BTreeMap<String, usize>) -> BTreeSet<String> {
    let grown = after
        .iter()
        .filter(|(host, count)| before.get(*host) != Some(*count));
    grown.map(|(host, _)| host.clone()).collect()
}

/// The lab's own state on a small file system of its own, which is full.
const FULL: &str = "systemctl stop lab-ollama ollama\n\
     rm -rf /opt/ollama /var/lib/lab/units/ollama.done\n\
     mkdir /run/lab-small\n\
     mount -t tmpfs -o size=80m,mode=0755 lab-test /run/lab-small\n\
     cp -a /var/lib/lab/. /run/lab-small/\n\
     mount --move /run/lab-small /var/lib/lab 2>/dev/null \
     || mount --bind /run/lab-small /var/lib/lab\n\
     room=$(df --output=avail -k /var/lib/lab | tail -n 1)\n\
     head -c $(((room - 10240) * 1024)) /dev/zero >/var/lib/lab/filler";

fn full_disk(world: &World) -> Result<()> {
    let guest = Guest::from_snapshot(&world.converged()?.snapshot, world.upstreams()?)?;
    guest.converged(FIRST_BOOT)?;
    guest.ok(FULL)?;
    guest.ok("systemctl start --no-block lab.target")?;
    let unit = becomes(&guest, "ollama", "waiting", "the disk is full")?;
    ensure!(unit.way_out.contains("make room"), "{unit:?}");
    guest.ok("! ls /opt/ollama/current 2>/dev/null")?;
    guest.ok("rm /var/lib/lab/filler; lab retry ollama")?;
    guest.converged(FIRST_BOOT)?;
    nothing_by_halves(&guest)?;
    println!("tried: 1 full disk");
    Ok(())
}
