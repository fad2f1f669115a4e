//! Copyright files in free words: what they point at below /usr/share/common-licenses.
//!
//! Debian Policy 12.5 asks every copyright file for the licence's text, or for a pointer to
//! the copies that every system has. The pointer says which text; whether a later version may
//! be taken, the words before it say.

use crate::expression::Expression;
use crate::licence::{UNNAMED, reference};
use crate::short_names;

const FOLDER: &str = "/usr/share/common-licenses/";

/// Words of licences whose text stands in the file itself. Which of their many forms it is,
/// is not told here.
const OTHER_TEXTS: &[&str] = &[
    "permission is hereby granted",
    "permission to use, copy, modify",
    "redistribution and use in source and binary forms",
    "provided 'as-is', without any express or implied warranty",
];

/// What a copyright file in free words states; none where it points at nothing known.
pub(crate) fn licences(text: &str) -> Option<Expression> {
    let plain = plain(text);
    let mut found = Vec::new();
    let mut rest = plain.as_str();
    while let Some((before, after)) = rest.split_once(FOLDER) {
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'));
        let (name, next) = after.split_at(end.unwrap_or(after.len()));
        found.push(Expression::One(pointed_at(
            name.trim_end_matches(['.', '-']),
            before,
        )));
        rest = next;
    }
    if found.is_empty() {
        return None;
    }
    if OTHER_TEXTS.iter().any(|words| plain.contains(words)) {
        found.push(Expression::One(UNNAMED.to_owned()));
    }
    Expression::all(found)
}

/// The text in lower case, with one space wherever there is white space or a mark of a
/// comment: a sentence may be broken anywhere.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !["*", "#", "//", "."].contains(&word) {
            plain.push_str(&word.to_ascii_lowercase());
            plain.push(' ');
        }
    }
    plain
}

/// The licence that a pointer means, with the words between the pointer before and this one.
/// Where it stays open which version is granted, or whether a later one may be taken, that is
/// a reference to what is pointed at.
fn pointed_at(name: &str, before: &str) -> String {
    let known = match name.split_once('-').unwrap_or((name, "")) {
        (family @ ("gpl" | "lgpl" | "gfdl"), version) => gnu(family, version, before),
        // Debian's copy has the form of the University of California.
        ("bsd", "") => Some("BSD-3-Clause".to_owned()),
        _ => short_names::licence(name),
    };
    let pointer = || match name {
        "" => None,
        _ => reference(&format!("common-licenses-{}", name.to_ascii_uppercase())),
    };
    known.or_else(pointer).unwrap_or_else(|| UNNAMED.to_owned())
}

/// A GNU licence; `pointed` is the version of the text that is pointed at, empty for the one
/// without.
fn gnu(family: &str, pointed: &str, before: &str) -> Option<String> {
    let later = before.contains("later version") || before.contains("or later");
    let version = match (pointed, said_version(before)) {
        // The words name the version that is granted, the pointer a text that is at hand.
        (pointed, Some(said)) if pointed.is_empty() || pointed == said || later => said,
        (pointed, None) if !pointed.is_empty() && later => pointed,
        // No word of a version: that does not say that no later one may be taken.
        _ => return None,
    };
    let grant = if later { "+" } else { "" };
    short_names::licence(&format!("{family}-{version}{grant}"))
}

/// The version that the last `version N` before a pointer names.
fn said_version(before: &str) -> Option<&str> {
    let mut rest = before;
    while let Some((front, after)) = rest.rsplit_once("version ") {
        let end = after.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        let number = after
            .get(..end.unwrap_or(after.len()))?
            .trim_end_matches('.');
        if !number.is_empty() {
            return Some(number);
        }
        rest = front;
    }
    None
}
