//! The watches that the client holds, to set them again after a reconnect and to tell which
//! notifications somebody waits for. Source: `ZKWatchManager`.
//!
//! Paths are those of the server, chroot included.

use super::event::EventKind;
use grevy_proto::request::{SetWatches, SetWatches2};
use grevy_proto::{ErrorCode, Zxid};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Paths of a setWatches request add up to at most about this many bytes, so that it stays well
/// below the server's limit of a frame.
const BATCH_BYTES: usize = 128 * 1024;

/// What a request's success registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchKind {
    /// By getData.
    Data,
    /// By exists, which may also find nothing.
    Exists,
    /// By getChildren.
    Child,
    /// By addWatch.
    Persistent,
    /// By addWatch.
    PersistentRecursive,
}

/// What removeWatches removes (`Watcher.WatcherType`), by its wire value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum WatcherType {
    /// Standard child watches.
    Children = 1,
    /// Standard data watches.
    Data = 2,
    /// All.
    Any = 3,
    /// Persistent ones.
    Persistent = 4,
    /// Persistent recursive ones.
    PersistentRecursive = 5,
}

/// Watches by kind.
#[derive(Debug, Default)]
pub struct Watches {
    data: BTreeSet<String>,
    exists: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

impl Watches {
    /// Registers what a request with the result `code` left on the server.
    pub fn register(&mut self, kind: WatchKind, path: String, code: i32) {
        let found = code == ErrorCode::Ok.wire();
        let missing = code == ErrorCode::NoNode.wire();
        match kind {
            WatchKind::Data if found => self.data.insert(path),
            WatchKind::Exists if found => self.data.insert(path),
            WatchKind::Exists if missing => self.exists.insert(path),
            WatchKind::Child if found => self.child.insert(path),
            WatchKind::Persistent if found => self.persistent.insert(path),
            WatchKind::PersistentRecursive if found => self.recursive.insert(path),
            _ => false,
        };
    }

    /// Takes the watches that an event fires; tells whether there were any.
    pub fn fire(&mut self, kind: EventKind, path: &str) -> bool {
        let data = |watches: &mut Self| watches.data.remove(path) | watches.exists.remove(path);
        let standard = match kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => data(self),
            EventKind::NodeChildrenChanged => self.child.remove(path),
            EventKind::NodeDeleted => data(self) | self.child.remove(path),
            _ => false,
        };
        standard
            || self.persistent.contains(path)
            || (kind != EventKind::NodeChildrenChanged && self.is_below_recursive(path))
    }

    /// Removes watches; returns the events to tell, none if there was no such watch.
    pub fn remove(&mut self, which: WatcherType, path: &str) -> Vec<EventKind> {
        let any = which == WatcherType::Any;
        let mut events = BTreeSet::new();
        if any || which == WatcherType::Children {
            let removed = self.child.remove(path);
            events.extend(removed.then_some(EventKind::ChildWatchRemoved));
        }
        if any || which == WatcherType::Data {
            let removed = self.data.remove(path) | self.exists.remove(path);
            events.extend(removed.then_some(EventKind::DataWatchRemoved));
        }
        if any || which == WatcherType::Persistent {
            let removed = self.persistent.remove(path);
            events.extend(removed.then_some(EventKind::PersistentWatchRemoved));
        }
        if any || which == WatcherType::PersistentRecursive {
            let removed = self.recursive.remove(path);
            events.extend(removed.then_some(EventKind::PersistentWatchRemoved));
        }
        events.into_iter().collect()
    }

    /// The requests that set all watches again on a new connection, for a client that has seen
    /// everything up to `last_zxid`.
    pub fn set_again(&self, last_zxid: Zxid) -> Vec<SetWatches2<'_>> {
        let kinds = [
            &self.data,
            &self.exists,
            &self.child,
            &self.persistent,
            &self.recursive,
        ];
        let all = kinds
            .into_iter()
            .enumerate()
            .flat_map(|(kind, paths)| paths.iter().map(move |path| (kind, path)));
        let mut batches = Vec::new();
        let mut bytes = BATCH_BYTES;
        for (kind, path) in all {
            if bytes >= BATCH_BYTES {
                batches.push(empty(last_zxid));
                bytes = 0;
            }
            bytes += path.len();
            if let Some(batch) = batches.last_mut() {
                let list = match kind {
                    0 => &mut batch.standard.data,
                    1 => &mut batch.standard.exist,
                    2 => &mut batch.standard.child,
                    3 => &mut batch.persistent,
                    _ => &mut batch.persistent_recursive,
                };
                list.push(Cow::Borrowed(path.as_str()));
            }
        }
        batches
    }

    fn is_below_recursive(&self, path: &str) -> bool {
        let mut path = path;
        loop {
            if self.recursive.contains(path) {
                return true;
            }
            match grevy_proto::path::split(path) {
                Some((parent, _)) => path = parent,
                None => return false,
            }
        }
    }
}

fn empty<'a>(relative_zxid: Zxid) -> SetWatches2<'a> {
    SetWatches2 {
        standard: SetWatches {
            relative_zxid,
            data: Vec::new(),
            exist: Vec::new(),
            child: Vec::new(),
        },
        persistent: Vec::new(),
        persistent_recursive: Vec::new(),
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
        use WatchKind::*;
        // (kind, path, result) -> event on path: fires at once, and again.
        for (registered, kind, path, fires) in [
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
            let mut watches = watches(&[registered]);
            let seen = [watches.fire(kind, path), watches.fire(kind, path)];
            assert_eq!(seen, fires, "{registered:?} {kind:?} {path}");
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

    #[test]
    fn watches_are_set_again_in_batches() {
        let long = "x".repeat(BATCH_BYTES);
        let paths: Vec<String> = (0..3).map(|n| format!("/{n}{long}")).collect();
        let mut watches = Watches::default();
        for path in &paths {
            watches.register(WatchKind::Data, path.clone(), 0);
        }
        watches.register(WatchKind::Persistent, "/p".to_owned(), 0);
        let batches = watches.set_again(Zxid(7));
        let sizes: Vec<_> = batches
            .iter()
            .map(|batch| (batch.standard.data.len(), batch.persistent.len()))
            .collect();
        assert_eq!(sizes, [(1, 0), (1, 0), (1, 0), (0, 1)]);
        assert!(Watches::default().set_again(Zxid(7)).is_empty());
    }
}
