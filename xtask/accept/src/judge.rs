//! Holding evidence against the description: what a check is, and how it says what it saw.

use std::collections::BTreeSet;

use lab_catalog::Catalog;
use lab_facts::{Facts, RootFacts};
use lab_machine::{Machine, Outcome as Read, Sources};
use wildmatch::WildMatch;

use crate::Evidence;
use crate::check;
use crate::report::{CheckResult, Outcome, Place};

/// What a check needs done before it can judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Looking: seconds, and nothing changes.
    Quick,
    /// `--workloads`: minutes in which the cards are busy.
    Workload,
    /// `--disruptive`: restarts.
    Disruptive,
}

/// One thing that is proved of a machine, perhaps for each of several subjects.
#[derive(Debug)]
pub struct Check {
    /// Its name, `group.what`, for `--only`, `explain` and every report.
    pub id: &'static str,
    /// What must be done first.
    pub effort: Effort,
    /// What it proves, in a few words.
    pub title: &'static str,
    /// Why that matters, and how it is found out.
    pub story: &'static str,
    /// What is most likely wrong when it fails.
    pub cause: &'static str,
    /// What to do then.
    pub remedy: &'static str,
    /// Where to read on: a page of the book or a document of the vendor.
    pub reference: &'static str,
    /// Makes its claims; none where the description does not ask for any.
    pub claims: fn(&Subject<'_>, &mut Claims<'_>),
}

impl Check {
    /// The part of the id before the point.
    pub fn group(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }
}

/// What the checks look at.
pub struct Subject<'a> {
    /// The description, resolved.
    pub machine: &'a Machine,
    /// Where its keys stand.
    pub read: &'a Read,
    /// Its texts.
    pub sources: &'a Sources,
    /// What is true of hardware and software.
    pub catalog: &'a Catalog,
    /// What was seen.
    pub evidence: &'a Evidence,
}

impl<'a> Subject<'a> {
    /// What the probe saw.
    ///
    /// # Errors
    ///
    /// Not run, where it saw nothing.
    pub fn facts(&self) -> Result<&'a Facts, NotRun> {
        Ok(self.evidence.facts.get()?)
    }

    /// What only root sees.
    ///
    /// # Errors
    ///
    /// Not run, where root could not be had.
    pub fn root(&self) -> Result<&'a RootFacts, NotRun> {
        Ok(self.evidence.root.get()?)
    }
}

/// Why a check could not judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRun(pub String);

impl From<&str> for NotRun {
    fn from(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl From<String> for NotRun {
    fn from(why: String) -> Self {
        Self(why)
    }
}

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// What was claimed, by this evidence.
    Good(String),
    /// Something else.
    Bad {
        /// What.
        evidence: String,
        /// What causes that, where it is known better than [`Check::cause`] says.
        cause: Option<String>,
        /// What to do, where it is known better than [`Check::remedy`] says.
        remedy: Option<String>,
    },
}

impl Seen {
    /// What was claimed was seen.
    pub fn good(evidence: impl Into<String>) -> Self {
        Self::Good(evidence.into())
    }

    /// Something else was seen.
    pub fn bad(evidence: impl Into<String>) -> Self {
        Self::Bad {
            evidence: evidence.into(),
            cause: None,
            remedy: None,
        }
    }

    /// Good or bad, by the same evidence.
    pub fn when(good: bool, evidence: impl Into<String>) -> Self {
        match good {
            true => Self::good(evidence),
            false => Self::bad(evidence),
        }
    }

    /// The cause, where it is known better than in general.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        if let Self::Bad { cause, .. } = &mut self {
            *cause = Some(why.into());
        }
        self
    }

    /// What to do, where it is known better than in general.
    #[must_use]
    pub fn way_out(mut self, what: impl Into<String>) -> Self {
        if let Self::Bad { remedy, .. } = &mut self {
            *remedy = Some(what.into());
        }
        self
    }
}

/// What came of judging a claim.
pub type Judgement = Result<Seen, NotRun>;

/// Takes the claims of one check.
pub struct Claims<'a> {
    check: &'static Check,
    subject: &'a Subject<'a>,
    results: &'a mut Vec<CheckResult>,
}

impl Claims<'_> {
    /// Claims something of the machine as a whole. `key` is the description's key that says
    /// so (`disk.serial`), or empty where none does.
    pub fn claim(
        &mut self,
        key: &str,
        claim: impl Into<String>,
        judge: impl FnOnce() -> Judgement,
    ) {
        self.add(None, key, claim.into(), judge());
    }

    /// Claims something of one of several subjects, such as a card by its name.
    pub fn claim_of(
        &mut self,
        subject: &str,
        key: &str,
        claim: impl Into<String>,
        judge: impl FnOnce() -> Judgement,
    ) {
        self.add(Some(subject.to_owned()), key, claim.into(), judge());
    }

    fn add(&mut self, subject: Option<String>, key: &str, claim: String, judgement: Judgement) {
        let check = self.check;
        let (outcome, evidence) = match judgement {
            Ok(Seen::Good(evidence)) => (Outcome::Passed, evidence),
            Ok(Seen::Bad {
                evidence,
                cause,
                remedy,
            }) => {
                let failed = Outcome::Failed {
                    cause: cause.unwrap_or_else(|| check.cause.to_owned()),
                    remedy: remedy.unwrap_or_else(|| check.remedy.to_owned()),
                    reference: check.reference.to_owned(),
                };
                (failed, evidence)
            }
            Err(NotRun(reason)) => (Outcome::NotRun { reason }, String::new()),
        };
        self.results.push(CheckResult {
            id: check.id.to_owned(),
            subject,
            claim,
            place: self.place(key),
            evidence,
            outcome,
        });
    }

    /// The line of the description that says so; where it is left out, its section's or none.
    fn place(&self, key: &str) -> Option<Place> {
        let mut key = key;
        while !key.is_empty() {
            if let Some(span) = self.subject.read.place_of(key) {
                let (file, line, _) = self.subject.sources.position(span)?;
                return Some(Place {
                    file: file.to_owned(),
                    line: u32::try_from(line).unwrap_or(u32::MAX),
                    key: key.to_owned(),
                });
            }
            key = key.rsplit_once('.').map_or("", |(section, _)| section);
        }
        None
    }
}

/// Which checks are wanted.
#[derive(Debug, Clone, Default)]
pub struct Select {
    only: Vec<WildMatch>,
    skip: Vec<WildMatch>,
}

impl Select {
    /// By globs over `id` and `id[subject]`; without any of `only`, all of them.
    #[must_use]
    pub fn new(only: &[String], skip: &[String]) -> Self {
        let globs = |texts: &[String]| texts.iter().map(|text| WildMatch::new(text)).collect();
        Self {
            only: globs(only),
            skip: globs(skip),
        }
    }

    /// Whether this one is wanted.
    #[must_use]
    pub fn wants(&self, id: &str, subject: Option<&str>) -> bool {
        let whole = subject.map_or_else(|| id.to_owned(), |subject| format!("{id}[{subject}]"));
        let group = id.split('.').next().unwrap_or(id);
        let fits =
            |glob: &WildMatch| glob.matches(id) || glob.matches(&whole) || glob.matches(group);
        (self.only.is_empty() || self.only.iter().any(fits)) && !self.skip.iter().any(fits)
    }
}

/// Holds the evidence against the description: every claim, in the order of the checks.
pub fn judge(subject: &Subject<'_>, select: &Select) -> Vec<CheckResult> {
    let mut results = results_of(subject, check::all());
    results.retain(|one| select.wants(&one.id, one.subject.as_deref()));
    results
}

/// What came of the checks that only look, by name.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// Those that passed.
    pub(crate) passed: BTreeSet<String>,
    /// Those that failed.
    pub(crate) failed: BTreeSet<String>,
}

/// Judges by the checks that only look.
pub(crate) fn outlook(subject: &Subject<'_>) -> Outlook {
    let quick = check::all().filter(|check| check.effort == Effort::Quick);
    let mut outlook = Outlook::default();
    for one in results_of(subject, quick) {
        match one.outcome {
            Outcome::Passed => outlook.passed.insert(one.name()),
            Outcome::Failed { .. } => outlook.failed.insert(one.name()),
            Outcome::NotRun { .. } => false,
        };
    }
    outlook
}

fn results_of(
    subject: &Subject<'_>,
    checks: impl Iterator<Item = &'static Check>,
) -> Vec<CheckResult> {
    let mut results = Vec::new();
    for check in checks {
        let mut claims = Claims {
            check,
            subject,
            results: &mut results,
        };
        (check.claims)(subject, &mut claims);
    }
    results
}
