//! A model answers a prompt.

use std::time::Duration;

use lab_facts::Generated;
use serde::Deserialize;

use crate::http;
use crate::root::short;
use crate::software::ollama::loaded;

/// The most of an answer that is kept, in characters.
const TEXT: usize = 2000;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    response: String,
    eval_count: u64,
    eval_duration: u64,
    #[serde(default)]
    load_duration: u64,
}

/// Asks, and then at once which models are loaded where.
pub(crate) fn ask(
    address: &str,
    model: &str,
    prompt: &str,
    tokens: u32,
    limit: Duration,
) -> Result<Generated, String> {
    let question = serde_json::json!({
        "model": model,
        "prompt": prompt,
        "stream": false,
        "options": { "num_predict": tokens },
    });
    let text = http::post(address, "/api/generate", &question, limit)?;
    let loaded = loaded(address)?;
    let answer: Answer = serde_json::from_str(&text)
        .map_err(|error| format!("{address}/api/generate answers `{}`: {error}", short(&text)))?;
    Ok(Generated {
        text: answer.response.chars().take(TEXT).collect(),
        tokens: answer.eval_count,
        took_ns: answer.eval_duration,
        load_ns: answer.load_duration,
        loaded,
    })
}
