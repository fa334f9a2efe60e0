//! Wall-clock times as people write them, in UTC.
//!
//! Absent: time zones. ZooKeeper prints its server's; a server in a container has UTC.

use std::fmt;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A point in time, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    year: i64,
    month: u8,
    day: u8,
    weekday: u8,
    hour: u8,
    minute: u8,
    second: u8,
    millisecond: u16,
}

impl Civil {
    /// The time `ms` milliseconds after the Unix epoch.
    pub(crate) fn from_unix_millis(ms: i64) -> Self {
        let days = ms.div_euclid(86_400_000);
        let rest = ms.rem_euclid(86_400_000);
        let (year, month, day) = date_of_day(days);
        Civil {
            year,
            month,
            day,
            weekday: days.rem_euclid(7) as u8,
            hour: (rest / 3_600_000) as u8,
            minute: (rest / 60_000 % 60) as u8,
            second: (rest / 1000 % 60) as u8,
            millisecond: (rest % 1000) as u16,
        }
    }

    /// As Java's `Date.toString()` writes it: `Sat Nov 21 14:02:20 UTC 2026`.
    pub(crate) fn java_date(self) -> impl fmt::Display {
        JavaDate(self)
    }
}

/// As RFC 3339 has it: `2026-11-21T14:02:20.123Z`.
impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, millisecond, .. } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

struct JavaDate(Civil);

impl fmt::Display for JavaDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, weekday, hour, minute, second, .. } = self.0;
        let weekday = DAYS[usize::from(weekday)];
        let month = MONTHS[usize::from(month) - 1];
        write!(f, "{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year:04}")
    }
}

/// Year, month and day of a day counted from the epoch. Years begin in March here, so that a leap day comes last.
fn date_of_day(days: i64) -> (i64, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
    let month = (if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 }) as u8;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::Civil;

    fn both(ms: i64) -> String {
        let civil = Civil::from_unix_millis(ms);
        format!("{civil} | {}", civil.java_date())
    }

    #[test]
    fn dates_are_those_that_date_prints() {
        assert_eq!(both(0), "1970-01-01T00:00:00.000Z | Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(both(951_827_696_789), "2000-02-29T12:34:56.789Z | Tue Feb 29 12:34:56 UTC 2000");
        assert_eq!(both(1_795_269_740_001), "2026-11-21T14:02:20.001Z | Sat Nov 21 14:02:20 UTC 2026");
        assert_eq!(both(-1), "1969-12-31T23:59:59.999Z | Wed Dec 31 23:59:59 UTC 1969");
    }
}
