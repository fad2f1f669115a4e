//! A moment as lists write it: `YYYY-MM-DDThh:mm:ssZ` (RFC 3339, SPDX 2.3 section 6.9).
//! Nothing here reads a clock: the moment is brought.

use std::fmt;

/// Later than this, years have five digits: seconds since 1970 at the end of 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// A moment, to the second, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment(String);

impl Moment {
    /// From seconds since 1970-01-01 00:00:00 UTC, such as `SOURCE_DATE_EPOCH` has. Years
    /// after 9999 give its last second.
    #[must_use]
    pub fn from_unix(seconds: u64) -> Self {
        let seconds = seconds.min(LAST_SECOND);
        let (year, month, day) = date_of(seconds / 86_400);
        let of_day = seconds % 86_400;
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        Self(format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        ))
    }

    /// From the name of a state of Ubuntu's archive, `YYYYMMDDTHHMMSSZ`; none where it is
    /// no such name.
    #[must_use]
    pub fn of_snapshot(name: &str) -> Option<Self> {
        let (date, time) = name.strip_suffix('Z')?.split_once('T')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if date.len() != 8 || time.len() != 6 || !digits(date) || !digits(time) {
            return None;
        }
        let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
        let (hour, minute, second) = (time.get(..2)?, time.get(2..4)?, time.get(4..)?);
        let within = |text: &str, first, last| {
            text.parse()
                .is_ok_and(|number: u32| (first..=last).contains(&number))
        };
        let sound = within(month, 1, 12)
            && within(day, 1, 31)
            && within(hour, 0, 23)
            && within(minute, 0, 59)
            && within(second, 0, 59);
        sound.then(|| Self(format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")))
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years
/// are counted from March, so that the leap day is the last one.
fn date_of(days: u64) -> (u64, u64, u64) {
    const FROM_YEAR_0: u64 = 719_468;
    const CYCLE: u64 = 146_097;
    let (cycle, day) = ((days + FROM_YEAR_0) / CYCLE, (days + FROM_YEAR_0) % CYCLE);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, late) = match month < 10 {
        true => (month + 3, 0),
        false => (month - 9, 1),
    };
    (year + cycle * 400 + late, month, day)
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
