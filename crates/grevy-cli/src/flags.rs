//! From words to flags and arguments, with the rules and error texts of the parser that the Java
//! program uses. Source: commons-cli 1.5 `DefaultParser`, for flags without long names.

use std::fmt::Write;

/// One flag of a command.
pub struct Flag {
    /// Without its hyphen.
    pub name: &'static str,
    /// Whether a value follows.
    pub takes_value: bool,
    /// A line for the usage text.
    pub about: &'static str,
}

/// How flags relate to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Each is for itself.
    Free,
    /// At most one of them.
    AtMostOne,
    /// Exactly one of them.
    ExactlyOne,
}

/// The flags of a command.
pub struct Spec {
    /// In the order of declaration.
    pub flags: &'static [Flag],
    /// How they relate.
    pub group: Group,
    /// Whether the command's usage text has a table of them.
    pub in_usage: bool,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    flags: Vec<(&'static str, Option<String>)>,
    /// Everything that is neither a flag nor a flag's value; the command's name comes first.
    pub args: Vec<String>,
}

impl Parsed {
    /// Whether the flag was given.
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(flag, _)| *flag == name)
    }

    /// The value of the flag, where it was first given.
    pub fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.flags.iter().find(|(flag, _)| *flag == name)?;
        value.as_deref()
    }
}

impl Spec {
    /// Reads `words`, the command's name included.
    pub fn parse(&self, words: &[String]) -> Result<Parsed, String> {
        let mut parser = Parser {
            spec: self,
            parsed: Parsed::default(),
            open: None,
        };
        let mut words = words.iter();
        for word in words.by_ref() {
            if word == "--" {
                break;
            }
            parser.word(word)?;
        }
        parser.parsed.args.extend(words.cloned());
        parser.finish()
    }

    /// The table of flags in usage texts, each line ended.
    pub fn table(&self) -> String {
        let mut flags: Vec<_> = self.flags.iter().collect();
        flags.sort_by_key(|flag| flag.name.to_lowercase());
        let heads: Vec<_> = flags
            .iter()
            .map(|flag| match flag.takes_value {
                true => format!(" -{} <arg>", flag.name),
                false => format!(" -{}", flag.name),
            })
            .collect();
        let width = heads.iter().map(String::len).max().unwrap_or(0);
        let mut table = String::new();
        for (flag, head) in flags.iter().zip(&heads) {
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{head:width$}   {}", flag.about);
        }
        table
    }

    fn find(&self, name: &str) -> Option<&'static Flag> {
        self.flags.iter().find(|flag| flag.name == name)
    }

    /// Whether a word looks like a flag, so that it cannot be the value of the one before.
    fn is_flag(&self, word: &str) -> bool {
        let Some(name) = word.strip_prefix('-').filter(|name| !name.is_empty()) else {
            return false;
        };
        let name = name.split_once('=').map_or(name, |(name, _)| name);
        let first = name.chars().next().map(String::from);
        self.find(name).is_some() || first.is_some_and(|first| self.find(&first).is_some())
    }
}

struct Parser<'a> {
    spec: &'a Spec,
    parsed: Parsed,
    /// The flag whose value has not come yet.
    open: Option<&'static Flag>,
}

impl Parser<'_> {
    fn word(&mut self, word: &str) -> Result<(), String> {
        if self.open.is_some() && (!self.spec.is_flag(word) || is_negative_number(word)) {
            self.value(unquote(word));
            return Ok(());
        }
        match word.strip_prefix('-') {
            None | Some("") => {
                self.parsed.args.push(word.to_owned());
                Ok(())
            }
            Some(name) => self.flag(word, name),
        }
    }

    fn flag(&mut self, word: &str, name: &str) -> Result<(), String> {
        if let Some(flag) = self.spec.find(name) {
            return self.open(flag);
        }
        if let Some((name, value)) = name.split_once('=') {
            let is_short = name.chars().count() == 1;
            let flag = self
                .spec
                .find(name)
                .filter(|flag| is_short && flag.takes_value);
            self.open(flag.ok_or_else(|| unrecognized(word))?)?;
            self.value(value);
            return Ok(());
        }
        if name.starts_with('-') || name.chars().count() == 1 {
            return Err(unrecognized(word));
        }
        // Several in one word; what follows one that takes a value is its value.
        for (at, c) in name.char_indices() {
            let flag = self.spec.find(&String::from(c));
            self.open(flag.ok_or_else(|| unrecognized(word))?)?;
            let rest = name.get(at + c.len_utf8()..).unwrap_or_default();
            if self.open.is_some() && !rest.is_empty() {
                self.value(rest);
                break;
            }
        }
        Ok(())
    }

    fn open(&mut self, flag: &'static Flag) -> Result<(), String> {
        self.check_value()?;
        if self.spec.group != Group::Free {
            let other = self
                .parsed
                .flags
                .iter()
                .find(|(name, _)| *name != flag.name);
            if let Some((other, _)) = other {
                return Err(format!(
                    "org.apache.commons.cli.AlreadySelectedException: The option '{}' was \
                     specified but an option from this group has already been selected: '{other}'",
                    flag.name
                ));
            }
        }
        self.parsed.flags.push((flag.name, None));
        self.open = flag.takes_value.then_some(flag);
        Ok(())
    }

    fn value(&mut self, value: &str) {
        if let Some((_, slot)) = self.parsed.flags.last_mut() {
            *slot = Some(value.to_owned());
        }
        self.open = None;
    }

    fn finish(self) -> Result<Parsed, String> {
        self.check_value()?;
        if self.spec.group == Group::ExactlyOne && self.parsed.flags.is_empty() {
            let flags = self.spec.flags.iter();
            let choices: Vec<_> = flags
                .map(|flag| format!("-{} {}", flag.name, flag.about))
                .collect();
            return Err(format!(
                "org.apache.commons.cli.MissingOptionException: Missing required option: [{}]",
                choices.join(", ")
            ));
        }
        Ok(self.parsed)
    }

    fn check_value(&self) -> Result<(), String> {
        match self.open {
            None => Ok(()),
            Some(flag) => Err(format!(
                "org.apache.commons.cli.MissingArgumentException: Missing argument for option: {}",
                flag.name
            )),
        }
    }
}

fn unrecognized(word: &str) -> String {
    format!("org.apache.commons.cli.UnrecognizedOptionException: Unrecognized option: {word}")
}

fn is_negative_number(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|digits| {
        digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && digits.parse::<f64>().is_ok()
    })
}

/// Takes off a pair of double quotes that holds no further one.
fn unquote(word: &str) -> &str {
    word.strip_prefix('"')
        .and_then(|word| word.strip_suffix('"'))
        .filter(|inner| !inner.contains('"'))
        .unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    const FLAGS: &[Flag] = &[
        Flag {
            name: "s",
            takes_value: false,
            about: "stat",
        },
        Flag {
            name: "v",
            takes_value: true,
            about: "version",
        },
        Flag {
            name: "file",
            takes_value: true,
            about: "path",
        },
    ];
    const FREE: Spec = Spec {
        flags: FLAGS,
        group: Group::Free,
        in_usage: false,
    };
    const ONE: Spec = Spec {
        flags: FLAGS,
        group: Group::ExactlyOne,
        in_usage: false,
    };

    #[test]
    fn words_become_flags_and_arguments() {
        type Case<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)], &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            ("c /a", &[], &["c", "/a"]),
            ("c -s /a", &[("s", None)], &["c", "/a"]),
            ("c /a -s", &[("s", None)], &["c", "/a"]),
            ("c -v 5 /a", &[("v", Some("5"))], &["c", "/a"]),
            ("c -v -1 /a", &[("v", Some("-1"))], &["c", "/a"]),
            ("c -v=5 /a", &[("v", Some("5"))], &["c", "/a"]),
            ("c -v5 /a", &[("v", Some("5"))], &["c", "/a"]),
            ("c -sv 5 /a", &[("s", None), ("v", Some("5"))], &["c", "/a"]),
            ("c -sv5 /a", &[("s", None), ("v", Some("5"))], &["c", "/a"]),
            ("c -v -x", &[("v", Some("-x"))], &["c"]),
            ("c -file x", &[("file", Some("x"))], &["c"]),
            ("c -v '\"5\"'", &[("v", Some("5"))], &["c"]),
            ("c -v 1 -v 2", &[("v", Some("1")), ("v", Some("2"))], &["c"]),
            ("c -- -s", &[], &["c", "-s"]),
            ("c - x", &[], &["c", "-", "x"]),
        ];
        for (line, flags, args) in cases {
            let parsed = FREE.parse(&words::split(line)).unwrap();
            let seen: Vec<_> = parsed
                .flags
                .iter()
                .map(|(name, value)| (*name, value.as_deref()))
                .collect();
            assert_eq!(
                (&seen[..], &parsed.args[..]),
                (*flags, &args.map_string()[..]),
                "{line}"
            );
        }
    }

    #[test]
    fn errors_are_those_of_commons_cli() {
        let spec = |one| if one { ONE } else { FREE };
        for (one, line, expected) in [
            (
                false,
                "c -x",
                "UnrecognizedOptionException: Unrecognized option: -x",
            ),
            (
                false,
                "c -5",
                "UnrecognizedOptionException: Unrecognized option: -5",
            ),
            (
                false,
                "c -sx",
                "UnrecognizedOptionException: Unrecognized option: -sx",
            ),
            (
                false,
                "c --s",
                "UnrecognizedOptionException: Unrecognized option: --s",
            ),
            (
                false,
                "c --s=1",
                "UnrecognizedOptionException: Unrecognized option: --s=1",
            ),
            (
                false,
                "c -s=1",
                "UnrecognizedOptionException: Unrecognized option: -s=1",
            ),
            (
                false,
                "c -file=1",
                "UnrecognizedOptionException: Unrecognized option: -file=1",
            ),
            (
                false,
                "c -v",
                "MissingArgumentException: Missing argument for option: v",
            ),
            (
                false,
                "c -v -s",
                "MissingArgumentException: Missing argument for option: v",
            ),
            (
                false,
                "c -v --",
                "MissingArgumentException: Missing argument for option: v",
            ),
            (
                true,
                "c -s -v 1",
                "AlreadySelectedException: The option 'v' was specified but an option from this \
                 group has already been selected: 's'",
            ),
            (
                true,
                "c",
                "MissingOptionException: Missing required option: [-s stat, -v version, -file path]",
            ),
        ] {
            let error = spec(one).parse(&words::split(line)).unwrap_err();
            assert_eq!(
                error,
                format!("org.apache.commons.cli.{expected}"),
                "{line}"
            );
        }
    }

    #[test]
    fn tables_are_sorted_and_aligned() {
        assert_eq!(
            FREE.table(),
            " -file <arg>   path\n -s            stat\n -v <arg>      version\n"
        );
    }

    trait MapString {
        fn map_string(&self) -> Vec<String>;
    }
    impl MapString for &[&str] {
        fn map_string(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }
}
