//! sshd's effective settings (`sshd -T`, sshd(8)).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::program::Program;

/// The settings, by their names in small letters.
pub(crate) fn settings() -> Result<BTreeMap<String, Vec<String>>, String> {
    // sshd wants to be called by its whole path.
    let text = Program::new("/usr/sbin/sshd", ["-T"])
        .called("sshd -T")
        .within(Duration::from_secs(5))
        .text()?;
    Ok(parse(&text))
}

pub(crate) fn parse(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let name = name.to_ascii_lowercase();
        if !name.is_empty() {
            settings
                .entry(name)
                .or_default()
                .push(value.trim().to_owned());
        }
    }
    settings
}
