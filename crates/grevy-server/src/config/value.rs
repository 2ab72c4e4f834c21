//! A setting's text, read as the kind of value that the table of keys asks for.

use std::time::Duration;

use super::keys::{Key, Kind, Place, Unit};
use super::number;

/// A value of a kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Flag(bool),
    Int(i64),
    Float(f64),
    Interval(Duration),
    /// Also paths, secrets and choices.
    Text(String),
    /// Without empty ones and the blanks around them.
    Words(Vec<String>),
}

/// Reads a value; the error says what is wrong and what to write instead.
pub(super) fn parse(key: &Key, text: &str) -> Result<Value, String> {
    match key.kind {
        Kind::Flag => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Value::Flag(true)),
            "false" => Ok(Value::Flag(false)),
            // Of a system property, Java takes everything else for false without a word.
            _ => Err(format!("{} is neither true nor false; write one of them", quoted(text))),
        },
        Kind::YesNo => match text {
            "yes" => Ok(Value::Flag(true)),
            "no" => Ok(Value::Flag(false)),
            _ => Err(format!("{} is neither yes nor no; write one of them", quoted(text))),
        },
        Kind::Int { unit, min, max } => integer(key, unit, min, max, text).map(Value::Int),
        Kind::Float { min, max } => match text.parse::<f64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(Value::Float(number)),
            _ => Err(format!(
                "{} is not a number from {min} to {max}{}",
                quoted(text),
                example(key)
            )),
        },
        Kind::Interval => number::hours_or_unit(text).map(Value::Interval).ok_or_else(|| {
            format!(
                "{} is not an interval; write a number of hours, or a number with ms, s, m, h or \
                 d, such as 1 or 30m; 0 for never",
                quoted(text)
            )
        }),
        Kind::Choice(choices) => match choices.iter().find(|c| c.eq_ignore_ascii_case(text)) {
            Some(choice) => Ok(Value::Text((*choice).to_owned())),
            None => Err(format!(
                "{} is not known; write {}",
                quoted(text),
                choices.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(" or ")
            )),
        },
        Kind::Path if text.is_empty() => Err("is empty; write a path".to_owned()),
        Kind::Path | Kind::Text | Kind::Secret => Ok(Value::Text(text.to_owned())),
        Kind::Words => {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            Ok(Value::Words(words.map(str::to_owned).collect()))
        }
    }
}

/// Whether a text is a value of the key's kind.
#[cfg(test)]
pub(super) fn check(key: &Key, text: &str) -> Result<(), String> {
    parse(key, text).map(|_| ())
}

/// A value as it may be shown: in quotes, not at any length, control characters escaped.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    if text.chars().count() <= SHOWN {
        format!("{text:?}")
    } else {
        format!("{:?}…", text.chars().take(SHOWN).collect::<String>())
    }
}

fn integer(key: &Key, unit: Unit, min: i64, max: i64, text: &str) -> Result<i64, String> {
    let read = match key.place {
        Place::Cfg => number::decimal,
        Place::Property | Place::Bare => number::decode,
    };
    let of_what = match unit.word() {
        "" => String::new(),
        word => format!(" ({word})"),
    };
    let Some(number) = read(text) else {
        return Err(format!(
            "{} is not a whole number{of_what}{}",
            quoted(text),
            example(key)
        ));
    };
    if number < min {
        return Err(format!(
            "{number}{of_what} is too small; the least is {min}{}",
            example(key)
        ));
    }
    if number > max {
        return Err(format!(
            "{number}{of_what} is too large; the most is {max}{}",
            example(key)
        ));
    }
    Ok(number)
}

fn example(key: &Key) -> String {
    match key.default.value() {
        Some(value) => format!("; the default is {value}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::find;
    use super::*;

    #[test]
    fn values() {
        let words = |words: &[&str]| Value::Words(words.iter().map(|w| w.to_string()).collect());
        let cases = [
            ("tickTime", "2000", Value::Int(2000)),
            ("jute.maxbuffer", "0xfffff", Value::Int(1_048_575)),
            ("clientPort", "0", Value::Int(0)),
            ("standaloneEnabled", "TRUE", Value::Flag(true)),
            ("standaloneEnabled", "False", Value::Flag(false)),
            ("forceSync", "no", Value::Flag(false)),
            ("snapshotSizeFactor", "-1", Value::Float(-1.0)),
            (
                "autopurge.purgeInterval",
                "24",
                Value::Interval(Duration::from_secs(86_400)),
            ),
            ("peerType", "Observer", Value::Text("observer".into())),
            ("dataDir", "/data", Value::Text("/data".into())),
            (
                "4lw.commands.whitelist",
                " stat, ruok ,,",
                words(&["stat", "ruok"]),
            ),
        ];
        for (key, text, expected) in cases {
            assert_eq!(
                parse(find(key).unwrap(), text),
                Ok(expected),
                "{key}={text}"
            );
        }
    }

    #[test]
    fn what_is_no_value_is_told_with_the_remedy() {
        let cases = [
            (
                "tickTime",
                "abc",
                "\"abc\" is not a whole number (milliseconds); the default is 3000",
            ),
            (
                "tickTime",
                "0x10",
                "\"0x10\" is not a whole number (milliseconds); the default is 3000",
            ),
            (
                "tickTime",
                "0",
                "0 (milliseconds) is too small; the least is 1; the default is 3000",
            ),
            (
                "clientPort",
                "65536",
                "65536 (port) is too large; the most is 65535",
            ),
            ("clientPort", "", "\"\" is not a whole number (port)"),
            (
                "standaloneEnabled",
                "yes",
                "\"yes\" is neither true nor false; write one of them",
            ),
            (
                "forceSync",
                "false",
                "\"false\" is neither yes nor no; write one of them",
            ),
            (
                "snapshotSizeFactor",
                "NaN",
                "\"NaN\" is not a number from -1000000000 to 1; the default is 0.33",
            ),
            (
                "peerType",
                "learner",
                "\"learner\" is not known; write \"participant\" or \"observer\"",
            ),
            ("dataDir", "", "is empty; write a path"),
        ];
        for (key, text, expected) in cases {
            assert_eq!(
                parse(find(key).unwrap(), text),
                Err(expected.to_owned()),
                "{key}={text}"
            );
        }
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), 83);
    }
}
