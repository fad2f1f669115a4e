//! What is wrong with a description, and how it is shown: file, line, caret,
//! what was found, what was expected, and the way out.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use crate::source::{Sources, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Works, but the user should know.
    Warning,
    /// Nothing is built from a description with an error.
    Error,
}

/// One finding about a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The id of the rule that was broken; `cargo xtask explain ID` tells more.
    pub rule: &'static str,
    /// Whether it stops the build.
    pub severity: Severity,
    /// The key that it is about, such as `disk.serial` or `gpu[1].slot`.
    pub key: String,
    /// The place in the texts; empty when the key stands nowhere (a default).
    pub span: Option<Span>,
    /// What is wrong, in one sentence, with what was found.
    pub message: String,
    /// What belongs here, as the label under the caret.
    pub expected: String,
    /// What to do about it.
    pub help: Vec<String>,
    /// Whether the line at the place may hold a secret, and is not to be shown.
    pub secret: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    rule: &'a str,
    severity: Severity,
    key: &'a str,
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    expected: &'a str,
    help: &'a [String],
}

impl Diagnostic {
    /// A finding at `key`; the place is filled in by whoever knows the texts.
    pub fn new(
        rule: &'static str,
        severity: Severity,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            severity,
            key: key.into(),
            span: None,
            message: message.into(),
            expected: String::new(),
            help: Vec::new(),
            secret: false,
        }
    }

    /// An error at `key`.
    pub fn error(rule: &'static str, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(rule, Severity::Error, key, message)
    }

    /// A warning at `key`.
    pub fn warning(rule: &'static str, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(rule, Severity::Warning, key, message)
    }

    /// Says what belongs at the place.
    #[must_use]
    pub fn expected(mut self, text: impl Into<String>) -> Self {
        self.expected = text.into();
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Puts the finding at a place.
    #[must_use]
    pub fn at(mut self, span: Option<Span>) -> Self {
        self.span = span;
        self
    }

    /// The finding as a terminal shows it, `color` with ANSI colours.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str()).id(self.rule);
        let mut group = Group::with_title(title);
        match self.span.as_ref().and_then(|span| sources.locate(span)) {
            Some((file, _)) if self.secret => {
                let position = self.span.as_ref().and_then(|span| sources.position(span));
                let mut origin = Origin::path(file.name.as_str());
                if let Some((_, line, column)) = position {
                    origin = origin.line(line).char_column(column);
                }
                group = group
                    .element(origin)
                    .element(Level::NOTE.message(self.expected.as_str()));
            }
            Some((file, range)) => {
                let mark = AnnotationKind::Primary
                    .span(range)
                    .label(self.expected.as_str());
                let snippet = Snippet::source(file.text.as_str())
                    .path(file.name.as_str())
                    .annotation(mark);
                group = group.element(snippet);
            }
            None => {
                if let Some(file) = sources.files().last() {
                    group = group.element(Origin::path(file.name.as_str()));
                }
                if !self.expected.is_empty() {
                    group = group.element(Level::NOTE.message(self.expected.as_str()));
                }
            }
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group]).to_string()
    }

    /// The finding in one line, for places without room for a snippet.
    pub fn line(&self, sources: &Sources) -> String {
        let mut line = String::new();
        if let Some((file, row, column)) =
            self.span.as_ref().and_then(|span| sources.position(span))
        {
            let _ = write!(line, "{file}:{row}:{column}: ");
        }
        let _ = write!(line, "{} [{}]", self.message, self.rule);
        line
    }

    /// The finding as a JSON value: rule, severity, key, file, line, column,
    /// message, expected, help.
    pub fn json(&self, sources: &Sources) -> serde_json::Value {
        let place = self.span.as_ref().and_then(|span| sources.position(span));
        let json = Json {
            rule: self.rule,
            severity: self.severity,
            key: &self.key,
            file: place.map(|(file, _, _)| file),
            line: place.map(|(_, line, _)| line),
            column: place.map(|(_, _, column)| column),
            message: &self.message,
            expected: &self.expected,
            help: &self.help,
        };
        serde_json::to_value(json).unwrap_or_default()
    }
}
