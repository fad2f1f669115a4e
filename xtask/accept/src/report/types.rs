//! What a report holds: the form of `report.json`.

use std::collections::HashMap;

use lab_facts::Workload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Stage;

/// The version of [`Report`]'s form.
pub const REPORT_FORMAT: u32 = 1;

/// What came of acceptance, as it stands in `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`REPORT_FORMAT`] of who wrote it.
    pub format: u32,
    /// The version of the lab that wrote it.
    pub lab: String,
    /// The machine as the user named it.
    pub host: String,
    /// When, in milliseconds since 1970.
    pub taken_unix_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The machine at a glance.
    pub glance: Glance,
    /// Every claim, in the order of the checks.
    pub results: Vec<CheckResult>,
    /// How long each step took.
    pub stages: Vec<Stage>,
    /// The workloads that ran, with what the cards did meanwhile.
    pub workloads: Vec<Workload>,
}

impl Report {
    /// How many claims hold.
    pub fn passed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Passed))
    }

    /// How many do not.
    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed { .. }))
    }

    /// How many could not be judged.
    pub fn not_run(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::NotRun { .. }))
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        let outcomes = self.results.iter().map(|one| &one.outcome);
        outcomes.filter(|one| which(one)).count()
    }

    /// What `accept` ends with: 0 where nothing failed and something passed, 1 where something
    /// failed, 2 where nothing could be judged.
    pub fn exit_code(&self) -> u8 {
        match (self.failed(), self.passed()) {
            (0, 0) => 2,
            (0, _) => 0,
            _ => 1,
        }
    }

    /// The groups, in the order of the checks, each with its results and their places in
    /// [`Self::results`].
    pub(super) fn groups(&self) -> Vec<(&str, Vec<(usize, &CheckResult)>)> {
        let mut groups: Vec<(&str, Vec<(usize, &CheckResult)>)> = Vec::new();
        let mut place: HashMap<&str, usize> = HashMap::new();
        for (index, one) in self.results.iter().enumerate() {
            let at = *place.entry(one.group()).or_insert_with(|| {
                groups.push((one.group(), Vec::new()));
                groups.len() - 1
            });
            groups[at].1.push((index, one));
        }
        groups
    }

    /// The results that were not run, by their reasons, the reason of most first.
    pub(super) fn not_run_by_reason(&self) -> Vec<(&str, Vec<&CheckResult>)> {
        let mut reasons: Vec<(&str, Vec<&CheckResult>)> = Vec::new();
        let mut place: HashMap<&str, usize> = HashMap::new();
        for one in &self.results {
            let Outcome::NotRun { reason } = &one.outcome else {
                continue;
            };
            let at = *place.entry(reason.trim()).or_insert_with(|| {
                reasons.push((reason.trim(), Vec::new()));
                reasons.len() - 1
            });
            reasons[at].1.push(one);
        }
        reasons.sort_by_key(|(_, all)| std::cmp::Reverse(all.len()));
        reasons
    }
}

/// The machine at a glance. What is not known is empty or left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Glance {
    /// Its name in the description.
    pub name: String,
    /// What it is, such as `Hewlett-Packard HP Z440 Workstation`.
    pub product: String,
    /// Its processor.
    pub cpu: String,
    /// Its memory in MiB.
    pub memory_mib: Option<u64>,
    /// Its system, such as `Ubuntu 24.04.5 LTS`.
    pub os: String,
    /// Its kernel's release.
    pub kernel: String,
    /// The driver's version.
    pub driver: String,
    /// The newest CUDA that the driver speaks.
    pub cuda: String,
    /// The digest of the description, shortened.
    pub description: String,
    /// Whose facts these are: the probe's version, or what stood in for it.
    pub probe: String,
    /// The described cards.
    pub cards: Vec<CardGlance>,
}

/// A card at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardGlance {
    /// Its name in the description.
    pub name: String,
    /// The maker's name of it.
    pub model: String,
    /// Where it sits.
    pub address: String,
    /// Its UUID; empty where the driver does not see it.
    pub uuid: String,
    /// Its compute capability.
    pub compute_capability: String,
    /// Its memory in MiB.
    pub memory_mib: Option<u64>,
    /// Its temperature in degrees Celsius.
    pub temperature_c: Option<u32>,
    /// The bandwidth of its memory as measured, in MB/s.
    pub bandwidth_mb_s: Option<u64>,
    /// The same by its maker, in MB/s.
    pub bandwidth_described_mb_s: Option<u64>,
    /// The workloads that are given this card, such as `ollama`.
    pub used_by: Vec<String>,
}

/// What came of one claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// The check's id, such as `gpu.bound`.
    pub id: String,
    /// What of several it is about, such as a card's name.
    pub subject: Option<String>,
    /// What is claimed.
    pub claim: String,
    /// Where the description says so.
    pub place: Option<Place>,
    /// What was seen; empty where it was not run.
    pub evidence: String,
    /// Passed, failed or not run.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl CheckResult {
    /// The id, with what it is about: `gpu.bound[gt1030]`.
    pub fn name(&self) -> String {
        match &self.subject {
            Some(subject) => format!("{}[{subject}]", self.id),
            None => self.id.clone(),
        }
    }

    /// The part of the id before the point.
    pub fn group(&self) -> &str {
        self.id.split('.').next().unwrap_or(&self.id)
    }
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed {
        /// What most likely causes that.
        cause: String,
        /// What to do about it.
        remedy: String,
        /// Where to read on.
        reference: String,
    },
    /// It could not be judged. This is never a pass.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// A line of the description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The key.
    pub key: String,
}
