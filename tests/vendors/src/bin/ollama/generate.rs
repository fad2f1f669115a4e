//! `POST /api/generate`: loads a model, and puts together a text.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, time};
use crate::settings;

/// What the client asks.
#[derive(Deserialize)]
pub(crate) struct Request {
    pub(crate) model: String,
    #[serde(default)]
    pub(crate) prompt: String,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    keep_alive: Option<Value>,
    #[serde(default)]
    options: Options,
}

#[derive(Default, Deserialize)]
struct Options {
    num_predict: Option<i64>,
}

/// The words of every answer.
const WORDS: &[&str] = &[
    "This",
    " text",
    " comes",
    " from",
    " a",
    " stand-in",
    ",",
    " not",
    " from",
    " a",
    " model",
    ".",
];

/// What a word is said to take, on a card and on the CPU.
const ON_A_CARD: u64 = 20_000_000;
const ON_THE_CPU: u64 = 200_000_000;

impl Request {
    /// How long the model is to stay; what the server does by default where it does not say.
    pub(crate) fn keep_alive(&self, default: Option<Duration>) -> Result<Option<Duration>, Answer> {
        let text = match &self.keep_alive {
            None | Some(Value::Null) => return Ok(default),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        settings::duration(&text).map_err(|error| Answer::error(400, &format!("{error:#}")))
    }

    /// A model that was only loaded, or taken out.
    pub(crate) fn without_prompt(&self, reason: &str) -> Answer {
        Answer::json(&json!({
            "model": self.model,
            "created_at": time(SystemTime::now()),
            "response": "",
            "done": true,
            "done_reason": reason,
        }))
    }

    /// The answer to a prompt: whole, or in pieces.
    pub(crate) fn answer(&self, on_a_card: bool, load: Duration) -> Answer {
        let most = self
            .options
            .num_predict
            .and_then(|most| most.try_into().ok());
        let words = &WORDS[..WORDS.len().min(most.unwrap_or(usize::MAX).max(1))];
        if self.stream == Some(false) {
            return Answer::json(&self.last(&words.concat(), words, on_a_card, load));
        }
        let mut lines: Vec<Value> = words.iter().map(|word| self.piece(word)).collect();
        lines.push(self.last("", words, on_a_card, load));
        Answer::lines(&lines)
    }

    fn piece(&self, word: &str) -> Value {
        json!({
            "model": self.model,
            "created_at": time(SystemTime::now()),
            "response": word,
            "done": false,
        })
    }

    fn last(&self, response: &str, words: &[&str], on_a_card: bool, load: Duration) -> Value {
        let word = if on_a_card { ON_A_CARD } else { ON_THE_CPU };
        let prompt = self.prompt.split_whitespace().count().max(1) as u64;
        let eval = words.len() as u64 * word;
        let load = u64::try_from(load.as_nanos()).unwrap_or(u64::MAX);
        let whole = WORDS.len() == words.len();
        json!({
            "model": self.model,
            "created_at": time(SystemTime::now()),
            "response": response,
            "done": true,
            "done_reason": if whole { "stop" } else { "length" },
            "context": [],
            "total_duration": eval.saturating_add(prompt * word / 10).saturating_add(load),
            "load_duration": load,
            "prompt_eval_count": prompt,
            "prompt_eval_duration": prompt * word / 10,
            "eval_count": words.len(),
            "eval_duration": eval,
        })
    }
}
