//! One machine: from its description to its report.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use lab_accept::gather::{self, Link, Plan, Readiness, Survey};
use lab_accept::report::Report;
use lab_accept::{Difference, EVIDENCE_FORMAT, Evidence, Select, Subject, ask, check, judge};
use lab_lock::Lock;
use lab_machine::{Machine, Sources};
use lab_plan::{Overlay, Part};
use lab_remote::{ConnectError, Target};

use super::screen::View;
use super::{Arguments, Came, expected};
use crate::failure::Failure;
use crate::lab::Described;
use crate::reach::{Connector, HostArg};
use crate::{MachineArg, lab, locked, probe, secrets};

/// A file of evidence is not larger: fifty minutes of curves are a tenth of it.
const MAX_EVIDENCE: u64 = 256 << 20;

/// Asks one machine everything, and judges.
pub(super) fn prove(
    arguments: &Arguments,
    target: &Target,
    select: &Select,
    mut view: View<'_>,
) -> Came {
    let begin = Instant::now();
    let described = lab::describe(&which(arguments, target))?;
    let machine = described.machine()?;
    let secrets = secrets::gather(&described, machine)?;
    let texts = described.texts();
    let lock = locked::read(&described)?;
    // What no longer fits is for a check to say; nothing can be laid out by it.
    let fitting = lock.as_ref().filter(|lock| expected::fits(machine, lock));
    let overlay = lab_plan::overlay(&lab::subject(machine, &secrets, &texts, fitting)?)?;
    let host = HostArg {
        host: target.clone(),
        identity: arguments.identity.clone(),
    };
    let connector = host.connector(machine)?;
    let evidence = evidence(
        arguments,
        &host,
        &connector,
        machine,
        (&overlay, lock.as_ref()),
        texts,
        &mut view,
    );
    let evidence = match evidence {
        Ok(evidence) => evidence,
        Err(failure) => {
            view.failed(&failure);
            return Err(failure);
        }
    };
    let report = report(&described, machine, &evidence, select, begin)?;
    view.verdict(&report);
    Ok((report, evidence))
}

/// The description of this machine: the one that is named; else, where there are several
/// machines to prove, the one that is called as the host is.
fn which(arguments: &Arguments, target: &Target) -> MachineArg {
    if arguments.machine.machine.is_none() && arguments.host.len() > 1 {
        let name = target.host.split('.').next().unwrap_or(&target.host);
        let own = MachineArg {
            machine: Some(name.to_owned()),
        };
        if lab::machine_file(&own).is_ok() {
            return own;
        }
    }
    arguments.machine.clone()
}

fn evidence(
    arguments: &Arguments,
    host: &HostArg,
    connector: &Connector,
    machine: &Machine,
    (overlay, lock): (&Overlay, Option<&Lock>),
    texts: Vec<(String, String)>,
    view: &mut View<'_>,
) -> Result<Evidence, Failure> {
    let mut link = connect(arguments, connector, view)?;
    let privilege = link.privilege.clone();
    // Whoever was asked for a password once is not asked again.
    let again = || {
        connector.connect(false).map(|connection| Link {
            connection,
            privilege: privilege.clone(),
        })
    };
    let expected = expected::expected(machine, overlay, lock)?;
    let plan = Plan {
        host: arguments.called.clone().unwrap_or_else(|| host.name()),
        request: check::asked(machine, &expected),
        expected,
        description: texts,
        survey: Survey {
            script: lab_plan::survey(overlay)?,
            read: &|answer| differences(machine, overlay, answer),
        },
        workloads: match arguments.workloads {
            true => ask::workloads(machine),
            false => Vec::new(),
        },
        disturb: arguments.disruptive.then(|| {
            let names = ask::containers(machine).into_iter();
            names.map(str::to_owned).collect()
        }),
        ports: check::outside_ports(machine),
        patience: arguments.patience(),
        probe: &|| probe::program().map(<[u8]>::to_vec).map_err(Failure::why),
    };
    let gathered = gather::gather(&mut link, &plan, &again, view);
    gathered.map_err(|lost| Failure::Environment(lost.into()))
}

/// Connects; with `--wait` not before the machine is ready.
fn connect(
    arguments: &Arguments,
    connector: &Connector,
    view: &mut View<'_>,
) -> Result<Link, Failure> {
    view.start("connect");
    let could_not = |error: ConnectError| Failure::Environment(error.into());
    if arguments.wait {
        wait_until_reached(arguments, connector, view)?;
    }
    let reached = connector.reach().map_err(Failure::into_environment)?;
    let mut link = Link {
        connection: reached.connection,
        privilege: reached.privilege,
    };
    view.ended("connect");
    if arguments.wait {
        view.start("ready");
        let privilege = link.privilege.clone();
        let again = || {
            connector.connect(false).map(|connection| Link {
                connection,
                privilege: privilege.clone(),
            })
        };
        let waited = gather::wait(Some(link), &again, arguments.patience(), &mut |words| {
            view.note("ready", words);
        });
        let (back, readiness) = waited.map_err(could_not)?;
        view.ended("ready");
        match (back, readiness) {
            // What failed for good is for the checks to say.
            (Some(back), Readiness::Ready | Readiness::Failed) => link = back,
            (_, Readiness::Late(last)) => {
                return Err(Failure::Environment(anyhow!(
                    "not ready within {} minutes; the last that was heard: {last}",
                    arguments.patience
                )));
            }
            (None, _) => link = again().map_err(could_not)?,
        }
    }
    Ok(link)
}

/// A machine that is being installed answers nothing for a while; nobody is asked anything
/// before it does.
fn wait_until_reached(
    arguments: &Arguments,
    connector: &Connector,
    view: &mut View<'_>,
) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        match connector.connect(false) {
            Ok(_) | Err(ConnectError::HostKey(_) | ConnectError::Auth(_)) => return Ok(()),
            Err(error) if begin.elapsed() > arguments.patience() => {
                return Err(Failure::Environment(error.into()));
            }
            Err(error) => {
                view.note("connect", &error.to_string());
                std::thread::sleep(std::time::Duration::from_secs(2));
            }
        }
    }
}

fn differences(
    machine: &Machine,
    overlay: &Overlay,
    answer: &str,
) -> anyhow::Result<Vec<Difference>> {
    let drift = lab_plan::drift(machine, overlay, answer)?;
    let difference = |one: lab_plan::Difference| Difference {
        part: match one.part {
            Part::File => "file",
            Part::Package => "package",
            Part::Setting => "setting",
            Part::Unit => "unit",
        }
        .to_owned(),
        name: one.name,
        is: one.is,
        should: one.should,
    };
    Ok(drift.differences.into_iter().map(difference).collect())
}

fn report(
    described: &Described,
    machine: &Machine,
    evidence: &Evidence,
    select: &Select,
    begin: Instant,
) -> Result<Report, Failure> {
    let subject = Subject {
        machine,
        read: &described.outcome,
        sources: &described.sources,
        catalog: lab::catalog()?,
        evidence,
    };
    let results = judge(&subject, select);
    let took = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Report::new(&subject, results, took))
}

/// Judges kept evidence again, by the description that is kept with it.
pub(super) fn replay(folder: &Path, select: &Select) -> Result<(Report, Evidence), Failure> {
    let path = folder.join("evidence.json");
    let evidence = read_evidence(&path)?;
    let sources = Sources::of_texts(&evidence.description)
        .with_context(|| format!("{}: it holds no description", path.display()))
        .map_err(Failure::Input)?;
    let outcome = lab_machine::read(&sources, lab::catalog()?, None);
    let described = Described {
        path,
        sources,
        outcome,
    };
    let machine = described.machine()?;
    let took: u64 = evidence.stages.iter().map(|stage| stage.took_ms).sum();
    let mut report = report(&described, machine, &evidence, select, Instant::now())?;
    report.took_ms = took;
    Ok((report, evidence))
}

fn read_evidence(path: &Path) -> Result<Evidence, Failure> {
    let place = path.display();
    let length = std::fs::metadata(path)
        .map_err(|why| Failure::input(format!("{place}: {why}; expected what --report kept")))?
        .len();
    if length > MAX_EVIDENCE {
        return Err(Failure::input(format!(
            "{place} has {length} bytes, more than any evidence (at most {MAX_EVIDENCE})"
        )));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {place}"))?;
    let wrong =
        |why: String| Failure::input(format!("{place}: {why}; expected what --report kept"));
    let form: serde_json::Value =
        serde_json::from_str(&text).map_err(|why| wrong(why.to_string()))?;
    match form.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format == u64::from(EVIDENCE_FORMAT) => {}
        Some(format) => {
            return Err(wrong(format!(
                "it is of the form {format}, and this program reads the form {EVIDENCE_FORMAT}"
            )));
        }
        None => return Err(wrong("it does not say its form".to_owned())),
    }
    serde_json::from_value(form).map_err(|why| wrong(why.to_string()))
}
