//! The report as JSON, which is its kept form, and the schema of that.

use serde::Deserialize;

use super::{REPORT_FORMAT, Report};

/// No report that is read is longer, in bytes.
pub const LONGEST_REPORT: usize = 256 << 20;

/// Why a report could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is of a form that is not known here.
    #[error(
        "{name} is a report of format {found}, and this lab reads {known} only: {}",
        way_out(*found),
        known = REPORT_FORMAT
    )]
    Format {
        /// The file.
        name: String,
        /// The format that it says.
        found: u64,
    },
    /// It is no report.
    #[error("{name} is no report: {why} (expected what `cargo xtask accept --format json` prints)")]
    Broken {
        /// The file.
        name: String,
        /// What is wrong with it, and where.
        why: String,
    },
}

fn way_out(found: u64) -> &'static str {
    match found > u64::from(REPORT_FORMAT) {
        true => "use a newer lab",
        false => "make it anew with `cargo xtask accept`",
    }
}

/// The report as `report.json` holds it, with a newline at its end. Control characters are
/// written as escapes, those above ASCII too: it may be printed on a terminal.
///
/// # Errors
///
/// None that is known: every part of a report can be written.
pub fn to_json(report: &Report) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(report)?;
    let mut safe = String::with_capacity(text.len() + 1);
    for one in text.chars() {
        match one {
            // Outside of a string there is none.
            '\u{7f}'..='\u{9f}' => safe.push_str(&format!("\\u{:04x}", u32::from(one))),
            _ => safe.push(one),
        }
    }
    safe.push('\n');
    Ok(safe)
}

/// What every form of a report has.
#[derive(Deserialize)]
struct AnyReport {
    format: u64,
}

/// Reads a report; `name` is what messages call it.
///
/// # Errors
///
/// When it is of another format, is no report, or is longer than [`LONGEST_REPORT`].
pub fn from_json(name: &str, text: &str) -> Result<Report, ReadError> {
    let broken = |why: String| ReadError::Broken {
        name: name.to_owned(),
        why,
    };
    if text.len() > LONGEST_REPORT {
        return Err(broken(format!("it is longer than {LONGEST_REPORT} bytes")));
    }
    let any: AnyReport = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    if any.format != u64::from(REPORT_FORMAT) {
        return Err(ReadError::Format {
            name: name.to_owned(),
            found: any.format,
        });
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = error.path().to_string();
        broken(format!("at `{place}`: {}", error.into_inner()))
    })
}

/// The JSON Schema of a report, as it stands in the book.
///
/// # Errors
///
/// None that is known: a schema is plain JSON.
pub fn schema() -> serde_json::Result<String> {
    let mut schema = schemars::schema_for!(Report);
    schema.insert("title".to_owned(), "A report of acceptance".into());
    // The one value that a reader of this schema must insist on.
    if let Some(format) = schema.pointer_mut("/properties/format") {
        format["const"] = REPORT_FORMAT.into();
    }
    serde_json::to_string_pretty(&schema).map(|text| text + "\n")
}
