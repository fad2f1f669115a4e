//! Control data as stanzas of fields: Debian Policy 5.1, deb822(5).
//!
//! Everything borrows from the text. A field's value keeps its folds: the line ends and
//! leading blanks of its continuation lines are part of it, because what they mean is for
//! the field to say.

/// The longest line that is read, in bytes. The longest in Debian's archive, a `Provides`,
/// has some 100 kB.
pub(crate) const LONGEST_LINE: usize = 1024 * 1024;

/// The most fields that a stanza may have; the richest of Debian's have under 40.
const MOST_FIELDS: usize = 256;

/// A field of a stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// As it was written; names are compared without regard to case.
    pub name: &'a str,
    /// Without the blanks around it.
    pub value: &'a str,
}

/// A text that is no control data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ControlError {
    /// The line, counted from 1.
    pub line: usize,
    what: String,
}

/// Reads the stanzas of a text one after the other.
#[derive(Debug, Clone)]
pub struct Stanzas<'a> {
    text: &'a str,
    at: usize,
}

/// What stands on a line.
enum Line<'a> {
    Empty,
    Continuation,
    Field(Field<'a>),
}

impl<'a> Stanzas<'a> {
    /// A reader of `bytes`.
    ///
    /// # Errors
    ///
    /// Bytes that are no UTF-8, or that hold a carriage return.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ControlError> {
        let error = |at: usize, what: &str| ControlError {
            line: line_number(bytes, at),
            what: what.to_owned(),
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|broken| error(broken.valid_up_to(), "control data is UTF-8, this is not"))?;
        match memchr::memchr(b'\r', bytes) {
            Some(at) => Err(error(
                at,
                "a carriage return; lines end in a line feed only",
            )),
            None => Ok(Self { text, at: 0 }),
        }
    }

    /// Reads the next stanza into `fields`, in their order; `false` at the end of the text.
    ///
    /// # Errors
    ///
    /// A line that is no field, a field that stands twice, a line or a stanza that is too long.
    pub fn read(&mut self, fields: &mut Vec<Field<'a>>) -> Result<bool, ControlError> {
        fields.clear();
        // One bit a hash of a name: only names whose bit is taken are compared.
        let mut seen = 0_u64;
        while let Some(line) = self.line()? {
            match self.classify(line)? {
                Line::Empty if fields.is_empty() => {}
                Line::Empty => return Ok(true),
                Line::Continuation => self.continue_last(fields, line)?,
                Line::Field(field) => {
                    let bit = 1 << (hash(field.name) & 63);
                    if seen & bit != 0 && find(fields, field.name).is_some() {
                        return Err(
                            self.error(line, format!("the field {} stands twice", field.name))
                        );
                    }
                    seen |= bit;
                    if fields.len() == MOST_FIELDS {
                        return Err(
                            self.error(line, format!("more than {MOST_FIELDS} fields in a stanza"))
                        );
                    }
                    fields.push(field);
                }
            }
        }
        Ok(!fields.is_empty())
    }

    /// The next line without its end.
    fn line(&mut self) -> Result<Option<&'a str>, ControlError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        if end > LONGEST_LINE {
            return Err(self.error(
                line,
                format!("a line of {end} bytes; at most {LONGEST_LINE} are read"),
            ));
        }
        self.at += end + 1;
        Ok(Some(line))
    }

    fn classify(&self, line: &'a str) -> Result<Line<'a>, ControlError> {
        match line.as_bytes().first() {
            None => return Ok(Line::Empty),
            Some(b' ' | b'\t') => return Ok(Line::Continuation),
            Some(_) => {}
        }
        let field = line.split_once(':').filter(|(name, _)| is_name(name));
        match field {
            Some((name, value)) => Ok(Line::Field(Field {
                name,
                value: trim(value),
            })),
            None => {
                let start: String = line.chars().take(60).collect();
                Err(self.error(
                    line,
                    format!("a field (`Name: value`) was expected, found {start:?}"),
                ))
            }
        }
    }

    /// Lets the value of the last field reach to the end of `line`.
    fn continue_last(&self, fields: &mut [Field<'a>], line: &'a str) -> Result<(), ControlError> {
        let Some(last) = fields.last_mut() else {
            return Err(self.error(line, "a continuation line without a field".to_owned()));
        };
        let start = self.offset(last.name) + last.name.len() + 1;
        let end = self.offset(line) + line.len();
        last.value = trim(self.text.get(start..end).unwrap_or_default());
        Ok(())
    }

    /// Where `part`, a part of the text, starts in it.
    fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }

    fn error(&self, line: &str, what: String) -> ControlError {
        let line = line_number(self.text.as_bytes(), self.offset(line));
        ControlError { line, what }
    }

    /// The line, counted from 1, at which the next stanza is looked for.
    pub(crate) fn next_line(&self) -> usize {
        line_number(self.text.as_bytes(), self.at)
    }
}

/// The value of the field `name`.
pub(crate) fn find<'a>(fields: &[Field<'a>], name: &str) -> Option<&'a str> {
    let found = fields
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name));
    found.map(|field| field.value)
}

fn line_number(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(..at).unwrap_or(bytes);
    1 + memchr::memchr_iter(b'\n', before).count()
}

/// Policy 5.1: printable US-ASCII without blanks and the colon, not starting with `#` or `-`.
fn is_name(name: &str) -> bool {
    !name.starts_with(['#', '-']) && !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic())
}

/// Upper and lower case give the same.
fn hash(name: &str) -> u32 {
    let fold = |hash: u32, byte: u8| hash.wrapping_mul(31) + u32::from(byte | 0x20);
    name.bytes().fold(0_u32, |a, b| fold(a & 0x00ff_ffff, b))
}

fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanzas(text: &str) -> Result<Vec<Vec<(String, String)>>, ControlError> {
        let mut reader = Stanzas::new(text.as_bytes())?;
        let (mut all, mut fields) = (Vec::new(), Vec::new());
        while reader.read(&mut fields)? {
            let owned = fields
                .iter()
                .map(|f| (f.name.to_owned(), f.value.to_owned()));
            all.push(owned.collect());
        }
        Ok(all)
    }

    #[test]
    fn stanzas_fields_and_folds_are_read() {
        let read = stanzas("\n\nA: 1\nB:\n x\n  y \n\n\nC:3\n").unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            read,
            [
                vec![pair("A", "1"), pair("B", "x\n  y")],
                vec![pair("C", "3")]
            ]
        );
        assert!(stanzas("").unwrap().is_empty());
        assert_eq!(stanzas("A: é: b").unwrap(), [[pair("A", "é: b")]]);
    }

    #[test]
    fn what_is_no_control_data_is_refused_with_its_line() {
        let long = format!("A: 1\nB: {}\n", "x".repeat(LONGEST_LINE));
        for (text, line) in [
            ("A: 1\nB 2\n", 2),
            (" A: 1\n", 1),
            ("A: 1\r\n", 1),
            ("A: 1\n#b: 2\n", 2),
            ("A: 1\nB: 1\na: 2\n", 3),
            ("\n: 2\n", 2),
            ("A b: 2\n", 1),
            (&long, 2),
        ] {
            assert_eq!(
                stanzas(text).unwrap_err().line,
                line,
                "{:?}",
                &text[..20.min(text.len())]
            );
        }
        assert!(Stanzas::new(b"A: \xff").is_err());
    }
}
