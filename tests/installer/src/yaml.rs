//! YAML as the installer reads it.
//!
//! The installer is a Python program and reads with PyYAML, which knows YAML 1.1: a plain
//! `no` is a truth value, `0o17` a text, `017` fifteen and `10:30` a number in base 60.
//! Implements <https://yaml.org/type/> (bool, int, float, null) over the events of a
//! parser of YAML 1.2. Stricter than PyYAML: a key that is there twice, an anchor, a tag
//! and a second document are refused.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use granit_parser::{Event, Parser, ScalarStyle};

use crate::value::Value;

/// The largest file that is read, in bytes.
const MAX_FILE: usize = 1 << 20;

/// Reads one document.
///
/// # Errors
///
/// When it is no YAML, or has what this does not read. No message repeats a value: one of
/// them may be a passphrase.
pub fn read(text: &str) -> Result<Value> {
    if text.len() > MAX_FILE {
        bail!("{} bytes long: at most {MAX_FILE} are read", text.len());
    }
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            anyhow::anyhow!(
                "no YAML: {} at line {}",
                error.info(),
                error.marker().line()
            )
        })?;
        let place = span.start.line();
        match event {
            Event::StreamStart | Event::StreamEnd | Event::Comment(..) => {}
            other => events.push((other, place)),
        }
    }
    let mut reader = Reader { events, at: 0 };
    reader.document()
}

struct Reader<'a> {
    events: Vec<(Event<'a>, usize)>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, usize)> {
        let Some(event) = self.events.get(self.at).cloned() else {
            bail!("it ends too early");
        };
        self.at += 1;
        Ok(event)
    }

    fn document(&mut self) -> Result<Value> {
        if self.events.is_empty() {
            return Ok(Value::Null);
        }
        self.next()?;
        let value = self.node()?;
        self.next()?;
        if let Some((_, line)) = self.events.get(self.at) {
            bail!("a second document at line {line}: expected one");
        }
        Ok(value)
    }

    fn node(&mut self) -> Result<Value> {
        let (event, line) = self.next()?;
        match event {
            Event::Scalar(text, style, 0, None) => Ok(scalar(&text, style)),
            Event::SequenceStart(_, 0, None) => self.list(),
            Event::MappingStart(_, 0, None) => self.map(),
            Event::DocumentEnd => {
                self.at -= 1;
                Ok(Value::Null)
            }
            _ => bail!("line {line} has an anchor, an alias or a tag: expected plain values"),
        }
    }

    fn list(&mut self) -> Result<Value> {
        let mut items = Vec::new();
        while !matches!(self.events.get(self.at), Some((Event::SequenceEnd, _))) {
            items.push(self.node()?);
        }
        self.at += 1;
        Ok(Value::List(items))
    }

    fn map(&mut self) -> Result<Value> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        while !matches!(self.events.get(self.at), Some((Event::MappingEnd, _))) {
            let line = self.events.get(self.at).map_or(0, |(_, line)| *line);
            let Value::Text(key) = self.node()? else {
                bail!("the key in line {line} is no text");
            };
            if entries.iter().any(|(known, _)| *known == key) {
                bail!("the key `{key}` is there twice, again in line {line}");
            }
            entries.push((key, self.node()?));
        }
        self.at += 1;
        Ok(Value::Map(entries))
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if !matches!(style, ScalarStyle::Plain) {
        return Value::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    match whole(text) {
        Some(number) => Value::Whole(number),
        None if is_fraction(text) || is_date(text) => Value::Other(text.to_owned()),
        None => Value::Text(text.to_owned()),
    }
}

/// A whole number: decimal, octal (`0…`), hexadecimal, binary or in base 60.
fn whole(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let number = if let Some(hex) = digits.strip_prefix("0x") {
        i64::from_str_radix(hex, 16).ok()?
    } else if let Some(bits) = digits.strip_prefix("0b") {
        i64::from_str_radix(bits, 2).ok()?
    } else if digits.contains(':') {
        base_60(&digits)?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(&digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(sign * number)
}

fn base_60(digits: &str) -> Option<i64> {
    let mut parts = digits.split(':');
    let first = parts.next()?;
    if first.starts_with('0') {
        return None;
    }
    parts.try_fold(first.parse().ok()?, |sum: i64, part| {
        let fits = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
        let part: i64 = part.parse().ok().filter(|number| fits && *number < 60)?;
        sum.checked_mul(60)?.checked_add(part)
    })
}

fn is_fraction(text: &str) -> bool {
    let bare = text.trim_start_matches(['-', '+']);
    matches!(bare, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
        || (bare.contains('.')
            && bare.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && bare.replace('_', "").parse::<f64>().is_ok())
}

/// `2026-11-29` and longer: PyYAML makes dates of them.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes
            .iter()
            .take(10)
            .enumerate()
            .all(|(at, byte)| match at {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            })
        && bytes
            .iter()
            .skip(10)
            .all(|byte| b"0123456789:.+-TtZz ".contains(byte))
}

/// Writes a value as a block, every text in double quotes.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, into: &mut String) {
    let blanks = "  ".repeat(depth);
    match value {
        Value::Map(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let _ = write!(into, "{blanks}{}:", quoted_key(key));
                below(value, depth, into);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(into, "{blanks}-");
                below(item, depth, into);
            }
        }
        other => {
            let _ = writeln!(into, "{blanks}{}", inline(other));
        }
    }
}

fn below(value: &Value, depth: usize, into: &mut String) {
    let nested = match value {
        Value::Map(entries) => !entries.is_empty(),
        Value::List(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        into.push('\n');
        block(value, depth + 1, into);
    } else {
        let _ = writeln!(into, " {}", inline(value));
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::Map(_) => "{}".to_owned(),
        Value::List(_) => "[]".to_owned(),
        other => other.to_json().to_string(),
    }
}

fn quoted_key(key: &str) -> String {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let plain = key.len() > 3 && key.starts_with(|c: char| c.is_ascii_lowercase());
    if plain && key.chars().all(word) && scalar(key, ScalarStyle::Plain) == Value::Text(key.into())
    {
        return key.to_owned();
    }
    serde_json::Value::from(key).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_what_pyyaml_makes_of_them() {
        let cases = [
            ("no", Value::Bool(false)),
            ("'no'", Value::Text("no".into())),
            ("On", Value::Bool(true)),
            ("y", Value::Text("y".into())),
            ("~", Value::Null),
            ("017", Value::Whole(15)),
            ("089", Value::Text("089".into())),
            ("0x1F", Value::Whole(31)),
            ("1_000", Value::Whole(1000)),
            ("-12", Value::Whole(-12)),
            ("1:30", Value::Whole(90)),
            ("00:11:22:33:44:55", Value::Text("00:11:22:33:44:55".into())),
            ("1.5", Value::Other("1.5".into())),
            ("2026-11-29", Value::Other("2026-11-29".into())),
            ("24.04.5", Value::Text("24.04.5".into())),
            ("e*", Value::Text("e*".into())),
        ];
        for (text, value) in cases {
            assert_eq!(read(text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_the_other_reads_otherwise_is_refused() {
        for text in [
            "a: 1\na: 2",
            "a: &x 1\nb: *x",
            "a: !!str 1",
            "--- 1\n--- 2",
            "a: [",
            "1: a",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let text =
            "a:\n- - sh\n  - 'no'\n- {b: [], c: {}}\nlong-key: \"x: 'y' #\"\non1: 8\n'yes': true\n";
        let value = read(text).unwrap();
        assert_eq!(read(&write(&value)).unwrap(), value, "{}", write(&value));
    }
}
