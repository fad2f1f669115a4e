//! Licences of models: the title of the text that a model carries as a blob of the media type
//! `application/vnd.ollama.image.license`.

use crate::licence::Licence;

/// How much of the text is looked at, in bytes.
const HEAD: usize = 4096;
/// Lines that may make up a title.
const TITLE_LINES: usize = 3;

/// Titles, in lower case, and what they are. A title counts at the start of the text only, so
/// that a text that mentions another licence is not taken for it. The longest match counts.
///
/// Sources: SPDX License List 3.28.0 for what it has; for the rest the first lines of the
/// texts as vendors publish them (ai.google.dev/gemma/terms, the LICENSE files of Meta's Llama
/// models and of Qwen2.5-3B). Read 2026-11-28.
const TITLES: &[(&str, &str)] = &[
    ("mit license", "MIT"),
    ("the mit license", "MIT"),
    ("apache license version 2.0", "Apache-2.0"),
    ("bsd 3-clause license", "BSD-3-Clause"),
    ("bsd 2-clause license", "BSD-2-Clause"),
    ("gemma terms of use", "LicenseRef-Gemma-Terms-of-Use"),
    (
        "llama 2 community license agreement",
        "LicenseRef-Llama-2-Community-License",
    ),
    (
        "meta llama 3 community license agreement",
        "LicenseRef-Llama-3-Community-License",
    ),
    (
        "llama 3.1 community license agreement",
        "LicenseRef-Llama-3.1-Community-License",
    ),
    (
        "llama 3.2 community license agreement",
        "LicenseRef-Llama-3.2-Community-License",
    ),
    (
        "llama 3.3 community license agreement",
        "LicenseRef-Llama-3.3-Community-License",
    ),
    (
        "qwen research license agreement",
        "LicenseRef-Qwen-Research-License",
    ),
];

/// The licence that a model's licence text is, by its title. None where the title is not
/// known: such a text is read by a person.
#[must_use]
pub fn licence_of_model(text: &str) -> Option<Licence> {
    let title = title(text);
    let known = TITLES
        .iter()
        .filter(|(words, _)| {
            title
                .strip_prefix(words)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
        .max_by_key(|(words, _)| words.len());
    known.and_then(|(_, id)| id.parse().ok())
}

/// The first lines with words in them, as one line in lower case.
fn title(text: &str) -> String {
    let mut end = HEAD.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = text.get(..end).unwrap_or_default();
    let words: Vec<String> = head
        .lines()
        .filter(|line| line.contains(char::is_alphanumeric))
        .take(TITLE_LINES)
        .flat_map(str::split_whitespace)
        // Some are Markdown: `# Gemma Terms of Use`, `**Llama 3.2**`.
        .map(|word| word.trim_matches(['*', '#', '"', ',']).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}
