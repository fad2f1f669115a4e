//! What a machine must survive: two restarts, `systemctl daemon-reload`, a new start of
//! Docker under running containers, and containers that are made anew.

use std::time::{Duration, Instant};

use lab_facts::{Fact, Facts, RootFacts};
use lab_remote::{ConnectError, RunError};

use super::{Asking, Link, Lost, Probe, Readiness, millis, text, wait};
use crate::{Disruption, Step};

/// Connects again, as the first time.
pub type Reconnect<'a> = &'a dyn Fn() -> Result<Link, ConnectError>;

/// How long a disturbance itself may take.
const DISTURBING: Duration = Duration::from_secs(180);
/// How long a machine may take to go down and answer no more.
const GOING_DOWN: Duration = Duration::from_secs(180);

/// Disturbs it, each time with a look before and after. The containers that run are left
/// running for as long as the disturbance allows.
pub(super) fn disturb(
    asking: &mut Asking<'_, '_>,
    probe: &Probe,
    services: &[String],
    reconnect: Reconnect<'_>,
) -> Result<Disruption, Lost> {
    let mut steps = Vec::new();
    let names = [
        "daemon-reload",
        "docker-restart",
        "recreate",
        "reboot-1",
        "reboot-2",
    ];
    for name in names {
        let command = match name {
            "daemon-reload" => "systemctl daemon-reload".to_owned(),
            "docker-restart" => "systemctl restart docker.service".to_owned(),
            "recreate" => recreate(services),
            _ => String::new(),
        };
        let step = asking.stage(name, |asking| match command.is_empty() {
            true => reboot(asking, probe, name, reconnect),
            false => quick(asking, probe, name, &command, reconnect),
        })?;
        steps.push(step);
    }
    Ok(Disruption { steps })
}

/// Removes the containers and has their services make them again, and waits until they run.
/// Names of services are plain words. A container that does not run is left alone: a
/// training that has ended would only end again.
fn recreate(services: &[String]) -> String {
    let mut script = String::new();
    for service in services {
        script += &format!(
            "if [ \"$(docker inspect --format '{{{{.State.Running}}}}' lab-{service} 2>/dev/null)\" = true ]; then
  systemctl stop {service}.service && docker rm --force lab-{service} >/dev/null && systemctl start {service}.service || exit 1
  for second in $(seq 150); do
    [ \"$(docker inspect --format '{{{{.State.Running}}}}' lab-{service} 2>/dev/null)\" != true ] || break
    sleep 1
  done
fi
"
        );
    }
    script
}

struct Look {
    facts: Fact<Box<Facts>>,
    root: Fact<Box<RootFacts>>,
}

fn look(asking: &mut Asking<'_, '_>, probe: &Probe) -> Result<Look, Lost> {
    Ok(Look {
        facts: boxed(asking.facts(probe)?),
        root: boxed(asking.root_facts(probe)?),
    })
}

fn boxed<T>(fact: Fact<T>) -> Fact<Box<T>> {
    match fact {
        Fact::Is(value) => Fact::Is(Box::new(value)),
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

fn quick(
    asking: &mut Asking<'_, '_>,
    probe: &Probe,
    name: &str,
    command: &str,
    reconnect: Reconnect<'_>,
) -> Result<Step, Lost> {
    let before = look(asking, probe)?;
    let begin = Instant::now();
    let done = text(name, asking.link.root(command, b"", DISTURBING))?;
    let failed = match done {
        Ok(_) => settle(asking, reconnect).err(),
        Err(why) => Some(why),
    };
    finish(asking, probe, name, before, begin, failed)
}

fn reboot(
    asking: &mut Asking<'_, '_>,
    probe: &Probe,
    name: &str,
    reconnect: Reconnect<'_>,
) -> Result<Step, Lost> {
    let before = look(asking, probe)?;
    let begin = Instant::now();
    // Later, so that this command has an answer before the machine goes.
    let asked = asking
        .link
        .root("systemctl --no-block reboot", b"", DISTURBING);
    let failed = match text(name, asked) {
        Ok(Err(why)) => Some(why),
        // A line that is cut here is what was asked for.
        Ok(Ok(_)) | Err(_) => match gone(asking.link) {
            true => settle(asking, reconnect).err(),
            false => Some(format!(
                "it did not go down within {} s after `systemctl reboot`",
                GOING_DOWN.as_secs()
            )),
        },
    };
    finish(asking, probe, name, before, begin, failed)
}

/// Whether the line goes away, as it must when the machine restarts.
fn gone(link: &mut Link) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < GOING_DOWN {
        let asked = link.user("exec sleep 1", b"", Duration::from_secs(20));
        if let Err(RunError::Cut { .. } | RunError::TimedOut { .. }) = asked {
            return true;
        }
    }
    false
}

/// Waits until the machine is ready again, over a new line: a disturbance may have cost the
/// old one.
fn settle(asking: &mut Asking<'_, '_>, reconnect: Reconnect<'_>) -> Result<(), String> {
    let patience = asking.plan.patience;
    let fresh = connect(reconnect, patience)?;
    let waited = wait::wait(Some(fresh), reconnect, patience, &mut |_| {});
    let (link, readiness) = waited.map_err(|error| error.to_string())?;
    if let Some(link) = link {
        *asking.link = link;
    }
    match readiness {
        Readiness::Ready => Ok(()),
        Readiness::Failed => Err("a unit of the lab failed for good after it".to_owned()),
        Readiness::Late(last) => Err(format!(
            "it was not ready within {} s: {last}",
            patience.as_secs()
        )),
    }
}

fn connect(reconnect: Reconnect<'_>, patience: Duration) -> Result<Link, String> {
    let begin = Instant::now();
    loop {
        match reconnect() {
            Ok(link) => return Ok(link),
            Err(error @ (ConnectError::HostKey(_) | ConnectError::Auth(_))) => {
                return Err(error.to_string());
            }
            Err(error) if begin.elapsed() > patience => return Err(error.to_string()),
            Err(_) => std::thread::sleep(Duration::from_secs(1)),
        }
    }
}

fn finish(
    asking: &mut Asking<'_, '_>,
    probe: &Probe,
    name: &str,
    before: Look,
    begin: Instant,
    failed: Option<String>,
) -> Result<Step, Lost> {
    let took_ms = millis(begin.elapsed());
    let after = match failed {
        None => look(asking, probe)?,
        Some(_) => Look {
            facts: Fact::unknown("the disturbance could not be followed"),
            root: Fact::unknown("the disturbance could not be followed"),
        },
    };
    Ok(Step {
        name: name.to_owned(),
        took_ms,
        failed,
        before: before.facts,
        root_before: before.root,
        after: after.facts,
        root_after: after.root,
    })
}
