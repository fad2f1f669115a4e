//! Values by their key paths, and a reading that leaves no key over.

use anyhow::{Result, bail};
use serde_json::json;

/// What stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// A fraction or a date; no key that is played here has one.
    Other(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// Keys in the order of the file.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The same as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => json!(null),
            Self::Bool(value) => json!(value),
            Self::Whole(number) => json!(number),
            Self::Other(text) | Self::Text(text) => json!(text),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => {
                let pairs = entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }

    /// The same from JSON.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Whole(whole),
                None => Self::Other(number.to_string()),
            },
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(items) => {
                Self::List(items.iter().map(Self::from_json).collect())
            }
            serde_json::Value::Object(pairs) => {
                let entries = pairs
                    .iter()
                    .map(|(key, value)| (key.clone(), Self::from_json(value)));
                Self::Map(entries.collect())
            }
        }
    }

    /// The value of a key, where this has keys.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Map(entries) => entries
                .iter_mut()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// What it is, in words; never the value itself, which may be a secret.
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Whole(_) => "a number",
            Self::Other(_) => "a fraction or a date",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a table of keys",
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// The keys that lead to it, with dots between.
    pub path: String,
    /// The value.
    pub value: &'a Value,
}

impl<'a> Node<'a> {
    /// The value at the top.
    pub fn top(name: &str, value: &'a Value) -> Self {
        Self {
            path: name.to_owned(),
            value,
        }
    }

    /// A message in the form of all: place, found, expected.
    pub fn refused<T>(&self, found: &str, expected: &str) -> Result<T> {
        bail!("{}: found {found}, expected {expected}", self.path)
    }

    fn wrong<T>(&self, expected: &str) -> Result<T> {
        self.refused(self.value.kind(), expected)
    }

    /// A text.
    pub fn text(&self) -> Result<String> {
        match self.value {
            Value::Text(text) => Ok(text.clone()),
            _ => self.wrong("a text (in quotes, where YAML 1.1 would read something else)"),
        }
    }

    /// A text that stands on one line.
    pub fn line(&self) -> Result<String> {
        let text = self.text()?;
        match text.contains(['\n', '\0']) {
            true => self.refused("a text of several lines", "one line"),
            false => Ok(text),
        }
    }

    /// A truth value.
    pub fn truth(&self) -> Result<bool> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => self.wrong("`true` or `false`"),
        }
    }

    /// A whole number that is not negative.
    pub fn whole(&self) -> Result<u64> {
        match self.value {
            Value::Whole(number) if *number >= 0 => Ok(number.unsigned_abs()),
            _ => self.wrong("a whole number"),
        }
    }

    /// The items of a list.
    pub fn list(&self) -> Result<Vec<Node<'a>>> {
        let Value::List(items) = self.value else {
            return self.wrong("a list");
        };
        let node = |(at, value)| Node {
            path: format!("{}[{at}]", self.path),
            value,
        };
        Ok(items.iter().enumerate().map(node).collect())
    }

    /// The texts of a list.
    pub fn texts(&self) -> Result<Vec<String>> {
        self.list()?.iter().map(Node::line).collect()
    }

    /// One of these words.
    pub fn one_of(&self, words: &[&str]) -> Result<String> {
        let text = self.line()?;
        match words.contains(&text.as_str()) {
            true => Ok(text),
            false => self.refused(
                &format!("`{text}`"),
                &format!("one of {}", words.join(", ")),
            ),
        }
    }

    /// Its keys.
    pub fn keys(&self) -> Result<Keys<'a>> {
        let Value::Map(entries) = self.value else {
            return self.wrong("a table of keys");
        };
        let left = entries
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        Ok(Keys {
            path: self.path.clone(),
            left,
            known: Vec::new(),
        })
    }

    /// All entries of a table whose keys are names.
    pub fn entries(&self) -> Result<Vec<(String, Node<'a>)>> {
        let node = |(key, value): (&str, &'a Value)| {
            (
                key.to_owned(),
                Node {
                    path: format!("{}.{key}", self.path),
                    value,
                },
            )
        };
        Ok(self.keys()?.left.into_iter().map(node).collect())
    }
}

/// The keys of a table that were not asked for yet.
#[derive(Debug)]
pub struct Keys<'a> {
    path: String,
    left: Vec<(&'a str, &'a Value)>,
    known: Vec<&'static str>,
}

impl<'a> Keys<'a> {
    /// The value of a key, where it is there.
    pub fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.push(key);
        let at = self.left.iter().position(|(name, _)| *name == key)?;
        let (_, value) = self.left.remove(at);
        Some(Node {
            path: format!("{}.{key}", self.path),
            value,
        })
    }

    /// The value of a key that must be there.
    pub fn need(&mut self, key: &'static str) -> Result<Node<'a>> {
        let path = self.path.clone();
        match self.take(key) {
            Some(node) => Ok(node),
            None => bail!("{path}.{key}: found nothing, expected a value"),
        }
    }

    /// Names keys that the real installer knows and this one does not play.
    pub fn refuse_unplayed(&mut self, keys: &[&str]) -> Result<()> {
        match self.left.iter().find(|(name, _)| keys.contains(name)) {
            Some((name, _)) => bail!(
                "{}.{name}: found a key that the real installer knows, expected one that this stand-in plays",
                self.path
            ),
            None => Ok(()),
        }
    }

    /// Refuses what nobody asked for.
    pub fn done(self) -> Result<()> {
        match self.left.first() {
            Some((name, _)) => bail!(
                "{}.{name}: found an unknown key, expected one of {}",
                self.path,
                self.known.join(", ")
            ),
            None => Ok(()),
        }
    }
}
