//! Quotas: limits and usage of subtrees, kept in znodes below `/zookeeper/quota`.
//! Source: `Quotas`, `StatsTrack`, `PathTrie`, `DataTree.updateQuotaStat`.

use crate::arena::Arena;
use crate::tree::Tree;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write};

const QUOTA: &str = "/zookeeper/quota";
const LIMITS: &str = "/zookeeper_limits";
const USAGE: &str = "/zookeeper_stats";

/// A subtree's quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota<'a> {
    /// The topmost znode's path.
    pub path: &'a str,
    /// What is allowed.
    pub limits: QuotaLimits,
    /// What is there; `None` if the usage znode is missing, and then nothing can be checked.
    pub usage: Option<QuotaUsage>,
}

/// Limits of a subtree; `None`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Znodes, the topmost included; going over is only logged.
    pub count: Option<i64>,
    /// Bytes of data; going over is only logged.
    pub bytes: Option<i64>,
    /// Znodes; going over is refused, if quotas are enforced. Stands before `count`.
    pub count_hard: Option<i64>,
    /// Bytes of data; likewise.
    pub bytes_hard: Option<i64>,
}

/// What a subtree holds, as its usage znode says; -1 where it says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaUsage {
    /// Znodes, the topmost included.
    pub count: i64,
    /// Bytes of data.
    pub bytes: i64,
}

impl Tree {
    /// The quota that holds for a znode at this path: that of the nearest ancestor, or itself.
    pub fn quota(&self, path: &str) -> Option<Quota<'_>> {
        self.quotas.nearest(path).map(|path| self.describe(path))
    }

    /// All quotas, in order of their paths.
    pub fn quotas(&self) -> impl Iterator<Item = Quota<'_>> {
        self.quotas.0.iter().map(|path| self.describe(path))
    }

    fn describe<'a>(&'a self, path: &'a str) -> Quota<'a> {
        let track = |name| {
            let id = self.find(&format!("{QUOTA}{path}{name}"))?;
            Some(StatsTrack::parse(self.arena.data(id)))
        };
        let limits = track(LIMITS).unwrap_or_default();
        let limit = |key| Some(limits.get(key)).filter(|&limit| limit > -1);
        Quota {
            path,
            limits: QuotaLimits {
                count: limit(StatsTrack::COUNT),
                bytes: limit(StatsTrack::BYTES),
                count_hard: limit(StatsTrack::COUNT_HARD),
                bytes_hard: limit(StatsTrack::BYTES_HARD),
            },
            usage: track(USAGE).map(|usage| QuotaUsage {
                count: usage.get(StatsTrack::COUNT),
                bytes: usage.get(StatsTrack::BYTES),
            }),
        }
    }

    /// After a create: a usage znode is filled, and the new znode counts.
    pub(crate) fn count_created(&mut self, path: &str, bytes: usize) {
        if let Some(subject) = usage_of(path) {
            self.recount(subject);
        }
        self.add_usage(path, bytes as i64, 1);
    }

    /// Adds to the usage of the quota that holds for `path`. The usage znode's data changes and
    /// nothing else of it: no version, no event; each server does this for itself.
    pub(crate) fn add_usage(&mut self, path: &str, bytes: i64, count: i64) {
        // Most servers have no quotas.
        let Some(subject) = self.quotas.nearest(path) else {
            return;
        };
        let Some(id) = self.find(&format!("{QUOTA}{subject}{USAGE}")) else {
            return;
        };
        let mut usage = StatsTrack::parse(self.arena.data(id));
        for (key, change) in [(StatsTrack::COUNT, count), (StatsTrack::BYTES, bytes)] {
            usage.set(key, usage.get(key).wrapping_add(change));
        }
        self.store_usage(id, &usage);
    }

    /// Counts the usage of all quotas anew.
    pub(crate) fn recount_all(&mut self) {
        let quotas = core::mem::take(&mut self.quotas);
        for subject in &quotas.0 {
            self.recount(subject);
        }
        self.quotas = quotas;
    }

    fn recount(&mut self, subject: &str) {
        let Some(id) = self.find(&format!("{QUOTA}{subject}{USAGE}")) else {
            return;
        };
        let mut usage = StatsTrack::default();
        let (count, bytes) = match self.find(subject) {
            Some(top) => content(&self.arena, top),
            None => (0, 0),
        };
        usage.set(StatsTrack::COUNT, count);
        usage.set(StatsTrack::BYTES, bytes);
        self.store_usage(id, &usage);
    }

    fn store_usage(&mut self, id: u32, usage: &StatsTrack) {
        self.preserve(id);
        self.replace_data(id, Some(format!("{usage}").as_bytes()));
    }
}

/// Znodes and bytes of data from here down.
fn content(arena: &Arena, top: u32) -> (i64, i64) {
    let ids = arena.subtree(top);
    let bytes = ids.iter().map(|&id| arena.node(id).data_len() as i64);
    (ids.len() as i64, bytes.sum())
}

/// The paths that have a limits znode.
#[derive(Default)]
pub(crate) struct Quotas(BTreeSet<Box<str>>);

impl Quotas {
    /// Takes note of a new znode.
    pub(crate) fn created(&mut self, path: &str) {
        if let Some(subject) = limits_of(path) {
            self.0.insert(subject.into());
        }
    }

    /// Takes note that a znode is gone.
    pub(crate) fn deleted(&mut self, path: &str) {
        if let Some(subject) = limits_of(path) {
            self.0.remove(subject);
        }
    }

    /// The longest of them that is `path` or an ancestor of it.
    fn nearest(&self, mut path: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        loop {
            if let Some(found) = self.0.get(path) {
                return Some(found);
            }
            (path, _) = path.rsplit_once('/')?;
        }
    }
}

/// Whose limits the znode at this path holds, if any. The root cannot have a quota.
fn limits_of(path: &str) -> Option<&str> {
    subject(path, LIMITS)
}

fn usage_of(path: &str) -> Option<&str> {
    subject(path, USAGE)
}

fn subject<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let subject = path.strip_prefix(QUOTA)?.strip_suffix(name)?;
    subject.starts_with('/').then_some(subject)
}

/// The numbers in a limits or usage znode's data, by name: `count=5,bytes=10`, and further ones
/// as in `count=5,bytes=10=;byteHardLimit=20;countHardLimit=10`, where the stray `=` hides them
/// from parsers of 3.4. Source: `StatsTrack`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatsTrack {
    values: BTreeMap<Box<str>, i64>,
}

impl StatsTrack {
    /// Znodes.
    pub const COUNT: &str = "count";
    /// Bytes of data.
    pub const BYTES: &str = "bytes";
    /// Znodes; a limit that is enforced.
    pub const COUNT_HARD: &str = "countHardLimit";
    /// Bytes of data; a limit that is enforced.
    pub const BYTES_HARD: &str = "byteHardLimit";

    /// Reads a znode's data. Clients may write anything there; what is not a number with a name
    /// is passed over.
    pub fn parse(data: Option<&[u8]>) -> Self {
        let text = String::from_utf8_lossy(data.unwrap_or_default());
        let mut values = BTreeMap::new();
        for pair in text.split([',', ';']) {
            let mut parts = pair.split('=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
                continue;
            };
            let value = if value.is_empty() { "-1" } else { value };
            if let Ok(value) = value.parse() {
                values.insert(key.into(), value);
            }
        }
        Self { values }
    }

    /// A number; -1 if it is not there.
    pub fn get(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }

    /// Sets a number.
    pub fn set(&mut self, key: &str, value: i64) {
        self.values.insert(key.into(), value);
    }
}

/// Count and bytes always and first, the rest in order of their names.
impl fmt::Display for StatsTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "count={},bytes={}",
            self.get(Self::COUNT),
            self.get(Self::BYTES)
        )?;
        let rest = self.values.iter();
        let rest = rest.filter(|(key, _)| !matches!(&***key, Self::COUNT | Self::BYTES));
        for (n, (key, value)) in rest.enumerate() {
            if n == 0 {
                f.write_char('=')?;
            }
            write!(f, ";{key}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn texts() {
        for (text, written) in [
            ("", "count=-1,bytes=-1"),
            ("count=5,bytes=10", "count=5,bytes=10"),
            ("bytes=10,count=5", "count=5,bytes=10"),
            ("count=,bytes=10", "count=-1,bytes=10"),
            (
                "count=1,bytes=2=;countHardLimit=10;byteHardLimit=20",
                "count=1,bytes=2=;byteHardLimit=20;countHardLimit=10",
            ),
            ("count=1;;bytes=2,", "count=1,bytes=2"),
            ("count=x,bytes=2", "count=-1,bytes=2"),
            ("nonsense", "count=-1,bytes=-1"),
            ("zebra=1", "count=-1,bytes=-1=;zebra=1"),
        ] {
            let track = StatsTrack::parse(Some(text.as_bytes()));
            assert_eq!(track.to_string(), written, "{text}");
        }
        assert_eq!(StatsTrack::parse(None), StatsTrack::default());
        assert_eq!(
            StatsTrack::parse(Some(b"\xff=\xff,count=3")).get("count"),
            3
        );
    }

    #[test]
    fn subjects() {
        for (path, limits, usage) in [
            ("/zookeeper/quota/a/zookeeper_limits", Some("/a"), None),
            ("/zookeeper/quota/a/b/zookeeper_stats", None, Some("/a/b")),
            ("/zookeeper/quota/zookeeper_limits", None, None),
            ("/zookeeper/quotaa/zookeeper_limits", None, None),
            ("/zookeeper/quota/a", None, None),
            ("/zookeeper_limits", None, None),
        ] {
            assert_eq!((limits_of(path), usage_of(path)), (limits, usage), "{path}");
        }
    }

    #[test]
    fn the_nearest_ancestor_counts() {
        let mut quotas = Quotas::default();
        assert_eq!(quotas.nearest("/a"), None);
        for path in ["/a", "/a/b/c"] {
            quotas.created(&format!("{QUOTA}{path}{LIMITS}"));
        }
        for (path, expected) in [
            ("/a", Some("/a")),
            ("/a/b", Some("/a")),
            ("/a/b/c", Some("/a/b/c")),
            ("/a/b/c/d", Some("/a/b/c")),
            ("/ab", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(quotas.nearest(path), expected, "{path}");
        }
        quotas.deleted(&format!("{QUOTA}/a/b/c{LIMITS}"));
        assert_eq!(quotas.nearest("/a/b/c"), Some("/a"));
    }
}
