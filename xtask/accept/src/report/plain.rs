//! Text that came from a machine, made safe and short enough to show, and figures in words.

use lab_catalog::Date;

/// Takes out what is no text: control characters, and those that turn the direction of
/// writing, with which a text can be made to look like another. Newlines and tabs stay.
pub(super) fn clean(text: &str) -> String {
    let kept = |one: &char| matches!(one, '\n' | '\t') || !(one.is_control() || turns(*one));
    text.chars().filter(kept).collect()
}

/// The same, on one line.
pub(super) fn line(text: &str) -> String {
    let text = clean(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Unicode's bidirectional controls (Unicode Standard Annex 9, section 2), the line and
/// paragraph separators, and the byte order mark.
fn turns(one: char) -> bool {
    matches!(
        one,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

/// The beginning of a text of more than `most` characters, and how much was left out.
pub(super) fn clip(text: &str, most: usize) -> String {
    // Most texts are short in bytes already, and need not be counted.
    if text.len() <= most {
        return text.to_owned();
    }
    let Some((end, _)) = text.char_indices().nth(most) else {
        return text.to_owned();
    };
    let left = text[end..].chars().count();
    format!("{}… ({left} more characters)", &text[..end])
}

/// The same of what will be escaped for a page, where `<` takes four characters: no more than
/// `most` of them, so that a page's size can be counted on.
pub(super) fn clip_escaped(text: &str, most: usize) -> String {
    let mut cost = 0_usize;
    let too_far = text.chars().position(|one| {
        cost += match one {
            '<' | '>' => 4,
            '&' | '"' | '\'' => 6,
            _ => 1,
        };
        cost > most
    });
    clip(text, too_far.unwrap_or(usize::MAX))
}

/// A span of time.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..=3_599_999 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// A moment, by Greenwich.
pub(super) fn moment(unix_ms: u64) -> String {
    let minutes = unix_ms / 60_000;
    let day = u32::try_from(minutes / 1440).ok();
    match day.and_then(Date::from_days_since_epoch) {
        Some(date) => format!("{date} {:02}:{:02} UTC", minutes / 60 % 24, minutes % 60),
        None => "at no known time".to_owned(),
    }
}

/// A number with as many places as tell something.
pub(super) fn number(value: f64) -> String {
    let places = match value.abs() {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A size in MiB, in words.
pub(super) fn mebibytes(mib: u64) -> String {
    match mib {
        0..=1023 => format!("{mib} MiB"),
        _ => format!("{} GiB", number(mib as f64 / 1024.0)),
    }
}

/// A number of things: `1 claim`, `2 claims`.
pub(super) fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_taken_out() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}\r\nc\u{9b}d"), "a[31mb\ncd");
        assert_eq!(clean("x\u{202e}y\u{2066}z\u{feff}"), "xyz");
        assert_eq!(line(" a\n\n b\tc\u{0} "), "a b c");
    }

    #[test]
    fn a_long_text_says_what_is_missing() {
        assert_eq!(clip("äöüß", 4), "äöüß");
        assert_eq!(clip("äöüßx", 3), "äöü… (2 more characters)");
        assert_eq!(clip_escaped("a<b", 6), "a<b");
        assert_eq!(clip_escaped("a<b<c", 6), "a<b… (2 more characters)");
    }

    #[test]
    fn figures_are_said_in_words() {
        assert_eq!(duration(999), "999 ms");
        assert_eq!(duration(59_999), "59.9 s");
        assert_eq!(duration(3_599_999), "59 min 59 s");
        assert_eq!(duration(7_260_000), "2 h 1 min");
        assert_eq!(moment(1_763_896_723_000), "2025-11-23 11:18 UTC");
        assert_eq!(moment(u64::MAX), "at no known time");
        assert_eq!(
            [0.0, 1.256, 9.5, 12.34, 98.96, 112.4, 1500.0].map(number),
            ["0", "1.26", "9.5", "12.3", "99", "112", "1500"]
        );
        assert_eq!(mebibytes(4096), "4 GiB");
        assert_eq!(mebibytes(815), "815 MiB");
    }
}
