//! Patterns as Python's `fnmatch.fnmatchcase` reads them: `*`, `?`, `[seq]` and `[!seq]`,
//! over the whole text and with its case; nothing quotes a special character.

/// Whether the whole text fits the pattern.
pub fn fits(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    matches(&pattern, &text)
}

fn matches(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some(('*', more)), _) => {
            (0..=text.len()).any(|skip| text.get(skip..).is_some_and(|rest| matches(more, rest)))
        }
        (Some(_), None) => false,
        (Some(('?', more)), Some((_, rest))) => matches(more, rest),
        (Some(('[', more)), Some((first, rest))) => match set(more) {
            Some((chosen, more)) => has(chosen, *first) && matches(more, rest),
            None => *first == '[' && matches(more, rest),
        },
        (Some((wanted, more)), Some((first, rest))) => wanted == first && matches(more, rest),
    }
}

/// The characters between the brackets, and what is behind them. A `]` in first place is
/// one of the characters.
fn set(pattern: &[char]) -> Option<(&[char], &[char])> {
    let skip = usize::from(pattern.first() == Some(&'!'));
    let from = skip + 1;
    let end = pattern.iter().skip(from).position(|c| *c == ']')? + from;
    Some((pattern.get(..end)?, pattern.get(end + 1..)?))
}

fn has(chosen: &[char], character: char) -> bool {
    let (wanted, chosen) = match chosen.split_first() {
        Some(('!', rest)) => (false, rest),
        _ => (true, chosen),
    };
    let mut at = 0;
    let mut found = false;
    while let Some(first) = chosen.get(at) {
        match (chosen.get(at + 1), chosen.get(at + 2)) {
            (Some('-'), Some(last)) => {
                found |= (*first..=*last).contains(&character);
                at += 3;
            }
            _ => {
                found |= *first == character;
                at += 1;
            }
        }
    }
    found == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    // The right column is what Python 3.11's fnmatch.fnmatchcase says.
    #[test]
    fn patterns_fit_as_pythons_do() {
        for (pattern, text, expected) in [
            (
                "*S5STNF0R123456A*",
                "Samsung_SSD_870_EVO_250GB_S5STNF0R123456A",
                true,
            ),
            (
                "S5STNF0R123456A",
                "Samsung_SSD_870_EVO_250GB_S5STNF0R123456A",
                false,
            ),
            (
                "Samsung?SSD?870?EVO?250GB",
                "Samsung_SSD_870_EVO_250GB",
                true,
            ),
            (
                "Samsung?SSD?870?EVO?250GB",
                "Samsung SSD 870 EVO 250GB",
                true,
            ),
            ("samsung*", "Samsung_SSD", false),
            ("*", "", true),
            ("?", "", false),
            ("", "", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[", "[", true),
            ("a[", "a", false),
            ("**b", "aab", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
