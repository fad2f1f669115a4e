//! Rules over a description: each has an id, a reason and a way out, and
//! `cargo xtask explain ID` tells its story. The rules themselves stand with the
//! section they are about; here they are put in a row and run.

use std::collections::BTreeSet;

use lab_catalog::{Catalog, Date};

use crate::Machine;
use crate::diagnostic::Diagnostic;
pub use crate::diagnostic::Severity;
use crate::section;

/// One thing that must hold of a description.
#[derive(Debug)]
pub struct Rule {
    /// Its name, for `explain` and in every message.
    pub id: &'static str,
    /// Whether breaking it stops the build.
    pub severity: Severity,
    /// What is wrong when it is broken.
    pub title: &'static str,
    /// Why it is there.
    pub story: &'static str,
    /// What to do about it.
    pub way_out: &'static str,
    /// Where the fact behind it is from.
    pub source: &'static str,
}

/// What the rules look at.
pub struct Context<'a> {
    /// The resolved description.
    pub machine: &'a Machine,
    /// What is true of hardware and software.
    pub catalog: &'a Catalog,
    /// Today, for the rules about the end of support; without it they are silent.
    pub today: Option<Date>,
}

/// What the rules found.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Diagnostic>,
}

/// A finding that is still being described.
pub(crate) struct Finding<'a>(&'a mut Diagnostic);

impl Findings {
    /// Records that `rule` is broken at `key`.
    pub(crate) fn report(
        &mut self,
        rule: &'static Rule,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Finding<'_> {
        let finding = Diagnostic::new(rule.id, rule.severity, key, message);
        // The second finding to the letter (two cards, one reason) tells nothing new.
        if let Some(at) = self.found.iter().position(|one| {
            one.rule == finding.rule && one.key == finding.key && one.message == finding.message
        }) {
            self.found.remove(at);
        }
        self.found.push(finding);
        let last = self.found.len() - 1;
        Finding(&mut self.found[last])
    }

    /// How much was found until now.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Everything that was found.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.found
    }
}

impl<'a> Finding<'a> {
    /// Says what belongs at the place.
    pub(crate) fn expecting(self, text: impl Into<String>) -> Finding<'a> {
        self.0.expected = text.into();
        self
    }

    /// Adds a way out.
    pub(crate) fn help(self, text: impl Into<String>) -> Finding<'a> {
        self.0.help.push(text.into());
        self
    }
}

static SYNTAX: Rule = Rule {
    id: "toml-syntax",
    severity: Severity::Error,
    title: "the file is not TOML",
    story: "The description is written in TOML 1.1. What cannot be read is never guessed at.",
    way_out: "Mend the place that the message points at; https://toml.io has the language on one page.",
    source: "https://toml.io/en/v1.1.0",
};

static UNKNOWN_KEY: Rule = Rule {
    id: "unknown-key",
    severity: Severity::Error,
    title: "a key that means nothing",
    story: "A mistyped key that is passed over in silence is the most expensive kind of mistake: Ubuntu's installer \
        ignores an unknown match key of a disk, and takes another disk. Here every unknown key is an error.",
    way_out: "Correct the key, or remove it. docs/reference/machine.md lists them all; with `#:schema` at the head of \
        the file an editor completes them.",
    source: "docs/reference/machine.md",
};

static BAD_VALUE: Rule = Rule {
    id: "bad-value",
    severity: Severity::Error,
    title: "a value that cannot be",
    story: "Each value has one form, which is checked where it is read, so that everything behind it can rely on it.",
    way_out: "Write the value in the form that the message names.",
    source: "docs/reference/machine.md",
};

static READ_RULES: &[&Rule] = &[&SYNTAX, &UNKNOWN_KEY, &BAD_VALUE];

/// The ids of findings about the text itself.
pub(crate) mod id {
    pub(crate) const SYNTAX: &str = "toml-syntax";
    pub(crate) const UNKNOWN_KEY: &str = "unknown-key";
    pub(crate) const BAD_VALUE: &str = "bad-value";
}

/// Every rule, by section.
pub static RULES: &[(&str, &[&Rule])] = &[
    ("the text", READ_RULES),
    ("machine", section::identity::RULES),
    ("gpu", section::gpu::RULES),
    ("ubuntu", section::ubuntu::RULES),
    ("disk", section::disk::RULES),
    ("network", section::network::RULES),
    ("access", section::access::RULES),
    ("driver", section::driver::RULES),
    ("docker", section::docker::RULES),
    ("toolkit", section::toolkit::RULES),
    ("ollama", section::ollama::RULES),
    ("jupyter", section::jupyter::RULES),
    ("dcgan", section::dcgan::RULES),
    ("monitoring", section::monitoring::RULES),
    ("updates", section::updates::RULES),
];

/// Looks a rule up by its id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// All rules in the order of the sections.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().flat_map(|(_, rules)| rules.iter().copied())
}

/// Runs every rule.
pub(crate) fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut findings = Findings::default();
    let sections: [fn(&Context<'_>, &mut Findings); 11] = [
        section::identity::check,
        section::gpu::check,
        section::ubuntu::check,
        section::disk::check,
        section::network::check,
        section::access::check,
        section::driver::check,
        section::toolkit::check,
        section::ollama::check,
        section::jupyter::check,
        section::dcgan::check,
    ];
    for check in sections {
        check(context, &mut findings);
    }
    findings.into_diagnostics()
}

/// The one of `known` that was probably meant, if any is close enough.
pub fn closest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    // A third of the letters may differ: "modle" is "model", "disk" is not "dns".
    let allowed = (written.chars().count() / 3).max(1);
    let unique: BTreeSet<&'a str> = known.iter().copied().collect();
    unique
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}
