//! A day of the Gregorian calendar, in the form of ISO 8601 (`2026-11-23`).
//!
//! The catalog never asks what day it is: whoever wants to know how long
//! something is still supported passes the day in.

use super::{ValueError, string_serde};
use std::{fmt, str::FromStr};

/// A day, ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day `year`-`month`-`day`, or nothing where the calendar has no such day.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let known = year <= 9999 && day >= 1 && day <= days_in(year, month);
        if known {
            Some(Self { year, month, day })
        } else {
            None
        }
    }

    /// Days from this day to `other`: negative where `other` is earlier.
    #[must_use]
    pub const fn days_until(self, other: Self) -> i32 {
        other.day_number() - self.day_number()
    }

    /// The day that many days after 1970-01-01, for a caller that has a clock.
    #[must_use]
    pub fn from_days_since_epoch(days: u32) -> Option<Self> {
        let target = EPOCH.day_number().checked_add(i32::try_from(days).ok()?)?;
        // A Gregorian year is 365.2425 days long, so this is the year or one too late.
        let guess = i64::from(target) * 10_000 / 3_652_425 + 1;
        let guess = u16::try_from(guess.min(9999)).ok()?;
        let first = |year: u16| Self::new(year, 1, 1).map(Self::day_number);
        let year = if first(guess)? > target {
            guess.checked_sub(1)?
        } else {
            guess
        };
        let mut rest = target - first(year)?;
        for month in 1..=12 {
            let length = i32::from(days_in(year, month));
            if rest < length {
                return Self::new(year, month, u8::try_from(rest + 1).ok()?);
            }
            rest -= length;
        }
        None
    }

    /// The year.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, 1 to 31.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days since 0000-03-01 in the proleptic Gregorian calendar. Years start in
    /// March here, so that the leap day is a year's last.
    const fn day_number(self) -> i32 {
        let late = self.month <= 2;
        let year = self.year as i32 - late as i32;
        let month = (self.month as i32 + 9) % 12;
        let day = self.day as i32 - 1;
        year * 365 + year.div_euclid(4) - year.div_euclid(100)
            + year.div_euclid(400)
            + (month * 153 + 2) / 5
            + day
    }
}

const EPOCH: Date = Date {
    year: 1970,
    month: 1,
    day: 1,
};

const fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

fn digits<N: FromStr>(text: &str, count: usize) -> Option<N> {
    let plain = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

impl FromStr for Date {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut parts = text.split('-');
        let mut part = |count| parts.next().and_then(|p| digits::<u16>(p, count));
        let read = (part(4), part(2), part(2));
        let date = match read {
            (Some(year), Some(month), Some(day)) if parts.next().is_none() => {
                let month = u8::try_from(month).unwrap_or(0);
                Self::new(year, month, u8::try_from(day).unwrap_or(0))
            }
            _ => None,
        };
        date.ok_or_else(|| ValueError::new("a date", text, "a day that exists, like `2026-11-23`"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

string_serde!(Date);
