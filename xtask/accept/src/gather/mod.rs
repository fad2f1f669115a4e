//! Asking a machine for everything that the checks want to know, over one connection.
//!
//! What a command on the machine could not say is written down as unknown, with the reason.
//! Only a line that is lost ends the asking: what would follow says nothing of the machine.

mod disrupt;
mod outside;
mod probe;
mod wait;
mod without;

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lab_facts::{Fact, Facts, Request, RootFacts, Workload, WorkloadRequest};
use lab_remote::{Connection, Output, Privilege, RunError};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use disrupt::Reconnect;
pub use wait::{Readiness, wait};

use crate::check::MANIFEST;
use crate::{Difference, Disruption, EVIDENCE_FORMAT, Evidence, Expected, Stage};
use probe::Probe;

/// How long looking may take: the probe's own deadline, and a slow line.
const LOOK: Duration = Duration::from_secs(45);
/// Stands in evidence for the digest of the list that is expected.
const LIST_AS_EXPECTED: &str = "the expected list";
/// What a workload may take beyond what it was given itself.
const GRACE: Duration = Duration::from_secs(30);

/// A connection that is signed in, and the way to root on it.
pub struct Link {
    /// The connection.
    pub connection: Connection,
    /// The way to root.
    pub privilege: Privilege,
}

impl Link {
    fn user(&mut self, command: &str, stdin: &[u8], limit: Duration) -> Result<Output, RunError> {
        self.connection.run(command, stdin, limit)
    }

    fn root(&mut self, command: &str, stdin: &[u8], limit: Duration) -> Result<Output, RunError> {
        let mut sudo = self.connection.sudo(&self.privilege)?;
        sudo.run(command, stdin, limit)
    }
}

/// What is asked, and what is known beforehand.
pub struct Plan<'a> {
    /// The machine as the user named it.
    pub host: String,
    /// The description's texts.
    pub description: Vec<(String, String)>,
    /// What follows from the description and its secrets.
    pub expected: Expected,
    /// What the probe is asked.
    pub request: Request,
    /// The script that compares the machine with the description, and what reads its answer.
    pub survey: Survey<'a>,
    /// The workloads that are run; empty for none.
    pub workloads: Vec<WorkloadRequest>,
    /// Services of containers that are disturbed; none where nothing is.
    pub disturb: Option<Vec<String>>,
    /// Ports that are tried from here whatever listens there.
    pub ports: Vec<u16>,
    /// How long the machine may take to be ready after it was disturbed.
    pub patience: Duration,
    /// The probe's program, for a machine that has none or an old one. It may take a while
    /// to be built.
    pub probe: &'a dyn Fn() -> anyhow::Result<Vec<u8>>,
}

/// How a machine is compared with files, packages and settings as described.
pub struct Survey<'a> {
    /// The script, for bash as root.
    pub script: String,
    /// Reads what it prints.
    pub read: &'a dyn Fn(&str) -> anyhow::Result<Vec<Difference>>,
}

/// Hears how far the asking is.
pub trait Watch {
    /// A step begins.
    fn begin(&mut self, stage: &str);
    /// The step that began last is done.
    fn done(&mut self, stage: &str, took: Duration);
}

/// Nobody listens.
impl Watch for () {
    fn begin(&mut self, _stage: &str) {}
    fn done(&mut self, _stage: &str, _took: Duration) {}
}

/// Why a machine could not be asked to the end.
#[derive(Debug)]
pub struct Lost {
    /// What was being done.
    pub doing: String,
    /// What happened.
    pub error: RunError,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.doing, self.error)
    }
}

impl std::error::Error for Lost {}

/// Asks for everything, in an order in which nothing disturbs what comes after it.
///
/// # Errors
///
/// When the line is lost. Whatever else fails stands in the evidence.
pub fn gather(
    link: &mut Link,
    plan: &Plan<'_>,
    reconnect: Reconnect<'_>,
    watch: &mut dyn Watch,
) -> Result<Evidence, Lost> {
    let mut asking = Asking {
        link,
        plan,
        watch,
        stages: Vec::new(),
        reached: None,
    };
    let probe = Probe::find(&mut asking)?;
    let evidence = asking.everything(&probe, reconnect);
    // What was put there goes away again, whatever came of it.
    let removed = probe.remove(&mut asking);
    let evidence = evidence?;
    removed?;
    Ok(evidence)
}

/// Asks for an ordinary user's facts and nothing else.
///
/// # Errors
///
/// When the line is lost.
pub fn facts(
    link: &mut Link,
    request: Request,
    probe: &dyn Fn() -> anyhow::Result<Vec<u8>>,
) -> Result<Fact<Facts>, Lost> {
    let plan = Plan {
        host: String::new(),
        description: Vec::new(),
        expected: Expected {
            description: String::new(),
            manifest: String::new(),
            units: Vec::new(),
            locked: None,
        },
        request,
        survey: Survey {
            script: String::new(),
            read: &|_| Ok(Vec::new()),
        },
        workloads: Vec::new(),
        disturb: None,
        ports: Vec::new(),
        patience: Duration::ZERO,
        probe,
    };
    let mut asking = Asking {
        link,
        plan: &plan,
        watch: &mut (),
        stages: Vec::new(),
        reached: None,
    };
    let probe = Probe::find(&mut asking)?;
    let facts = asking.facts(&probe);
    let removed = probe.remove(&mut asking);
    let facts = facts?;
    removed?;
    Ok(facts)
}

/// The asking as far as it is.
struct Asking<'a, 'b> {
    link: &'a mut Link,
    plan: &'a Plan<'b>,
    watch: &'a mut dyn Watch,
    stages: Vec<Stage>,
    /// Where the machine says that it was reached; none where it does not say.
    reached: Option<SocketAddr>,
}

impl Asking<'_, '_> {
    fn everything(&mut self, probe: &Probe, reconnect: Reconnect<'_>) -> Result<Evidence, Lost> {
        let taken_unix_ms = unix_ms();
        let facts = self.stage("facts", |asking| asking.facts(probe))?;
        let clock_ahead_ms = match &probe.program {
            Some(_) => ahead(&facts, taken_unix_ms),
            None => Fact::unknown(&probe.why_not),
        };
        let outside = outside::begin(self, &facts);
        let root = self.stage("root's facts", |asking| asking.root_facts(probe))?;
        let differences = self.stage("differences", Self::differences)?;
        let mut root = root;
        let expected = without_digest(&self.plan.expected, &mut root);
        let outside = self.stage("ports from here", |_| Ok(outside.end()))?;
        let workloads = self.workloads(probe)?;
        let disruption = self.disruption(probe, reconnect)?;
        Ok(Evidence {
            format: EVIDENCE_FORMAT,
            lab: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.plan.host.clone(),
            taken_unix_ms,
            description: self.plan.description.clone(),
            expected,
            facts,
            root,
            differences,
            outside,
            clock_ahead_ms,
            workloads_asked: !self.plan.workloads.is_empty(),
            workloads,
            disruption,
            stages: std::mem::take(&mut self.stages),
        })
    }

    fn stage<T>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Self) -> Result<T, Lost>,
    ) -> Result<T, Lost> {
        let begin = Instant::now();
        self.watch.begin(name);
        let done = work(self);
        let took = begin.elapsed();
        self.watch.done(name, took);
        self.stages.push(Stage {
            name: name.to_owned(),
            took_ms: millis(took),
        });
        done
    }

    fn facts(&mut self, probe: &Probe) -> Result<Fact<Facts>, Lost> {
        let Some(program) = &probe.program else {
            return self.facts_without_probe(&probe.why_not);
        };
        let command = format!("exec {program} facts");
        let asked = self.link.user(&command, &json(&self.plan.request), LOOK);
        answer("asking the probe for facts", asked)
    }

    fn root_facts(&mut self, probe: &Probe) -> Result<Fact<RootFacts>, Lost> {
        let Some(program) = &probe.program else {
            return Ok(Fact::unknown(&probe.why_not));
        };
        if let Privilege::None(why) = &self.link.privilege {
            return Ok(Fact::unknown(format!("it needs root: {why}")));
        }
        let command = format!("exec {program} root-facts");
        let asked = self.link.root(&command, &json(&self.plan.request), LOOK);
        answer("asking the probe for what only root sees", asked)
    }

    fn differences(&mut self) -> Result<Fact<Vec<Difference>>, Lost> {
        if let Privilege::None(why) = &self.link.privilege {
            return Ok(Fact::unknown(format!("it needs root: {why}")));
        }
        let survey = &self.plan.survey;
        let doing = "comparing the machine with its description";
        let asked = self.link.root("bash -s", survey.script.as_bytes(), LOOK);
        Ok(match text(doing, asked)? {
            Ok(text) => (survey.read)(&text)
                .map_err(|why| format!("{why:#}"))
                .into(),
            Err(why) => Fact::Unknown(why),
        })
    }

    fn workloads(&mut self, probe: &Probe) -> Result<Vec<Workload>, Lost> {
        let requests = self.plan.workloads.clone();
        let mut done = Vec::new();
        for request in requests {
            let name = workload_name(&request);
            done.push(self.stage(&name, |asking| asking.workload(probe, request))?);
        }
        Ok(done)
    }

    fn workload(&mut self, probe: &Probe, request: WorkloadRequest) -> Result<Workload, Lost> {
        let begin = Instant::now();
        let failed = |request: WorkloadRequest, why: String| Workload {
            request,
            took_ms: millis(begin.elapsed()),
            samples: Vec::new(),
            seen: Vec::new(),
            worked: Fact::Unknown(why),
        };
        let Some(program) = &probe.program else {
            return Ok(failed(request, probe.why_not.clone()));
        };
        if let Privilege::None(why) = &self.link.privilege {
            let why = format!("it needs root: {why}");
            return Ok(failed(request, why));
        }
        let command = format!("exec {program} workload");
        let limit = limit_of(&request) + GRACE;
        let asked = self.link.root(&command, &json(&request), limit);
        Ok(match answer("running a workload", asked)? {
            Fact::Is(workload) => workload,
            Fact::Unknown(why) => failed(request, why),
        })
    }

    fn disruption(
        &mut self,
        probe: &Probe,
        reconnect: Reconnect<'_>,
    ) -> Result<Option<Disruption>, Lost> {
        let Some(services) = &self.plan.disturb else {
            return Ok(None);
        };
        disrupt::disturb(self, probe, services, reconnect).map(Some)
    }
}

/// The workload in a word or two.
fn workload_name(request: &WorkloadRequest) -> String {
    match request {
        WorkloadRequest::Ollama { model, .. } => format!("{model} answers"),
        WorkloadRequest::TensorFlow { .. } => "TensorFlow computes".to_owned(),
        WorkloadRequest::Memory { .. } => "memory filled".to_owned(),
        WorkloadRequest::Dcgan { .. } => "DCGAN watched".to_owned(),
        WorkloadRequest::Nvtop { .. } => "nvtop draws".to_owned(),
    }
}

fn limit_of(request: &WorkloadRequest) -> Duration {
    let seconds = match request {
        WorkloadRequest::Ollama { limit_s, .. }
        | WorkloadRequest::TensorFlow { limit_s, .. }
        | WorkloadRequest::Memory { limit_s }
        | WorkloadRequest::Nvtop { limit_s } => *limit_s,
        WorkloadRequest::Dcgan { watch_s, .. } => *watch_s,
    };
    Duration::from_secs(seconds)
}

/// What a command printed, or why it says nothing; an error where the line is lost.
fn text(doing: &str, asked: Result<Output, RunError>) -> Result<Result<String, String>, Lost> {
    match asked {
        Ok(output) if output.success() => Ok(Ok(output.text())),
        Ok(output) => Ok(Err(format!("{doing}: {}", last_words(&output)))),
        Err(error @ RunError::Cut { .. }) => Err(Lost {
            doing: doing.to_owned(),
            error,
        }),
        Err(error) => Ok(Err(format!("{doing}: {error}"))),
    }
}

/// The same for an answer in JSON.
fn answer<T: DeserializeOwned>(
    doing: &str,
    asked: Result<Output, RunError>,
) -> Result<Fact<T>, Lost> {
    Ok(match text(doing, asked)? {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|why| format!("{doing}: its answer cannot be read: {why}"))
            .into(),
        Err(why) => Fact::Unknown(why),
    })
}

/// The end of what a command said, on one line, and how it ended.
fn last_words(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let end = lines
        .get(lines.len().saturating_sub(3)..)
        .unwrap_or_default();
    let end: String = end.join("; ").chars().filter(|c| !c.is_control()).collect();
    match (output.status, end.is_empty()) {
        (Some(status), true) => format!("it ended with {status} and said nothing"),
        (Some(status), false) => format!("it ended with {status}: {end}"),
        (None, true) => "a signal ended it".to_owned(),
        (None, false) => format!("a signal ended it: {end}"),
    }
}

/// The list of what was laid down names digests of files that hold a password's hash: who
/// has the list's own digest could try passwords against it. So only whether it is the
/// expected one goes into the evidence.
fn without_digest(expected: &Expected, root: &mut Fact<RootFacts>) -> Expected {
    let found = match root {
        Fact::Is(root) => root.files.get_mut(MANIFEST),
        Fact::Unknown(_) => None,
    };
    if let Some(Fact::Is(digest)) = found {
        *digest = match *digest == expected.manifest {
            true => LIST_AS_EXPECTED.to_owned(),
            false => "another list".to_owned(),
        };
    }
    Expected {
        manifest: LIST_AS_EXPECTED.to_owned(),
        ..expected.clone()
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, millis)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// By how much the machine's clock is ahead: it looked between when it was asked and now.
fn ahead(facts: &Fact<Facts>, asked: u64) -> Fact<i64> {
    match facts {
        Fact::Is(facts) => {
            let middle = asked + unix_ms().saturating_sub(asked) / 2;
            let difference = i128::from(facts.taken_unix_ms) - i128::from(middle);
            Fact::Is(i64::try_from(difference).unwrap_or(i64::MAX))
        }
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    }
}
