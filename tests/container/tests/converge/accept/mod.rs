//! `xtask accept` against a machine that has converged: what it says of a sound one, that
//! it goes red by exactly the claims that a planted fault breaks, and how it ends when the
//! line or the machine does not hold.
//!
//! What it does not prove: the cards are those of the mock libraries, the kernel is that of
//! the machine which runs the tests, and `/` lies on no disk. What hangs on these is not
//! run here, and tried on changed evidence in `xtask/accept/tests`.

mod ends;
mod planted;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use lab_container::{Command, Ended, Guest};
use serde_json::Value;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    ("accept_says_of_each_fault_what_it_breaks", planted::faults),
    ("accept_judges_kept_evidence_again", replayed),
    ("accept_ends_whatever_happens", ends::ends),
    ("accept_asks_several_side_by_side", several),
    ("accept_has_the_cards_work", workloads),
    ("accept_survives_restarts", disruptive),
];

/// A machine to be accepted, and the computer that does it.
pub(crate) struct Proved {
    pub(crate) guest: Guest,
    pub(crate) command: Command,
}

/// What came of one run: the claims that failed, those that passed, those not run with the
/// reason.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims {
    pub(crate) failed: BTreeSet<String>,
    pub(crate) passed: BTreeSet<String>,
    pub(crate) not_run: BTreeSet<(String, String)>,
    report: String,
}

/// What stands in for the release: the container is of Debian.
const RELEASE: &str = "NAME=Ubuntu\nID=ubuntu\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n\
     PRETTY_NAME=\"Ubuntu 24.04.5 LTS\"\nVERSION=\"24.04.5 LTS (Noble Numbat)\"\n";

/// The engine is Debian's, under the names and versions of Docker's packages.
const ENGINE: &str = "docker.version";

/// `/` lies on the disk of whoever runs the tests: how much of it is free is no matter of
/// the machine's.
const ROOM: &str = "machine.space";

/// What no machine of these tests is asked.
const LEFT_OUT: [&str; 4] = ["--skip", ENGINE, "--skip", ROOM];

impl Proved {
    /// From the snapshot of the machine that has converged.
    pub(crate) fn new(world: &World) -> Result<Self> {
        let (guest, command) = world.living()?;
        guest.ok(&format!(
            "cat >\"$(readlink -f /etc/os-release)\" <<'END'\n{RELEASE}END"
        ))?;
        Ok(Self { guest, command })
    }

    /// Runs it at the machine's own address.
    pub(crate) fn accept(&self, words: &[&str]) -> Result<Ended> {
        let host = format!("{}:22", self.guest.address()?);
        let words: Vec<&str> = ["accept", "--host", &host]
            .into_iter()
            .chain(LEFT_OUT)
            .chain(words.iter().copied())
            .collect();
        self.command.run(&words)
    }

    /// Runs it, and reads what it says of each claim.
    pub(crate) fn claims(&self, words: &[&str]) -> Result<Claims> {
        let folder = self.command.scratch().join("report");
        let place = folder.to_str().context("the scratch folder is no UTF-8")?;
        let words: Vec<&str> = words.iter().copied().chain(["--report", place]).collect();
        let ended = self.accept(&words)?;
        ensure!(
            matches!(ended.code, Some(0 | 1)),
            "accept could not run: {ended:#?}\n{}",
            self.guest.story()
        );
        let text = std::fs::read_to_string(folder.join("report.json"))?;
        let claims = Claims::read(&text)?;
        let wanted = i32::from(!claims.failed.is_empty());
        ensure!(ended.code == Some(wanted), "{ended:#?}");
        Ok(claims)
    }
}

impl Claims {
    fn read(text: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(text).context("reading report.json")?;
        let mut claims = Self {
            report: text.to_owned(),
            ..Self::default()
        };
        let results = report["results"].as_array().context("no results")?;
        for one in results {
            let id = one["id"].as_str().context("a result without an id")?;
            let name = match one["subject"].as_str() {
                Some(subject) => format!("{id}[{subject}]"),
                None => id.to_owned(),
            };
            match one["outcome"].as_str() {
                Some("passed") => claims.passed.insert(name),
                Some("failed") => claims.failed.insert(name),
                Some("not-run") => {
                    let reason = one["reason"].as_str().unwrap_or_default();
                    claims.not_run.insert((name, reason.to_owned()))
                }
                other => anyhow::bail!("{name} came out as {other:?}"),
            };
        }
        Ok(claims)
    }

    /// What it says of a claim, for a message.
    pub(crate) fn of(&self, names: &BTreeSet<String>) -> String {
        let report: Value = serde_json::from_str(&self.report).unwrap_or_default();
        let all = report["results"].as_array().cloned().unwrap_or_default();
        let told = all.iter().filter(|one| {
            let id = one["id"].as_str().unwrap_or_default();
            names.iter().any(|name| name.split('[').next() == Some(id))
        });
        told.map(|one| format!("{one}\n")).collect()
    }
}

fn replayed(world: &World) -> Result<()> {
    let proved = Proved::new(world)?;
    let folder = proved.command.scratch().join("kept");
    let place = folder.to_str().context("the scratch folder is no UTF-8")?;
    let first = proved.accept(&["--report", place])?;
    ensure!(first.code == Some(0), "{first:#?}");
    let before = Claims::read(&std::fs::read_to_string(folder.join("report.json"))?)?;
    // No machine is there any more.
    proved.guest.kill()?;
    let again = folder.join("again");
    let there = again.to_str().context("the scratch folder is no UTF-8")?;
    let words = ["accept", "--replay", place, "--report", there];
    let words: Vec<&str> = words.into_iter().chain(LEFT_OUT).collect();
    let second = proved.command.run(&words)?;
    ensure!(second.code == Some(0), "{second:#?}");
    let after = Claims::read(&std::fs::read_to_string(again.join("report.json"))?)?;
    ensure!(before.passed == after.passed, "{before:#?}\n{after:#?}");
    ensure!(before.not_run == after.not_run, "{before:#?}\n{after:#?}");
    let evidence = std::fs::read_to_string(folder.join("evidence.json"))?;
    let described = &world.converged()?.described;
    for line in described
        .host
        .private()?
        .lines()
        .filter(|line| line.len() > 20)
    {
        ensure!(!evidence.contains(line), "a private key is in the evidence");
    }
    Ok(())
}

/// One machine by two ways, and one that is not there: each has its own report, and the one
/// that does not answer holds nobody up.
fn several(world: &World) -> Result<()> {
    let proved = Proved::new(world)?;
    let folder = proved.command.scratch().join("several");
    let place = folder.to_str().context("the scratch folder is no UTF-8")?;
    let direct = format!("{}:22", proved.guest.address()?);
    let published = format!("127.0.0.1:{}", proved.guest.ssh_port()?);
    let two = ["accept", "--report", place, "--host", &direct, &published];
    let two: Vec<&str> = two.into_iter().chain(LEFT_OUT).collect();
    let ended = proved.command.run(&two)?;
    ensure!(ended.code == Some(0), "{ended:#?}");
    for host in [&direct, &published] {
        let report = folder.join(host.replace(':', "_")).join("report.json");
        let claims = Claims::read(&std::fs::read_to_string(&report)?)?;
        ensure!(claims.passed.len() > 100, "{host}: {claims:#?}");
    }
    let three: Vec<&str> = two.into_iter().chain(["--host", "127.0.0.1:1"]).collect();
    let ended = proved.command.run(&three)?;
    ensure!(ended.code == Some(2), "{ended:#?}");
    ensure!(ended.text.contains("127.0.0.1:1"), "{ended:#?}");
    ensure!(ended.text.matches("passed").count() >= 2, "{ended:#?}");
    Ok(())
}

/// A model answers, memory is filled, the training goes on and nvtop draws, while the cards
/// are watched.
fn workloads(world: &World) -> Result<()> {
    let proved = Proved::new(world)?;
    works(&proved)?;
    // The stand-in for the notebook image has no TensorFlow.
    let claims = proved.claims(&["--workloads", "--skip", "jupyter.*"])?;
    ensure!(claims.failed.is_empty(), "{}", claims.of(&claims.failed));
    for name in [
        "ollama.answer[gemma3:1b]",
        "ollama.vram[gemma3:1b]",
        "ollama.speed[gemma3:1b]",
        "gpu.memory-full[gt1030]",
        "gpu.memory-full[k2200]",
        "gpu.memory-full[gtx1050ti]",
        "ollama.card[gemma3:1b]",
        "dcgan.metrics",
        "dcgan.checkpoints",
        "dcgan.device",
        "dcgan.card",
        "dcgan.used",
    ] {
        ensure!(
            claims.passed.contains(name),
            "{name} did not pass: {claims:#?}"
        );
    }
    Ok(())
}

/// Nothing computes on a card of the mock library: it is told that the programs do.
fn works(proved: &Proved) -> Result<()> {
    let guest = &proved.guest;
    let answers = guest.ok("systemctl show -p MainPID --value ollama")?;
    let trains = guest.ok("docker inspect --format '{{.State.Pid}}' lab-dcgan-train")?;
    let on = |pid: &str, name: &str| {
        format!(
            "[{{ pid = {}, name = \"{name}\", used_mib = 900 }}]",
            pid.trim()
        )
    };
    let file = guest.ok("cat /etc/mock-nvml.toml")?;
    let changes = [
        (planted::K2200, "process", on(&answers, "ollama")),
        (planted::GTX1050TI, "process", on(&trains, "python3")),
        (
            planted::GTX1050TI,
            "utilization_percent",
            "[97, 40]".to_owned(),
        ),
    ];
    let changes = changes
        .each_ref()
        .map(|(card, key, value)| (*card, *key, value.as_str()));
    planted::written(proved, &planted::changed(&file, &changes)?)
}

/// Containers keep their cards through everything, and the machine comes back twice.
fn disruptive(world: &World) -> Result<()> {
    let proved = Proved::new(world)?;
    let done = AtomicBool::new(false);
    let claims = thread::scope(|scope| {
        let machine = scope.spawn(|| proved.guest.restarts_until(&done));
        let claims = proved.claims(&["--disruptive"]);
        done.store(true, Ordering::Release);
        let restarted = machine
            .join()
            .map_err(|_| anyhow::anyhow!("the machine's thread"))?;
        restarted.and(claims)
    })?;
    ensure!(claims.failed.is_empty(), "{}", claims.of(&claims.failed));
    for id in ["lab.comes-back", "lab.target-again", "lab.same-after"] {
        for boot in ["reboot-1", "reboot-2"] {
            let name = format!("{id}[{boot}]");
            ensure!(
                claims.passed.contains(&name),
                "{name} did not pass: {claims:#?}"
            );
        }
    }
    Ok(())
}
