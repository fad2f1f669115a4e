//! Debian's short names of licences, and what SPDX calls them.
//!
//! Sources: Debian's machine-readable copyright format 1.0, sections 7.1 (short names) and
//! 7.2 (syntax), as of Debian Policy 4.6.2; SPDX License List 3.28.0. Read 2026-11-28.

use crate::expression::Expression;
use crate::identifiers;
use crate::licence::{UNNAMED, reference};

/// The most words that a short name may have besides its exception: the format allows one,
/// but `BSD 3-clause` is seen. More are a sentence and no name.
const MOST_WORDS: usize = 3;

/// Short names whose SPDX identifier is another, in lower case.
///
/// `Artistic` is the Perl variant: that is the text in Debian's
/// /usr/share/common-licenses/Artistic (base-files 12.4). `MIT` is left to SPDX, which
/// means the Expat licence by it; Debian asks for `Expat` where that is meant.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("expat", "MIT"),
    ("artistic", "Artistic-1.0-Perl"),
    ("artistic-1", "Artistic-1.0-Perl"),
    ("apache", "Apache-1.0"),
    ("cc0", "CC0-1.0"),
    ("efl", "EFL-1.0"),
    ("cpl", "CPL-1.0"),
    ("cddl", "CDDL-1.0"),
    ("lppl", "LPPL-1.0"),
    ("mpl", "MPL-1.1"),
    ("python", "Python-2.0"),
    ("qpl", "QPL-1.0"),
    ("public-domain", "LicenseRef-public-domain"),
];

/// Families whose plain name means the lowest version (section 7.1), and that version.
const GNU: &[(&str, &str)] = &[
    ("gpl", "1"),
    ("lgpl", "2"),
    ("agpl", "1"),
    ("gfdl", "1.1"),
    ("gfdl-niv", "1.1"),
];

/// Keywords of exceptions that mean one text, in lower case. `OpenSSL` is not among them:
/// SPDX has a form of it for each of several programs. Nor are `Autoconf` and `GCC`, whose
/// texts differ.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("font", "Font-exception-2.0"),
    ("classpath", "Classpath-exception-2.0"),
    ("libtool", "Libtool-exception"),
    ("bison", "Bison-exception-2.2"),
    ("llvm", "LLVM-exception"),
    ("linux-syscall-note", "Linux-syscall-note"),
];

/// The expression that a synopsis (the first line of a License field) means.
///
/// `and` binds closer than `or`, unless a comma stands before it: `A or B, and C` is
/// `(A or B) and C`. A synopsis that is a sentence and no name, as where the text begins on
/// the field's first line, gives the reference for texts without a name.
pub(crate) fn synopsis(text: &str) -> Expression {
    combined(text).unwrap_or_else(|| Expression::One(UNNAMED.to_owned()))
}

fn combined(text: &str) -> Option<Expression> {
    let several = text.contains(',')
        || text
            .split_whitespace()
            .any(|word| is_any(word, &["and", "or"]));
    let mut parts = text.split(',').map(str::trim);
    let mut whole = alternatives(parts.next()?, several)?;
    for part in parts.filter(|part| !part.is_empty()) {
        let words = part.split_once(char::is_whitespace);
        whole = match words {
            Some((word, rest)) if is_any(word, &["or"]) => {
                Expression::any([whole, alternatives(rest, several)?])?
            }
            Some((word, rest)) if is_any(word, &["and"]) => {
                Expression::all([whole, alternatives(rest, several)?])?
            }
            // A list: all that is listed applies, as far as anybody can know.
            _ => Expression::all([whole, alternatives(part, several)?])?,
        };
    }
    Some(whole)
}

fn is_any(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| word.eq_ignore_ascii_case(one))
}

/// A part without commas. `several` says whether the synopsis has other parts.
fn alternatives(text: &str, several: bool) -> Option<Expression> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut any = Vec::new();
    for part in words.split(|word| is_any(word, &["or"])) {
        let mut all = Vec::new();
        for words in part.split(|word| is_any(word, &["and"])) {
            all.push(Expression::One(one(words, several)?));
        }
        any.push(Expression::all(all)?);
    }
    Expression::any(any)
}

/// One licence of a synopsis, with its exception. None where the words are no name: too many,
/// or several in a synopsis of several parts, and not known.
fn one(words: &[&str], several: bool) -> Option<String> {
    let at = words.iter().position(|word| is_any(word, &["with"]));
    let (name, exception) = words.split_at(at.unwrap_or(words.len()));
    if name.is_empty() || name.len() > MOST_WORDS || exception.len() > 2 + MOST_WORDS {
        return None;
    }
    let several_words = name.len() > 1;
    let name = name.join("-");
    let licence = licence(&name);
    if licence.is_none() && several && several_words {
        return None;
    }
    if exception.is_empty() {
        return licence.or_else(|| reference(&name));
    }
    let keywords = keywords(exception);
    match (licence, exception_of(&keywords)) {
        (Some(licence), Some(exception)) if !licence.starts_with("LicenseRef-") => {
            Some(format!("{licence} WITH {exception}"))
        }
        _ => reference(&format!("{name}-with-{keywords}-exception")),
    }
}

/// The words between `with` and `exception`, as one.
fn keywords(words: &[&str]) -> String {
    let plain = |word: &&&str| !is_any(word, &["with", "exception", "exceptions"]);
    let words: Vec<&str> = words.iter().filter(plain).copied().collect();
    words.join("-")
}

fn exception_of(keywords: &str) -> Option<&'static str> {
    let lower = keywords.to_ascii_lowercase();
    let known = EXCEPTIONS.iter().find(|(keyword, _)| *keyword == lower);
    known
        .map(|(_, id)| *id)
        .or_else(|| identifiers::exception(&lower))
}

/// The SPDX identifier of a short name; none where SPDX has none.
pub(crate) fn licence(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, id)) = SHORT_NAMES.iter().find(|(short, _)| *short == lower) {
        return Some((*id).to_owned());
    }
    gnu(&lower)
        .or_else(|| identifiers::licence(&lower))
        .or_else(|| versions(&lower).find_map(|one| identifiers::licence(&one)))
        .or_else(|| zope(&lower))
}

/// A name of a GNU licence, such as `gpl-2+`, `lgplv2.1` or `gfdl-niv-1.3+`.
fn gnu(lower: &str) -> Option<String> {
    let (bare, later) = match lower.strip_suffix('+') {
        Some(bare) => (bare, true),
        None => (lower, false),
    };
    // The longest family first: `gfdl-niv-1.3` is no `gfdl`.
    let (family, lowest) = GNU.iter().rev().find(|(family, _)| {
        bare.strip_prefix(family)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic() && c != 'v'))
    })?;
    let rest = bare.strip_prefix(family)?;
    let version = rest.trim_start_matches('-').trim_start_matches('v');
    let version = match version {
        "" => lowest,
        _ => version,
    };
    let id = |version: &str| {
        let family = match *family {
            "gfdl-niv" => "gfdl",
            other => other,
        };
        let niv = match bare.starts_with("gfdl-niv") {
            true => "-no-invariants",
            false => "",
        };
        let grant = if later { "or-later" } else { "only" };
        identifiers::licence(&format!("{family}-{version}{niv}-{grant}"))
    };
    id(version)
        .or_else(|| id(&format!("{version}.0")))
        .or_else(|| version.strip_suffix(".0").and_then(id))
}

/// The same name with `.0` more or less at the end: to Debian they are equal.
fn versions(lower: &str) -> impl Iterator<Item = String> {
    let ends_in_digit = lower.ends_with(|c: char| c.is_ascii_digit());
    let more = ends_in_digit.then(|| format!("{lower}.0"));
    let less = lower.strip_suffix(".0").map(str::to_owned);
    more.into_iter().chain(less)
}

fn zope(lower: &str) -> Option<String> {
    let version = lower.strip_prefix("zope-")?;
    identifiers::licence(&format!("zpl-{version}"))
}
