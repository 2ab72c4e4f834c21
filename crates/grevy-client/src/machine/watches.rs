//! The watchers of a session: whom an event concerns, and what is set again on a new connection.
//! Source: `ZKWatchManager`.
//!
//! Paths are the server's. A server keeps one watch per path and kind, however many watchers
//! there are here.

use grevy_proto::event::EventType;
use grevy_proto::watch::{self, WatchKind, WatcherType};
use grevy_proto::{OpCode, Zxid, path};
use std::collections::{BTreeMap, HashMap};

/// A watcher. The driver gives out the numbers, and no number twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatcherId(pub u64);

/// Watchers by kind and path.
#[derive(Debug, Default)]
pub struct Watches {
    /// By [`WatchKind`]. In order, so that the same history yields the same requests.
    tables: [BTreeMap<String, Vec<WatcherId>>; 5],
    places: HashMap<WatcherId, (WatchKind, String)>,
}

impl Watches {
    /// Registers a watcher if a request with the result `code` left a watch; tells whether.
    pub fn register(&mut self, watcher: WatcherId, kind: WatchKind, path: &str, code: i32) -> bool {
        let Some(kind) = kind.kept(code) else {
            return false;
        };
        let watchers = self.tables[kind as usize].entry(path.to_owned());
        watchers.or_default().push(watcher);
        self.places.insert(watcher, (kind, path.to_owned()));
        true
    }

    /// Whom an event concerns, and whether it used up their watch.
    pub fn fire(&mut self, event: EventType, path: &str) -> Vec<(WatcherId, bool)> {
        let mut fired = Vec::new();
        for kind in WatchKind::used_up_by(event) {
            for watcher in self.tables[*kind as usize].remove(path).unwrap_or_default() {
                self.places.remove(&watcher);
                fired.push((watcher, true));
            }
        }
        let mut stays = |kind: WatchKind, path: &str| {
            let watchers = self.tables[kind as usize].get(path);
            fired.extend(
                watchers
                    .into_iter()
                    .flatten()
                    .map(|watcher| (*watcher, false)),
            );
        };
        stays(WatchKind::Persistent, path);
        if event != EventType::NodeChildrenChanged {
            for path in path::upwards(path) {
                stays(WatchKind::PersistentRecursive, path);
            }
        }
        fired
    }

    /// Removes a watcher; returns what it watched if it was the last of its kind there.
    pub fn remove(&mut self, watcher: WatcherId) -> Option<(WatchKind, String)> {
        let (kind, path) = self.places.remove(&watcher)?;
        let table = &mut self.tables[kind as usize];
        let watchers = table.get_mut(&path)?;
        watchers.retain(|other| *other != watcher);
        if !watchers.is_empty() {
            return None;
        }
        table.remove(&path);
        Some((kind, path))
    }

    /// Removes all watchers of a type from a path.
    pub fn remove_all(&mut self, which: WatcherType, path: &str) -> Vec<WatcherId> {
        let mut removed = Vec::new();
        for kind in WatchKind::ALL
            .into_iter()
            .filter(|kind| which.includes(*kind))
        {
            removed.extend(self.tables[kind as usize].remove(path).unwrap_or_default());
        }
        for watcher in &removed {
            self.places.remove(watcher);
        }
        removed
    }

    /// Removes all, at the end of the session.
    pub fn clear(&mut self) -> Vec<WatcherId> {
        let tables = std::mem::take(&mut self.tables);
        self.places.clear();
        tables
            .into_iter()
            .flat_map(BTreeMap::into_values)
            .flatten()
            .collect()
    }

    /// Whether anybody watches exactly this path for what `which` includes.
    pub fn is_watched(&self, path: &str, which: WatcherType) -> bool {
        let mut kinds = WatchKind::ALL.into_iter();
        kinds.any(|kind| which.includes(kind) && self.tables[kind as usize].contains_key(path))
    }

    /// The watchers that stay.
    pub fn persistent(&self) -> impl Iterator<Item = WatcherId> + '_ {
        let kinds = [WatchKind::Persistent, WatchKind::PersistentRecursive];
        let tables = kinds.into_iter().map(|kind| &self.tables[kind as usize]);
        tables.flat_map(BTreeMap::values).flatten().copied()
    }

    /// The requests that set all watches again on a new connection, each with its record, for a
    /// client that has seen everything up to `last_zxid`.
    pub fn set_again(&self, last_zxid: Zxid) -> Vec<(OpCode, Vec<u8>)> {
        let kinds = WatchKind::ALL.into_iter();
        let watches = kinds.flat_map(|kind| {
            let paths = self.tables[kind as usize].keys();
            paths.map(move |path| (kind, path.as_str()))
        });
        watch::set_again(watches, last_zxid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventType::*;
    use WatchKind::*;

    #[test]
    fn which_events_concern_which_watches() {
        // (kind, path, result of the request), event, its path: fires at first, and again.
        for ((kind, path, code), event, at, fires) in [
            ((Data, "/a", 0), NodeDataChanged, "/a", [true, false]),
            ((Data, "/a", 0), NodeDeleted, "/a", [true, false]),
            ((Data, "/a", 0), NodeChildrenChanged, "/a", [false, false]),
            ((Data, "/a", -101), NodeCreated, "/a", [false, false]),
            ((Exists, "/a", -101), NodeCreated, "/a", [true, false]),
            ((Exists, "/a", 0), NodeDeleted, "/a", [true, false]),
            ((Child, "/a", 0), NodeChildrenChanged, "/a", [true, false]),
            ((Child, "/a", 0), NodeDeleted, "/a", [true, false]),
            ((Child, "/a", -102), NodeDeleted, "/a", [false, false]),
            (
                (Persistent, "/a", 0),
                NodeChildrenChanged,
                "/a",
                [true, true],
            ),
            ((Persistent, "/a", 0), NodeCreated, "/a/b", [false, false]),
            (
                (PersistentRecursive, "/a", 0),
                NodeCreated,
                "/a/b/c",
                [true, true],
            ),
            (
                (PersistentRecursive, "/", 0),
                NodeCreated,
                "/a",
                [true, true],
            ),
            (
                (PersistentRecursive, "/a", 0),
                NodeChildrenChanged,
                "/a",
                [false, false],
            ),
            (
                (PersistentRecursive, "/a", 0),
                NodeCreated,
                "/ab",
                [false, false],
            ),
        ] {
            let mut watches = Watches::default();
            watches.register(WatcherId(1), kind, path, code);
            let mut fire = || !watches.fire(event, at).is_empty();
            assert_eq!([fire(), fire()], fires, "{kind:?} {path} {event:?} {at}");
        }
    }

    #[test]
    fn the_last_watcher_of_a_kind_takes_the_watch_with_it() {
        let mut watches = Watches::default();
        watches.register(WatcherId(1), Data, "/a", 0);
        watches.register(WatcherId(2), Exists, "/a", 0);
        watches.register(WatcherId(3), Persistent, "/a", 0);
        assert_eq!(watches.remove(WatcherId(1)), None);
        assert_eq!(watches.remove(WatcherId(2)), Some((Data, "/a".to_owned())));
        assert_eq!(watches.remove(WatcherId(2)), None);
        assert!(watches.is_watched("/a", WatcherType::Any));
        assert!(!watches.is_watched("/a", WatcherType::Data));
        assert_eq!(watches.remove_all(WatcherType::Any, "/a"), [WatcherId(3)]);
        assert!(watches.set_again(Zxid(1)).is_empty());
    }
}
