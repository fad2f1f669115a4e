//! What goes back to a client: JSON, lines of JSON, or an error.

use std::io::Cursor;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tiny_http::{Header, Response};

/// An answer with its status and its type.
pub(crate) struct Answer {
    status: u16,
    kind: &'static str,
    body: String,
}

impl Answer {
    /// Plain text.
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Answer {
            status,
            kind: "text/plain; charset=utf-8",
            body: body.to_owned(),
        }
    }

    /// One object.
    pub(crate) fn json(value: &Value) -> Self {
        Answer {
            status: 200,
            kind: "application/json; charset=utf-8",
            body: value.to_string(),
        }
    }

    /// One object a line.
    pub(crate) fn lines(values: &[Value]) -> Self {
        Answer {
            status: 200,
            kind: "application/x-ndjson",
            body: values.iter().map(|value| format!("{value}\n")).collect(),
        }
    }

    /// An error, as the real server words it.
    pub(crate) fn error(status: u16, text: &str) -> Self {
        Answer {
            status,
            ..Self::json(&json!({"error": text}))
        }
    }

    /// For the server. Sent in chunks where it has several lines, as the real one does.
    pub(crate) fn response(self) -> Response<Cursor<Vec<u8>>> {
        let chunked = self.kind == "application/x-ndjson";
        let response = Response::from_string(self.body).with_status_code(self.status);
        let response = match Header::from_bytes("Content-Type", self.kind) {
            Ok(header) => response.with_header(header),
            Err(()) => response,
        };
        response.with_chunked_threshold(if chunked { 0 } else { usize::MAX })
    }
}

/// A time as the real server writes it.
pub(crate) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_nanos(time).to_string()
}

/// When a model expires; the real server too writes a far day for one that never does.
pub(crate) fn expiry(expires: Option<SystemTime>) -> String {
    const CENTURIES: Duration = Duration::from_secs(292 * 365 * 24 * 60 * 60);
    time(expires.unwrap_or_else(|| SystemTime::now() + CENTURIES))
}
