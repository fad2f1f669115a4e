//! The patterns of ssh_config(5) and sshd(8): `*`, `?`, and `!` for "not".

/// Whether `text` fits `pattern`, where `*` stands for any run and `?` for one character.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((back, from)) = star else {
                    return false;
                };
                star = Some((back, from + 1));
                at = back + 1;
                seen = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// Whether a list of patterns takes `text`: one must fit, and none with `!` before it.
pub(crate) fn list_fits<'a>(patterns: impl IntoIterator<Item = &'a str>, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut found = false;
    for pattern in patterns {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('!') {
            Some(not) if fits(not, &text) => return false,
            Some(_) => {}
            None => found |= fits(&pattern, &text),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{fits, list_fits};

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("gpu-*", "gpu-server", true),
            ("gpu-?", "gpu-1", true),
            ("gpu-?", "gpu-", false),
            ("*.lab", "a.b.lab", true),
            ("*.lab", "a.lab.x", false),
            ("a*b*c", "aXbXbXc", true),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_negated_pattern_wins() {
        assert!(list_fits(["*.lab", "!old.lab"], "new.lab"));
        assert!(!list_fits(["*.lab", "!old.lab"], "OLD.lab"));
        assert!(!list_fits(["!old.lab"], "new.lab"));
    }
}
