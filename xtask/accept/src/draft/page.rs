//! The text of a description as it is put together: keys, and comments around them.

use std::fmt::Write as _;

/// Lines of a comment are no longer than this, in characters.
const WIDTH: usize = 100;

/// What a machine says of itself is cut here in a comment, in characters.
const LONGEST: usize = 80;

/// A description on its way.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    open: Vec<String>,
}

impl Page {
    /// Opens a table, such as `[disk]`.
    pub(super) fn table(&mut self, head: &str) {
        let _ = writeln!(self.text, "\n{head}");
    }

    /// Writes a comment, broken into lines.
    pub(super) fn comment(&mut self, text: &str) {
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
                let _ = writeln!(self.text, "{line}");
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(self.text, "{line}");
    }

    /// Writes a key with its value, quoted as TOML wants it.
    pub(super) fn set(&mut self, key: &str, value: impl Into<toml::Value>) {
        let _ = writeln!(self.text, "{key} = {}", value.into());
    }

    /// Writes a key that a person has to fill in, as a comment, and notes that it is open.
    pub(super) fn fill_in(&mut self, key: &str, example: &str, why: &str) {
        self.comment(&format!("To be filled in: {why}."));
        let _ = writeln!(self.text, "# {key} = {example}");
        self.open(key, why);
    }

    /// Notes that something else is open, which was written as a comment already.
    pub(super) fn open(&mut self, key: &str, why: &str) {
        self.open.push(format!("{key}: {why}"));
    }

    /// A line of its own, such as the schema's.
    pub(super) fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    /// The text, and what is open in it.
    pub(super) fn done(self) -> (String, Vec<String>) {
        (self.text, self.open)
    }
}

/// A text as TOML quotes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// What a machine says of itself, as a comment may hold it: on one line, in printable ASCII
/// (whatever else there is becomes `?`), and not for ever.
pub(super) fn shown(text: &str) -> String {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    let mut shown: String = text.chars().take(LONGEST).map(printable).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push_str("...");
    }
    match shown.trim() {
        "" => "nothing".to_owned(),
        some => format!("`{some}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, quoted, shown};

    #[test]
    fn nothing_of_the_machine_leaves_its_line() {
        let said = shown("a\nname = \"evil\"\u{1b}[31m\u{202e}\u{7f}");
        assert_eq!(said, "`a?name = \"evil\"?[31m??`");
        assert_eq!(shown(" \u{20} "), "nothing");
        assert_eq!(shown(&"x".repeat(1000)).len(), 85);
    }

    #[test]
    fn strings_are_quoted_by_toml() {
        for text in ["plain", "a\"b", "a\\b", "'", "x\u{7f}y", "#"] {
            let line = format!("key = {}", quoted(text));
            let back: toml::Table = toml::from_str(&line).unwrap();
            assert_eq!(back["key"].as_str(), Some(text), "{line}");
        }
    }

    #[test]
    fn comments_are_broken_and_every_line_is_one() {
        let mut page = Page::default();
        page.comment(&"word ".repeat(60));
        let (text, _) = page.done();
        assert!(text.lines().count() == 4, "{text}");
        assert!(
            text.lines()
                .all(|line| line.starts_with("# word") && line.len() <= 100)
        );
    }
}
