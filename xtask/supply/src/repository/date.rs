//! Dates as `Release` files have them: `Thu, 27 Nov 2025 20:11:27 UTC` (RFC 5322,
//! section 3.3, with the zone that Debian's repository format allows: UTC).

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds since 1970; `None` for what is no such date.
pub(super) fn parse(text: &str) -> Option<u64> {
    let mut words = text.split_ascii_whitespace();
    let first = words.next()?;
    let day = if first.ends_with(',') {
        words.next()?
    } else {
        first
    };
    let month = words.next()?;
    let year = number(words.next()?, 4)?;
    let time = words.next()?;
    let utc = matches!(words.next()?, "UTC" | "GMT" | "Z" | "+0000");
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    if !utc || words.next().is_some() {
        return None;
    }
    seconds(year, month, number(day, 2)?, clock(time)?)
}

/// A snapshot's name, `20251127T201127Z`, as seconds since 1970.
pub(super) fn parse_snapshot(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let part = |text: &str, from: usize, to: usize| number(text.get(from..to)?, to - from);
    if date.len() != 8 || time.len() != 6 {
        return None;
    }
    let clock = time_of_day(part(time, 0, 2)?, part(time, 2, 4)?, part(time, 4, 6)?)?;
    seconds(
        part(date, 0, 4)?,
        part(date, 4, 6)?,
        part(date, 6, 8)?,
        clock,
    )
}

fn clock(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(|part| number(part, 2));
    let time = time_of_day(parts.next()??, parts.next()??, parts.next()??)?;
    parts.next().is_none().then_some(time)
}

fn time_of_day(hour: u64, minute: u64, second: u64) -> Option<u64> {
    (hour < 24 && minute < 60 && second < 61).then_some(hour * 3600 + minute * 60 + second)
}

fn number(text: &str, most_digits: usize) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && text.len() <= most_digits).then(|| text.parse().ok())?
}

/// The days by which the years before, and the months before in its year, move a date
/// (Gregorian calendar).
fn seconds(year: u64, month: u64, day: u64, time: u64) -> Option<u64> {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let length = |month: u64| match month {
        2 => 28 + u64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=length(month)).contains(&day)
    {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leap(year))).sum();
    let months: u64 = (1..month).map(length).sum();
    Some((years + months + day - 1) * 86_400 + time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_date_prints() {
        let cases = [
            ("Thu, 01 Jan 1970 00:00:00 UTC", Some(0)),
            ("Thu, 25 Apr 2024 15:10:33 UTC", Some(1_714_057_833)),
            ("Thu, 29 Feb 2024 23:59:59 +0000", Some(1_709_251_199)),
            ("Sat,  2 Mar 2024 00:00:00 GMT", Some(1_709_337_600)),
            ("29 Feb 2000 00:00:00 Z", Some(951_782_400)),
            ("Thu, 29 Feb 2023 00:00:00 UTC", None),
            ("Thu, 25 Apr 2024 15:10:33 CEST", None),
            ("Thu, 25 Apr 2024 15:10:33 +0200", None),
            ("Thu, 25 Apr 2024 24:10:33 UTC", None),
            ("Thu, 25 Apr 2024 15:10 UTC", None),
            ("Thu, 25 Apr 2024 15:10:33", None),
            ("Thu, 25 Apr 2024 15:10:33 UTC more", None),
            ("Thu, +5 Apr 2024 15:10:33 UTC", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text), want, "{text}");
        }
    }

    #[test]
    fn snapshots_names() {
        assert_eq!(parse_snapshot("20240425T151033Z"), Some(1_714_057_833));
        for text in [
            "20240425",
            "20240425T151033",
            "20240425T151033z",
            "2024042T1151033Z",
            "20240425T1510éZ",
            "../../../../xTZ",
        ] {
            assert_eq!(parse_snapshot(text), None, "{text}");
        }
    }
}
