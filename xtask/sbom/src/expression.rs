//! Licence expressions: SPDX specification 2.3, annex D. One expression has one text:
//! operands are sorted, each stands once, and only those parentheses are written that are
//! needed.

use std::collections::BTreeSet;

use crate::identifiers;

/// How deep parentheses may stand in each other.
const DEEPEST: usize = 16;

/// A licence expression.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Expression {
    /// One licence, with its exception where it has one.
    One(String),
    /// Any of these.
    Or(BTreeSet<Expression>),
    /// All of these.
    And(BTreeSet<Expression>),
}

impl Expression {
    /// All of these, in one expression.
    pub(crate) fn all(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut flat = BTreeSet::new();
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                one => drop(flat.insert(one)),
            }
        }
        single_or(flat, Self::And)
    }

    /// Any of these, in one expression.
    pub(crate) fn any(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut flat = BTreeSet::new();
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                one => drop(flat.insert(one)),
            }
        }
        single_or(flat, Self::Or)
    }

    /// How many licences stand in it.
    pub(crate) fn terms(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Or(parts) | Self::And(parts) => parts.iter().map(Self::terms).sum(),
        }
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::One(name) => name.clone(),
            Self::Or(parts) => joined(parts, " OR ", |_| false),
            Self::And(parts) => joined(parts, " AND ", |part| matches!(part, Self::Or(_))),
        }
    }

    /// Reads an expression; none where it is none, or names a licence that is not known.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut reader = Reader {
            words: &words,
            depth: 0,
        };
        let found = reader.any()?;
        reader.words.is_empty().then_some(found)
    }
}

fn single_or(
    mut parts: BTreeSet<Expression>,
    join: impl FnOnce(BTreeSet<Expression>) -> Expression,
) -> Option<Expression> {
    match parts.len() {
        0 | 1 => parts.pop_first(),
        _ => Some(join(parts)),
    }
}

fn joined(
    parts: &BTreeSet<Expression>,
    by: &str,
    in_parentheses: impl Fn(&Expression) -> bool,
) -> String {
    let texts: Vec<String> = parts
        .iter()
        .map(|part| match in_parentheses(part) {
            true => format!("({})", part.text()),
            false => part.text(),
        })
        .collect();
    texts.join(by)
}

/// Reads the words of an expression; `WITH` binds closest, then `AND`, then `OR`.
struct Reader<'w> {
    words: &'w [&'w str],
    depth: usize,
}

impl<'w> Reader<'w> {
    fn any(&mut self) -> Option<Expression> {
        let mut parts = vec![self.all()?];
        while self.take("OR") {
            parts.push(self.all()?);
        }
        Expression::any(parts)
    }

    fn all(&mut self) -> Option<Expression> {
        let mut parts = vec![self.one()?];
        while self.take("AND") {
            parts.push(self.one()?);
        }
        Expression::all(parts)
    }

    fn one(&mut self) -> Option<Expression> {
        if self.take("(") {
            self.depth += 1;
            let inner = (self.depth <= DEEPEST).then(|| self.any())??;
            self.depth -= 1;
            return self.take(")").then_some(inner);
        }
        let licence = known(self.next()?)?;
        if !self.take("WITH") {
            return Some(Expression::One(licence));
        }
        let exception = identifiers::exception(self.next()?)?;
        Some(Expression::One(format!("{licence} WITH {exception}")))
    }

    fn next(&mut self) -> Option<&'w str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn take(&mut self, word: &str) -> bool {
        let fits = self
            .words
            .first()
            .is_some_and(|first| first.eq_ignore_ascii_case(word));
        if fits {
            self.next();
        }
        fits
    }
}

/// A licence by its identifier, its identifier with a `+`, or a reference.
fn known(word: &str) -> Option<String> {
    if let Some(id) = word.strip_prefix("LicenseRef-") {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        return (!id.is_empty() && id.bytes().all(plain)).then(|| word.to_owned());
    }
    if let Some(found) = identifiers::licence(word) {
        return Some(found);
    }
    let bare = identifiers::licence(word.strip_suffix('+')?)?;
    Some(format!("{bare}+"))
}
