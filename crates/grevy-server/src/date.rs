//! Dates as people read them, in UTC.

use std::fmt;

const DAY_MS: i64 = 24 * 3600 * 1000;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A moment, in ms since 1970, written as `java.util.Date` writes it; or, with `{:#}`, as
/// ZooKeeper writes when it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub i64);

impl Date {
    /// Year, month (1 to 12), day (from 1). After Howard Hinnant's `civil_from_days`.
    fn civil(self) -> (i64, usize, i64) {
        let days = self.0.div_euclid(DAY_MS) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        // Years begin in March up to here, so that leap days come last.
        let (month, year) = match month {
            0..=9 => (month + 3, year),
            _ => (month - 9, year + 1),
        };
        (year + era * 400, month as usize, day)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        let second = self.0.rem_euclid(DAY_MS) / 1000;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        if f.alternate() {
            return write!(f, "{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC");
        }
        let weekday = WEEKDAYS[self.0.div_euclid(DAY_MS).rem_euclid(7) as usize];
        let month = MONTHS[month - 1];
        write!(
            f,
            "{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_as_in_java() {
        for (ms, long, short) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970", "1970-01-01 00:00 UTC"),
            (
                951_782_400_000,
                "Tue Feb 29 00:00:00 UTC 2000",
                "2000-02-29 00:00 UTC",
            ),
            (
                951_868_799_999,
                "Tue Feb 29 23:59:59 UTC 2000",
                "2000-02-29 23:59 UTC",
            ),
            (
                1_795_403_110_000,
                "Mon Nov 23 03:05:10 UTC 2026",
                "2026-11-23 03:05 UTC",
            ),
            (
                4_107_542_400_000,
                "Mon Mar 01 00:00:00 UTC 2100",
                "2100-03-01 00:00 UTC",
            ),
            (-1, "Wed Dec 31 23:59:59 UTC 1969", "1969-12-31 23:59 UTC"),
        ] {
            assert_eq!(Date(ms).to_string(), long);
            assert_eq!(format!("{:#}", Date(ms)), short);
        }
    }
}
