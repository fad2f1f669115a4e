//! Times as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY: u64 = 86_400;

/// The time so many seconds after 1970 began, as HTTP writes it.
#[must_use]
pub fn http_date(seconds: u64) -> String {
    let (days, second) = (seconds / DAY, seconds % DAY);
    let weekday = DAYS.get((days % 7) as usize).unwrap_or(&"");
    let (mut year, mut left) = (1970, days);
    while left >= year_days(year) {
        left -= year_days(year);
        year += 1;
    }
    let mut month = 0;
    while left >= month_days(year, month) {
        left -= month_days(year, month);
        month += 1;
    }
    let name = MONTHS.get(month).unwrap_or(&"");
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{weekday}, {:02} {name} {year} {hour:02}:{minute:02}:{second:02} GMT",
        left + 1
    )
}

/// Reads that form, and only that one; `None` where it is another.
pub(crate) fn read(text: &str) -> Option<u64> {
    let (_, rest) = text.trim().split_once(", ")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = words.as_slice() else {
        return None;
    };
    let clock: Vec<u64> = time
        .split(':')
        .map(|one| one.parse().ok())
        .collect::<Option<_>>()?;
    let [hour @ 0..24, minute @ 0..60, second @ 0..61] = *clock.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|name| name == month)?;
    let year: u64 = year
        .parse()
        .ok()
        .filter(|year| (1970..10_000).contains(year))?;
    let day: u64 = day.parse().ok()?;
    if day == 0 || day > month_days(year, month) {
        return None;
    }
    let years: u64 = (1970..year).map(year_days).sum();
    let months: u64 = (0..month).map(|month| month_days(year, month)).sum();
    Some((years + months + day - 1) * DAY + hour * 3600 + minute * 60 + second)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn year_days(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn month_days(year: u64, month: usize) -> u64 {
    match month {
        1 => 28 + u64::from(is_leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_example() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for seconds in (0..4_000_000_000).step_by(7_777_777) {
            assert_eq!(read(&http_date(seconds)), Some(seconds));
        }
        for text in [
            "",
            "yesterday",
            "Sun, 31 Feb 2000 00:00:00 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
