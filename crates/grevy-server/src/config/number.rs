//! Numbers as ZooKeeper's Java reads them.

use std::time::Duration;

/// A whole number as `Integer.parseInt` takes it: decimal, with or without a sign. ZooKeeper reads
/// the keys of zoo.cfg that it knows by name this way.
pub(super) fn decimal(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A whole number as `Integer.decode` takes it: besides decimal also `0x…` and `#…`
/// (hexadecimal) and a leading `0` (octal). ZooKeeper reads system properties this way.
pub(super) fn decode(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = ["0x", "0X", "#"]
        .iter()
        .find_map(|prefix| digits.strip_prefix(prefix));
    let (digits, radix) = match (hexadecimal, digits.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

/// An interval: a whole number with `ms`, `s`, `m`, `h` or `d`, where no unit means hours
/// (`autopurge.purgeInterval`; the units came with ZooKeeper 3.10). Negative counts as zero.
pub(super) fn hours_or_unit(text: &str) -> Option<Duration> {
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = u64::try_from(decimal(number.trim_end())?).unwrap_or(0);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "" | "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases = [
            ("0", Some(0), Some(0)),
            ("2000", Some(2000), Some(2000)),
            ("-1", Some(-1), Some(-1)),
            ("+5", Some(5), Some(5)),
            ("010", Some(10), Some(8)),
            ("0xfffff", None, Some(1_048_575)),
            ("-0X10", None, Some(-16)),
            ("#ff", None, Some(255)),
            ("09", Some(9), None),
            ("", None, None),
            ("-", None, None),
            ("--1", None, None),
            ("0x", None, None),
            ("0x-1", None, None),
            ("1 000", None, None),
            ("1e3", None, None),
            ("9223372036854775808", None, None),
        ];
        for (text, parsed, decoded) in cases {
            assert_eq!((decimal(text), decode(text)), (parsed, decoded), "{text:?}");
        }
    }

    #[test]
    fn intervals() {
        let cases = [
            ("1", Some(3_600_000)),
            ("0", Some(0)),
            ("-1", Some(0)),
            ("30m", Some(1_800_000)),
            ("500 ms", Some(500)),
            ("90s", Some(90_000)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("", None),
            ("h", None),
            ("1w", None),
            ("9223372036854775807d", None),
        ];
        for (text, millis) in cases {
            assert_eq!(
                hours_or_unit(text),
                millis.map(Duration::from_millis),
                "{text:?}"
            );
        }
    }
}
