//! The texts that a description is made of: the file itself and what it
//! `extends`, each with its name, so that a message can point into any of them.
//!
//! All texts share one address space (each file begins where the one before it
//! ends), so that a place is a plain range and the parser's own spans can carry
//! the file along.

use std::ops::Range;

/// A range of bytes in the address space of a [`Sources`].
pub type Span = Range<usize>;

/// One text with the name it is shown under.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path as the user would write it.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where this text begins in the shared address space.
    pub offset: usize,
}

impl Source {
    fn end(&self) -> usize {
        self.offset + self.text.len()
    }
}

/// A description's texts, the most basic first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
}

/// Why the texts of a description could not be brought together.
#[derive(Debug)]
pub enum LoadError {
    /// A file could not be read; the text says which, and why.
    Unreadable(String),
    /// `extends` leads back to a file that is already part of the description.
    Circle(Vec<String>),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) => f.write_str(why),
            Self::Circle(names) => write!(
                f,
                "`extends` goes round in a circle: {}; one of these files must extend nothing",
                names.join(" -> ")
            ),
        }
    }
}

impl std::error::Error for LoadError {}

/// How deep `extends` may nest: more than a room of workstations needs, and few
/// enough that a circle through differently spelled paths ends as well.
const MAX_DEPTH: usize = 16;

impl Sources {
    /// A description of a single text.
    pub fn single(name: impl Into<String>, text: impl Into<String>) -> Self {
        let mut sources = Self::default();
        sources.push(name.into(), text.into());
        sources
    }

    /// Loads `name` and, through `read`, everything that it extends.
    ///
    /// `read` gets the name of a file as it stands and, where the name comes out
    /// of an `extends`, the name of the file that says so; it answers with the
    /// name to show (and to detect circles by) and the text.
    ///
    /// # Errors
    /// When a file cannot be read or `extends` goes round in a circle.
    pub fn load(
        name: &str,
        mut read: impl FnMut(&str, Option<&str>) -> Result<(String, String), String>,
    ) -> Result<Self, LoadError> {
        let mut chain: Vec<(String, String)> = Vec::new();
        let mut next = Some(name.to_owned());
        while let Some(wanted) = next.take() {
            let from = chain.last().map(|(name, _)| name.as_str());
            let (shown, text) = read(&wanted, from).map_err(LoadError::Unreadable)?;
            if chain.iter().any(|(name, _)| *name == shown) || chain.len() >= MAX_DEPTH {
                let mut names: Vec<_> = chain.into_iter().map(|(name, _)| name).collect();
                names.push(shown);
                return Err(LoadError::Circle(names));
            }
            next = extends_of(&text);
            chain.push((shown, text));
        }
        let mut sources = Self::default();
        for (name, text) in chain.into_iter().rev() {
            sources.push(name, text);
        }
        Ok(sources)
    }

    /// A description whose texts are known, the most basic first; none without any.
    pub fn of_texts(texts: &[(String, String)]) -> Option<Self> {
        let mut sources = Self::default();
        for (name, text) in texts {
            sources.push(name.clone(), text.clone());
        }
        (!texts.is_empty()).then_some(sources)
    }

    fn push(&mut self, name: String, text: String) {
        // One byte of air between two files keeps the end of one apart from the
        // beginning of the next.
        let offset = self.files.last().map_or(0, |last| last.end() + 1);
        self.files.push(Source { name, text, offset });
    }

    /// The texts, the most basic first and the description itself last.
    pub fn files(&self) -> &[Source] {
        &self.files
    }

    /// The file that a place lies in and the place within it.
    pub fn locate(&self, span: &Span) -> Option<(&Source, Range<usize>)> {
        let file = self
            .files
            .iter()
            .rev()
            .find(|file| file.offset <= span.start)?;
        let clamp = |at: usize| floor_char(&file.text, at.saturating_sub(file.offset));
        Some((
            file,
            clamp(span.start)..clamp(span.end).max(clamp(span.start)),
        ))
    }

    /// File name, line and column (both from 1, the column in characters).
    pub fn position(&self, span: &Span) -> Option<(&str, usize, usize)> {
        let (file, range) = self.locate(span)?;
        let before = file.text.get(..range.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        Some((&file.name, line, column))
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The `extends` of a text, read leniently: whatever else is wrong with the text
/// is found and reported once, later, with everything in view.
fn extends_of(text: &str) -> Option<String> {
    let (table, _) = toml::de::DeTable::parse_recoverable(text);
    let table = table.into_inner();
    let value = table.get("extends")?;
    value.get_ref().as_str().map(str::to_owned)
}
