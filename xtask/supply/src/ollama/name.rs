//! Names of models: `[HOST/][NAMESPACE/]MODEL[:TAG]` (ollama/ollama,
//! `types/model/name.go`, "ParseName" and "isValidPart").

use std::fmt;
use std::str::FromStr;

use crate::network::is_loopback;

const HOST: &str = "registry.ollama.ai";
const NAMESPACE: &str = "library";
const TAG: &str = "latest";

/// A model's name, short forms made long: `gemma3:1b` is
/// `registry.ollama.ai/library/gemma3:1b`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelName {
    host: String,
    namespace: String,
    model: String,
    tag: String,
}

/// A text that is no name of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no name of a model: {why}; expected [HOST/][NAMESPACE/]MODEL[:TAG]")]
pub struct NotAModelName {
    text: String,
    why: &'static str,
}

impl FromStr for ModelName {
    type Err = NotAModelName;

    fn from_str(text: &str) -> Result<Self, NotAModelName> {
        let bad = |why| NotAModelName {
            text: text.chars().take(200).collect(),
            why,
        };
        let (path, model) = text.rsplit_once('/').unwrap_or(("", text));
        let (model, tag) = model.split_once(':').unwrap_or((model, TAG));
        let (host, namespace) = match path.split_once('/') {
            Some((host, namespace)) => (host, namespace),
            None if path.is_empty() && !text.starts_with('/') => (HOST, NAMESPACE),
            None => (HOST, path),
        };
        if !is_host(host) {
            return Err(bad("its host is none"));
        }
        if !is_part(namespace, 80, "") {
            return Err(bad(
                "its namespace has other than letters, digits, - and _, or is too long",
            ));
        }
        if !is_part(model, 80, ".") || !is_part(tag, 80, ".") {
            return Err(bad(
                "its model or tag has other than letters, digits, -, _ and ., or is too long",
            ));
        }
        Ok(Self {
            host: host.to_owned(),
            namespace: namespace.to_owned(),
            model: model.to_owned(),
            tag: tag.to_owned(),
        })
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}:{}",
            self.host, self.namespace, self.model, self.tag
        )
    }
}

impl ModelName {
    /// The registry's host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The repository in the registry: `library/gemma3`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.namespace, self.model)
    }

    /// Where its manifest belongs below Ollama's directory of models:
    /// `manifests/registry.ollama.ai/library/gemma3/1b`.
    pub fn manifest_path(&self) -> String {
        format!(
            "manifests/{}/{}/{}/{}",
            self.host, self.namespace, self.model, self.tag
        )
    }

    /// The URL of the repository in the registry's API.
    pub fn base(&self) -> String {
        let scheme = if is_loopback(&self.host) {
            "http"
        } else {
            "https"
        };
        format!("{scheme}://{}/v2/{}", self.host, self.repository())
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let label = |label: &str| {
        let edge = |c: char| c.is_ascii_alphanumeric();
        label.starts_with(edge)
            && label.ends_with(edge)
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    port && host.len() <= 350 && name.split('.').all(label)
}

fn is_part(part: &str, longest: usize, more: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    part.len() <= longest
        && part.starts_with(word)
        && part
            .chars()
            .all(|c| word(c) || c == '-' || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_made_long() {
        let cases = [
            ("gemma3:1b", "registry.ollama.ai/library/gemma3:1b"),
            ("gemma3", "registry.ollama.ai/library/gemma3:latest"),
            ("me/x:y", "registry.ollama.ai/me/x:y"),
            ("hf.co/Me/Some-GGUF:Q4_K_M", "hf.co/Me/Some-GGUF:Q4_K_M"),
            ("127.0.0.1:5000/library/x:y", "127.0.0.1:5000/library/x:y"),
            (
                "registry.ollama.ai/library/gemma3:1b",
                "registry.ollama.ai/library/gemma3:1b",
            ),
        ];
        for (text, want) in cases {
            let name: ModelName = text.parse().unwrap();
            assert_eq!(name.to_string(), want, "{text}");
        }
        let name: ModelName = "gemma3:1b".parse().unwrap();
        assert_eq!(name.base(), "https://registry.ollama.ai/v2/library/gemma3");
        assert_eq!(
            name.manifest_path(),
            "manifests/registry.ollama.ai/library/gemma3/1b"
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "", ":", "/", "a:", "/a", "a/", "a//b", "../b", "a/../b", "h/n/m/t", "a b", "a:b:c",
            "a@b", "a/.b", "é", "h:x/n/m",
        ] {
            assert!(text.parse::<ModelName>().is_err(), "{text}");
        }
    }
}
