//! The parsed texts, laid over each other: a description's own keys win over
//! those of what it extends. Tables are merged key by key, everything else
//! (lists too) is replaced whole, so that what a reader sees in one file is
//! what counts.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::source::{Source, Span};

/// Moves every span of `value` by `offset` bytes.
fn shift<'i>(value: Spanned<DeValue<'i>>, offset: usize) -> Spanned<DeValue<'i>> {
    let span = value.span();
    let inner = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, offset)),
        DeValue::Array(array) => {
            let mut moved = DeArray::default();
            for element in array {
                moved.push(shift(element, offset));
            }
            DeValue::Array(moved)
        }
        other => other,
    };
    Spanned::new(span.start + offset..span.end + offset, inner)
}

fn shift_table(table: DeTable<'_>, offset: usize) -> DeTable<'_> {
    table
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            let key = Spanned::new(span.start + offset..span.end + offset, key.into_inner());
            (key, shift(value, offset))
        })
        .collect()
}

/// Lays `over` on top of `base`.
fn merge<'i>(base: &mut DeTable<'i>, over: DeTable<'i>) {
    for (key, value) in over {
        let mergeable = value.get_ref().is_table()
            && base
                .get(key.get_ref().as_ref())
                .is_some_and(|old| old.get_ref().is_table());
        if !mergeable {
            // Removed first: a map keeps the old key, and with it the old place.
            base.remove(key.get_ref().as_ref());
            base.insert(key, value);
            continue;
        }
        let (Some(old), DeValue::Table(new)) =
            (base.get_mut(key.get_ref().as_ref()), value.into_inner())
        else {
            continue;
        };
        if let DeValue::Table(old) = old.get_mut() {
            merge(old, new);
        }
    }
}

/// All texts as one table, with the syntax errors that were met.
pub(crate) fn overlay(files: &[Source]) -> (DeTable<'_>, Vec<(String, Option<Span>)>) {
    let mut all = DeTable::default();
    let mut errors = Vec::new();
    for file in files {
        let (table, found) = DeTable::parse_recoverable(&file.text);
        for error in found {
            let span = error
                .span()
                .map(|span| span.start + file.offset..span.end + file.offset);
            errors.push((error.message().to_owned(), span));
        }
        let mut table = shift_table(table.into_inner(), file.offset);
        table.remove("extends");
        merge(&mut all, table);
    }
    (all, errors)
}

/// One step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// Writes a way as users write it: `gpu[1].slot`.
pub(crate) fn show(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// A key or value found in the merged table.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) path: Vec<Step>,
    pub(crate) key: Option<Span>,
    pub(crate) value: Span,
}

/// Every key and element of the table, parents before children.
pub(crate) fn places(table: &DeTable<'_>) -> Vec<Place> {
    let mut all = Vec::new();
    walk_table(table, &mut Vec::new(), &mut all);
    all
}

fn walk_table(table: &DeTable<'_>, path: &mut Vec<Step>, all: &mut Vec<Place>) {
    for (key, value) in table {
        path.push(Step::Key(key.get_ref().to_string()));
        visit(Some(key.span()), value, path, all);
        path.pop();
    }
}

fn visit(
    key: Option<Span>,
    value: &Spanned<DeValue<'_>>,
    path: &mut Vec<Step>,
    all: &mut Vec<Place>,
) {
    all.push(Place {
        path: path.clone(),
        key,
        value: value.span(),
    });
    match value.get_ref() {
        DeValue::Table(table) => walk_table(table, path, all),
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                path.push(Step::Index(index));
                visit(None, element, path, all);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Takes the value at `path` out of the table; says whether it was there.
pub(crate) fn remove(table: &mut DeTable<'_>, path: &[Step]) -> bool {
    let [Step::Key(key), rest @ ..] = path else {
        return false;
    };
    if rest.is_empty() {
        return table.remove(key.as_str()).is_some();
    }
    table
        .get_mut(key.as_str())
        .is_some_and(|value| remove_in(value.get_mut(), rest))
}

fn remove_in<'i>(value: &mut DeValue<'i>, path: &[Step]) -> bool {
    match (value, path) {
        (DeValue::Table(table), path) => remove(table, path),
        (DeValue::Array(array), [Step::Index(index), rest @ ..]) => {
            if !rest.is_empty() {
                return array
                    .get_mut(*index)
                    .is_some_and(|value| remove_in(value.get_mut(), rest));
            }
            let before = array.len();
            let kept = std::mem::replace(array, DeArray::new());
            for (at, element) in kept.into_iter().enumerate() {
                if at != *index {
                    array.push(element);
                }
            }
            array.len() < before
        }
        _ => false,
    }
}
