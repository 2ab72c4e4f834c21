//! The table of every setting that a ZooKeeper server (3.5 to 3.9) reads, and what Grevy does with
//! it. It is the single truth: values are checked against it, defaults come from it, and
//! `docs/configuration.md` is written from it.

mod access;
mod admin;
mod client;
mod ensemble;
mod java;
mod limits;
mod storage;
mod tls;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in `zoo.cfg`. A name ending in `.N` or `.*` stands for a family of keys.
    pub name: &'static str,
    /// Where ZooKeeper reads it from.
    pub place: Place,
    /// What its value must look like.
    pub kind: Kind,
    /// What holds when it is not set.
    pub default: Preset,
    /// What Grevy does with it.
    pub support: Support,
    /// What it means, in one sentence.
    pub about: &'static str,
}

/// Where ZooKeeper reads a setting from. Grevy takes each of them from the file and from `-D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `zoo.cfg` (`QuorumPeerConfig.parseProperties`).
    Cfg,
    /// The system property `zookeeper.<name>`, which `<name>` in `zoo.cfg` also sets.
    Property,
    /// The system property `<name>`, from the command line only.
    Bare,
}

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false`, in any letter case.
    Flag,
    /// `yes` or `no`.
    YesNo,
    /// A whole number within bounds (both included).
    Int {
        /// What it counts.
        unit: Unit,
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// A number with a fraction, within bounds (both included).
    Float {
        /// The least value.
        min: f64,
        /// The greatest value.
        max: f64,
    },
    /// Hours, or a number with a unit: `ms`, `s`, `m`, `h`, `d`.
    Interval,
    /// Any text.
    Text,
    /// Any text, never shown in a message.
    Secret,
    /// A path in the file system.
    Path,
    /// Words separated by commas.
    Words,
    /// One of these.
    Choice(&'static [&'static str]),
}

/// What a whole number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Multiples of `tickTime`.
    Ticks,
    /// Bytes.
    Bytes,
    /// 1024 bytes.
    Kilobytes,
    /// A TCP port.
    Port,
    /// Things.
    Count,
}

impl Unit {
    /// The unit in words; empty for a count.
    pub fn word(self) -> &'static str {
        match self {
            Unit::Millis => "milliseconds",
            Unit::Seconds => "seconds",
            Unit::Ticks => "ticks",
            Unit::Bytes => "bytes",
            Unit::Kilobytes => "KB",
            Unit::Port => "port",
            Unit::Count => "",
        }
    }
}

/// What holds when a key is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Nothing.
    Unset,
    /// This value, as in ZooKeeper.
    Value(&'static str),
    /// This value, unlike ZooKeeper, whose default follows.
    Ours(&'static str, &'static str),
    /// Something computed, told in words.
    Derived(&'static str),
}

impl Preset {
    /// The value as it could be written in the file.
    pub fn value(self) -> Option<&'static str> {
        match self {
            Preset::Value(value) | Preset::Ours(value, _) => Some(value),
            Preset::Unset | Preset::Derived(_) => None,
        }
    }
}

/// What Grevy does with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Does what it says.
    Supported,
    /// Read and checked; it matters only to a server that is part of an ensemble.
    InEnsemble,
    /// Taken without effect, since what it tunes does not exist in Grevy: why.
    Accepted(&'static str),
    /// Not in this version: what is missing. The server starts without it, and warns.
    NotYet(&'static str),
    /// Not in this version, and to start without it would break a promise: only these values pass.
    Refused(&'static [&'static str], &'static str),
}

impl Key {
    /// Whether the name stands for a family of keys.
    pub fn is_family(&self) -> bool {
        self.name.ends_with(".N") || self.name.ends_with(".*")
    }
}

/// Keys that belong together, as a chapter of the documentation.
#[derive(Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Its keys, the most used first.
    pub keys: &'static [Key],
}

/// All settings.
pub static SECTIONS: &[Section] = &[
    Section {
        title: "Clients and time",
        keys: client::KEYS,
    },
    Section {
        title: "Storage",
        keys: storage::KEYS,
    },
    Section {
        title: "Limits",
        keys: limits::KEYS,
    },
    Section {
        title: "Access",
        keys: access::KEYS,
    },
    Section {
        title: "Administration",
        keys: admin::KEYS,
    },
    Section {
        title: "Ensemble",
        keys: ensemble::KEYS,
    },
    Section {
        title: "TLS and SASL",
        keys: tls::KEYS,
    },
    Section {
        title: "Without effect",
        keys: java::KEYS,
    },
];

/// All settings, one after the other.
pub fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The setting of this name. `None` for a member of a family.
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name && !key.is_family())
}

/// The family that this name belongs to, and what distinguishes the member: `("server.N", "1")`
/// for `server.1`. As in ZooKeeper, every name that begins with `server.`, `group` or `weight` is
/// meant for its family, well-formed or not.
pub fn find_family(name: &str) -> Option<(&'static Key, &str)> {
    all().filter(|key| key.is_family()).find_map(|key| {
        let prefix = &key.name[..key.name.len() - 1];
        let member = match name.strip_prefix(prefix) {
            Some(member) => member,
            None if matches!(prefix, "group." | "weight.") => {
                name.strip_prefix(prefix.trim_end_matches('.'))?
            }
            None => return None,
        };
        Some((key, member))
    })
}

const INT_MAX: i64 = i32::MAX as i64;
const INT_MIN: i64 = i32::MIN as i64;

const fn int(unit: Unit, min: i64) -> Kind {
    Kind::Int {
        unit,
        min,
        max: INT_MAX,
    }
}

const fn ms(min: i64) -> Kind {
    int(Unit::Millis, min)
}

const fn count(min: i64) -> Kind {
    int(Unit::Count, min)
}

const fn bytes(min: i64) -> Kind {
    int(Unit::Bytes, min)
}

/// Bounded so that the number of bytes fits 63 bits.
const fn kilobytes(min: i64) -> Kind {
    Kind::Int {
        unit: Unit::Kilobytes,
        min,
        max: i64::MAX / 1024,
    }
}

const fn port(min: i64) -> Kind {
    Kind::Int {
        unit: Unit::Port,
        min,
        max: 65535,
    }
}

/// A section's keys, one a line: name, place, kind, default, support, meaning.
macro_rules! keys {
    ($($name:literal $place:ident, $kind:expr, $default:expr, $support:expr, $about:literal;)*) => {
        #[rustfmt::skip]
        pub(super) static KEYS: &[$crate::config::keys::Key] = &[$($crate::config::keys::Key {
            name: $name,
            place: $crate::config::keys::Place::$place,
            kind: $kind,
            default: $default,
            support: $support,
            about: $about,
        }),*];
    };
}
use keys;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::value::check;

    #[test]
    fn every_name_is_there_once() {
        let mut seen = BTreeSet::new();
        for key in all() {
            assert!(seen.insert(key.name), "{} is in the table twice", key.name);
            assert!(!key.about.is_empty(), "{} says nothing", key.name);
            assert!(!key.name.starts_with("zookeeper."), "{}", key.name);
        }
        // What 3.9.5 reads; a row lost by accident would show here.
        assert!(seen.len() > 220, "{} keys", seen.len());
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for key in all() {
            if let Some(value) = key.default.value() {
                assert_eq!(check(key, value), Ok(()), "{}", key.name);
            }
            if let Support::Refused(harmless, _) = key.support {
                for value in harmless {
                    assert_eq!(check(key, value), Ok(()), "{}", key.name);
                }
            }
        }
    }

    #[test]
    fn families() {
        let cases = [
            ("server.1", Some(("server.N", "1"))),
            ("server.", Some(("server.N", ""))),
            ("server.x", Some(("server.N", "x"))),
            ("server", None),
            ("group.2", Some(("group.N", "2"))),
            ("groups", Some(("group.N", "s"))),
            ("weight3", Some(("weight.N", "3"))),
            ("authProvider.sasl", Some(("authProvider.*", "sasl"))),
            ("tickTime", None),
        ];
        for (name, expected) in cases {
            let found = find_family(name).map(|(key, member)| (key.name, member));
            assert_eq!(found, expected, "{name}");
        }
        assert!(find("server.N").is_none());
        assert!(
            find("server.realm").is_some(),
            "a property beside the family"
        );
    }
}
