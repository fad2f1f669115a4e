//! The environment, as the real server reads it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// What the environment says.
pub(crate) struct Settings {
    /// Address and port.
    pub(crate) host: String,
    /// The store.
    pub(crate) models: PathBuf,
    /// How long a model stays loaded; without end where there is none.
    pub(crate) keep_alive: Option<Duration>,
    /// Blobs without a manifest stay.
    pub(crate) no_prune: bool,
}

impl Settings {
    /// Reads the environment.
    pub(crate) fn from_environment() -> Result<Self> {
        let keep_alive = variable("OLLAMA_KEEP_ALIVE").unwrap_or_else(|| "5m".to_owned());
        Ok(Settings {
            host: host(&variable("OLLAMA_HOST").unwrap_or_default()),
            models: models()?,
            keep_alive: duration(&keep_alive)
                .with_context(|| format!("OLLAMA_KEEP_ALIVE is `{keep_alive}`"))?,
            no_prune: variable("OLLAMA_NOPRUNE").is_some_and(|value| value != "0"),
        })
    }
}

/// A variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn models() -> Result<PathBuf> {
    if let Some(models) = variable("OLLAMA_MODELS") {
        return Ok(models.into());
    }
    let home = variable("HOME").context("neither OLLAMA_MODELS nor HOME is set")?;
    Ok(Path::new(&home).join(".ollama/models"))
}

/// Address and port of `OLLAMA_HOST`, each of which may be left out.
fn host(text: &str) -> String {
    let text = text.strip_prefix("http://").unwrap_or(text);
    let text = text.trim_end_matches('/');
    match text.rsplit_once(':') {
        None if text.is_empty() => "127.0.0.1:11434".to_owned(),
        None => format!("{text}:11434"),
        Some(("", port)) => format!("0.0.0.0:{port}"),
        // The last colon of an IPv6 address without a port.
        Some(_) if text.ends_with(']') => format!("{text}:11434"),
        Some(_) => text.to_owned(),
    }
}

/// `5m`, `300` (seconds), or a negative number for ever.
pub(crate) fn duration(text: &str) -> Result<Option<Duration>> {
    if text.starts_with('-') {
        return Ok(None);
    }
    if let Ok(seconds) = text.parse() {
        return Ok(Some(Duration::from_secs(seconds)));
    }
    let read = humantime::parse_duration(text);
    read.map(Some)
        .with_context(|| format!("`{text}` is not a duration as 5m or 300"))
}

/// The version that this stands for.
pub(crate) fn version() -> String {
    let beside = || {
        let program = std::env::current_exe().ok()?;
        let above = program.parent()?.parent()?;
        [above.join("version"), above.join("lib/ollama/version")]
            .iter()
            .find_map(|file| std::fs::read_to_string(file).ok())
    };
    let found = variable("OLLAMA_STANDIN_VERSION").or_else(beside);
    found.map_or_else(|| "0.0.0".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address_may_be_left_out() {
        for (given, whole) in [
            ("", "127.0.0.1:11434"),
            ("0.0.0.0", "0.0.0.0:11434"),
            ("http://127.0.0.1:1234/", "127.0.0.1:1234"),
            (":80", "0.0.0.0:80"),
            ("[::1]", "[::1]:11434"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(host(given), whole, "{given}");
        }
    }

    #[test]
    fn durations_are_words_or_seconds() {
        assert_eq!(duration("5m").unwrap(), Some(Duration::from_secs(300)));
        assert_eq!(duration("5m0s").unwrap(), Some(Duration::from_secs(300)));
        assert_eq!(duration("0").unwrap(), Some(Duration::ZERO));
        assert_eq!(duration("-1").unwrap(), None);
        assert!(duration("soon").is_err());
    }
}
