//! `lab`: its units, and whether the machine comes back by itself.

use std::collections::BTreeSet;

use lab_facts::{Fact, Facts, RootFacts, UnitStatus};

use super::Group;
use super::find::listed;
use crate::judge::{Outlook, outlook};
use crate::{Check, Claims, Effort, Evidence, Judgement, NotRun, Seen, Step, Subject};

pub(super) static GROUP: Group = Group {
    name: "lab",
    about: "The units of the lab, and that the machine comes back by itself with all of them ready.",
    checks: &[CHECKS],
};

static CHECKS: &[Check] = &[
    Check {
        id: "lab.unit",
        effort: Effort::Quick,
        title: "each unit of the lab is ready",
        story: "As `lab status` says it on the machine: a unit is ready when what it sets up is there as described, and answered.",
        cause: "The unit waits, works or failed.",
        remedy: "`lab status` on the machine has the reason, `lab logs UNIT` the rest.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: units,
    },
    Check {
        id: "lab.target",
        effort: Effort::Quick,
        title: "the lab as a whole is ready",
        story: "`lab.target` is active exactly when every unit is.",
        cause: "A unit is not ready, or the target was never started.",
        remedy: "`lab status`; `sudo lab retry` starts what stands still.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            claims.claim("", "lab.target is active", || {
                super::service::active(subject, TARGET)
            });
        },
    },
    Check {
        id: "lab.comes-back",
        effort: Effort::Disruptive,
        title: "the machine comes back by itself after a restart",
        story: "It is restarted twice. Each time it must be another boot, and everything must be ready within ten minutes, the firmware's own tests among them.",
        cause: "The firmware waits for a key (a missing keyboard, a changed card), the boot order has a stick or the network first, or a unit hangs.",
        remedy: "Put a screen on it and watch a restart. In the firmware's setup let it go on without a key when it finds an error, and put the disk first.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            each_reboot(subject, claims, "it comes back by itself", comes_back);
        },
    },
    Check {
        id: "lab.target-again",
        effort: Effort::Disruptive,
        title: "the lab is ready again after a restart",
        story: "`lab.target` is active again, without anybody having done anything.",
        cause: "Something holds only until the next start: a module that was loaded by hand, a service that was started and not enabled, a file under /run.",
        remedy: "`lab status` after the restart says which unit, and why.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            each_reboot(subject, claims, "lab.target is active again", target_again);
        },
    },
    Check {
        id: "lab.same-after",
        effort: Effort::Disruptive,
        title: "no check fails after a restart that did not fail before",
        story: "Every check that only looks is judged on the facts of before and of after. What failed before may fail still; nothing new may.",
        cause: "What the new failures have as their cause: something did not survive the restart.",
        remedy: "Run `cargo xtask accept` again after the restart: it tells of each by itself.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            each_reboot(
                subject,
                claims,
                "nothing fails that did not fail before",
                same_after,
            );
        },
    },
];

const TARGET: &str = "lab.target";

/// The disturbances that are restarts of the machine.
const REBOOTS: [&str; 2] = ["reboot-1", "reboot-2"];

fn units(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let units = &subject.evidence.expected.units;
    if units.is_empty() {
        claims.claim("", "its units are ready", || {
            Err("the evidence does not say which units there are".into())
        });
    }
    for unit in units {
        claims.claim_of(
            &unit.name,
            &unit.name,
            format!("the unit {} is ready", unit.name),
            || {
                let all = subject.software()?.lab_status.get()?;
                Ok(ready(all.iter().find(|one| one.unit == unit.name)))
            },
        );
    }
}

fn ready(found: Option<&UnitStatus>) -> Seen {
    let Some(one) = found else {
        return Seen::bad("`lab status` does not know it")
            .because("The files of this unit are not laid down.")
            .way_out("`cargo xtask apply` lays down what is described.");
    };
    let evidence = match one.text.is_empty() {
        true => format!("it is {}", one.state),
        false => format!("it is {}: {}", one.state, one.text),
    };
    let mut seen = Seen::when(one.state == "ready", evidence);
    if !one.text.is_empty() {
        seen = seen.because(one.text.clone());
    }
    if !one.way_out.is_empty() {
        seen = seen.way_out(one.way_out.clone());
    }
    seen
}

/// A claim for each restart.
fn each_reboot(
    subject: &Subject<'_>,
    claims: &mut Claims<'_>,
    claim: &str,
    judge: impl Fn(&Subject<'_>, &Step) -> Judgement,
) {
    for name in REBOOTS {
        claims.claim_of(name, "", claim, || judge(subject, subject.step(name)?));
    }
}

/// How long a machine may take until everything is ready again, in milliseconds. An old
/// workstation counts its memory for two minutes, and TensorFlow's image starts slowly.
const MOST_MS: u64 = 600_000;

fn comes_back(_: &Subject<'_>, step: &Step) -> Judgement {
    let before = step.before.get()?.system.boot_id.get()?;
    if let Some(why) = &step.failed {
        return Ok(Seen::bad(why.clone()));
    }
    let after = step.after.get()?.system.boot_id.get()?;
    let evidence = format!("everything was ready after {} s", step.took_ms / 1000);
    if before == after {
        return Ok(Seen::bad(
            "it is the same boot as before: the machine was not restarted",
        ));
    }
    Ok(Seen::when(step.took_ms <= MOST_MS, evidence))
}

/// What was seen after a restart that came to an end.
fn facts_after(step: &Step) -> Result<&Facts, NotRun> {
    match step.failed {
        Some(_) => Err("it did not come back".into()),
        None => Ok(step.after.get()?),
    }
}

fn target_again(_: &Subject<'_>, step: &Step) -> Judgement {
    let units = facts_after(step)?.system.units.get()?;
    let unit = units
        .get(TARGET)
        .ok_or("systemd was not asked about lab.target")?;
    Ok(Seen::when(
        unit.active == "active",
        format!("{TARGET} is {}", unit.active),
    ))
}

fn same_after(subject: &Subject<'_>, step: &Step) -> Judgement {
    facts_after(step)?;
    step.before.get()?;
    let before = outlook_with(subject, &step.before, &step.root_before);
    let after = outlook_with(subject, &step.after, &step.root_after);
    let new: Vec<&String> = after.failed.difference(&before.failed).collect();
    if !new.is_empty() {
        return Ok(Seen::bad(format!(
            "it fails only after the restart: {}",
            listed(new)
        )));
    }
    // What could be judged before and cannot be now may have broken.
    let judged: BTreeSet<&String> = after.failed.union(&after.passed).collect();
    let mut lost = before.passed.iter().filter(|name| !judged.contains(name));
    if let Some(first) = lost.next() {
        let others = lost.count();
        return Err(NotRun(format!(
            "{first} and {others} others could be judged before the restart, and not after it"
        )));
    }
    if after.passed.is_empty() {
        return Err("nothing could be judged".into());
    }
    Ok(Seen::good(format!(
        "{} failed before the restart, {} after it, and what passed before still does",
        before.failed.len(),
        after.failed.len()
    )))
}

/// What comes of the checks that only look, with these facts in place of the evidence's.
fn outlook_with(
    subject: &Subject<'_>,
    facts: &Fact<Box<Facts>>,
    root: &Fact<Box<RootFacts>>,
) -> Outlook {
    let evidence = Evidence {
        facts: unboxed(facts),
        root: unboxed(root),
        workloads: Vec::new(),
        disruption: None,
        ..subject.evidence.clone()
    };
    outlook(&Subject {
        evidence: &evidence,
        ..*subject
    })
}

fn unboxed<T: Clone>(fact: &Fact<Box<T>>) -> Fact<T> {
    match fact {
        Fact::Is(value) => Fact::Is((**value).clone()),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    }
}
