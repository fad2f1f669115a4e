//! The heads of answers.

use std::fmt::Write as _;

/// The head of an answer, in the making.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: String,
}

impl Answer {
    /// An answer with this status. The image holds keys, so nobody between keeps a copy.
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            fields: "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n".to_owned(),
        }
    }

    /// With another field. Names and values are this server's own, or were read as plain.
    pub(crate) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let _ = write!(self.fields, "{name}: {value}\r\n");
        self
    }

    /// The head's bytes; `now` is the time in seconds since 1970.
    pub(crate) fn head(&self, keep_alive: bool, now: u64) -> Vec<u8> {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        format!(
            "HTTP/1.1 {} {}\r\nDate: {}\r\nConnection: {connection}\r\n{}\r\n",
            self.status,
            reason(self.status),
            crate::http_date(now),
            self.fields
        )
        .into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        416 => "Range Not Satisfiable",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    }
}
