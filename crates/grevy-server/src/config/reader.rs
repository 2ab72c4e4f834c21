//! Typed access to the settings. A bad value is reported and read as the default, so that one run
//! finds everything that is wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use super::finding::{Origin, Report};
use super::keys::{self, Key, Kind, Unit};
use super::settings::{Setting, Settings};
use super::value::{self, Value};

/// Reads settings by the names of the table of keys.
pub(super) struct Reader<'a> {
    settings: &'a Settings,
    pub report: &'a mut Report,
    /// What is not about a single setting is told of the whole file.
    whole: Origin,
    read: BTreeSet<&'static str>,
}

impl<'a> Reader<'a> {
    pub fn new(settings: &'a Settings, report: &'a mut Report, whole: Origin) -> Self {
        Reader {
            settings,
            report,
            whole,
            read: BTreeSet::new(),
        }
    }

    /// Whether the operator set it.
    pub fn is_set(&self, name: &str) -> bool {
        self.settings.get(name).is_some()
    }

    /// `true` or `false`, `yes` or `no`; false if it has no default.
    pub fn flag(&mut self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Flag(true)))
    }

    /// A whole number, if it is set or has a default.
    pub fn int(&mut self, name: &str) -> Option<i64> {
        match self.value(name) {
            Some(Value::Int(number)) => Some(number),
            _ => None,
        }
    }

    /// A whole number that has a default; what is below zero counts as zero.
    pub fn count(&mut self, name: &str) -> u32 {
        let number = self.int(name).unwrap_or(0).max(0);
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// The same, where zero or less means that there is no limit.
    pub fn limit(&mut self, name: &str) -> Option<u32> {
        Some(self.count(name)).filter(|&limit| limit > 0)
    }

    /// A count that is raised to the least useful one, with a warning.
    pub fn count_at_least(&mut self, name: &str, least: u32) -> u32 {
        let number = self.int(name).unwrap_or(0);
        match u32::try_from(number) {
            Ok(count) if count >= least => count,
            _ => {
                self.warn(name, format!("{number} is too small; {least} is taken"));
                least
            }
        }
    }

    /// A TCP port, if it is set or has a default.
    pub fn port(&mut self, name: &str) -> Option<u16> {
        self.int(name).and_then(|port| u16::try_from(port).ok())
    }

    /// A time, if it is set or has a default and is not negative. Ticks are not a time.
    pub fn time(&mut self, name: &str) -> Option<Duration> {
        let number = u64::try_from(self.int(name)?).ok()?;
        match self.key(name).kind {
            Kind::Int {
                unit: Unit::Seconds,
                ..
            } => Some(Duration::from_secs(number)),
            _ => Some(Duration::from_millis(number)),
        }
    }

    /// A time that has a default and cannot be negative.
    pub fn duration(&mut self, name: &str) -> Duration {
        self.time(name).unwrap_or_default()
    }

    /// A size in bytes that has a default; what is below zero counts as zero.
    pub fn bytes(&mut self, name: &str) -> u64 {
        let number = u64::try_from(self.int(name).unwrap_or(0)).unwrap_or(0);
        match self.key(name).kind {
            Kind::Int {
                unit: Unit::Kilobytes,
                ..
            } => number.saturating_mul(1024),
            _ => number,
        }
    }

    /// The same, where zero or less means that there is no limit.
    pub fn bytes_limit(&mut self, name: &str) -> Option<u64> {
        Some(self.bytes(name)).filter(|&limit| limit > 0)
    }

    /// A number with a fraction that has a default.
    pub fn float(&mut self, name: &str) -> f64 {
        match self.value(name) {
            Some(Value::Float(number)) => number,
            _ => 0.0,
        }
    }

    /// An interval that has a default.
    pub fn interval(&mut self, name: &str) -> Duration {
        match self.value(name) {
            Some(Value::Interval(interval)) => interval,
            _ => Duration::ZERO,
        }
    }

    /// A text, path, secret or choice, if it is set or has a default.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Words, if they are set or have a default.
    pub fn words(&mut self, name: &str) -> Option<Vec<String>> {
        match self.value(name) {
            Some(Value::Words(words)) => Some(words),
            _ => None,
        }
    }

    /// The members of a family.
    pub fn family(&mut self, family: &'static str) -> Vec<(String, Setting)> {
        self.read.insert(family);
        let members = self.settings.family(family);
        members
            .map(|(member, setting)| (member.to_owned(), setting.clone()))
            .collect()
    }

    /// Reports an error about a key, at the line that set it.
    pub fn error(&mut self, name: &str, text: impl Into<String>) {
        let (origin, name) = self.place_of(name);
        self.report.error(&origin, &name, text);
    }

    /// Reports a warning about a key, at the line that set it.
    pub fn warn(&mut self, name: &str, text: impl Into<String>) {
        let (origin, name) = self.place_of(name);
        self.report.warn(&origin, &name, text);
    }

    /// The names that were asked for.
    #[cfg(test)]
    pub fn names_read(&self) -> &BTreeSet<&'static str> {
        &self.read
    }

    fn value(&mut self, name: &str) -> Option<Value> {
        let key = self.key(name);
        self.read.insert(key.name);
        if let Some(setting) = self.settings.get(name) {
            match value::parse(key, &setting.value) {
                Ok(value) => return Some(value),
                Err(text) => self.error(name, text),
            }
        }
        key.default
            .value()
            .and_then(|default| value::parse(key, default).ok())
    }

    /// The names come from this crate, so a missing one is a mistake of ours.
    fn key(&self, name: &str) -> &'static Key {
        keys::find(name).unwrap_or_else(|| panic!("{name} is not in the table of keys"))
    }

    fn place_of(&self, name: &str) -> (Origin, String) {
        match self.settings.get(name) {
            Some(setting) if matches!(setting.origin, Origin::Argument(_)) => {
                (setting.origin.clone(), String::new())
            }
            Some(setting) => (setting.origin.clone(), setting.name.clone()),
            None => (self.whole.clone(), name.to_owned()),
        }
    }
}
