//! What a run did. A run in which too little happened proves nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Counters by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// What clients and servers did.
    pub done: BTreeMap<&'static str, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// What checkers compared, by property.
    pub checked: BTreeMap<&'static str, u64>,
    /// Simulated time.
    pub simulated: Duration,
}

impl Counts {
    /// Something was done.
    pub fn did(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// A fault was injected.
    pub fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// A property was compared with what happened.
    pub fn check(&mut self, property: &'static str) {
        *self.checked.entry(property).or_default() += 1;
    }

    /// How often something was done.
    pub fn of(&self, what: &str) -> u64 {
        self.done.get(what).copied().unwrap_or(0)
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.done, &other.done),
            (&mut self.faults, &other.faults),
            (&mut self.checked, &other.checked),
        ] {
            for (name, count) in theirs {
                *mine.entry(name).or_default() += count;
            }
        }
        self.simulated += other.simulated;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, counts) in [
            ("done", &self.done),
            ("faults", &self.faults),
            ("checked", &self.checked),
        ] {
            write!(f, "{title}:")?;
            for (name, count) in counts {
                write!(f, " {name}={count}")?;
            }
            writeln!(f)?;
        }
        write!(f, "simulated: {:.1} s", self.simulated.as_secs_f64())
    }
}
