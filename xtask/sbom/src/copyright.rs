//! Licences out of a Debian package's copyright file: the machine-readable format 1.0
//! (sections 4, 5 and 6.7), or free text that points at /usr/share/common-licenses.

use std::collections::BTreeSet;

use crate::expression::Expression;
use crate::licence::Licence;
use crate::{freeform, short_names};

/// The longest text that is read, in bytes: linux-firmware's is 0.2 MB.
const MOST_BYTES: usize = 4 << 20;
/// The most licences that an expression is made of. Past that it is no list that anybody
/// reads, and half of it would say less than is true.
const MOST_TERMS: usize = 256;

/// The licence that a package's copyright file (/usr/share/doc/NAME/copyright) states: all
/// that stand in it, each once, joined by `AND`.
///
/// A file in the machine-readable format gives the short names of its Files stanzas, or its
/// header's where it has no such stanza. What has no standard short name becomes a
/// `LicenseRef-` of its name, and a text without any name `LicenseRef-unnamed`. A free text
/// gives what it points at below /usr/share/common-licenses. None where neither is there, or
/// where the text is longer than 4 MiB.
#[must_use]
pub fn licence_of_copyright(text: &str) -> Option<Licence> {
    if text.len() > MOST_BYTES {
        return None;
    }
    let expression = match is_machine_readable(text) {
        true => of_stanzas(text),
        false => freeform::licences(text),
    }?;
    (expression.terms() <= MOST_TERMS).then(|| Licence::of(&expression))
}

/// Whether the first field is `Format` with the format's address, in any of its spellings.
fn is_machine_readable(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    first.is_some_and(|line| {
        let line = line.trim_start_matches('\u{feff}').to_ascii_lowercase();
        let named = line.starts_with("format:") || line.starts_with("format-specification:");
        let ours = ["copyright-format", "dep5", "dep-5", "copyrightformat"];
        named && ours.iter().any(|name| line.contains(name))
    })
}

/// What of a stanza matters here.
#[derive(Default)]
struct Stanza<'t> {
    files: bool,
    /// The first line of its License field.
    synopsis: Option<&'t str>,
}

fn of_stanzas(text: &str) -> Option<Expression> {
    let (header, rest) = stanzas(text);
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    for stanza in rest.iter().filter(|stanza| stanza.files) {
        let synopsis = stanza.synopsis.unwrap_or_default();
        // A file may have thousands of stanzas and a dozen licences.
        if seen.insert(synopsis) {
            found.insert(short_names::synopsis(synopsis));
        }
    }
    match header.synopsis {
        Some(synopsis) if found.is_empty() => Some(short_names::synopsis(synopsis)),
        _ => Expression::all(found),
    }
}

/// The header and the stanzas after it. Stanzas are parted by empty lines; a line that
/// starts with a space goes on with the field before it.
fn stanzas(text: &str) -> (Stanza<'_>, Vec<Stanza<'_>>) {
    let mut all: Vec<Stanza<'_>> = Vec::new();
    let mut between = true;
    for line in text.lines() {
        if line.trim().is_empty() {
            between = true;
            continue;
        }
        if line.starts_with([' ', '\t', '#']) {
            continue;
        }
        if std::mem::take(&mut between) {
            all.push(Stanza::default());
        }
        if let (Some(stanza), Some((name, value))) = (all.last_mut(), line.split_once(':')) {
            stanza.field(name, value.trim());
        }
    }
    let mut all = all.into_iter();
    (all.next().unwrap_or_default(), all.collect())
}

impl<'t> Stanza<'t> {
    fn field(&mut self, name: &str, value: &'t str) {
        if name.eq_ignore_ascii_case("files") {
            self.files = true;
        } else if name.eq_ignore_ascii_case("license") {
            self.synopsis = Some(value);
        }
    }
}
