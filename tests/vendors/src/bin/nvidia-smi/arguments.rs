//! The options, in the two forms that the real program takes: `-i X` and `--id=X`.

use crate::failure::Failure;

/// What is to be done.
pub(crate) enum Action {
    /// A short table.
    Table,
    /// A line a card.
    List,
    /// Versions.
    Version,
    /// These columns of each card.
    Query(Vec<String>),
    /// These columns of each process that computes.
    Processes(Vec<String>),
    /// Sets the power limit in watts.
    PowerLimit(f64),
    /// Sets the persistence mode.
    PersistenceMode(bool),
}

/// How a query is printed.
#[derive(Default)]
pub(crate) struct Format {
    /// Without the line of column names.
    pub(crate) noheader: bool,
    /// Without units.
    pub(crate) nounits: bool,
}

/// The command line.
pub(crate) struct Arguments {
    pub(crate) action: Action,
    pub(crate) card: Option<String>,
    pub(crate) format: Format,
}

/// An option whose value follows it, in one word or the next.
const WITH_VALUE: &[(&str, &str)] = &[
    ("-i", "--id"),
    ("-pl", "--power-limit"),
    ("-pm", "--persistence-mode"),
    ("--query-gpu", "--query-gpu"),
    ("--query-compute-apps", "--query-compute-apps"),
    ("--format", "--format"),
];

impl Arguments {
    /// Reads the command line.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut read = Arguments {
            action: Action::Table,
            card: None,
            format: Format::default(),
        };
        let mut formatted = false;
        let mut words = words;
        while let Some(word) = words.next() {
            let (name, mut value) = match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (word, None),
            };
            let long = WITH_VALUE
                .iter()
                .find(|(short, long)| name == *short || name == *long);
            if long.is_some() && value.is_none() {
                value = words.next();
            }
            let name = long.map_or(name.as_str(), |(_, long)| long);
            formatted |= name == "--format";
            read.take(name, value.as_deref())?;
        }
        let query = matches!(read.action, Action::Query(_) | Action::Processes(_));
        if query && !formatted {
            return Err(Failure::usage(
                "\"--format=\" switch is missing. Please run 'nvidia-smi -h' for help.",
            ));
        }
        Ok(read)
    }

    fn take(&mut self, name: &str, value: Option<&str>) -> Result<(), Failure> {
        let wrong = || {
            Failure::usage(&format!(
                "Option {name} is not recognized or lacks a value."
            ))
        };
        match (name, value) {
            ("-L" | "--list-gpus", None) => self.action = Action::List,
            ("--version", None) => self.action = Action::Version,
            ("--id", Some(card)) => self.card = Some(card.to_owned()),
            ("--query-gpu", Some(names)) => self.action = Action::Query(columns(names)),
            ("--query-compute-apps", Some(names)) => {
                self.action = Action::Processes(columns(names));
            }
            ("--format", Some(format)) => self.format = Format::parse(format)?,
            ("--power-limit", Some(watts)) => {
                let watts = watts.parse().ok().filter(|watts: &f64| watts.is_finite());
                self.action = Action::PowerLimit(watts.ok_or_else(wrong)?);
            }
            ("--persistence-mode", Some("0" | "DISABLED")) => {
                self.action = Action::PersistenceMode(false);
            }
            ("--persistence-mode", Some("1" | "ENABLED")) => {
                self.action = Action::PersistenceMode(true);
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

fn columns(names: &str) -> Vec<String> {
    names
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect()
}

impl Format {
    fn parse(text: &str) -> Result<Self, Failure> {
        let words = columns(text);
        if !words.iter().any(|word| word == "csv") {
            return Err(Failure::usage(&format!(
                "The value of --format is `{text}`, and this stand-in prints csv only."
            )));
        }
        Ok(Format {
            noheader: words.iter().any(|word| word == "noheader"),
            nounits: words.iter().any(|word| word == "nounits"),
        })
    }
}
