//! Dates as Java's `Date.toString` prints them: `EEE MMM dd HH:mm:ss zzz yyyy`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time in ms since 1970, in the system's time zone: the variable `TZ`, else `/etc/localtime`,
/// else UTC.
pub fn show(ms: i64) -> String {
    show_in(ms, TimeZone::try_system().unwrap_or(TimeZone::UTC))
}

fn show_in(ms: i64, zone: TimeZone) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time
            .to_zoned(zone)
            .strftime("%a %b %d %H:%M:%S %Z %Y")
            .to_string(),
        // Beyond the year 9999.
        Err(_) => format!("{ms} ms since 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (ms, zone, expected) in [
            (0, TimeZone::UTC, "Thu Jan 01 00:00:00 UTC 1970"),
            (
                1_700_000_000_999,
                TimeZone::UTC,
                "Tue Nov 14 22:13:20 UTC 2023",
            ),
            (
                1_700_000_000_999,
                berlin.clone(),
                "Tue Nov 14 23:13:20 CET 2023",
            ),
            (1_690_000_000_000, berlin, "Sat Jul 22 06:26:40 CEST 2023"),
            (i64::MAX, TimeZone::UTC, "9223372036854775807 ms since 1970"),
        ] {
            assert_eq!(show_in(ms, zone), expected);
        }
    }
}
