//! Upstreams that are down, slow, behind, ahead or lying, and what else goes wrong on a
//! first boot: each unit goes through its own faults at the same time as the others, and
//! has to name each one; then all is well and the machine converges.
//!
//! What it does not prove: that a clock was wrong. The repository's dates are, which apt
//! cannot tell from it.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab_container::{Active, Fault, Guest, Upstreams, Vendor};

use crate::Test;
use crate::states::{SOON, States, Unit, nothing_by_halves, stands_still, states};
use crate::world::{FIRST_BOOT, World};

pub(crate) const TESTS: &[Test] = &[(
    "every_upstream_fails_and_lies_and_comes_back",
    upstreams_fail,
)];

/// One thing that is wrong.
enum Wrong {
    Upstream(Fault),
    /// Shell scripts that make it and take it back.
    Machine(&'static str, &'static str),
}

/// A fault that is there, until it is mended.
enum Held<'a> {
    Upstream { _active: Active<'a> },
    Machine(&'static str),
}

/// What is wrong, and what the unit has to say then.
struct Step {
    wrong: Vec<Wrong>,
    state: &'static str,
    words: &'static str,
    /// What must hold on the machine then.
    check: &'static str,
}

fn waits(fault: Fault, words: &'static str) -> Step {
    Step {
        wrong: vec![Wrong::Upstream(fault)],
        state: "waiting",
        words,
        check: "",
    }
}

fn stops(fault: Fault, words: &'static str, check: &'static str) -> Step {
    Step {
        state: "failed",
        check,
        ..waits(fault, words)
    }
}

fn ails(make: &'static str, mend: &'static str, words: &'static str) -> Step {
    Step {
        wrong: vec![Wrong::Machine(make, mend)],
        state: "waiting",
        words,
        check: "",
    }
}

/// The faults that a unit goes through, one after the other.
struct Chain<'a> {
    unit: &'static str,
    /// The first one is there now.
    steps: Vec<Step>,
    held: Vec<Held<'a>>,
    /// The run of the unit that the fault before was seen in.
    seen: String,
    since: Instant,
}

impl<'a> Chain<'a> {
    fn new(unit: &'static str, steps: Vec<Step>) -> Self {
        Self {
            unit,
            steps,
            held: Vec::new(),
            seen: String::new(),
            since: Instant::now(),
        }
    }

    /// Makes the first of the faults that are left.
    fn make(&mut self, upstreams: &'a Upstreams, guest: Option<&Guest>) -> Result<()> {
        for wrong in self.steps.first().into_iter().flat_map(|step| &step.wrong) {
            self.held.push(match wrong {
                Wrong::Upstream(fault) => Held::Upstream {
                    _active: upstreams.with(fault)?,
                },
                Wrong::Machine(make, mend) => {
                    guest.context("no machine yet")?.ok(make)?;
                    Held::Machine(mend)
                }
            });
        }
        Ok(())
    }

    /// Whether the unit says what it should of the fault that is there.
    fn is_named(&mut self, guest: &Guest, all: &States) -> Result<bool> {
        let (Some(unit), Some(step)) = (all.get(self.unit), self.steps.first()) else {
            return Ok(false);
        };
        if unit.state != step.state || !unit.text.contains(step.words) {
            ensure!(
                self.since.elapsed() < SOON && unit.state != "ready",
                "{} should be {} with `{}`, it is {unit:?}\n{}",
                self.unit,
                step.state,
                step.words,
                guest.story()
            );
            return Ok(false);
        }
        let ask = format!("systemctl show -p InvocationID --value lab-{}", self.unit);
        let run = guest.ok(&ask)?;
        let new = run != self.seen;
        self.seen = run;
        Ok(new)
    }

    /// Goes on to the next fault. A unit that waits tries again by itself, so it must
    /// not find all well in between.
    fn go_on(&mut self, upstreams: &'a Upstreams, guest: &Guest) -> Result<()> {
        let step = self.steps.remove(0);
        if step.state == "failed" {
            stands_still(guest, self.unit, step.words)?;
        }
        let check = guest.ok(step.check);
        check.with_context(|| format!("{} with `{}`", self.unit, step.words))?;
        let old = std::mem::take(&mut self.held);
        if step.state == "failed" {
            mend(old, guest)?;
            self.make(upstreams, Some(guest))?;
        } else {
            self.make(upstreams, Some(guest))?;
            mend(old, guest)?;
        }
        self.since = Instant::now();
        guest.ok(&format!("lab retry {}", self.unit))?;
        Ok(())
    }
}

fn mend(held: Vec<Held<'_>>, guest: &Guest) -> Result<()> {
    for one in held {
        if let Held::Machine(mend) = one {
            guest.ok(mend)?;
        }
    }
    Ok(())
}

fn upstreams_fail(world: &World) -> Result<()> {
    let upstreams = world.upstreams()?;
    let (guest, _) = world.installed()?;
    let begin = Instant::now();
    let mut chains = chains(upstreams)?;
    let tried: usize = chains.iter().map(|chain| chain.steps.len()).sum();
    for chain in &mut chains {
        chain.make(upstreams, None)?;
    }
    guest.restart()?;
    let reasons = go_through(&guest, upstreams, chains)?;
    let through = begin.elapsed();
    guest.ok("lab retry")?;
    guest.converged(FIRST_BOOT)?;
    nothing_by_halves(&guest)?;
    let went_on = "journalctl -q -o cat -u lab-ollama | grep -c 'goes on with'";
    guest.ok(went_on).context("no download was gone on with")?;
    println!("reasons:\n  {}", reasons.join("\n  "));
    println!(
        "tried: {tried} faults in {:.1} s, ready after {:.1} s",
        through.as_secs_f64(),
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Until every fault was named by its unit; says all reasons that were given.
fn go_through<'a>(
    guest: &Guest,
    upstreams: &'a Upstreams,
    mut chains: Vec<Chain<'a>>,
) -> Result<Vec<String>> {
    let mut reasons = BTreeSet::new();
    for chain in &mut chains {
        chain.since = Instant::now();
    }
    while !chains.is_empty() {
        let all = states(guest)?;
        for (name, unit) in &all {
            if let Some(reason) = reason(name, unit)? {
                reasons.insert(reason);
            }
        }
        for chain in &mut chains {
            // Time counts from when a unit is at work.
            if all.get(chain.unit).is_none_or(|unit| unit.number == 0) && !failed(&all, chain) {
                chain.since = Instant::now();
            }
            if chain.is_named(guest, &all)? {
                chain.go_on(upstreams, guest)?;
            }
        }
        chains.retain(|chain| !chain.steps.is_empty());
        sleep(Duration::from_millis(100));
    }
    Ok(reasons.into_iter().collect())
}

fn failed(all: &States, chain: &Chain<'_>) -> bool {
    all.get(chain.unit)
        .is_some_and(|unit| unit.state == "failed")
}

/// Why a unit waits by itself or stands still; it is never left open, and never a line of
/// a script.
fn reason(name: &str, unit: &Unit) -> Result<Option<String>> {
    let own = unit.state == "failed" || (unit.state == "waiting" && unit.number > 0);
    if !own {
        return Ok(None);
    }
    if unit.text.is_empty() || unit.text.starts_with("line ") {
        bail!("{name} gives no reason: {unit:?}");
    }
    Ok(Some(format!("{name} {}: {}", unit.state, unit.text)))
}

fn chains(upstreams: &Upstreams) -> Result<Vec<Chain<'_>>> {
    Ok(vec![
        Chain::new("base", base()),
        Chain::new("driver", driver(upstreams)?),
        Chain::new("docker", docker(upstreams)?),
        Chain::new("toolkit", toolkit()),
        Chain::new("ollama", ollama(upstreams)?),
        Chain::new("jupyter", jupyter(upstreams)?),
    ])
}

fn down(host: &str) -> Fault {
    Fault::Down(host.to_owned())
}

const NO_ROUTE: (&str, &str) = (
    "ip route show default >/run/lab-test.route; ip route del default",
    "ip route add $(cat /run/lab-test.route)",
);
const NO_NAME: (&str, &str) = (
    "cp /etc/hosts /etc/resolv.conf /var/tmp/\n\
     grep -v archive.ubuntu.com /var/tmp/hosts >/etc/hosts\n\
     echo nameserver 127.0.0.9 >/etc/resolv.conf",
    "cat /var/tmp/hosts >/etc/hosts; cat /var/tmp/resolv.conf >/etc/resolv.conf",
);
/// Somebody's package manager, in the middle of its work.
const LOCKED: (&str, &str) = (
    "cat >/run/lab-test.py <<'END'\n\
     import fcntl, time\n\
     lock = open('/var/lib/dpkg/lock-frontend', 'w')\n\
     fcntl.lockf(lock, fcntl.LOCK_EX)\n\
     print('locked', flush=True)\n\
     time.sleep(600)\nEND\n\
     python3 /run/lab-test.py >/run/lab-test.locked &\n\
     echo $! >/run/lab-test.pid\n\
     until grep -q locked /run/lab-test.locked; do sleep 0.05; done",
    "kill $(cat /run/lab-test.pid)",
);

fn base() -> Vec<Step> {
    vec![
        waits(down("archive.ubuntu.com"), "archive.ubuntu.com"),
        waits(Fault::BadSignature(Vendor::Ubuntu), "verification failed"),
        ails(NO_ROUTE.0, NO_ROUTE.1, "no default route"),
        waits(Fault::NotYetValid(Vendor::Ubuntu), "is the clock right?"),
        ails(NO_NAME.0, NO_NAME.1, "resolv"),
        waits(Fault::Expired(Vendor::Ubuntu), "is the clock right?"),
        ails(LOCKED.0, LOCKED.1, "another program installs packages"),
    ]
}

fn driver(upstreams: &Upstreams) -> Result<Vec<Step>> {
    let package = |start| upstreams.package(Vendor::Ubuntu, start);
    // What was downloaded well is not downloaded again.
    let again = "rm -f /var/cache/apt/archives/*nvidia*.deb";
    Ok(vec![
        Step {
            check: again,
            ..waits(Fault::Missing(package("nvidia-utils-580")?), "404")
        },
        Step {
            check: again,
            ..waits(
                Fault::Truncated(package("libnvidia-compute-580")?),
                "unexpected size",
            )
        },
        waits(
            Fault::WrongBytes(package("nvidia-compute-utils-580")?),
            "Hash Sum mismatch",
        ),
    ])
}

fn docker(upstreams: &Upstreams) -> Result<Vec<Step>> {
    let package = upstreams.package(Vendor::Docker, "docker-ce-cli_")?;
    Ok(vec![
        waits(down("download.docker.com"), "download.docker.com"),
        stops(
            Fault::WrongKey(Vendor::Docker),
            "not the pinned one",
            "! ls /etc/apt/keyrings/lab-docker* /etc/apt/sources.list.d/lab-docker* 2>/dev/null",
        ),
        waits(Fault::BadSignature(Vendor::Docker), "verification failed"),
        waits(Fault::WrongBytes(package), "Hash Sum mismatch"),
    ])
}

fn toolkit() -> Vec<Step> {
    let host = "nvidia.github.io";
    vec![
        stops(
            Fault::WrongKey(Vendor::Toolkit),
            "not the pinned one",
            "! ls /etc/apt/keyrings/lab-nvidia* /etc/apt/sources.list.d/lab-nvidia* 2>/dev/null",
        ),
        waits(down(host), host),
        waits(Fault::Expired(Vendor::Toolkit), "is the clock right?"),
    ]
}

const NO_ARCHIVE: &str = "! ls /opt/ollama/current /var/lib/lab/downloads/*.part 2>/dev/null";

fn ollama(upstreams: &Upstreams) -> Result<Vec<Step>> {
    let archive = upstreams.ollama_archive();
    let assets = "release-assets.githubusercontent.com";
    let [tag, digest] = upstreams.model_manifest();
    let weights = upstreams.model_blob("model").context("no weights")?;
    Ok(vec![
        waits(down("github.com"), "github.com"),
        waits(Fault::Missing(archive.clone()), "404"),
        waits(down(assets), "github.com"),
        stops(
            Fault::WrongBytes(archive.clone()),
            "is not what it should be",
            NO_ARCHIVE,
        ),
        stops(
            Fault::Truncated(archive),
            "is not what it should be",
            NO_ARCHIVE,
        ),
        Step {
            state: "working",
            check: "until [ -s /var/lib/lab/downloads/*.part ]; do sleep 0.1; done",
            ..waits(Fault::Slow(assets.to_owned(), 1 << 20), "downloads Ollama")
        },
        waits(down(assets), "cut the download off"),
        waits(down("registry.ollama.ai"), "registry.ollama.ai"),
        Step {
            wrong: [tag, digest]
                .map(|path| Wrong::Upstream(Fault::WrongBytes(path)))
                .into(),
            ..stops(
                down(""),
                "is not what is pinned",
                "! find /var/lib/ollama/models/manifests -type f | grep .",
            )
        },
        stops(
            Fault::WrongBytes(weights),
            "is not what it should be",
            "! find /var/lib/ollama/models -type f -size +1M | grep .",
        ),
        waits(down("r2.cloudflarestorage.com"), "cut the download off"),
    ])
}

fn jupyter(upstreams: &Upstreams) -> Result<Vec<Step>> {
    Ok(vec![
        waits(down("quay.io"), "pulling quay.io"),
        waits(
            Fault::WrongBytes(upstreams.notebook_layer()?),
            "pulling quay.io",
        ),
    ])
}
