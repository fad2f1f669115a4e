//! Relations between packages: Debian Policy 7.1 and 7.5, deb-control(5).
//!
//! Restrictions to architectures and build profiles (`[amd64]`, `<!nocheck>`) belong to source
//! packages only and are refused: in a binary package they are a mistake.

use std::cmp::Ordering;
use std::fmt;

use crate::version;

/// The most alternatives and relations that one field may have; the richest of Debian's have
/// some thousands, in `Provides`.
const MOST_ATOMS: usize = 20_000;

/// How a version must compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`, and the old `<`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`, and the old `>`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Operator {
    /// Whether `version` stands so to `bound`.
    pub fn holds(self, version: &str, bound: &str) -> bool {
        let order = version::compare(version, bound);
        match self {
            Self::Earlier => order == Ordering::Less,
            Self::EarlierOrEqual => order != Ordering::Greater,
            Self::Equal => order == Ordering::Equal,
            Self::LaterOrEqual => order != Ordering::Less,
            Self::Later => order == Ordering::Greater,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        }
    }
}

/// What stands behind a name: `name:any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qualifier<'a> {
    /// `:any`: of any architecture, where the package allows it.
    Any,
    /// `:native`: of the architecture of the system.
    Native,
    /// An architecture by its name.
    Architecture(&'a str),
}

/// One name with what is demanded of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Atom<'a> {
    /// The package, or what packages provide.
    pub name: &'a str,
    /// What stands behind the name.
    pub qualifier: Option<Qualifier<'a>>,
    /// The operator and the version, where there is one.
    pub version: Option<(Operator, &'a str)>,
}

impl Atom<'_> {
    /// Whether `version` is what is demanded.
    pub fn admits(&self, version: &str) -> bool {
        self.version
            .is_none_or(|(operator, bound)| operator.holds(version, bound))
    }
}

impl fmt::Display for Atom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        match self.qualifier {
            None => {}
            Some(Qualifier::Any) => f.write_str(":any")?,
            Some(Qualifier::Native) => f.write_str(":native")?,
            Some(Qualifier::Architecture(name)) => write!(f, ":{name}")?,
        }
        match self.version {
            None => Ok(()),
            Some((operator, version)) => write!(f, " ({} {version})", operator.sign()),
        }
    }
}

/// A field that holds no relations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no relation: {why}")]
pub struct RelationError {
    found: String,
    why: &'static str,
}

/// The relations of one field: all must hold, each by one of its alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relations<'a>(pub Vec<Vec<Atom<'a>>>);

impl<'a> Relations<'a> {
    /// Reads the value of a `Depends`, `Conflicts`, `Provides` … field.
    ///
    /// # Errors
    ///
    /// Names the part that is not written as Policy 7.1 has it.
    pub fn parse(value: &'a str) -> Result<Self, RelationError> {
        let mut all = Vec::new();
        let mut atoms = 0;
        for group in value
            .split(',')
            .map(str::trim)
            .filter(|group| !group.is_empty())
        {
            let alternatives = group.split('|').map(|text| atom(text.trim()));
            let alternatives: Vec<_> = alternatives.collect::<Result<_, _>>()?;
            atoms += alternatives.len();
            if atoms > MOST_ATOMS {
                return Err(error(group, "the field has more than 20000 names"));
            }
            all.push(alternatives);
        }
        Ok(Self(all))
    }

    /// Reads a field that knows no alternatives: `Conflicts`, `Breaks`, `Provides`, `Replaces`.
    ///
    /// # Errors
    ///
    /// As [`Relations::parse`], and for a `|`.
    pub fn parse_flat(value: &'a str) -> Result<Vec<Atom<'a>>, RelationError> {
        if value.contains('|') {
            return Err(error(value, "this field knows no alternatives"));
        }
        Ok(Self::parse(value)?.0.into_iter().flatten().collect())
    }
}

fn error(found: &str, why: &'static str) -> RelationError {
    RelationError {
        found: found.chars().take(80).collect(),
        why,
    }
}

fn atom(text: &str) -> Result<Atom<'_>, RelationError> {
    let end = text
        .find(|c: char| c.is_whitespace() || c == '(')
        .unwrap_or(text.len());
    let (full, rest) = text.split_at(end);
    let (name, qualifier) = match full.split_once(':') {
        None => (full, None),
        Some((name, qualifier)) => (name, Some(qualifier)),
    };
    if !is_package_name(name) {
        return Err(error(text, "a package's name was expected"));
    }
    Ok(Atom {
        name,
        qualifier: qualifier
            .map(|word| read_qualifier(word, text))
            .transpose()?,
        version: restriction(rest.trim(), text)?,
    })
}

/// Policy 5.6.1 asks for lower case; some archives do not, and dpkg reads theirs.
pub(crate) fn is_package_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_'))
}

fn read_qualifier<'a>(word: &'a str, text: &str) -> Result<Qualifier<'a>, RelationError> {
    match word {
        "any" => Ok(Qualifier::Any),
        "native" => Ok(Qualifier::Native),
        _ if !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
            Ok(Qualifier::Architecture(word))
        }
        _ => Err(error(
            text,
            "`any`, `native` or an architecture was expected behind the colon",
        )),
    }
}

fn restriction<'a>(
    rest: &'a str,
    text: &str,
) -> Result<Option<(Operator, &'a str)>, RelationError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let inner = rest
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    let inner = inner.ok_or_else(|| error(text, "a version in parentheses was expected"))?;
    let (operator, version) = read_operator(inner.trim());
    match version::check(version) {
        Ok(()) => Ok(Some((operator, version))),
        Err(why) => Err(error(text, why)),
    }
}

fn read_operator(text: &str) -> (Operator, &str) {
    let signs = [
        ("<<", Operator::Earlier),
        ("<=", Operator::EarlierOrEqual),
        (">=", Operator::LaterOrEqual),
        (">>", Operator::Later),
        ("=", Operator::Equal),
        ("<", Operator::EarlierOrEqual),
        (">", Operator::LaterOrEqual),
    ];
    let found = signs
        .iter()
        .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)));
    let (operator, version) = found.unwrap_or((Operator::Equal, text));
    (operator, version.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_read_and_shown_again() {
        let value = "a, b (>= 1:2.0~),c|d:any(<<3)\n , e:native (= 1-2),\n f:i386 ( >> 4 ) | g";
        let read = Relations::parse(value).unwrap();
        let shown: Vec<String> = read
            .0
            .iter()
            .map(|group| {
                group
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" | ")
            })
            .collect();
        assert_eq!(
            shown,
            [
                "a",
                "b (>= 1:2.0~)",
                "c | d:any (<< 3)",
                "e:native (= 1-2)",
                "f:i386 (>> 4) | g",
            ]
        );
        assert_eq!(Relations::parse("").unwrap().0.len(), 0);
    }

    #[test]
    fn the_old_signs_mean_or_equal() {
        let read = Relations::parse("a (< 1), b (> 1), c (1)").unwrap();
        let operators: Vec<_> = read
            .0
            .iter()
            .flatten()
            .map(|atom| atom.version.unwrap().0)
            .collect();
        assert_eq!(
            operators,
            [
                Operator::EarlierOrEqual,
                Operator::LaterOrEqual,
                Operator::Equal
            ]
        );
    }

    #[test]
    fn what_is_no_relation_is_refused() {
        for text in [
            "|",
            "a |",
            "a (",
            "a (>= )",
            "a (>= 1) b",
            "a [amd64]",
            "a <!x>",
            "-a",
            "a:",
            "a:b c",
            "a (>= x)",
        ] {
            assert!(Relations::parse(text).is_err(), "{text}");
        }
        assert!(Relations::parse_flat("a | b").is_err());
    }
}
