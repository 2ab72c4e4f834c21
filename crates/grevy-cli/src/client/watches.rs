//! The watches that the client holds, to set them again after a reconnect and to tell which
//! notifications somebody waits for. Source: `ZKWatchManager`.
//!
//! Paths are those of the server, chroot included.

use super::event::EventKind;
use grevy_proto::event::EventType;
use grevy_proto::watch::{self, WatchKind, WatcherType};
use grevy_proto::{OpCode, Zxid, path};
use std::collections::BTreeSet;

/// Watched paths.
#[derive(Debug, Default)]
pub struct Watches {
    /// By [`WatchKind`].
    paths: [BTreeSet<String>; 5],
}

impl Watches {
    /// Registers what a request with the result `code` left on the server.
    pub fn register(&mut self, kind: WatchKind, path: String, code: i32) {
        if let Some(kind) = kind.kept(code) {
            self.paths[kind as usize].insert(path);
        }
    }

    /// Takes the watches that an event uses up; tells whether anybody watches for it.
    pub fn fire(&mut self, event: EventType, path: &str) -> bool {
        let mut is_watched = false;
        for kind in WatchKind::used_up_by(event) {
            is_watched |= self.paths[*kind as usize].remove(path);
        }
        let persistent = &self.paths[WatchKind::Persistent as usize];
        let recursive = &self.paths[WatchKind::PersistentRecursive as usize];
        is_watched
            || persistent.contains(path)
            || (event != EventType::NodeChildrenChanged
                && path::upwards(path).any(|path| recursive.contains(path)))
    }

    /// Removes watches; returns the events to tell, none if there was no such watch.
    pub fn remove(&mut self, which: WatcherType, path: &str) -> Vec<EventKind> {
        let mut events = BTreeSet::new();
        for kind in WatchKind::ALL {
            if which.includes(kind) && self.paths[kind as usize].remove(path) {
                events.insert(EventKind::of_removed(kind));
            }
        }
        events.into_iter().collect()
    }

    /// The requests that set all watches again on a new connection, each with its record, for a
    /// client that has seen everything up to `last_zxid`.
    pub fn set_again(&self, last_zxid: Zxid) -> Vec<(OpCode, Vec<u8>)> {
        let kinds = WatchKind::ALL.into_iter();
        let watches = kinds.flat_map(|kind| {
            let paths = self.paths[kind as usize].iter();
            paths.map(move |path| (kind, path.as_str()))
        });
        watch::set_again(watches, last_zxid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventKind::*;

    fn watches(registered: &[(WatchKind, &str, i32)]) -> Watches {
        let mut watches = Watches::default();
        for (kind, path, code) in registered {
            watches.register(*kind, (*path).to_owned(), *code);
        }
        watches
    }

    #[test]
    fn which_events_fire_which_watches() {
        use EventType::*;
        use WatchKind::*;
        let (once, always, never) = ([true, false], [true, true], [false, false]);
        // (kind, path, result), event, its path: fires at first, and again.
        for (registered, event, at, fires) in [
            ((Data, "/a", 0), NodeDataChanged, "/a", once),
            ((Data, "/a", 0), NodeChildrenChanged, "/a", never),
            ((Data, "/a", -101), NodeCreated, "/a", never),
            ((Exists, "/a", -101), NodeCreated, "/a", once),
            ((Exists, "/a", 0), NodeDeleted, "/a", once),
            ((Child, "/a", 0), NodeDeleted, "/a", once),
            ((Persistent, "/a", 0), NodeChildrenChanged, "/a", always),
            ((Persistent, "/a", 0), NodeCreated, "/a/b", never),
            ((PersistentRecursive, "/", 0), NodeCreated, "/a", always),
            (
                (PersistentRecursive, "/a", 0),
                NodeCreated,
                "/a/b/c",
                always,
            ),
            (
                (PersistentRecursive, "/a", 0),
                NodeChildrenChanged,
                "/a",
                never,
            ),
            ((PersistentRecursive, "/a", 0), NodeCreated, "/ab", never),
        ] {
            let mut watches = watches(&[registered]);
            let seen = [watches.fire(event, at), watches.fire(event, at)];
            assert_eq!(seen, fires, "{registered:?} {event:?} {at}");
        }
    }

    #[test]
    fn removing_tells_what_was_removed() {
        let all = [
            (WatchKind::Data, "/a", 0),
            (WatchKind::Child, "/a", 0),
            (WatchKind::Persistent, "/a", 0),
            (WatchKind::PersistentRecursive, "/a", 0),
        ];
        for (which, expected) in [
            (WatcherType::Data, vec![DataWatchRemoved]),
            (WatcherType::Children, vec![ChildWatchRemoved]),
            (WatcherType::Persistent, vec![PersistentWatchRemoved]),
            (
                WatcherType::PersistentRecursive,
                vec![PersistentWatchRemoved],
            ),
            (
                WatcherType::Any,
                vec![DataWatchRemoved, ChildWatchRemoved, PersistentWatchRemoved],
            ),
        ] {
            let mut watches = watches(&all);
            assert_eq!(watches.remove(which, "/a"), expected);
            assert_eq!(watches.remove(which, "/a"), vec![]);
        }
    }
}
