//! What a log says of a request: one line, whatever a client sent.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// As much of a request's own words as a line holds, in characters.
const MOST: usize = 160;

/// One request, or a connection that was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who asked.
    pub peer: IpAddr,
    /// The method and the path as they came; empty where there was no request.
    pub asked: String,
    /// The status that was answered; 0 where nothing was.
    pub status: u16,
    /// The bytes of the body that went out.
    pub sent: u64,
    /// How long it took.
    pub took: Duration,
    /// What else is to be said of it; empty where nothing is.
    pub note: String,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.peer)?;
        if !self.asked.is_empty() {
            write!(f, " {}", printable(&self.asked))?;
        }
        if self.status != 0 {
            write!(
                f,
                " {} {} bytes in {:.1} s",
                self.status,
                self.sent,
                self.took.as_secs_f32()
            )?;
        }
        if !self.note.is_empty() {
            write!(f, ": {}", printable(&self.note))?;
        }
        Ok(())
    }
}

/// Text without anything that a terminal obeys or that begins another line.
fn printable(text: &str) -> String {
    let plain = |letter: char| letter == ' ' || letter.is_ascii_graphic() && letter != '\\';
    let mut out = String::new();
    for letter in text.chars().take(MOST) {
        match plain(letter) {
            true => out.push(letter),
            false => out.extend(letter.escape_default()),
        }
    }
    if text.chars().nth(MOST).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_and_moves_no_cursor() {
        let record = Record {
            peer: IpAddr::from([192, 0, 2, 1]),
            asked: format!("GET /\u{1b}[2J\r\n\u{202e}\\{}", "x".repeat(500)),
            status: 404,
            sent: 0,
            took: Duration::from_millis(1234),
            note: "a\nb".to_owned(),
        };
        let line = record.to_string();
        assert!(
            line.starts_with("192.0.2.1 GET /\\u{1b}[2J\\r\\n\\u{202e}\\\\xxx"),
            "{line}"
        );
        assert!(line.ends_with("x... 404 0 bytes in 1.2 s: a\\nb"), "{line}");
        assert!(
            line.chars()
                .all(|letter| letter == ' ' || letter.is_ascii_graphic())
        );
    }
}
