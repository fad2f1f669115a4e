//! To YAML and back.
//!
//! The installer reads YAML 1.1 (PyYAML), where `no` is a truth value and a MAC
//! address of digits a number in base 60: every string is quoted.

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Document;

/// The largest file that is read, in bytes. Ours have a few KB, keys included.
pub const MAX_FILE: usize = 1 << 20;

/// Writes a file with a comment at its head.
///
/// # Errors
///
/// When the value cannot stand in YAML.
pub fn write<T: Serialize>(head: &str, value: T) -> Result<String> {
    let options = serde_saphyr::ser_options! { quote_all: true };
    let yaml = serde_saphyr::to_string_with_options(&Document { autoinstall: value }, options)
        .context("writing the installer's file")?;
    let mut text = String::new();
    for line in head.lines() {
        text.push_str(format!("# {line}").trim_end());
        text.push('\n');
    }
    text.push_str(&yaml);
    Ok(text)
}

/// Reads a file strictly: unknown keys, keys that are there twice, and values
/// that this lab never renders are errors.
///
/// # Errors
///
/// When the file is too large, no UTF-8, or not of this form.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if bytes.len() > MAX_FILE {
        bail!("{} bytes long, at most {MAX_FILE} are read", bytes.len());
    }
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?;
    let options = serde_saphyr::options! { with_snippet: false };
    let document: Document<T> = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| anyhow::anyhow!("{}", in_words(&error)))?;
    Ok(document.autoinstall)
}

/// The error without the values of the file: one of them may be a passphrase.
fn in_words(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    if !text.contains("invalid type") {
        return text;
    }
    match error.location() {
        Some(place) => format!(
            "a value of the wrong kind in line {}, column {}",
            place.line(),
            place.column()
        ),
        None => "a value of the wrong kind".to_owned(),
    }
}
