//! From texts to a machine, with everything that is wrong on the way.
//!
//! Serde stops at its first error. To say everything at once, the offending
//! value is taken out of the (already parsed) table and the reading repeated,
//! until what is left reads through. What was taken out makes its section
//! "unsure", and rules over unsure sections keep silent: they would report the
//! hole, not the description.

use std::collections::BTreeSet;

use lab_catalog::{Catalog, Date};
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::DeTable;

use crate::diagnostic::{Diagnostic, Severity};
use crate::layers::{self, Place, Step};
use crate::rules::{self, id};
use crate::source::{Sources, Span};
use crate::{Description, Machine};

/// What came of reading a description.
#[derive(Debug)]
pub struct Outcome {
    /// The machine, when there is no error in the description.
    pub machine: Option<Machine>,
    /// Everything that was found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The machine that was refused for a rule's error.
    refused: Option<Machine>,
    /// Every key that the description writes itself, with its place.
    keys: Vec<(String, Span)>,
}

impl Outcome {
    /// The machine of a description whose only errors are these rules', by their ids: for
    /// whoever tells more of them. Nothing is made from it.
    pub fn machine_despite(&self, rules: &[&str]) -> Option<&Machine> {
        let errors = self.diagnostics.iter();
        let mut errors = errors.filter(|one| one.severity == Severity::Error);
        let known = errors.all(|one| rules.contains(&one.rule));
        self.machine
            .as_ref()
            .or(self.refused.as_ref().filter(|_| known))
    }

    /// Whether there is an error among the findings.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|one| one.severity == Severity::Error)
    }

    /// Where a key such as `disk.serial` is written, if it is.
    pub fn place_of(&self, key: &str) -> Option<&Span> {
        self.keys
            .iter()
            .find(|(written, _)| written == key)
            .map(|(_, span)| span)
    }
}

/// Reads a description strictly and holds it against the catalog's rules.
pub fn read(sources: &Sources, catalog: &Catalog, today: Option<Date>) -> Outcome {
    let (mut table, syntax) = layers::overlay(sources.files());
    let all = layers::places(&table);
    let mut diagnostics: Vec<Diagnostic> = syntax
        .into_iter()
        .map(|(message, span)| syntax_error(message, span))
        .collect();
    let broken = !diagnostics.is_empty();
    let mut unsure = BTreeSet::new();
    let description = read_out(&mut table, &mut diagnostics, &mut unsure);
    let mut machine = None;
    if let Some(description) = description.filter(|_| !broken) {
        let resolved = Machine::resolve(description, catalog);
        let context = rules::Context {
            machine: &resolved,
            catalog,
            today,
        };
        let found = rules::check(&context)
            .into_iter()
            .filter(|one| !touches(one, &unsure));
        diagnostics.extend(found.map(|one| locate(one, &all)));
        machine = Some(resolved);
    }
    // By place, errors first where two are at one place; the order of finding
    // decides between equals.
    diagnostics.sort_by_key(|one| {
        (
            one.span.as_ref().map_or(usize::MAX, |span| span.start),
            std::cmp::Reverse(one.severity),
        )
    });
    let keys = all
        .iter()
        .map(|place| (layers::show(&place.path), place.value.clone()))
        .collect();
    let outcome = Outcome {
        machine,
        diagnostics,
        refused: None,
        keys,
    };
    if outcome.has_errors() {
        return Outcome {
            machine: None,
            refused: outcome.machine,
            ..outcome
        };
    }
    outcome
}

/// Whether a finding may come from a value that could not be read.
fn touches(finding: &Diagnostic, unsure: &BTreeSet<String>) -> bool {
    let section = finding.key.split(['.', '[']).next().unwrap_or_default();
    // Cards decide what every workload can do, and the image decides it for two.
    let on_cards = |section: &str| {
        matches!(
            section,
            "driver" | "ollama" | "jupyter" | "dcgan" | "machine"
        )
    };
    unsure.contains(section)
        || unsure.contains("gpu") && on_cards(section)
        || unsure.contains("driver") && section == "ollama"
        || unsure.contains("jupyter") && section == "dcgan"
        || unsure.contains("docker") && matches!(section, "toolkit" | "jupyter" | "dcgan")
        || unsure.contains("toolkit") && matches!(section, "jupyter" | "dcgan")
        || section == "disk" && finding.key == "disk.size_gb" && !unsure.is_empty()
}

fn syntax_error(message: String, span: Option<Span>) -> Diagnostic {
    Diagnostic::error(id::SYNTAX, "", message)
        .expected("TOML")
        .at(span)
}

/// After that many errors in the text the reading stops: each takes a turn, and
/// nobody mends more of them at once.
const MOST_ERRORS: usize = 100;

/// Reads the table, taking out what cannot be read until the rest can.
fn read_out(
    table: &mut DeTable<'_>,
    diagnostics: &mut Vec<Diagnostic>,
    unsure: &mut BTreeSet<String>,
) -> Option<Description> {
    let mut taken: Vec<Vec<Step>> = Vec::new();
    let original = layers::places(table);
    for _ in 0..MOST_ERRORS {
        let error = match try_read(table) {
            Ok(description) => return Some(description),
            Err(error) => error,
        };
        let places = layers::places(table);
        let Some(place) = offending(&places, error.span().as_ref()) else {
            diagnostics.push(value_error(&error, None));
            return None;
        };
        let place = culprit(table, &places, place);
        if !is_hole(&error, place, &taken) {
            // Elements that were taken out have moved the others up; the reader
            // counts as the text stands.
            let written = original
                .iter()
                .find(|one| one.value == place.value && one.path.len() == place.path.len());
            diagnostics.push(value_error(&error, written.or(Some(place))));
        }
        if let Some(Step::Key(section)) = place.path.first() {
            unsure.insert(section.clone());
        }
        taken.push(place.path.clone());
        if !layers::remove(table, &place.path) {
            return None;
        }
    }
    None
}

fn try_read(table: &DeTable<'_>) -> Result<Description, toml::de::Error> {
    let document = Spanned::new(0..0, table.clone());
    Description::deserialize(toml::de::Deserializer::from(document))
}

/// The key or value that an error is about: the innermost one that the error's
/// span lies in.
fn offending<'a>(places: &'a [Place], span: Option<&Span>) -> Option<&'a Place> {
    let span = span.filter(|span| **span != (0..0))?;
    let inside = |outer: &Span| outer.start <= span.start && span.end <= outer.end;
    let fits = |place: &&Place| inside(&place.value) || place.key.as_ref().is_some_and(inside);
    places
        .iter()
        .filter(fits)
        .max_by_key(|place| place.path.len())
}

/// The element of a list that an error at the list is about: serde does not say
/// which one a checked text refused. It is the first without which the error
/// moves on.
fn culprit<'a>(table: &DeTable<'_>, places: &'a [Place], list: &'a Place) -> &'a Place {
    let in_list = |place: &&Place| {
        place.path.len() == list.path.len() + 1 && place.path.starts_with(&list.path)
    };
    let elements: Vec<&Place> = places
        .iter()
        .filter(in_list)
        .filter(|place| place.key.is_none())
        .collect();
    // Read with the first `count` elements only, the list is sound as long as
    // the culprit is not among them.
    let sound_up_to = |count: usize| {
        let mut shortened = table.clone();
        for element in elements.iter().skip(count).rev() {
            layers::remove(&mut shortened, &element.path);
        }
        match try_read(&shortened) {
            Ok(_) => true,
            Err(error) => {
                offending(places, error.span().as_ref()).is_none_or(|place| place.path != list.path)
            }
        }
    };
    // A list where none belongs is wrong itself, whatever is in it.
    if !sound_up_to(0) {
        return list;
    }
    let first = (1..=elements.len()).find(|count| !sound_up_to(*count));
    first
        .and_then(|count| elements.get(count - 1).copied())
        .unwrap_or(list)
}

/// Whether an error only says that something is missing which was taken out
/// before, with a finding of its own.
fn is_hole(error: &toml::de::Error, place: &Place, taken: &[Vec<Step>]) -> bool {
    let Some(field) = error
        .message()
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
    else {
        return false;
    };
    let mut path = place.path.clone();
    path.push(Step::Key(field.to_owned()));
    taken.contains(&path)
}

/// Keys whose values are secrets, or references to them.
const SECRET_KEYS: &[&str] = &["password_hash", "luks_passphrase", "passphrase"];

fn value_error(error: &toml::de::Error, place: Option<&Place>) -> Diagnostic {
    let message = error.message().trim();
    let path = place.map(|place| place.path.as_slice()).unwrap_or_default();
    let key = layers::show(path);
    // An element's own place is closer than the list's, which is all serde knows.
    let span = match path.last() {
        Some(Step::Index(_)) if !message.starts_with("missing field") => {
            place.map(|place| place.value.clone())
        }
        _ => error.span(),
    };
    let last_key = path.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    let secret =
        last_key.is_some_and(|key| SECRET_KEYS.contains(&key)) || message.contains("private key");
    let mut finding = match unknown_name(message) {
        Some((unknown, known)) => unknown_error(message, key, unknown, &known),
        None => plain_error(message, key),
    };
    finding.secret = secret;
    finding.at(span)
}

fn plain_error(message: &str, key: String) -> Diagnostic {
    if let Some(field) = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
    {
        return Diagnostic::error(
            id::BAD_VALUE,
            key.clone(),
            format!("`{key}` has no `{field}`"),
        )
        .expected(format!("a line `{field} = …` in here"));
    }
    let (found, expected) = message
        .split_once(": expected ")
        .or_else(|| message.split_once(", expected "))
        .unwrap_or((message, "another value"));
    let text = match found
        .strip_prefix("invalid type: ")
        .or_else(|| found.strip_prefix("invalid value: "))
    {
        Some(what) => format!("`{key}` cannot be {}", in_words(what)),
        None if key.is_empty() => found.to_owned(),
        None => format!("`{key}`: {found}"),
    };
    Diagnostic::error(id::BAD_VALUE, key, text).expected(format!("expected {}", in_words(expected)))
}

/// Serde's names for kinds of values, in the words of somebody who writes TOML.
fn in_words(kind: &str) -> String {
    let known = [
        ("u16", "a whole number from 0 to 65535"),
        ("u32", "a whole number, 0 or more"),
        ("a boolean", "true or false"),
        ("a sequence", "a list"),
        ("sequence", "a list"),
        ("map", "a table"),
        ("a string", "a text in quotes"),
        ("boolean", "the truth value"),
        ("integer", "the number"),
        ("floating point", "the number"),
        ("string", "the text"),
    ];
    for (serde, ours) in known {
        if kind == serde {
            return ours.to_owned();
        }
        if let Some(value) = kind
            .strip_prefix(serde)
            .filter(|rest| rest.starts_with(" \"") || rest.starts_with(" `"))
        {
            return format!("{ours}{value}");
        }
    }
    match kind.strip_prefix("struct ") {
        Some(_) => "a table".to_owned(),
        None => kind.to_owned(),
    }
}

fn unknown_error(message: &str, key: String, unknown: &str, known: &[&str]) -> Diagnostic {
    let (rule, text) = match message.starts_with("unknown field") {
        true => (id::UNKNOWN_KEY, format!("there is no key `{key}`")),
        false => (id::BAD_VALUE, format!("`{key}` cannot be `{unknown}`")),
    };
    let finding =
        Diagnostic::error(rule, key, text).expected(format!("one of {}", known.join(", ")));
    match rules::closest(unknown, known) {
        Some(close) => finding.help(format!("did you mean `{close}`?")),
        None => finding,
    }
}

/// Takes serde's words apart: ``unknown field `modle`, expected one of `model`, `serial` ``.
fn unknown_name(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("unknown variant `"))?;
    let (unknown, rest) = rest.split_once("`, ")?;
    let known = rest.split('`').skip(1).step_by(2).collect();
    Some((unknown, known))
}

/// Puts a rule's finding at the key it is about, or at the nearest one above
/// that is written.
fn locate(finding: Diagnostic, all: &[Place]) -> Diagnostic {
    let mut key = finding.key.clone();
    loop {
        let found = all.iter().find(|place| layers::show(&place.path) == key);
        if let Some(place) = found {
            let exact = key == finding.key;
            // For a key that is not written, its section's name is the place to
            // show, and not the whole of the section.
            let span = match (&place.key, exact) {
                (Some(span), false) => span.clone(),
                _ => place.value.clone(),
            };
            return finding.at(Some(span));
        }
        match key.rfind(['.', '[']) {
            Some(at) => key.truncate(at),
            None => return finding,
        }
    }
}
